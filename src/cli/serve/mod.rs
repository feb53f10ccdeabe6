//! `livehook serve`: the service itself.

mod signals;

use std::process::ExitCode;

use super::args::config::ConfigArguments;
use super::client::listen_address::reachable;
use crate::app::App;
use crate::config::{Config, SinkConfig};
use crate::telemetry;

/// Receive callbacks, keep them, and hand them on
///
/// Events go to the configured sinks, or as lines to stdout where none is configured; diagnostics go to stderr. SIGTERM,
/// SIGINT and SIGQUIT stop the service: requests in flight finish, the sinks take what they can within the grace, and a
/// signal that comes more than a second after the first cuts that short. What the sinks have not taken then is in the
/// journal, for the next start. SIGHUP changes nothing: a new configuration takes a restart.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook serve --key test                  for a first try, without a file
  livehook serve --config config.toml
  LIVEHOOK_KEYS_FILE=callback.key livehook serve --data-dir /var/lib/livehook
  livehook serve --key test | jq .subject    events are lines of JSON on stdout")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

/// Runs until it is stopped by a signal or an essential part dies.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.config.load()?;
    let log = telemetry::start_log(&config.log);
    let result = super::runtime::block_on(serve(config)).and_then(|result| result);
    let code = result.unwrap_or_else(|error| {
        // Through the log, in its format, and so that a stderr that blocks does not keep a dead service from ending.
        tracing::error!("{}", super::described(&error));
        ExitCode::FAILURE
    });
    log.finish();
    Ok(code)
}

async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    // First of all, since what is logged may meet the limit of a file's size.
    let mut signals = signals::count_stops()?;
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
    let app = tokio::select! {
        app = App::start(config) => app?,
        () = &mut first => return Ok(ExitCode::SUCCESS),
    };
    greeting.say(&app);
    app.run(first, second).await?;
    Ok(ExitCode::SUCCESS)
}

/// What is said at start, of what the configuration knows.
struct Greeting {
    path: String,
    data_dir: String,
    sinks: Vec<String>,
}

impl Greeting {
    fn of(config: &Config) -> Greeting {
        Greeting {
            path: config.receiver.path.to_string(),
            data_dir: config.data_dir.display().to_string(),
            sinks: config.sinks.iter().map(sink).collect(),
        }
    }

    fn say(&self, app: &App) {
        let Greeting { path, data_dir, sinks } = self;
        let receiver = app.receiver_address();
        tracing::info!("callbacks are taken at http://{receiver}{path}");
        tracing::info!("health and metrics are at http://{}", app.admin_address());
        tracing::info!("the data is in {data_dir}");
        for sink in sinks {
            tracing::info!("events go to {sink}");
        }
        let url = format!("http://{}{path}", reachable(receiver));
        tracing::info!("to send a first event: livehook send --key KEY --url {url}");
    }
}

/// The sink as a person knows it.
fn sink(config: &SinkConfig) -> String {
    let (name, kind) = (&config.name, config.sink.type_name());
    match config.sink.target() {
        Some(target) => format!("the sink `{name}` ({kind}, {target})"),
        None => format!("the sink `{name}` ({kind})"),
    }
}
