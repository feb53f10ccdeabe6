//! `livehook serve`: runs the service until a signal stops it.

mod signals;

use std::process::ExitCode;

use self::signals::Signals;
use super::args::ConfigArguments;
use super::client::reachable;
use super::error_text::error_text;
use super::runtime::block_on;
use crate::app::{App, InheritedSockets, ReloadSource};
use crate::config::{Config, Mistakes, SinkConfig};
use crate::telemetry;

/// Run the service: receive callbacks, store them, and deliver them to the sinks
///
/// Without a configured sink, the service prints events to stdout, one JSON line each. Logs go to stderr.
///
/// SIGTERM, SIGINT and SIGQUIT stop the service. First the sinks take what they can, then the port closes and the requests in
/// flight finish, all within `shutdown_grace_secs`. Other events wait in the journal for the next start. A second signal, more
/// than a second after the first, stops the sinks at once. SIGUSR1 and SIGUSR2 do nothing.
///
/// SIGHUP reloads the configuration, like `livehook reload`. A changed secret file reloads it too, within 5 seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook serve --key test                  a first try without a file
  livehook serve --config config.toml
  LIVEHOOK_KEYS_FILE=callback.key livehook serve --data-dir /var/lib/livehook
  livehook serve --key test | jq .subject    events are JSON lines on stdout
  livehook serve --config config.toml --wait for a second instance")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// If another livehook uses the data directory, wait until it ends, and take over at once
    ///
    /// Until then the port for callbacks stays closed. The admin endpoint, if its address is free, answers 200 at /livez and
    /// /metrics, and 503 `standby` elsewhere. Start both with --wait, and one of them is always active. Both must run on one
    /// machine, because locks don't work on network file systems.
    #[arg(long)]
    wait: bool,
}

/// Runs until a signal stops the service, or an essential part of it fails.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { config, wait } = arguments;
    // Before the log starts its thread.
    let sockets = InheritedSockets::take();
    let log_options = config.clone().log_options();
    let source = config.clone();
    let source = ReloadSource::new(move || source.clone().load());
    let loaded = sockets.and_then(|sockets| Ok((sockets, config.load()?)));
    let (sockets, config) = match loaded {
        Ok(loaded) => loaded,
        Err(error) if log_options.is_for_people() => return Err(error),
        Err(error) => {
            let log = telemetry::start_log(&log_options);
            log_mistakes(&error);
            log.finish();
            return Ok(ExitCode::FAILURE);
        }
    };
    let log = telemetry::start_log(&config.log);
    let result = block_on(serve(config, source, sockets, wait)).and_then(|result| result);
    let code = result.unwrap_or_else(|error| {
        // The log has the format that the user chose, and a blocked stderr does not stop it.
        tracing::error!("{}", error_text(&error));
        ExitCode::FAILURE
    });
    log.finish();
    Ok(code)
}

/// Logs an error that prevents the start: one line for each mistake in the configuration.
fn log_mistakes(error: &anyhow::Error) {
    let Some(mistakes) = error.downcast_ref::<Mistakes>() else {
        tracing::error!("{}", error_text(error));
        return;
    };
    for mistake in mistakes.iter() {
        tracing::error!(key = mistake.key, line = mistake.line, "the configuration has a mistake: {mistake}");
    }
}

async fn serve(
    config: Config,
    source: ReloadSource,
    sockets: InheritedSockets,
    waits: bool,
) -> anyhow::Result<ExitCode> {
    // Before the first log line, because a log file at its size limit would end the process with SIGXFSZ.
    let Signals { stops: mut signals, reloads } = signals::subscribe()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let mut more_signals = signals.clone();
    let first = async move {
        let _ = signals.wait_for(|count| *count >= 1).await;
    };
    let second = async move {
        let _ = more_signals.wait_for(|count| *count >= 2).await;
    };
    tokio::pin!(first);

    let greeting = Greeting::of(&config);
    let starting =
        async { if waits { App::start_or_wait(config, sockets).await } else { App::start_on(config, sockets).await } };
    let mut app = tokio::select! {
        app = starting => app?,
        () = &mut first => return Ok(ExitCode::SUCCESS),
    };
    greeting.say(&app);
    app.reload_from(source, reloads);
    app.run(first, second).await?;
    Ok(ExitCode::SUCCESS)
}

/// The parts of the configuration that the log shows at start.
struct Greeting {
    scheme: &'static str,
    admin_scheme: &'static str,
    path: String,
    data_dir: String,
    sinks: Vec<String>,
}

impl Greeting {
    fn of(config: &Config) -> Greeting {
        Greeting {
            scheme: config.receiver.scheme(),
            admin_scheme: config.admin.scheme(),
            path: config.receiver.path.to_string(),
            data_dir: config.data_dir.display().to_string(),
            sinks: config.sinks.iter().map(sink).collect(),
        }
    }

    fn say(&self, app: &App) {
        let Greeting { scheme, admin_scheme, path, data_dir, sinks } = self;
        let receiver = app.receiver_address();
        tracing::info!("receiving callbacks at {scheme}://{receiver}{path}");
        tracing::info!("health and metrics are at {admin_scheme}://{}", app.admin_address());
        tracing::info!("the data is in {data_dir}");
        for sink in sinks {
            tracing::info!("events go to {sink}");
        }
        let url = format!("{scheme}://{}{path}", reachable(receiver));
        tracing::info!("to send a first event: livehook send --key KEY --url {url}");
    }
}

/// A sink, such as: the sink `archive` (file, events.jsonl).
fn sink(config: &SinkConfig) -> String {
    let (name, kind) = (&config.name, config.sink.type_name());
    match config.sink.target() {
        Some(target) => format!("the sink `{name}` ({kind}, {target})"),
        None => format!("the sink `{name}` ({kind})"),
    }
}
