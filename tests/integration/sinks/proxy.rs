//! A proxy between a sink and its server, which breaks connections or loses answers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The bytes of a connection's requests that are a login. Their answers pass, also while answers get lost.
const LOGIN_BYTES_MAX: usize = 2000;

/// What the proxy does with connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Passes everything on.
    Pass,
    /// Resets every connection in the middle of a request.
    Reset,
    /// Passes requests on, and closes the connection in place of an answer.
    LoseAnswers,
}

/// A proxy on a port of its own. It runs until the tests end.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    mode: Arc<Mutex<Mode>>,
    last_request: Arc<Mutex<Option<&'static str>>>,
    server_port: Arc<AtomicU16>,
}

impl Proxy {
    /// Starts a proxy for the server at this port.
    pub(super) fn start(server_port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let last_request: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let (shared, shared_request) = (Arc::clone(&mode), Arc::clone(&last_request));
        let server_port = Arc::new(AtomicU16::new(server_port));
        let present_port = Arc::clone(&server_port);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (mode, last_request) = (Arc::clone(&shared), Arc::clone(&shared_request));
                let server_port = present_port.load(Ordering::SeqCst);
                std::thread::spawn(move || pass(client.unwrap(), server_port, mode, last_request));
            }
        });
        Proxy { address, mode, last_request, server_port }
    }

    /// Makes [`Mode::LoseAnswers`] lose only the answers to requests with this text.
    pub(super) fn lose_answers_to(&self, text: &'static str) {
        *self.last_request.lock().unwrap() = Some(text);
    }

    /// Lets another server take over: new connections go there.
    pub(super) fn switch_to(&self, server_port: u16) {
        self.server_port.store(server_port, Ordering::SeqCst);
    }

    /// Changes the mode of all connections.
    pub(super) fn set_mode(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

fn pass(client: TcpStream, server_port: u16, mode: Arc<Mutex<Mode>>, last_request: Arc<Mutex<Option<&'static str>>>) {
    // Without a server, the client's connection ends too.
    let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { return };
    let sent = Arc::new(Mutex::new(0_usize));
    let is_last = Arc::new(AtomicBool::new(false));
    let (is_last_copy, last_request_copy) = (Arc::clone(&is_last), Arc::clone(&last_request));
    let (client_copy, server_copy) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mode_copy, sent_copy) = (Arc::clone(&mode), Arc::clone(&sent));
    let requests = std::thread::spawn(move || {
        copy(client_copy, server_copy, |bytes| {
            *sent_copy.lock().unwrap() += bytes.len();
            if let Some(text) = *last_request_copy.lock().unwrap() {
                let contains = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                is_last_copy.store(contains, Ordering::SeqCst);
            }
            // Half of a request arrives.
            if *mode_copy.lock().unwrap() == Mode::Reset { bytes.len() / 2 } else { bytes.len() }
        });
    });
    copy(server, client, |bytes| {
        let is_due = match *last_request.lock().unwrap() {
            Some(_) => is_last.load(Ordering::SeqCst),
            None => *sent.lock().unwrap() > LOGIN_BYTES_MAX,
        };
        if is_due && *mode.lock().unwrap() == Mode::LoseAnswers { 0 } else { bytes.len() }
    });
    requests.join().unwrap();
}

/// Copies bytes until one side ends, or until `passing` lets fewer bytes pass than there are.
fn copy(mut from: TcpStream, mut to: TcpStream, passing: impl Fn(&[u8]) -> usize) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let passed = passing(&buffer[..count]);
        if to.write_all(&buffer[..passed]).is_err() || passed < count {
            // The server gets what was passed before it sees the end.
            std::thread::sleep(Duration::from_millis(20));
            break;
        }
    }
    for stream in [from, to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
