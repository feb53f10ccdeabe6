//! Many subscribers in one thread, which reads events and records how late they are. The thread has a low priority, because
//! the senders on the same core are measured too.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::sender;

/// With `open`, this many subscribers read the times of events. The others only count bytes.
const LOOKING: usize = 10;

/// The figures of all subscribers.
#[derive(Default)]
pub(crate) struct Seen {
    /// Bytes that all subscribers read.
    pub(crate) bytes: u64,
    /// Events whose times were read.
    pub(crate) events: u64,
    /// How long after its receipt each event arrived, in ms, in no order.
    pub(crate) latencies_ms: Vec<u32>,
    /// How many subscribers the server cut off.
    pub(crate) cut_off: usize,
}

/// Subscribers that run until [`Subscribers::stop`].
pub(crate) struct Subscribers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Seen>>,
}

impl Subscribers {
    /// Starts `count` subscribers, each with its own stream if `filtered`. Returns when all are subscribed.
    pub(crate) fn start(admin: SocketAddr, count: usize, filtered: bool) -> anyhow::Result<Subscribers> {
        let (stop, subscribed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let thread = std::thread::spawn({
            let (stop, subscribed) = (Arc::clone(&stop), Arc::clone(&subscribed));
            move || {
                run_last()?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, run(admin, count, filtered, stop, subscribed))
            }
        });
        let started = Instant::now();
        while subscribed.load(Ordering::Relaxed) < count {
            if thread.is_finished() || started.elapsed() > Duration::from_secs(60) {
                bail!("only {} of {count} could subscribe", subscribed.load(Ordering::Relaxed));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Subscribers { stop, thread })
    }

    /// Ends all subscriptions.
    pub(crate) fn stop(self) -> anyhow::Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the subscribers panicked"))?
    }
}

/// Gives this thread a lower priority than every other.
pub(crate) fn run_last() -> anyhow::Result<()> {
    let thread = std::fs::read_link("/proc/thread-self")?;
    let number = thread.file_name().context("the system does not show the number of a thread")?;
    let set = Command::new("chrt").args(["--idle", "--pid", "0"]).arg(number).status();
    if !set.context("chrt (package util-linux) is needed")?.success() {
        bail!("chrt could not let the senders go first");
    }
    Ok(())
}

async fn run(
    admin: SocketAddr,
    count: usize,
    filtered: bool,
    stop: Arc<AtomicBool>,
    subscribed: Arc<AtomicUsize>,
) -> anyhow::Result<Seen> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    // All subscribers share one buffer, which they never hold across an await.
    let buffer = Rc::new(RefCell::new(vec![0; 256 * 1024]));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let query = if filtered { format!("?stream={}", sender::stream(number as u64)) } else { String::new() };
        let mut stream = TcpStream::connect(admin).await?;
        let request = format!("GET /api/v1/feed{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let looks = filtered || number < LOOKING;
        tasks.spawn_local(read(stream, looks, Rc::clone(&buffer), Rc::clone(&seen), Arc::clone(&subscribed)));
    }
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut cut_off = 0;
    // Only a subscriber that the server cut off has ended by now.
    while let Some(ended) = tasks.try_join_next() {
        ended??;
        cut_off += 1;
    }
    tasks.shutdown().await;
    let mut seen = seen.take();
    seen.cut_off = cut_off;
    Ok(seen)
}

/// Reads until the server ends the connection.
async fn read(
    stream: TcpStream,
    looks: bool,
    buffer: Rc<RefCell<Vec<u8>>>,
    seen: Rc<RefCell<Seen>>,
    subscribed: Arc<AtomicUsize>,
) -> anyhow::Result<()> {
    let mut text = Vec::new();
    let mut is_first = true;
    loop {
        stream.readable().await?;
        let mut buffer = buffer.borrow_mut();
        let count = match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            // The server cuts off a subscriber in the middle of a message.
            Err(_) => return Ok(()),
        };
        if std::mem::take(&mut is_first) {
            if !buffer.starts_with(b"HTTP/1.1 200") {
                let text = String::from_utf8_lossy(&buffer[..count]).escape_debug().to_string();
                return Err(anyhow::anyhow!(text)).context("a subscription was refused");
            }
            subscribed.fetch_add(1, Ordering::Relaxed);
        }
        let mut seen = seen.borrow_mut();
        seen.bytes += count as u64;
        if looks {
            text.extend_from_slice(&buffer[..count]);
            look(&mut text, &mut seen);
        }
    }
}

/// Removes complete lines from the text, and records how late their events are.
fn look(text: &mut Vec<u8>, seen: &mut Seen) {
    const BEFORE: &[u8] = br#""receivedtime":""#;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { return };
    for line in text[..end].split(|byte| *byte == b'\n') {
        // A chunk boundary can split the time of an event. Such an event is not counted.
        let Some(at) = line.windows(BEFORE.len()).position(|window| window == BEFORE) else { continue };
        let time = line.get(at + BEFORE.len()..).and_then(|rest| rest.get(..24));
        let time = time.and_then(|time| std::str::from_utf8(time).ok()).and_then(|time| time.parse().ok());
        let Some(received) = time.map(|time: jiff::Timestamp| time.as_millisecond()) else { continue };
        seen.events += 1;
        seen.latencies_ms.push(u32::try_from(now_ms - received).unwrap_or_default());
    }
    text.drain(..=end);
}
