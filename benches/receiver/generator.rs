//! Sends signed push events, each another one, and times the answers. It must cost less than what it measures: requests
//! are made once and only their sequence is written anew, answers are compared and not parsed.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use livehook::callback::CallbackKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

/// The callback key of the receivers measured.
pub(crate) const KEY: &str = "bench0123456789bench0123456789be";

/// Of 19 digits, as in real callbacks. Never used twice, whatever the server, so no event is a duplicate.
static NEXT_SEQUENCE: AtomicU64 = AtomicU64::new(1_000_000_000_000_000_000);

/// Over how many streams the events are spread, up to 5000.
pub(crate) static STREAMS: AtomicU64 = AtomicU64::new(1);

/// The number of the first stream.
const FIRST_STREAM: u64 = 4711;

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// After so many events.
    Events(u64),
    /// After a time to warm up and another to measure.
    Timed { warm_up: Duration, window: Duration },
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Every event answered, those of the warm-up included.
    pub(crate) events: u64,
    /// Answers a second within the window.
    pub(crate) rate: f64,
    /// How long each answer within the window took, in microseconds; unordered.
    pub(crate) latencies_us: Vec<u32>,
}

/// A request whose sequence can be set.
#[derive(Clone)]
struct Request {
    bytes: Vec<u8>,
    sequence_at: usize,
    stream_at: usize,
}

impl Request {
    fn new() -> anyhow::Result<Request> {
        let now_secs = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        // A day ahead in place of ten minutes, so that filling a journal needs no second request.
        let t = now_secs + 86_400;
        let sign = hex::encode(CallbackKey::new(KEY)?.sign(&t.to_string()));
        let sequence = "0000000000000000000";
        let body = format!(
            r#"{{"app":"push.example.com","appid":1250000000,"appname":"live","channel_id":"room-4711","errcode":0,"errmsg":"ok","event_time":{now_secs},"event_type":1,"height":1080,"idc_id":46,"node":"203.0.113.92","sequence":"{sequence}","set_id":2,"sign":"{sign}","stream_id":"room-4711","stream_param":"txSecret=0123456789abcdef0123456789abcdef&txTime=6A1B2C3D&user=4711&device=7f3a9c52&app=example&version=8.12.0","t":{t},"user_ip":"198.51.100.94","width":1920}}"#
        );
        let length = body.len();
        let text = format!(
            "POST /callback HTTP/1.1\r\nHost: livehook\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let sequence_at = text.find(sequence).context("the request has no sequence")?;
        let before_stream = r#""stream_id":"room-"#;
        let stream_at = text.find(before_stream).context("the request has no stream")? + before_stream.len();
        Ok(Request { bytes: text.into_bytes(), sequence_at, stream_at })
    }

    /// Makes this request another event.
    fn renew(&mut self) {
        let sequence = NEXT_SEQUENCE.fetch_add(1, Ordering::Relaxed);
        write_digits(&mut self.bytes[self.sequence_at..self.sequence_at + 19], sequence);
        let stream = FIRST_STREAM + sequence % STREAMS.load(Ordering::Relaxed);
        write_digits(&mut self.bytes[self.stream_at..self.stream_at + 4], stream);
    }
}

fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Whether what was read is the whole of the answer that is due; any other whole answer is an error.
fn is_answered(read: &[u8]) -> anyhow::Result<bool> {
    if read.starts_with(b"HTTP/1.1 200") && read.ends_with(br#"{"code":0}"#) {
        return Ok(true);
    }
    let refused = read.len() >= 12 && !read.starts_with(b"HTTP/1.1 200");
    if refused || read.len() >= ANSWER_BYTES_MAX {
        bail!("the server answered: {}", String::from_utf8_lossy(read).escape_debug());
    }
    Ok(false)
}

const ANSWER_BYTES_MAX: usize = 1024;

struct Load {
    left: Cell<u64>,
    measuring: Cell<bool>,
    events: Cell<u64>,
    latencies_us: RefCell<Vec<u32>>,
}

async fn send_on_one_connection(load: Rc<Load>, server: SocketAddr) -> anyhow::Result<()> {
    let mut request = Request::new()?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; ANSWER_BYTES_MAX];
    while load.left.get() > 0 {
        load.left.set(load.left.get() - 1);
        request.renew();
        let sent = Instant::now();
        stream.write_all(&request.bytes).await?;
        let mut filled = 0;
        while !is_answered(&buffer[..filled])? {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                bail!("the server closed a connection in use");
            }
            filled += read;
        }
        load.events.set(load.events.get() + 1);
        if load.measuring.get() {
            load.latencies_us.borrow_mut().push(micros(sent.elapsed()));
        }
    }
    Ok(())
}

/// Sends on so many kept-alive connections, the next event on each as soon as the last is answered.
pub(crate) fn drive(server: SocketAddr, connections: usize, plan: Plan) -> anyhow::Result<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let load = Rc::new(Load {
            left: Cell::new(if let Plan::Events(count) = plan { count } else { u64::MAX }),
            measuring: Cell::new(false),
            events: Cell::new(0),
            latencies_us: RefCell::new(Vec::with_capacity(1 << 20)),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn_local(send_on_one_connection(Rc::clone(&load), server));
        }
        let mut seen = Seen::default();
        if let Plan::Timed { warm_up, window } = plan {
            tokio::time::sleep(warm_up).await;
            let (started, before) = (Instant::now(), load.events.get());
            load.measuring.set(true);
            tokio::time::sleep(window).await;
            load.measuring.set(false);
            seen.rate = (load.events.get() - before) as f64 / started.elapsed().as_secs_f64();
            load.left.set(0);
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        seen.events = load.events.get();
        seen.latencies_us = load.latencies_us.take();
        Ok(seen)
    })
}

/// Sends one event at a time on a connection that stays open.
struct Sender {
    stream: std::net::TcpStream,
    request: Request,
}

impl Sender {
    fn connect(server: SocketAddr) -> anyhow::Result<Sender> {
        let stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Sender { stream, request: Request::new()? })
    }

    fn send(&mut self) -> anyhow::Result<()> {
        self.request.renew();
        self.stream.write_all(&self.request.bytes)?;
        let mut buffer = [0; ANSWER_BYTES_MAX];
        let mut filled = 0;
        while !is_answered(&buffer[..filled])? {
            let read = self.stream.read(&mut buffer[filled..])?;
            if read == 0 {
                bail!("the server closed a connection in use");
            }
            filled += read;
        }
        Ok(())
    }
}

/// Sends one event, and returns once it got its 200.
pub(crate) fn send_one(server: SocketAddr) -> anyhow::Result<()> {
    Sender::connect(server)?.send()
}

/// Sends at a steady rate, whatever the answers; a latency counts from the moment at which its event was due.
pub(crate) fn drive_steadily(server: SocketAddr, rate: u32, window: Duration) -> anyhow::Result<Seen> {
    // Threads, since they wake up more exactly than timers of an event loop. Each has its turn every 32 ms at 500 a second.
    const SENDERS: u32 = 16;
    let interval = Duration::from_secs(1) / rate;
    let rounds = (window.as_secs_f64() * f64::from(rate)) as u32 / SENDERS;
    let start = Instant::now() + Duration::from_millis(100);
    let latencies_us = thread::scope(|scope| {
        let threads: Vec<_> = (0..SENDERS)
            .map(|index| {
                scope.spawn(move || {
                    let mut sender = Sender::connect(server)?;
                    let mut latencies_us = Vec::new();
                    for round in 0..rounds {
                        let due = start + interval * (round * SENDERS + index);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        sender.send()?;
                        latencies_us.push(micros(due.elapsed()));
                    }
                    anyhow::Ok(latencies_us)
                })
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    let events = latencies_us.len() as u64;
    let rate = events as f64 / (start.elapsed().as_secs_f64());
    Ok(Seen { events, rate, latencies_us })
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
