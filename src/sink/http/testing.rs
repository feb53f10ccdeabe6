//! A scripted receiver for the tests of the HTTP sink. It answers over real connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http_sink::HttpSink;
use super::options::Options;
use crate::clock::testing::test_clock;

/// No test waits longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver's reply to a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes.
    Text(String),
    /// This status, after a while.
    Slow(u16, Duration),
    /// A close without an answer.
    HangUp,
}

/// A reply with this status and a short body.
pub(super) fn status(status: u16) -> Reply {
    headed(status, "")
}

/// A reply with this status and these headers.
pub(super) fn headed(status: u16, headers: &str) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{headers}\r\nno"))
}

/// A reply with this status and no body.
pub(super) fn empty(status: u16) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
}

/// A request as the receiver got it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The request as text, without the port and the version, which vary. Headers are sorted.
    pub(super) fn shown(&self) -> String {
        let mut lines: Vec<&str> = self.head.trim_end().lines().collect();
        lines[1..].sort_unstable();
        let version = concat!("livehook/", env!("CARGO_PKG_VERSION"));
        let host = self.header("host").unwrap();
        lines.join("\n").replace(version, "livehook/VERSION").replace(host, "HOST") + "\n\n" + &self.body
    }

    /// The sequences of its events: see `records_of_streams`.
    pub(super) fn numbers(&self) -> Vec<usize> {
        let parts = self.body.split(r#""pushsequence":""#).skip(1);
        parts.map(|part| part[..part.find('"').unwrap()].parse().unwrap()).collect()
    }
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    running: usize,
    running_most: usize,
    connections: usize,
}

/// A receiver on its own port. It runs until the tests end.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Receiver {
    /// A receiver that does not run: connections to its port are refused.
    pub(super) fn away() -> Receiver {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Receiver { address, seen: Arc::default() }
    }

    pub(super) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (reply, shared) = (Arc::new(reply), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&shared));
                seen.lock().unwrap().connections += 1;
                std::thread::spawn(move || while serve(stream.as_ref().unwrap(), &*reply, &seen).is_some() {});
            }
        });
        Receiver { address, seen }
    }

    /// A sink for this receiver, with more keys.
    pub(super) fn sink(&self, more: &str) -> HttpSink {
        self.sink_with(more, |_| {})
    }

    /// A sink with options that the configuration would refuse.
    pub(super) fn sink_with(&self, more: &str, change: impl FnOnce(&mut Options)) -> HttpSink {
        let url = format!("url = \"http://{}/hook?key=hunter2\"\n{more}", self.address);
        let mut options = toml::from_str(&url).unwrap();
        change(&mut options);
        HttpSink::new(options, test_clock)
    }

    /// The most requests that ran at once.
    pub(super) fn running_most(&self) -> usize {
        self.seen.lock().unwrap().running_most
    }

    /// The number of connections so far.
    pub(super) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// The sequences of the events of each request.
    pub(super) fn numbers(&self) -> Vec<Vec<usize>> {
        self.requests().iter().map(Request::numbers).collect()
    }
}

fn serve(stream: &TcpStream, reply: &dyn Fn(&Request) -> Reply, seen: &Mutex<Seen>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request { head, body: String::new() };
    let length: u64 = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    reader.take(length).read_to_string(&mut request.body).ok()?;
    {
        let mut seen = seen.lock().unwrap();
        seen.requests.push(request.clone());
        seen.running += 1;
        seen.running_most = seen.running_most.max(seen.running);
    }
    let answer = match reply(&request) {
        Reply::Text(text) => Some(text),
        Reply::Slow(status, wait) => {
            std::thread::sleep(wait);
            Some(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
        }
        Reply::HangUp => None,
    };
    seen.lock().unwrap().running -= 1;
    let mut stream = stream;
    match answer {
        // The answer is shorter than its Content-Length, so the connection must break off here.
        Some(text) if text.ends_with("cut") => {
            stream.write_all(text.as_bytes()).ok()?;
            stream.shutdown(std::net::Shutdown::Both).ok()
        }
        Some(text) => stream.write_all(text.as_bytes()).ok(),
        None => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
    }
}
