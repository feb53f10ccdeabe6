//! Floods without a proxy.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::attacks::Attack;
use super::flooding::{Flood, connect_from};
use super::genuine::{TOKEN, assert_genuine_get_in, assert_genuine_get_in_by, configured, running};
use crate::client::Client;
use crate::tls::{TLS, make_certificate, trusting_all};

/// The most connections of a receiver.
const CONNECTIONS_MAX: usize = 256;

/// The same for a flood of requests, because answering takes the time of a processor.
const ANSWERING_MAX: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seven seconds on an idle machine: run by tests/run"]
async fn flood_of_heads_is_survived() {
    let livehook = running(CONNECTIONS_MAX, "").await;
    let _flood = Flood::new(&[Attack::FirstByte], 8, CONNECTIONS_MAX).run(livehook.receiver);
    assert_genuine_get_in(livehook.receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssl, and takes seven seconds on an idle machine: run by tests/run"]
async fn flood_of_handshakes_is_survived() {
    let mut livehook = configured(CONNECTIONS_MAX, TLS);
    make_certificate(&livehook.directory, "localhost");
    livehook.start();
    livehook.ready().await;
    let attacks = [Attack::HalfHandshake, Attack::FirstByte];
    let _flood = Flood::new(&attacks, 8, CONNECTIONS_MAX).run(livehook.receiver);
    assert_genuine_get_in_by(livehook.receiver, Some(&TlsConnector::from(trusting_all()))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seven seconds on an idle machine: run by tests/run"]
async fn flood_of_unread_answers_is_survived() {
    let livehook = running(ANSWERING_MAX, "").await;
    let _flood = Flood::new(&[Attack::UnreadAnswers], 8, ANSWERING_MAX).run(livehook.receiver);
    assert_genuine_get_in(livehook.receiver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seven seconds on an idle machine: run by tests/run"]
async fn flood_of_bodies_is_survived() {
    let livehook = running(CONNECTIONS_MAX, "bodies_bytes_max = 16777216").await;
    let _flood = Flood::new(&[Attack::EndlessChunks], 8, CONNECTIONS_MAX).run(livehook.receiver);
    assert_genuine_get_in(livehook.receiver).await;
    assert!(livehook.log().contains("error=\"displaced\""), "{}", livehook.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seven seconds on an idle machine: run by tests/run"]
async fn mixed_flood_is_survived() {
    let livehook = running(CONNECTIONS_MAX, "bodies_bytes_max = 16777216").await;
    let _flood = Flood::new(&Attack::ALL, 8, CONNECTIONS_MAX).run(livehook.receiver);
    assert_genuine_get_in(livehook.receiver).await;
}

/// No address has more connections than a genuine sender.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes seven seconds on an idle machine: run by tests/run"]
async fn flood_from_many_addresses_is_survived() {
    let livehook = running(CONNECTIONS_MAX, "bodies_bytes_max = 16777216").await;
    let _flood = Flood::new(&Attack::ALL, 100_000, CONNECTIONS_MAX).run(livehook.receiver);
    assert_genuine_get_in(livehook.receiver).await;
}

/// The /64 networks of IPv6 count like addresses of IPv4. The test runs a second time, in a network namespace with such addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "makes a network namespace, which takes root: run by tests/run"]
async fn flood_from_networks_is_survived() {
    const WITHIN: &str = "LIVEHOOK_TEST_WITHIN_NAMESPACE";
    if std::env::var_os(WITHIN).is_none() {
        let addresses =
            "ip link set lo up; for n in 2 3 4 5 6 7 8 9; do ip -6 addr add fd00:0:0:$n::1/64 dev lo nodad; done";
        let mut within = Command::new("unshare");
        within
            .args(["--net", "sh", "-ec", &format!("{addresses}; exec \"$@\""), "sh"])
            .arg(std::env::current_exe().unwrap());
        within.args(["--exact", "flood::direct::flood_from_networks_is_survived", "--include-ignored", "--nocapture"]);
        assert!(within.env(WITHIN, "1").status().unwrap().success());
        return;
    }
    let mut livehook = configured(CONNECTIONS_MAX, "bodies_bytes_max = 16777216");
    let to = SocketAddr::from((Ipv6Addr::LOCALHOST, livehook.receiver.port()));
    let config = std::fs::read_to_string(livehook.path("config.toml")).unwrap();
    let config = config.replace(&livehook.receiver.to_string(), &to.to_string());
    std::fs::write(livehook.path("config.toml"), config).unwrap();
    livehook.receiver = to;
    livehook.start();
    livehook.ready().await;
    let _flood = Flood::new(&Attack::ALL, 8, CONNECTIONS_MAX).over_ipv6().run(to);
    assert_genuine_get_in(to).await;
}

/// Clients with the token that never finish a body do not keep others out of the API.
#[tokio::test]
async fn unfinished_bodies_leave_the_api_free() {
    let livehook = running(CONNECTIONS_MAX, "").await;
    let mut unfinished = Vec::new();
    for number in 0..80 {
        let address = Ipv4Addr::new(127, 0, 0, 2 + number % 8);
        let mut stream = connect_from(address.into(), livehook.admin).await.unwrap();
        let head = format!("POST /api/v1/replays HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
        let more = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        stream.write_all((head + more).as_bytes()).await.unwrap();
        unfinished.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    for _ in 0..10 {
        let mut client = Client::connect(livehook.admin).await.unwrap();
        let answer = timeout(Duration::from_secs(1), client.get("/api/v1/sinks", "")).await.unwrap().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
