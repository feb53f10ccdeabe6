//! Floods through a real Caddy, as in the example, so that strangers and genuine senders share the proxy's address.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::attacks::Attack;
use super::flooding::Flood;
use super::genuine::{assert_genuine_get_in, running};
use crate::process::{Livehook, free_port};

/// Settings for a receiver behind a proxy.
const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\nbodies_bytes_max = 16777216";

/// The most connections of a receiver.
const CONNECTIONS_MAX: usize = 256;

/// The example's Caddyfile.
const CADDYFILE: &str = include_str!("../../../examples/Caddyfile");

/// A running Caddy. It is killed on drop.
struct Caddy {
    address: SocketAddr,
    child: Child,
}

impl Caddy {
    /// Starts Caddy in front of a receiver, without TLS, and waits until it listens.
    async fn start(livehook: &Livehook) -> Caddy {
        let address = free_port();
        let upstream = livehook.receiver.to_string();
        let site = format!("http://:{} {{\n    bind 127.0.0.1", address.port());
        let text = CADDYFILE.replace("{$LIVEHOOK_HOST:hooks.example.com} {", &site);
        assert!(text.contains(&site), "the example has changed");
        std::fs::write(livehook.path("Caddyfile"), format!("{{\n    admin off\n}}\n{text}")).unwrap();
        let caddy = Caddy { address, child: spawn(&livehook.directory, &upstream) };
        for _ in 0..500 {
            if TcpStream::connect(address).await.is_ok() {
                return caddy;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("Caddy does not listen: {}", std::fs::read_to_string(livehook.path("caddy.log")).unwrap());
    }
}

fn spawn(directory: &Path, upstream: &str) -> Child {
    let log = std::fs::File::create(directory.join("caddy.log")).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]).current_dir(directory);
    command.env("HOME", directory).env("LIVEHOOK_UPSTREAM", upstream);
    command.stdout(Stdio::null()).stderr(log).spawn().expect("caddy is missing")
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs caddy, and takes eight seconds on an idle machine: run by tests/run"]
async fn mixed_flood_through_caddy_is_survived() {
    let livehook = running(CONNECTIONS_MAX, BEHIND_A_PROXY).await;
    let caddy = Caddy::start(&livehook).await;
    // Caddy itself answers the requests of the last attack.
    let attacks = &Attack::ALL[..7];
    let _flood = Flood::new(attacks, 8, CONNECTIONS_MAX).run(caddy.address);
    assert_genuine_get_in(caddy.address).await;
}

/// Each stranger makes the proxy open a connection to the receiver, so the proxy has more than the receiver allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs caddy, and takes eight seconds on an idle machine: run by tests/run"]
async fn bodies_through_caddy_are_survived() {
    let livehook = running(CONNECTIONS_MAX, BEHIND_A_PROXY).await;
    let caddy = Caddy::start(&livehook).await;
    let attacks = [Attack::NoBody, Attack::SlowBody, Attack::EndlessChunks];
    let _flood = Flood::new(&attacks, 8, CONNECTIONS_MAX).run(caddy.address);
    assert_genuine_get_in(caddy.address).await;
}
