//! SIGKILL at random moments, under load, also during rotations: every event answered with 200 is in the journal once, as
//! it was sent, and once in the files of each sink that selects it, byte for byte and in the order of the journal.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use super::client::{self, Client, expected_id, id_of, now_secs, sign};
use super::kills::{Senders, rounds, seeded};
use super::process::Livehook;

const CONNECTIONS: usize = 16;

/// The members of an event. Some events are so large that a few of them fill a file: kills then hit rotations.
fn members(number: u64) -> String {
    let padding = if number.is_multiple_of(8) { "x".repeat(30_000) } else { String::new() };
    format!(r#"{},"padding":"{padding}""#, client::members(number))
}

fn body(number: u64) -> String {
    sign(&members(number), now_secs() + 600)
}

/// The sinks of one run: one takes all events, one takes some. Each may rotate and compress.
fn sinks(random: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for (name, filter) in [("all", ""), ("pushes", "filter = { types = [\"push\"] }\n")] {
        let rotation = match random.u8(0..4) {
            0 => "",
            1 => "rotate_bytes = 65536\n",
            _ => "rotate_bytes = 65536\ngzip = true\n",
        };
        text += &format!("[[sinks]]\nname = \"{name}\"\ntype = \"file\"\npath = \"{name}.jsonl\"\n{rotation}{filter}");
    }
    text
}

/// Writes a new random configuration and starts the program with it.
fn start(livehook: &mut Livehook, random: &mut fastrand::Rng) {
    livehook.configure_again("", &sinks(random));
    livehook.start();
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn answered_events_survive_every_kill_once() {
    let mut random = seeded();
    let mut livehook = Livehook::configured("", "");
    let mut senders = Senders::new(CONNECTIONS, body);
    let mut known = Known::default();
    for round in 0..rounds() {
        // Some kills come before the program serves, during recovery.
        for _ in 0..random.u64(0..3) {
            start(&mut livehook, &mut random);
            tokio::time::sleep(Duration::from_micros(random.u64(0..30_000))).await;
            livehook.kill();
        }
        start(&mut livehook, &mut random);
        livehook.ready().await;
        senders.start(livehook.receiver);
        tokio::time::sleep(Duration::from_millis(random.u64(1..300))).await;
        livehook.kill();
        let mut answered = senders.ended().await;

        start(&mut livehook, &mut random);
        livehook.ready().await;
        // Both sinks take a push.
        let fresh = senders.take_even();
        let mut client = Client::connect(livehook.receiver).await.unwrap();
        assert_eq!(client.post(&body(fresh)).await.unwrap().status, 200);
        answered.push(fresh);
        wait_for(&livehook, fresh).await;
        livehook.kill();
        known.check(&livehook, &answered, round);
    }
    let Known { numbers, closed_files, .. } = known;
    println!("{} rounds, {} events, {closed_files} closed files", rounds(), numbers.len());
    assert!(closed_files >= 2, "no file was rotated");
}

/// Waits until the last event of the journal is the last line of both files.
async fn wait_for(livehook: &Livehook, number: u64) {
    let id = expected_id(&body(number)).to_string();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    for name in ["all.jsonl", "pushes.jsonl"] {
        loop {
            let text = std::fs::read_to_string(livehook.path(name)).unwrap_or_default();
            if text.ends_with('\n') && text.lines().next_back().is_some_and(|line| line.contains(&id)) {
                break;
            }
            let log = || livehook.log();
            assert!(tokio::time::Instant::now() < deadline, "the new event does not arrive in {name}: {}", log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The records found in the journal. The files must hold the same.
#[derive(Default)]
struct Known {
    lines: Vec<String>,
    numbers: HashSet<u64>,
    all: Vec<u8>,
    pushes: Vec<u8>,
    closed_files: usize,
}

impl Known {
    fn check(&mut self, livehook: &Livehook, answered: &[u64], round: u64) {
        let mut journal = livehook.journal();
        assert!(journal.starts_with(&self.lines), "round {round}: what was in the journal has changed");
        for line in journal.drain(self.lines.len()..) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            let number = event["data"]["channel_id"].as_str().unwrap()[1..].parse().unwrap();
            // Only white space between the members, and the secret, differ from what was sent.
            let members = members(number).replace(char::is_whitespace, "").replace("5ECR37", "REDACTED");
            assert!(line.ends_with(&format!(r#","data":{{{members}}}}}"#)), "round {round}: {members} became {line}");
            assert_eq!(id_of(&line), expected_id(&body(number)), "round {round}: {line}");
            assert!(self.numbers.insert(number), "round {round}: {number} is in the journal twice");
            for (sink, passes) in [(&mut self.all, true), (&mut self.pushes, event["type"] == "tencent.css.push")] {
                if passes {
                    sink.extend_from_slice(line.as_bytes());
                    sink.push(b'\n');
                }
            }
            self.lines.push(line);
        }
        let missing: Vec<&u64> = answered.iter().filter(|number| !self.numbers.contains(number)).collect();
        assert!(missing.is_empty(), "round {round}: answered and not in the journal: {missing:?}");
        self.closed_files = 0;
        for (stem, expected) in [("all", &self.all), ("pushes", &self.pushes)] {
            let files = files_of(&livehook.directory, stem);
            self.closed_files += files.len() - 1;
            same(&files.concat(), expected, &format!("round {round}, the sink {stem}"), livehook);
            assert!(
                files.iter().all(|file| file.ends_with(b"\n")),
                "round {round}: a file of {stem} ends within a line"
            );
        }
    }
}

/// The contents of the files of a sink: closed files in the order of their names, then the open one.
fn files_of(directory: &Path, stem: &str) -> Vec<Vec<u8>> {
    let mut closed = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some((stamp, form)) = name.strip_prefix(&format!("{stem}-")).and_then(|rest| rest.split_once(".jsonl"))
        else {
            continue;
        };
        let mut bytes = std::fs::read(directory.join(&name)).unwrap();
        match form {
            "" => {}
            ".gz" => {
                let mut text = Vec::new();
                MultiGzDecoder::new(&bytes[..])
                    .read_to_end(&mut text)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                bytes = text;
            }
            // A kill left this file behind. The next start removes it.
            ".gz.part" => continue,
            _ => panic!("{name} is no name of a closed file"),
        }
        let (time, number) = stamp.split_once('-').unwrap_or((stamp, "0"));
        // A kill after compression and before removal leaves both the file and its compressed copy.
        if let Some(twin) = closed.insert((time.to_owned(), number.parse::<u32>().unwrap()), bytes.clone()) {
            assert!(twin == bytes, "{name} differs from its twin");
        }
    }
    let open = std::fs::read(directory.join(format!("{stem}.jsonl"))).unwrap();
    closed.into_values().chain([open]).collect()
}

fn same(found: &[u8], expected: &[u8], place: &str, livehook: &Livehook) {
    if found == expected {
        return;
    }
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let (found, expected): (Vec<&str>, Vec<&str>) = (found.lines().collect(), expected.lines().collect());
    let at = (0..).find(|at| found.get(*at) != expected.get(*at)).unwrap();
    panic!(
        "{place}: line {at} differs, of {} in the files and {} in the journal\nfiles:   {:?}\njournal: {:?}\n{}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at),
        livehook.log()
    );
}
