//! The sink `http` follows its receiver to another address. The real program sees a real change of the name, in a file of hosts
//! that the test mounts for this program alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::post;
use crate::process::{Livehook, PROGRAM, free_port};

/// Takes every request on an address, and counts them.
fn receive(address: &str, port: u16) -> Arc<AtomicUsize> {
    let listener = TcpListener::bind((address, port)).unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let counter = Arc::clone(&counter);
            std::thread::spawn(move || answer(&connection.unwrap(), &counter));
        }
    });
    taken
}

/// Answers the requests of a connection with 204, and keeps it open as long as the client does.
fn answer(mut connection: &TcpStream, counter: &AtomicUsize) {
    let mut reader = BufReader::new(connection);
    let mut body_bytes = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_bytes = length.trim().parse().unwrap();
        }
        if line == "\r\n" {
            reader.read_exact(&mut vec![0; body_bytes]).unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
        line.clear();
    }
}

#[tokio::test]
#[ignore = "needs root and takes half a minute: run by tests/run"]
async fn new_address_of_a_name_is_used() {
    let port = free_port().port();
    let [old, new] = ["127.0.0.1", "127.0.0.2"].map(|address| receive(address, port));
    let config = format!("[[sinks]]\nname = \"it\"\ntype = \"http\"\nurl = \"http://receiver.test:{port}/\"\n");
    let mut livehook = Livehook::configured("", &config);
    // Written in place, because a mount shows the file and not its name.
    std::fs::write(livehook.path("hosts"), "127.0.0.1 receiver.test\n").unwrap();
    let script = "mount --bind hosts /etc/hosts && exec \"$@\"";
    let log = std::fs::File::create(livehook.path("stderr.log")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh", PROGRAM]).stdout(Stdio::null()).stderr(log);
    livehook.spawn(&mut command);
    livehook.ready().await;

    // Steady traffic, so that the connection to the old address is never idle.
    let changed = Instant::now();
    let mut number = 0;
    while new.load(Ordering::Relaxed) == 0 {
        assert!(changed.elapsed() < Duration::from_secs(45), "{}", livehook.log());
        post(&livehook, number..number + 1).await;
        number += 1;
        if number == 5 {
            assert!(old.load(Ordering::Relaxed) > 0);
            std::fs::write(livehook.path("hosts"), "127.0.0.2 receiver.test\n").unwrap();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    livehook.stop().await;
    assert_eq!((old.load(Ordering::Relaxed) + new.load(Ordering::Relaxed)) as u64, number, "each once");
}
