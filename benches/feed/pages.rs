//! Open pages without a browser: each follows the updates and asks for itself as the script does. One of them looks when events
//! appear.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::{sender, subscribers};

/// A page asks for itself after this time without an update.
const WITHOUT_UPDATE: Duration = Duration::from_secs(4);

/// The pages that show much time ask at most this often.
const SLOW: Duration = Duration::from_secs(5);

/// What 50 pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All show the live streams.
    Same,
    /// Of ten pages, four show the live streams, two the events, two a stream of their own, one the sinks, one the time line.
    Mix,
}

impl Shown {
    fn path(self, number: usize) -> String {
        match (self, number % 10) {
            (Shown::Same, _) | (Shown::Mix, 0..4) => "/".to_owned(),
            (Shown::Mix, 4 | 5) => "/events".to_owned(),
            (Shown::Mix, 6 | 7) => format!("/streams/push.example.com/live/{}", sender::stream(number as u64)),
            (Shown::Mix, 8) => "/sinks".to_owned(),
            (Shown::Mix, _) => "/timeline?span=1h".to_owned(),
        }
    }
}

/// The figures of all pages.
#[derive(Default)]
pub(crate) struct Seen {
    /// How many times a page asked for itself.
    pub(crate) renewals: u64,
    /// How many bytes all pages read.
    pub(crate) bytes: u64,
    /// How long after its receipt each event appeared on the page that looks, in ms.
    pub(crate) latencies_ms: Vec<u32>,
}

/// Pages that are open until [`OpenPages::close`].
pub(crate) struct OpenPages {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Seen>>,
}

impl OpenPages {
    /// Opens `count` pages, and one of the events that looks. Returns when all are there.
    pub(crate) fn open(admin: SocketAddr, count: usize, shown: Shown) -> anyhow::Result<OpenPages> {
        let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let thread = std::thread::spawn({
            let (stop, opened) = (Arc::clone(&stop), Arc::clone(&opened));
            move || {
                subscribers::run_last()?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, run(admin, count, shown, stop, opened))
            }
        });
        let began = Instant::now();
        while opened.load(Ordering::Relaxed) <= count {
            if thread.is_finished() || began.elapsed() > Duration::from_secs(60) {
                bail!("only {} of {count} pages opened", opened.load(Ordering::Relaxed));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(OpenPages { stop, thread })
    }

    /// Closes all pages.
    pub(crate) fn close(self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the pages panicked"))?
    }
}

async fn run(
    admin: SocketAddr,
    count: usize,
    shown: Shown,
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
) -> anyhow::Result<Seen> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let mut tasks = JoinSet::new();
    for number in 0..=count {
        let looks = number == count;
        let path = if looks { "/events".to_owned() } else { shown.path(number) };
        let page = Page { admin, path, looks, seen: Rc::clone(&seen), known_ms: now_ms() };
        tasks.spawn_local(page.stay_open(Arc::clone(&opened)));
    }
    while !stop.load(Ordering::Relaxed) {
        if let Ok(Some(ended)) = timeout(Duration::from_millis(50), tasks.join_next()).await {
            ended??;
            bail!("the service ended the connection of a page");
        }
    }
    tasks.shutdown().await;
    Ok(seen.take())
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

struct Page {
    admin: SocketAddr,
    path: String,
    /// Reads the times of events, so it asks for a page that is not compressed.
    looks: bool,
    seen: Rc<RefCell<Seen>>,
    /// When the newest event that was seen was received, in Unix ms.
    known_ms: i64,
}

impl Page {
    async fn stay_open(mut self, opened: Arc<AtomicUsize>) -> anyhow::Result<()> {
        let mut updates = TcpStream::connect(self.admin).await?;
        let stream = self.path.strip_prefix("/streams/").map(|key| format!("?stream={key}")).unwrap_or_default();
        updates.write_all(format!("GET /updates{stream} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
        let mut connection = TcpStream::connect(self.admin).await?;
        connection.set_nodelay(true)?;
        let mut buffer = vec![0; 4096];
        let mut is_first = true;
        let is_slow = self.path.starts_with("/timeline");
        loop {
            let began = Instant::now();
            self.renew(&mut connection).await?;
            if std::mem::take(&mut is_first) {
                opened.fetch_add(1, Ordering::Relaxed);
            }
            if is_slow {
                tokio::time::sleep(SLOW.saturating_sub(began.elapsed())).await;
            }
            // The first answer is the head. Everything later is an update, or a comment every 15 s.
            if let Ok(read) = timeout(WITHOUT_UPDATE, updates.read(&mut buffer)).await {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                self.seen.borrow_mut().bytes += read as u64;
            }
        }
    }

    /// Asks for the page, and reads all of it.
    async fn renew(&mut self, connection: &mut TcpStream) -> anyhow::Result<()> {
        let coding = if self.looks { "" } else { "Accept-Encoding: gzip\r\n" };
        let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n{coding}\r\n", self.path);
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(16 * 1024);
        let mut whole = None;
        while whole.is_none_or(|whole| answer.len() < whole) {
            if connection.read_buf(&mut answer).await? == 0 {
                bail!("the service closed a connection");
            }
            if whole.is_none() {
                whole = length(&answer)?;
            }
        }
        let mut seen = self.seen.borrow_mut();
        seen.renewals += 1;
        seen.bytes += answer.len() as u64;
        if self.looks {
            look(&answer, &mut self.known_ms, &mut seen.latencies_ms);
        }
        Ok(())
    }
}

/// Returns how long an answer is with its head; `None` while the head is not complete.
fn length(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    if !head.starts_with("http/1.1 200 ") {
        bail!("a page answered: {}", head.lines().next().unwrap_or_default());
    }
    let body = head.lines().find_map(|line| line.strip_prefix("content-length:")).context("an answer has no length")?;
    Ok(Some(end + 4 + body.trim().parse::<usize>()?))
}

/// Records how late each event is that is newer than those seen before.
fn look(page: &[u8], known_ms: &mut i64, latencies_ms: &mut Vec<u32>) {
    const BEFORE: &str = "<time datetime=\"";
    let (now_ms, known_before_ms) = (now_ms(), *known_ms);
    let text = String::from_utf8_lossy(page);
    for time in text.split(BEFORE).skip(1).filter_map(|rest| rest.split('"').next()) {
        let Ok(received) = time.parse::<jiff::Timestamp>() else { continue };
        let received_ms = received.as_millisecond();
        if received_ms > known_before_ms {
            latencies_ms.push(u32::try_from(now_ms - received_ms).unwrap_or_default());
            *known_ms = received_ms.max(*known_ms);
        }
    }
}
