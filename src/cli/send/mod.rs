//! `livehook send`: posts callbacks to a receiver, as CSS does.

mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use self::sample::{Push, Sample};
use super::args::{CallbackFile, KeyArguments, usage_error};
use super::client::{client, no_answer, parse_url, read_body};
use super::render::{Output, talk};
use super::runtime::block_on;
use super::sign::{TTL_SECS, expiry_secs, now_secs, sign};
use crate::printable::printable;

/// How long CSS waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The errcode of a normal stop: the client ended the push.
const ERRCODE_NORMAL: i64 = 1;

/// The most characters that are shown of an answer.
const SHOWN_CHARACTERS_MAX: usize = 1000;

/// The flags of generated callbacks. They make no sense for a file.
const GENERATED_FLAGS: [&str; 6] = ["event", "stream", "domain", "app_name", "errcode", "count"];

/// Send signed callbacks to a receiver, generated or from a file
///
/// The command prints one line for each answer: status, body, time. The exit code is 1 if any status is not 200.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("signature").args(["key", "key_file", "as_is"]).required(true),
    after_help = "\
Examples:
  livehook send --key test                             a push of `demo`
  livehook send --key test --event pair --stream a     a push and its stop
  livehook send --key test --event stop --errcode 8    a stop without data
  livehook send --key test --count 1000                a thousand pushes
  livehook send --key test sample.json                 a file, signed
  livehook send --as-is captured.json                  a file, unchanged
  livehook send --key-file a.key --url https://hooks.example.com/callback"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Send FILE unchanged, without signing it
    // clap drops the requirement if FILE conflicts with another flag, so the conflicts are here, too.
    #[arg(long, requires = "file", conflicts_with_all = GENERATED_FLAGS)]
    as_is: bool,
    /// The URL of the receiver
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/callback", value_parser = parse_url)]
    url: Url,
    /// A PEM file with certificates. For https, trust only servers with a certificate from this file
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    generated: GeneratedArguments,
    /// A file with one callback, a JSON object, instead of generated callbacks; `-` is stdin
    #[arg(conflicts_with_all = GENERATED_FLAGS)]
    file: Option<PathBuf>,
}

/// The callbacks to generate.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct GeneratedArguments {
    /// The event to generate
    #[arg(long, value_enum, value_name = "EVENT", default_value_t = EventKind::Push)]
    event: EventKind,
    /// The stream name
    #[arg(long, value_name = "STREAM", default_value = "demo")]
    stream: String,
    /// The push domain
    #[arg(long, value_name = "DOMAIN", default_value = "push.example.com")]
    domain: String,
    /// The app name, which is the path of the push URL
    #[arg(long, value_name = "NAME", default_value = "live")]
    app_name: String,
    /// The errcode of the stop; `livehook explain --list` shows all [default: 1, the client ended the push]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    errcode: Option<i64>,
    /// How many to send; each one is a new event
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventKind {
    /// A push started
    Push,
    /// A push stopped
    Stop,
    /// A push started, then stopped
    Pair,
}

/// Sends the callbacks and prints each answer.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    if arguments.generated.errcode.is_some() && arguments.generated.event == EventKind::Push {
        return Err(usage_error("--errcode needs --event stop or --event pair"));
    }
    block_on(send(arguments, output))?
}

async fn send(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut receiver = Receiver {
        client: client(&arguments.url, TIMEOUT, arguments.ca.as_deref())?,
        url: &arguments.url,
        output,
        sent: 0,
        accepted: 0,
    };
    if arguments.file.is_some() {
        receiver.post(file_body(arguments)?).await?;
    } else {
        let key = arguments.key.read()?;
        for _ in 0..arguments.generated.count {
            for callback in generate(&arguments.generated, now_secs()) {
                // Each one is signed when it is sent, because a long run outlasts a signature.
                let body = sign(callback.as_bytes(), &key, expiry_secs(TTL_SECS))?;
                receiver.post(body.into_bytes()).await?;
            }
        }
    }
    let Receiver { sent, accepted, .. } = receiver;
    // For one or two callbacks their lines say enough.
    if sent > 2 {
        talk(format_args!("{sent} sent, {accepted} accepted"));
    }
    Ok(if sent == accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn file_body(arguments: &Arguments) -> anyhow::Result<Vec<u8>> {
    let callback = CallbackFile::read(arguments.file.as_deref())?;
    if arguments.as_is {
        return Ok(callback.bytes);
    }
    let key = arguments.key.read()?;
    let signed = sign(&callback.bytes, &key, expiry_secs(TTL_SECS)).with_context(|| callback.name)?;
    Ok(signed.into_bytes())
}

/// Generates the callbacks of one push, oldest first, without signatures. The last one has the time `now_secs` (Unix seconds).
fn generate(arguments: &GeneratedArguments, now_secs: i64) -> Vec<String> {
    let sample = Sample {
        domain: &arguments.domain,
        app_name: &arguments.app_name,
        stream: &arguments.stream,
        errcode: arguments.errcode.unwrap_or(ERRCODE_NORMAL),
    };
    let push = Push::random();
    match arguments.event {
        EventKind::Push => vec![push.start(&sample, now_secs)],
        EventKind::Stop => vec![push.stop(&sample, now_secs)],
        EventKind::Pair => {
            vec![push.start(&sample, now_secs - push.duration_secs()), push.stop(&sample, now_secs)]
        }
    }
}

/// The receiver, and the number of its answers.
struct Receiver<'r, 'w> {
    client: Client,
    url: &'r Url,
    output: &'r mut Output<'w>,
    sent: u64,
    accepted: u64,
}

impl Receiver<'_, '_> {
    /// Posts one callback and prints the answer.
    async fn post(&mut self, body: Vec<u8>) -> anyhow::Result<()> {
        let began = Instant::now();
        // After many callbacks, the error says how far the command came.
        let before = if self.sent == 0 { String::new() } else { format!("after {} answers: ", self.sent) };
        let failed = |error| anyhow!("{before}{error}");
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| failed(no_answer(self.url, TIMEOUT, error)))?;
        let status = response.status().as_u16();
        let body = read_body(self.url, TIMEOUT, response).await.map_err(failed)?;
        let took_ms = began.elapsed().as_secs_f64() * 1000.0;

        self.sent += 1;
        self.accepted += u64::from(status == 200);
        let body = printable(body.trim(), SHOWN_CHARACTERS_MAX);
        self.output.line(format_args!("{status} {body} {took_ms:.1} ms"))?;
        Ok(self.output.flush()?)
    }
}

#[cfg(test)]
mod tests;
