//! Sends signed pushes and stops of ten thousand streams in turns, each a new event, and times the answers. It must
//! cost less than the server: it makes each request once and then only overwrites a few digits, and it compares answers
//! without parsing.

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

/// The callback key of the servers.
pub(crate) const KEY: &str = "bench0123456789bench0123456789be";

/// Counts the events for all servers together, so that no event is a duplicate.
static NEXT_EVENT: AtomicU64 = AtomicU64::new(0);

/// Sequences have 19 digits.
const FIRST_SEQUENCE: u64 = 1_000_000_000_000_000_000;

/// Spreads the sequences over 62 bits. It is odd, so no sequence comes twice.
const SEQUENCE_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of streams.
const STREAMS: u64 = 10_000;

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Plan {
    /// After this many events.
    Events(u64),
    /// After a time to warm up and a time to measure.
    Timed { warm_up: Duration, window: Duration },
}

/// The results of a run.
#[derive(Default)]
pub(crate) struct Seen {
    /// The number of answered events, including the warm-up.
    pub(crate) events: u64,
    /// Answers per second within the window.
    pub(crate) rate: f64,
    /// The time of each answer within the window, in microseconds, in no order.
    pub(crate) latencies_us: Vec<u32>,
}

/// A request whose sequence and stream can be set.
#[derive(Clone)]
struct Request {
    bytes: Vec<u8>,
    /// The start of the digits to overwrite, and their number.
    sequence: (usize, usize),
    streams: [(usize, usize); 2],
    time: (usize, usize),
}

impl Request {
    fn new(event_type: u8) -> anyhow::Result<Request> {
        let now_secs = unix_secs();
        // CSS signs for ten minutes. A day is enough to fill a journal with one request.
        let t = now_secs + 86_400;
        let sign = hex::encode(CallbackKey::new(KEY)?.sign(&t.to_string()));
        let (sequence, stream) = ("0000000000000000000", "room-0000");
        let end = if event_type == 1 {
            r#""errcode":0,"errmsg":"ok""#
        } else {
            r#""errcode":1,"errmsg":"The push client actively stopped the push","push_duration":"128581""#
        };
        let body = format!(
            r#"{{"app":"push.example.com","appid":1250000000,"appname":"live","channel_id":"{stream}","event_time":{now_secs},"event_type":{event_type},"height":1080,"idc_id":46,"node":"203.0.113.92","sequence":"{sequence}","set_id":2,"sign":"{sign}","stream_id":"{stream}","stream_param":"txSecret=0123456789abcdef0123456789abcdef&txTime=6A1B2C3D&user=4711&device=7f3a9c52&app=example&version=8.12.0","t":{t},"user_ip":"198.51.100.94","width":1920,{end}}}"#
        );
        let length = body.len();
        let text = format!(
            "POST /callback HTTP/1.1\r\nHost: livehook\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let at = |text_at: Option<usize>| text_at.context("the request has no place for a sequence, stream or time");
        let time = (at(text.find(r#""event_time":"#))? + r#""event_time":"#.len(), now_secs.to_string().len());
        let sequence = (at(text.find(sequence))?, sequence.len());
        let digits = |found: usize| (found + "room-".len(), 4);
        let streams = [digits(at(text.find(stream))?), digits(at(text.rfind(stream))?)];
        Ok(Request { bytes: text.into_bytes(), sequence, streams, time })
    }

    fn write(&mut self, (at, length): (usize, usize), mut number: u64) {
        for digit in self.bytes[at..at + length].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
}

/// The present time in Unix seconds, as in callbacks.
fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The requests of a connection.
struct Requests {
    push: Request,
    stop: Request,
}

impl Requests {
    fn new() -> anyhow::Result<Requests> {
        Ok(Requests { push: Request::new(1)?, stop: Request::new(0)? })
    }

    /// Returns the next event: a push, or the stop of the push before. Another connection may have sent that push.
    fn next(&mut self) -> &[u8] {
        let event = NEXT_EVENT.fetch_add(1, Ordering::Relaxed);
        let session = event / 2;
        let request = if event.is_multiple_of(2) { &mut self.push } else { &mut self.stop };
        // Sequences have no order, as in real callbacks.
        request.write(request.sequence, FIRST_SEQUENCE + (session.wrapping_mul(SEQUENCE_STEP) & (u64::MAX >> 2)));
        for stream in request.streams {
            request.write(stream, session % STREAMS);
        }
        // Ids begin with it, so events that all had the same time would spread over the whole tree of ids.
        request.write(request.time, unix_secs());
        &request.bytes
    }
}

/// Whether `read` is a whole 200. Any other whole answer is an error.
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
    let mut requests = Requests::new()?;
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; ANSWER_BYTES_MAX];
    while load.left.get() > 0 {
        // Before the first await, so that no other connection takes the same one.
        load.left.set(load.left.get() - 1);
        let request = requests.next();
        let sent = Instant::now();
        stream.write_all(request).await?;
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

/// Sends on this many kept-alive connections. Each sends its next event as soon as its last one is answered.
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
            // Before the connections end: their last answers come under a falling load.
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
    requests: Requests,
}

impl Sender {
    fn connect(server: SocketAddr) -> anyhow::Result<Sender> {
        let stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Sender { stream, requests: Requests::new()? })
    }

    fn send(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(self.requests.next())?;
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

/// Sends one event, and returns when it has its 200.
pub(crate) fn send_one(server: SocketAddr) -> anyhow::Result<()> {
    Sender::connect(server)?.send()
}

/// Sends at a steady rate, also if answers are late. A latency counts from the moment at which its event was due.
pub(crate) fn drive_steadily(server: SocketAddr, rate: u32, window: Duration) -> anyhow::Result<Seen> {
    // Threads wake up more exactly than the timers of an event loop. At 500 events per second each sends every 32 ms.
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
                        // Counted from the start, so that a late answer does not shift the later events.
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
