//! The system calls of the real program: no 200 leaves before the sync that makes its event durable.

use std::collections::{HashMap, HashSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::client::{Client, now_secs, signed};
use super::process::{Livehook, PROGRAM};

const ALONE: u64 = 20;
const TOGETHER: u64 = 200;
const SENDERS: u64 = 8;

/// The numbers of all events whose lines begin in a text that strace printed.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    text.split(r#"\"channel_id\":\"s"#).skip(1).filter_map(move |rest| digits(rest).parse().ok())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    answers: usize,
    synced: usize,
    /// The first 200 that left too early: fewer events were synced than answered.
    too_early: Option<String>,
}

/// Follows the order of the calls. An event is synced when a sync of the journal's WAL returns that began after the event
/// was written to it. The number of 200s must never exceed the number of synced events.
fn follow(trace: &str) -> Found {
    let mut found = Found::default();
    let (mut written, mut synced) = (HashSet::new(), HashSet::new());
    let mut syncing: HashMap<&str, HashSet<u64>> = HashMap::new();
    for line in trace.lines() {
        let thread = line.split(' ').next().unwrap();
        let is_sync = line.contains("sync(") || line.contains("sync resumed>");
        if is_sync {
            if line.contains("sync(") && line.contains("/journal.db-wal>") {
                syncing.insert(thread, written.clone());
            }
            if line.trim_end().ends_with("= 0") {
                synced.extend(syncing.remove(thread).unwrap_or_default());
            }
        } else if line.contains("/journal.db-wal>") {
            written.extend(numbers(line));
        } else if line.contains(r#"HTTP/1.1 200"#) && line.contains(r#"{\"code\":0}"#) {
            found.answers += 1;
            if found.answers > synced.len() {
                let start: String = line.chars().take(200).collect();
                found.too_early.get_or_insert(start);
            }
        }
    }
    found.synced = synced.len();
    found
}

#[test]
fn trace_shows_an_answer_before_its_sync() {
    let write =
        |number: u64| format!(r#"2 pwrite64(9</d/journal.db-wal>, "{{\"channel_id\":\"s{number}\",", 4096, 0) = 4096"#);
    let sync = "2 fdatasync(9</d/journal.db-wal>) = 0".to_owned();
    let begins = "2 fdatasync(9</d/journal.db-wal> <unfinished ...>".to_owned();
    let ends = "2 <... fdatasync resumed>)            = 0".to_owned();
    let answer = r#"1 sendto(7<socket:[1]>, "HTTP/1.1 200 OK\r\n\r\n{\"code\":0}", 99, 0, NULL, 0) = 99"#.to_owned();
    let is_too_early = |lines: &[&String]| {
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
        follow(&lines.join("\n")).too_early.is_some()
    };
    let (first, second) = (write(1), write(2));
    assert!(!is_too_early(&[&first, &sync, &answer, &second, &begins, &ends, &answer]));
    assert!(is_too_early(&[&first, &answer, &sync]));
    assert!(is_too_early(&[&first, &begins, &answer, &ends]));
    assert!(is_too_early(&[&begins, &first, &ends, &answer]));
    assert!(is_too_early(&[&first, &sync, &answer, &second, &answer]));
}

#[tokio::test]
#[ignore = "needs strace and the right to use it: run by tests/run"]
async fn no_200_leaves_before_its_sync() {
    let mut livehook = Livehook::configured("", "");
    start_traced(&mut livehook).await;

    let mut client = Client::connect(livehook.receiver).await.unwrap();
    for number in 0..ALONE {
        assert_eq!(client.post(&signed(number, now_secs())).await.unwrap().status, 200);
    }
    let address = livehook.receiver;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.unwrap();
                for number in (ALONE..ALONE + TOGETHER).filter(|number| number % SENDERS == sender) {
                    assert_eq!(client.post(&signed(number, now_secs())).await.unwrap().status, 200);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let text = stop_traced(&mut livehook).await;
    let count = usize::try_from(ALONE + TOGETHER).unwrap();
    assert_eq!(follow(&text), Found { answers: count, synced: count, too_early: None });
}

#[tokio::test]
#[ignore = "needs strace and the right to use it: run by tests/run"]
async fn start_after_a_kill_syncs_first() {
    let mut livehook = Livehook::running("", "").await;
    livehook.stop().await;
    // The WAL is empty now. This reader keeps SQLite from moving later frames into the database.
    let reader = rusqlite::Connection::open(livehook.path("data/journal.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    livehook.start();
    livehook.ready().await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&signed(1, now_secs())).await.unwrap().status, 200);
    livehook.kill();

    start_traced(&mut livehook).await;
    let text = stop_traced(&mut livehook).await;
    let is_write = |line: &str| line.contains("write64(") && line.contains("/journal.db-wal>");
    let written = text.lines().position(is_write).expect("the start writes something");
    for file in ["/journal.db-wal>)".to_owned(), format!("{}>)", livehook.directory.display())] {
        let is_synced = text
            .lines()
            .take(written)
            .any(|line| line.contains("sync(") && line.contains(&file) && line.ends_with("= 0"));
        assert!(is_synced, "{file}: {text}");
    }
    assert_eq!(livehook.journal().len(), 1);
    drop(reader);
}

/// Starts the program under strace, which records its writes and syncs.
async fn start_traced(livehook: &mut Livehook) {
    let calls = "trace=fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg";
    let log = std::fs::File::create(livehook.path("stderr.log")).unwrap();
    // With -D our child is the program and not strace, so signals reach the program.
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-y", "-s", "40000", "-e", calls, "-o"]).arg(livehook.path("trace")).arg(PROGRAM);
    livehook.spawn(strace.stdout(Stdio::null()).stderr(log));
    livehook.ready().await;
}

/// Stops the program, and returns what strace recorded.
async fn stop_traced(livehook: &mut Livehook) -> String {
    livehook.stop().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(livehook.path("trace")).unwrap()).into_owned();
        if text.trim_end().ends_with("+++ exited with 0 +++") {
            return text;
        }
        assert!(Instant::now() < deadline, "strace does not come to an end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
