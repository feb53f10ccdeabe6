//! `livehook sinks`: a person ends the wait of a sink, or gives up on events. The real program, with a command sink that fails.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Client, members, now_secs, post_all, sign};
use super::process::{Livehook, PROGRAM};

const TOKEN: &str = "a-token-for-the-tests";

/// A service whose sink fails for every event of the stream `bad` while the file `fail` exists. It tries again after a minute.
async fn service() -> Livehook {
    let config = format!(
        r#"token = "{TOKEN}"
        [[sinks]]
        name = "backend"
        type = "command"
        program = "sh"
        arguments = ["-c", """
            read -r line
            case "$line" in *'"subject":"bad"'*) test ! -e fail || exit 1;; esac
            echo "$line" >> taken"""]
        retry = {{ wait_ms_first = 60000, wait_ms_max = 60000 }}"#
    );
    let mut livehook = Livehook::configured("", &config);
    std::fs::write(livehook.path("fail"), "").unwrap();
    livehook.start();
    livehook.ready().await;
    livehook
}

async fn post(livehook: &Livehook, number: u64, stream: &str) {
    let callback = callback(number, stream);
    assert_eq!(Client::connect(livehook.receiver).await.unwrap().post(&callback).await.unwrap().status, 200);
}

fn callback(number: u64, stream: &str) -> String {
    let members = members(number).replace(&format!("\"s{number}\""), &format!("\"{stream}\""));
    sign(&members, now_secs() + 600)
}

/// Waits until the sink's state fits, and returns it.
async fn state(livehook: &Livehook, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = Client::connect(livehook.admin).await.unwrap().get("/api/v1/sinks", "").await.unwrap();
        let sink = serde_json::from_str::<Value>(&answer.body).unwrap()["items"][0].take();
        if fits(&sink) {
            return sink;
        }
        assert!(Instant::now() < deadline, "{sink}: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn output(livehook: &Livehook, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(&livehook.directory).env("LIVEHOOK_CONFIG", "config.toml").arg("sinks").args(arguments);
    command.output().unwrap()
}

fn sinks(livehook: &Livehook, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = output(livehook, arguments);
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// The row that `sinks list` prints.
fn listed(livehook: &Livehook) -> Value {
    let Output { stdout, stderr, .. } = output(livehook, &["list", "--output", "json"]);
    serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stderr)))
}

#[tokio::test]
async fn list_shows_each_state() {
    let mut livehook = service().await;
    let row = listed(&livehook);
    assert_eq!((&row["name"], &row["type"], &row["state"]), (&"backend".into(), &"command".into(), &"working".into()));
    assert_eq!((&row["pending"], &row["last_delivered"]), (&0.into(), &Value::Null));
    post(&livehook, 0, "good").await;
    state(&livehook, |sink| sink["last_delivered"] != Value::Null && sink["lag"] == 0).await;
    post(&livehook, 1, "bad").await;
    state(&livehook, |sink| sink["attempt"] == 2).await;
    let row = listed(&livehook);
    assert_eq!((&row["state"], &row["pending"], &row["attempt"]), (&"failing".into(), &1.into(), &2.into()));
    assert!(row["last_error"].is_string() && row["oldest_pending_secs"].is_number(), "{row}");
    assert!(row["last_delivered"].is_string(), "{row}");
    livehook.stop().await;
    let row = listed(&livehook);
    assert_eq!((&row["state"], &row["pending"], &row["type"]), (&"stopped".into(), &1.into(), &Value::Null));
    assert!(row["oldest_pending"].is_string(), "{row}");
}

#[tokio::test]
async fn retry_ends_the_wait() {
    let mut livehook = service().await;
    post(&livehook, 0, "bad").await;
    state(&livehook, |sink| sink["attempt"] == 2).await;
    std::fs::remove_file(livehook.path("fail")).unwrap();
    assert_eq!(sinks(&livehook, &["retry", "backend"]), (Some(0), "the sink backend tries again\n".to_owned()));
    let sink = state(&livehook, |sink| sink["lag"] == 0).await;
    assert_eq!((&sink["attempt"], &sink["last_error"], &sink["failing"]), (&1.into(), &Value::Null, &Value::Null));
    assert_eq!(livehook.lines("taken").len(), 1);
    let (code, said) = sinks(&livehook, &["retry", "elsewhere"]);
    assert!(code == Some(1) && said.contains("there is no sink `elsewhere`"), "{said}");
    livehook.stop().await;
}

#[tokio::test]
async fn skip_lets_the_stream_go_on() {
    let mut livehook = service().await;
    for number in 0..3 {
        post(&livehook, number, "bad").await;
    }
    post(&livehook, 3, "good").await;
    let failing = state(&livehook, |sink| sink["failing"] != Value::Null && sink["lag"] == 4).await["failing"].take();
    assert_eq!(failing["stream"], "bad");
    assert!(livehook.log().contains(failing["id"].as_str().unwrap()), "the log names the event: {}", livehook.log());

    // The next event of the stream fails in its turn.
    let skipped = sinks(&livehook, &["skip", "backend", "--event", failing["id"].as_str().unwrap()]);
    assert_eq!(skipped, (Some(0), "1 events of the sink backend are dead letters now\n".to_owned()));
    let next = state(&livehook, |sink| sink["failing"] != Value::Null && sink["failing"] != failing).await;
    assert_eq!((&next["dead_letters"], &next["lag"]), (&1.into(), &3.into()));
    let skipped = sinks(&livehook, &["skip", "backend", "--stream", "ba*"]);
    assert_eq!(skipped, (Some(0), "2 events of the sink backend are dead letters now\n".to_owned()));
    let sink = state(&livehook, |sink| sink["lag"] == 0 && sink["dead_letters"] == 3).await;
    assert_eq!((&sink["attempt"], &sink["last_error"]), (&1.into(), &Value::Null));
    assert_eq!(livehook.lines("taken").len(), 1, "the other stream did not wait");

    let (code, said) = sinks(&livehook, &["skip", "backend", "--stream", "ba*"]);
    assert!(code == Some(1) && said.starts_with("no event"), "{said}");
    let (code, said) = sinks(&livehook, &["skip", "backend"]);
    assert!(code == Some(2) && said.contains("--event"), "{said}");
    livehook.stop().await;
}

/// More events of one stream wait than fit into memory. Other streams go on, over a kill too, and each event arrives once.
#[tokio::test]
#[ignore = "starts 800 programs: run by tests/run"]
async fn held_stream_survives_a_kill() {
    let mut livehook = service().await;
    post_all(livehook.receiver, 0..700, |number| callback(number, "bad")).await;
    state(&livehook, |sink| sink["held_streams"] == 1).await;
    post_all(livehook.receiver, 700..750, |number| callback(number, "good")).await;
    let taken = |livehook: &Livehook| livehook.lines("taken").len();
    wait_until(&livehook, || taken(&livehook) == 50).await;
    // The progress of the others is durable before this one is delivered.
    post(&livehook, 750, "last").await;
    wait_until(&livehook, || taken(&livehook) == 51).await;
    livehook.kill();
    livehook.start();
    livehook.ready().await;
    state(&livehook, |sink| sink["held_streams"] == 1).await;
    post(&livehook, 751, "new").await;
    wait_until(&livehook, || livehook.lines("taken").last().unwrap().contains("\"new\"")).await;
    std::fs::remove_file(livehook.path("fail")).unwrap();
    sinks(&livehook, &["retry", "backend"]);
    state(&livehook, |sink| sink["lag"] == 0 && sink["held_streams"] == 0).await;

    let is_bad = |line: &String| line.contains("\"subject\":\"bad\"");
    let of_stream = |lines: Vec<String>| lines.into_iter().filter(is_bad).collect::<Vec<_>>();
    assert_eq!(of_stream(livehook.lines("taken")), of_stream(livehook.journal()), "in order");
    let others = livehook.lines("taken").into_iter().filter(|line| !is_bad(line) && !line.contains("\"last\""));
    assert_eq!(others.count(), 51, "each once");
    let log = livehook.log();
    for said in ["wait in the journal, because an earlier one fails", "no stream waits in the journal any longer"] {
        assert!(log.contains(said), "{log}");
    }
    livehook.stop().await;
}

async fn wait_until(livehook: &Livehook, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
