//! The memory of a flood goes back to the system.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::process::Livehook;

/// How many addresses hold unfinished bodies, and how many each. The bodies of one address take at most 4 MiB.
const ADDRESSES: u8 = 50;
const BODIES_OF_AN_ADDRESS: usize = 20;

/// The bytes of each body that arrive.
const BODY_BYTES: usize = 32_000;

/// What may be left of the flood, in KiB.
const LEFT_KIB: u64 = 8 << 10;

/// jemalloc keeps unused memory for 10 s.
const PATIENCE: Duration = Duration::from_secs(40);

/// Opens a connection from 127.0.1.`last`, and sends all of a request but its end.
async fn hold_body(receiver: SocketAddr, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 1, last], 0))).unwrap();
    let mut connection = socket.connect(receiver).await.unwrap();
    let announced = BODY_BYTES + 1;
    let head = format!(
        "POST /callback HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {announced}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![b' '; BODY_BYTES]).await.unwrap();
    connection
}

#[tokio::test]
#[ignore = "takes 20 s, and the allocator of --features full: run by tests/run"]
async fn memory_of_a_flood_is_returned() {
    let livehook = Livehook::running("", "").await;
    let before_kib = livehook.memory_kib();
    let mut held = Vec::new();
    for last in (1..=ADDRESSES).flat_map(|last| [last; BODIES_OF_AN_ADDRESS]) {
        held.push(hold_body(livehook.receiver, last).await);
    }
    let deadline = Instant::now() + PATIENCE;
    while livehook.memory_kib() < before_kib + 3 * LEFT_KIB {
        assert!(Instant::now() < deadline, "the bodies take no memory: {} KiB", livehook.memory_kib());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while livehook.memory_kib() > before_kib + LEFT_KIB {
        assert!(Instant::now() < deadline, "{} KiB before the flood, {} after it", before_kib, livehook.memory_kib());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
