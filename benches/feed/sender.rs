//! Sends signed pushes at a steady rate, to each stream in turn, and times the answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use livehook::callback::CallbackKey;

use crate::common::generator::KEY;

/// Sequences have 19 digits, as in real callbacks. None is used twice.
static NEXT_SEQUENCE: AtomicU64 = AtomicU64::new(2_000_000_000_000_000_000);

/// The number of sending threads. Threads wake up more exactly than the timers of an event loop.
const SENDERS: u32 = 16;

/// The name of a stream.
pub(crate) fn stream(number: u64) -> String {
    format!("room-{number:06}")
}

struct Sender {
    stream: TcpStream,
    t: i64,
    sign: String,
    streams: u64,
}

impl Sender {
    fn connect(server: SocketAddr, streams: u64) -> anyhow::Result<Sender> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        // CSS signs for ten minutes. With a day, one signature lasts for the whole bench.
        let t = jiff::Timestamp::now().as_second() + 86_400;
        let sign = hex::encode(CallbackKey::new(KEY)?.sign(&t.to_string()));
        Ok(Sender { stream, t, sign, streams })
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let sequence = NEXT_SEQUENCE.fetch_add(1, Ordering::Relaxed);
        let stream = stream(sequence % self.streams);
        let Sender { t, sign, .. } = self;
        let body = format!(
            r#"{{"app":"push.example.com","appid":1250000000,"appname":"live","channel_id":"{stream}","errcode":0,"errmsg":"ok","event_time":{},"event_type":1,"height":1080,"idc_id":46,"node":"203.0.113.92","sequence":"{sequence}","set_id":2,"sign":"{sign}","stream_id":"{stream}","stream_param":"txSecret=0123456789abcdef0123456789abcdef&txTime=6A1B2C3D&user=4711&device=7f3a9c52&app=example&version=8.12.0","t":{t},"user_ip":"198.51.100.94","width":1920}}"#,
            *t - 86_400
        );
        let head = "POST /callback HTTP/1.1\r\nHost: livehook\r\nContent-Type: application/json\r\nContent-Length: ";
        self.stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes())?;
        let mut buffer = [0; 1024];
        let mut filled = 0;
        while !buffer[..filled].ends_with(br#"{"code":0}"#) {
            let read = self.stream.read(&mut buffer[filled..])?;
            filled += read;
            if read == 0 || filled == buffer.len() {
                bail!("the server answered: {}", String::from_utf8_lossy(&buffer[..filled]).escape_debug());
            }
        }
        Ok(())
    }
}

/// Sends `rate` events a second. Returns how long each answer took, in microseconds from the time at which its event was
/// due.
pub(crate) fn drive(server: SocketAddr, rate: u32, streams: u64, window: Duration) -> anyhow::Result<Vec<u32>> {
    let interval = Duration::from_secs(1) / rate;
    let rounds = (window.as_secs_f64() * f64::from(rate)) as u32 / SENDERS;
    let start = Instant::now() + Duration::from_millis(100);
    let send = move |index: u32| {
        let mut sender = Sender::connect(server, streams)?;
        let mut latencies_us = Vec::new();
        for round in 0..rounds {
            let due = start + interval * (round * SENDERS + index);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            sender.send()?;
            latencies_us.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        anyhow::Ok(latencies_us)
    };
    let threads: Vec<_> = (0..SENDERS).map(|index| thread::spawn(move || send(index))).collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??);
    }
    Ok(all)
}
