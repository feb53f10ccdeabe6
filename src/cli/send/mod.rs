//! `livehook send`: posts callbacks to a receiver, as CSS would.

mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use self::sample::{Push, Sample};
use super::args::input;
use super::args::key::KeyArguments;
use super::client::http;
use super::render::output::{Output, talk};
use super::sign::{TTL_SECS, expiry_secs, sign};
use crate::printable::printable;

/// How long CSS waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The errcode of a stop that is a normal end: the client stopped the push.
const ERRCODE_NORMAL: i64 = 1;

/// Post callbacks to a receiver, made up or from a file, freshly signed
///
/// Each answer becomes one line: its status, its body, how long it took. The exit code is 1 when one is not 200.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("signature").args(["key", "key_file", "as_is"]).required(true),
    after_help = "\
Examples:
  livehook send --key test                             a push of `demo`
  livehook send --key test --event pair --stream a     a push and its stop
  livehook send --key test --event stop --errcode 8    a stop: no data came
  livehook send --key test --count 1000                a thousand pushes
  livehook send --key test sample.json                 a file, signed afresh
  livehook send --as-is captured.json                  a file to the byte
  livehook send --key-file a.key --url https://hooks.example.com/callback"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    key: KeyArguments,
    /// Send FILE as it is, without signing it
    #[arg(long, requires = "file")]
    as_is: bool,
    /// Where the receiver takes callbacks
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080/callback", value_parser = http::parse_url)]
    url: Url,
    /// A file of certificates (PEM): for https, only a server that one of them vouches for is believed
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    made_up: MadeUpArguments,
    /// A callback, one JSON object, in place of made-up ones; `-` is stdin
    #[arg(conflicts_with_all = ["event", "stream", "domain", "app_name", "errcode", "count"])]
    file: Option<PathBuf>,
}

/// What to make up.
#[derive(Debug, clap::Args)]
#[group(skip)]
struct MadeUpArguments {
    /// What happens
    #[arg(long, value_enum, value_name = "EVENT", default_value_t = EventKind::Push)]
    event: EventKind,
    /// The stream name
    #[arg(long, value_name = "STREAM", default_value = "demo")]
    stream: String,
    /// The push domain
    #[arg(long, value_name = "DOMAIN", default_value = "push.example.com")]
    domain: String,
    /// The path of the push URL
    #[arg(long, value_name = "NAME", default_value = "live")]
    app_name: String,
    /// Why the push stopped, after the vendor's table [default: 1, the client stopped it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    errcode: Option<i64>,
    /// How many distinct ones to send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventKind {
    /// A push started
    Push,
    /// A push stopped
    Stop,
    /// A push started, and stopped
    Pair,
}

/// Sends, and prints each answer.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    if arguments.made_up.errcode.is_some() && arguments.made_up.event == EventKind::Push {
        return Err(crate::cli::args::usage_error("--errcode belongs to a stop: add --event stop or --event pair"));
    }
    super::runtime::block_on(send(arguments, output))?
}

async fn send(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut receiver = Receiver {
        client: http::client(&arguments.url, TIMEOUT, arguments.ca.as_deref())?,
        url: &arguments.url,
        output,
        sent: 0,
        accepted: 0,
    };
    if arguments.file.is_some() {
        receiver.post(file_body(arguments)?).await?;
    } else {
        let key = arguments.key.read()?;
        for _ in 0..arguments.made_up.count {
            for callback in made_up(&arguments.made_up, Timestamp::now().as_second()) {
                // Signed one by one: a long run would outlast a signature.
                let body = sign(callback.as_bytes(), &key, expiry_secs(TTL_SECS))?;
                receiver.post(body.into_bytes()).await?;
            }
        }
    }
    let Receiver { sent, accepted, .. } = receiver;
    if sent > 2 {
        talk(format_args!("{sent} sent, {accepted} answered with 200"));
    }
    Ok(if sent == accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn file_body(arguments: &Arguments) -> anyhow::Result<Vec<u8>> {
    let input = input::read_callback(arguments.file.as_deref())?;
    if arguments.as_is {
        return Ok(input.bytes);
    }
    let signed = sign(&input.bytes, &arguments.key.read()?, expiry_secs(TTL_SECS)).with_context(|| input.name)?;
    Ok(signed.into_bytes())
}

/// The callbacks of one push, oldest first, the last at `now_secs` (Unix seconds). They are unsigned.
fn made_up(arguments: &MadeUpArguments, now_secs: i64) -> Vec<String> {
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

/// The receiver that is posted to, and what it has answered.
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
        let before = if self.sent == 0 { String::new() } else { format!("after {} answers: ", self.sent) };
        let no_answer = |error| anyhow!("{before}{error}");
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(|error| no_answer(http::no_answer(self.url, TIMEOUT, error)))?;
        let status = response.status().as_u16();
        let answer = http::read_body(self.url, TIMEOUT, response).await.map_err(no_answer)?;
        let took_ms = began.elapsed().as_secs_f64() * 1000.0;

        self.sent += 1;
        self.accepted += u64::from(status == 200);
        self.output.line(format_args!("{status} {} {took_ms:.1} ms", printable(answer.trim(), 1000)))?;
        Ok(self.output.flush()?)
    }
}

#[cfg(test)]
mod tests;
