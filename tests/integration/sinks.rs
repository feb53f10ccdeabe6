//! One suite that every sink passes, against the real program: all of it, in order, also over an outage and a restart.

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::{Client, id_of, now_secs, signed};
use super::process::{Livehook, PROGRAM};

/// A sink under test: how it is configured, what arrived, and how its other end fails.
trait Subject {
    /// The block of configuration, and whether an event may arrive twice after a restart.
    fn configure(&self) -> (String, bool);
    /// Starts the program with what the sink needs.
    fn start(&mut self, livehook: &mut Livehook);
    /// From now on, the other end takes nothing.
    fn fail(&mut self);
    /// It takes events again.
    fn mend(&mut self);
    /// Every line that arrived.
    fn received(&self) -> Vec<String>;
}

/// `file`, whose directory goes away.
struct File {
    directory: PathBuf,
}

impl File {
    fn path(&self) -> PathBuf {
        self.directory.join("events.jsonl")
    }
}

impl Subject for File {
    fn configure(&self) -> (String, bool) {
        (format!("[[sinks]]\nname = \"it\"\ntype = \"file\"\npath = \"{}\"\nretry = {{ wait_ms_first = 20, wait_ms_max = 50 }}\n", self.path().display()), false)
    }

    fn start(&mut self, livehook: &mut Livehook) {
        livehook.start();
    }

    fn fail(&mut self) {
        // Root writes where nobody may, so the path is made one that cannot be a file.
        if self.path().exists() {
            std::fs::rename(self.path(), self.directory.join("before.jsonl")).unwrap();
        }
        std::fs::create_dir(self.path()).unwrap();
    }

    fn mend(&mut self) {
        std::fs::remove_dir(self.path()).unwrap();
    }

    fn received(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in [self.directory.join("before.jsonl"), self.path()] {
            lines.extend(std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned));
        }
        lines
    }
}

/// `log`, whose reader stops reading.
#[derive(Default)]
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    is_paused: Arc<AtomicBool>,
}

impl Subject for Log {
    fn configure(&self) -> (String, bool) {
        ("[[sinks]]\nname = \"it\"\ntype = \"log\"\n".to_owned(), true)
    }

    fn start(&mut self, livehook: &mut Livehook) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(livehook.path("stderr.log")).unwrap();
        let child = livehook.spawn(Command::new(PROGRAM).stdout(Stdio::piped()).stderr(log));
        let mut stdout = child.stdout.take().unwrap();
        let (text, is_paused) = (Arc::clone(&self.text), Arc::clone(&self.is_paused));
        std::thread::spawn(move || {
            let mut chunk = [0; 1024];
            loop {
                while is_paused.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                match stdout.read(&mut chunk) {
                    Ok(count) if count > 0 => text.lock().unwrap().extend_from_slice(&chunk[..count]),
                    _ => break,
                }
            }
            // A line that a dead process left torn is no line.
            let mut text = text.lock().unwrap();
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            text.truncate(whole);
        });
    }

    fn fail(&mut self) {
        self.is_paused.store(true, Ordering::SeqCst);
    }

    fn mend(&mut self) {
        self.is_paused.store(false, Ordering::SeqCst);
    }

    fn received(&self) -> Vec<String> {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole].lines().map(str::to_owned).collect()
    }
}

async fn post(livehook: &Livehook, numbers: std::ops::Range<u64>) {
    let tasks: Vec<_> = (0..8u64)
        .map(|sender| {
            let (address, numbers) = (livehook.receiver, numbers.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await.unwrap();
                for number in numbers.filter(|number| number % 8 == sender) {
                    assert_eq!(client.post(&signed(number, now_secs())).await.unwrap().status, 200);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Waits until everything that is in the journal has arrived, and checks in which order and how often.
async fn all_arrived(livehook: &Livehook, subject: &dyn Subject, may_repeat: bool) {
    let journal = livehook.journal();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let received = subject.received();
        let mut seen = HashSet::new();
        let first_arrivals: Vec<&String> = received.iter().filter(|line| seen.insert(id_of(line))).collect();
        if first_arrivals.len() == journal.len() {
            assert!(first_arrivals.iter().zip(&journal).all(|(arrived, stored)| *arrived == stored), "in order, byte for byte");
            assert!(may_repeat || received.len() == journal.len(), "an event arrived twice");
            return;
        }
        assert!(Instant::now() < deadline, "{} of {} arrived: {}", received.len(), journal.len(), livehook.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn conforms(mut subject: impl Subject, directory: &std::path::Path) {
    let (config, may_repeat) = subject.configure();
    let mut livehook = Livehook::configure(directory, "shutdown_grace_secs = 3", &config);
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, 0..400).await;
    all_arrived(&livehook, &subject, false).await;

    subject.fail();
    post(&livehook, 400..1200).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(subject.received().len() < 1200, "the outage is none");
    subject.mend();
    all_arrived(&livehook, &subject, false).await;

    subject.fail();
    post(&livehook, 1200..1600).await;
    let began = Instant::now();
    livehook.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "within the grace, in the middle of an outage");
    subject.mend();
    tokio::time::sleep(Duration::from_millis(100)).await;
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, 1600..1700).await;
    all_arrived(&livehook, &subject, may_repeat).await;

    livehook.kill();
    tokio::time::sleep(Duration::from_millis(100)).await;
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, 1700..1800).await;
    all_arrived(&livehook, &subject, may_repeat).await;
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 1800);
}

#[tokio::test]
async fn the_file_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(File { directory: directory.path().to_owned() }, directory.path()).await;
}

#[tokio::test]
async fn the_log_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Log::default(), directory.path()).await;
}
