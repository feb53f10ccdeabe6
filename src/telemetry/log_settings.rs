//! The level and the format of the log, which may change while the service runs.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::{Full, Json, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::journald::{self, JournaldFormat};
use super::log_options::{Format, Level, LogOptions};

// There is one log for the process, as there is one subscriber of `tracing`.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static FORMAT: AtomicU8 = AtomicU8::new(Format::Text as u8);

/// Sets the level and the format of every later line.
pub fn set_log_options(options: &LogOptions) {
    LEVEL.store(options.level as u8, Ordering::Relaxed);
    FORMAT.store(options.format as u8, Ordering::Relaxed);
    // `tracing` remembers for each place in the code whether anything wants its lines.
    tracing::callsite::rebuild_interest_cache();
}

fn level() -> LevelFilter {
    match LEVEL.load(Ordering::Relaxed) {
        level if level == Level::Error as u8 => LevelFilter::ERROR,
        level if level == Level::Warn as u8 => LevelFilter::WARN,
        level if level == Level::Info as u8 => LevelFilter::INFO,
        level if level == Level::Debug as u8 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Libraries of brokers. They log each of their failures, which the sink reports already.
const SILENT: [&str; 3] = ["async_nats", "lapin", "rskafka"];

/// Whether the log has a line.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= level() && !SILENT.contains(&library)
}

/// Lets lines of the present level and above through.
#[derive(Debug)]
pub(super) struct LevelGate;

impl<S: Subscriber> Layer<S> for LevelGate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_wanted(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level())
    }
}

/// Writes each line in the present format.
#[derive(Debug)]
pub(super) struct PresentFormat {
    text: format::Format<Full, SystemTime>,
    journald: Option<JournaldFormat>,
    json: format::Format<Json, SystemTime>,
}

impl PresentFormat {
    pub(super) fn new() -> PresentFormat {
        PresentFormat {
            text: format().with_target(false),
            journald: journald::is_stderr().then(JournaldFormat::new),
            json: format().json().flatten_event(true),
        }
    }
}

impl<S, N> FormatEvent<S, N> for PresentFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match &self.journald {
            _ if FORMAT.load(Ordering::Relaxed) == Format::Json as u8 => self.json.format_event(context, writer, event),
            Some(journald) => journald.format_event(context, writer, event),
            None => self.text.format_event(context, writer, event),
        }
    }
}
