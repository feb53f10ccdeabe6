//! Runs many attacks at once, from chosen addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::attacks::Attack;

/// How many tasks open connections.
const TASKS: usize = 8;

/// The pause of a task between two connections.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a connection is held at most. A proxy may keep it after the server behind it has given it up.
const HOLD: Duration = Duration::from_secs(2);

/// The attacks and the addresses of a flood. Dropping a running one ends it.
#[derive(Clone)]
pub(super) struct Flood {
    /// How many connections each task keeps open.
    held_max: usize,
    attacks: Vec<Attack>,
    addresses: u32,
    /// The address with this number.
    address_of: fn(u32) -> IpAddr,
    begun: Arc<AtomicUsize>,
}

impl Flood {
    /// Attacks in turn, from the first `addresses` addresses after 127.0.0.1, with half as many connections again as the
    /// receiver allows.
    pub(super) fn new(attacks: &[Attack], addresses: u32, connections_max: usize) -> Flood {
        let held_max = connections_max * 3 / 2 / TASKS;
        Flood { held_max, attacks: attacks.to_vec(), addresses, address_of: loopback, begun: Arc::default() }
    }

    /// Attacks from the first `addresses` networks of IPv6 instead: fd00:0:0:2::1 and so on.
    pub(super) fn over_ipv6(self) -> Flood {
        Flood { address_of: of_network, ..self }
    }

    /// Attacks `to` until it is dropped.
    pub(super) fn run(&self, to: SocketAddr) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let flood = self.clone();
            tasks.spawn(async move { flood.open_connections(to).await });
        }
        tasks
    }

    async fn open_connections(self, to: SocketAddr) {
        let mut held = JoinSet::new();
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let attack = self.attacks[number % self.attacks.len()];
            // Each address gets every attack.
            let address = (number / self.attacks.len()) as u32 % self.addresses;
            if let Ok(stream) = connect_from((self.address_of)(address), to).await {
                held.spawn(timeout(HOLD, attack.run(stream)));
            }
            while held.len() >= self.held_max {
                held.join_next().await;
            }
            while held.try_join_next().is_some() {}
            sleep(PAUSE).await;
        }
    }
}

/// The address 127.0.0.2 for 0, 127.0.0.3 for 1, and so on.
fn loopback(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 2).to_bits() + number))
}

/// The address fd00:0:0:2::1 for 0, fd00:0:0:3::1 for 1, and so on.
fn of_network(number: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 2 + number as u16, 0, 0, 0, 1))
}

/// Connects from an address of this machine.
pub(super) async fn connect_from(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(from, 0))?;
    timeout(Duration::from_secs(1), socket.connect(to)).await?
}
