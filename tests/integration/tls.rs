//! HTTPS by the real program, with real certificates by openssl: versions, clients, renewal, and the commands.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;

use super::client::{Client, now_secs, signed};
use super::process::{FILE_SINK, Livehook, PROGRAM};

/// The key `tls`, with the files of [`make_certificate`].
pub(crate) const TLS: &str = "tls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }";

/// Makes `cert.pem` and `key.pem` for a host in a directory, signed by itself.
pub(crate) fn make_certificate(directory: &Path, host: &str) {
    let command = format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN={host} -addext \
         subjectAltName=DNS:{host},IP:127.0.0.1 -keyout key.pem -out cert.pem"
    );
    let made = Command::new("openssl").args(command.split_whitespace()).current_dir(directory).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::set_permissions(directory.join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A client that believes every certificate, and notes nothing.
pub(crate) fn trusting_all() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().dangerous();
    Arc::new(config.with_custom_certificate_verifier(Arc::new(TrustingAll)).with_no_client_auth())
}

#[derive(Debug)]
struct TrustingAll;

impl ServerCertVerifier for TrustingAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A service whose receiver, and the admin endpoint if wanted, speak HTTPS with these files.
fn configured(receiver_tls: &str, admin: &str) -> Livehook {
    let livehook = Livehook::configured("", &format!("{admin}\n{FILE_SINK}"));
    let path = livehook.path("config.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("[receiver]\n", &format!("[receiver]\n{receiver_tls}\n"), 1)).unwrap();
    livehook
}

fn run(directory: &Path, program: &str, line: &str) -> Output {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).current_dir(directory).stdin(std::process::Stdio::null());
    command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_ADMIN_TOKEN").output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
#[ignore = "needs openssl and curl: run by tests/run"]
async fn real_clients_connect() {
    let mut livehook = configured(TLS, "");
    make_certificate(&livehook.directory, "localhost");
    livehook.start();
    livehook.ready().await;
    let (directory, port) = (livehook.directory.clone(), livehook.receiver.port());
    for (version, expected) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let connect = format!(
            "s_client -connect 127.0.0.1:{port} {version} -alpn h2,http/1.1 -CAfile cert.pem -verify_return_error"
        );
        let shown = text(&run(&directory, "openssl", &connect));
        assert!(shown.contains(&format!("New, {expected}")), "{shown}");
        assert!(shown.contains("ALPN protocol: http/1.1") && shown.contains("Verify return code: 0 (ok)"), "{shown}");
    }
    let old = format!("s_client -connect 127.0.0.1:{port} -tls1_1 -cipher DEFAULT@SECLEVEL=0");
    let shown = text(&run(&directory, "openssl", &old));
    assert!(shown.contains("New, (NONE)") && shown.contains("alert"), "{shown}");

    std::fs::write(directory.join("body.json"), signed(1, now_secs())).unwrap();
    let url = format!("https://localhost:{port}/callback");
    let post = format!("-sS --cacert cert.pem --http1.1 -w %{{http_code}} --data-binary @body.json {url}");
    assert_eq!(text(&run(&directory, "curl", &post)), "{\"code\":0}200");
    // curl offers HTTP/2 first.
    let both = format!("-sS --cacert cert.pem -o /dev/null -w %{{http_version}} --data-binary @body.json {url}");
    assert_eq!(text(&run(&directory, "curl", &both)), "1.1");
    let distrusting = text(&run(&directory, "curl", &format!("-sS --data-binary @body.json {url}")));
    assert!(distrusting.contains("self-signed certificate"), "{distrusting}");
    let plain = text(&run(&directory, "curl", &format!("-sS http://localhost:{port}/callback")));
    assert!(plain.contains("write https:// in the URL"), "{plain}");

    let metrics = Client::connect(livehook.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
    for reason in ["refused", "incompatible", "not_tls"] {
        let line = format!("livehook_tls_handshakes_failed_total{{listener=\"receiver\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
    let log = livehook.log();
    assert!(log.contains("a client refused the handshake of TLS"), "{log}");
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 1);
}

/// Certificate and key change while callbacks flow: by a swapped symlink as in Kubernetes, then one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssl, and takes half a minute: run by tests/run"]
async fn renewal_under_load_refuses_nothing() {
    let mut livehook = configured("tls = { cert_file = \"now/cert.pem\", key_file = \"now/key.pem\" }", "");
    let directory = livehook.directory.clone();
    for name in ["one", "two", "three"] {
        std::fs::create_dir(directory.join(name)).unwrap();
        make_certificate(&directory.join(name), &format!("{name}.example.com"));
    }
    symlink("one", directory.join("now")).unwrap();
    livehook.start();
    livehook.ready().await;
    let (receiver, stop) = (livehook.receiver, Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let tls = TlsConnector::from(trusting_all());
                let mut kept = Client::connect_tls(receiver, &tls).await.unwrap();
                let mut number = sender;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut fresh = Client::connect_tls(receiver, &tls).await.unwrap();
                    for client in [&mut kept, &mut fresh] {
                        assert_eq!(client.post(&signed(number, now_secs())).await.unwrap().status, 200);
                        number += 4;
                    }
                    sleep(Duration::from_millis(20)).await;
                }
                number / 4
            })
        })
        .collect();

    symlink("two", directory.join("next")).unwrap();
    std::fs::rename(directory.join("next"), directory.join("now")).unwrap();
    wait_for_host(&livehook, "two.example.com").await;
    std::fs::copy(directory.join("three/cert.pem"), directory.join("two/cert.pem")).unwrap();
    wait_for_log(&livehook, "the certificate so far stays in use").await;
    wait_for_host(&livehook, "two.example.com").await;
    std::fs::copy(directory.join("three/key.pem"), directory.join("two/key.pem")).unwrap();
    wait_for_host(&livehook, "three.example.com").await;
    // A reload names other files.
    let config = std::fs::read_to_string(livehook.path("config.toml")).unwrap();
    std::fs::write(livehook.path("config.toml"), config.replace("now/", "one/")).unwrap();
    livehook.signal("HUP");
    wait_for_host(&livehook, "one.example.com").await;

    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    livehook.stop().await;
    assert_eq!(livehook.journal().len() as u64, sent);
    assert_eq!(livehook.log().matches("can't be used").count(), 1, "{}", livehook.log());
}

async fn wait_for_log(livehook: &Livehook, part: &str) {
    let deadline = Instant::now() + Duration::from_secs(25);
    while !livehook.log().contains(part) {
        assert!(Instant::now() < deadline, "{part}: {}", livehook.log());
        sleep(Duration::from_millis(50)).await;
    }
}

async fn wait_for_host(livehook: &Livehook, host: &str) {
    let deadline = Instant::now() + Duration::from_secs(25);
    let connect = format!("s_client -connect {}", livehook.receiver);
    loop {
        let shown = text(&run(&livehook.directory, "openssl", &connect));
        if shown.contains(&format!("subject=CN = {host}")) {
            return;
        }
        assert!(Instant::now() < deadline, "{shown}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The commands find the service by the certificate in its configuration, or by `--ca`.
#[tokio::test]
#[ignore = "needs openssl: run by tests/run"]
async fn commands_reach_a_service_with_tls() {
    let token = "token = \"a-token-for-the-tests-only\"";
    let mut livehook = configured(TLS, &format!("{TLS}\n{token}"));
    make_certificate(&livehook.directory, "livehook.example.com");
    livehook.start();
    let (directory, admin) = (livehook.directory.clone(), livehook.admin);
    let livehook_says = |line: &str| {
        let output = run(&directory, PROGRAM, line);
        (output.status.code().unwrap(), text(&output))
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while livehook_says("healthcheck --config config.toml").0 != 0 {
        assert!(
            Instant::now() < deadline,
            "{:?} {}",
            livehook_says("healthcheck --config config.toml"),
            livehook.log()
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(livehook_says(&format!("healthcheck --url https://{admin}/readyz --ca cert.pem")).0, 0);
    let (code, distrusting) = livehook_says(&format!("healthcheck --url https://{admin}/readyz"));
    assert!(code == 1 && distrusting.contains("does this machine trust its certificate"), "{distrusting}");
    let (code, sinks) = livehook_says("sinks list --config config.toml");
    assert!(code == 0 && sinks.contains("file"), "{sinks}");
    let (code, checked) = livehook_says("check-config --config config.toml");
    assert!(code == 0 && checked.contains(&format!("https://{}/callback", livehook.receiver)), "{checked}");
    let (code, sent) = livehook_says(&format!(
        "send --key a-key-for-the-tests-only --url https://{}/callback --ca cert.pem",
        livehook.receiver
    ));
    assert_eq!(code, 0, "{sent}");
    let url = format!("https://localhost:{}/callback", livehook.receiver.port());
    let (_, examined) = livehook_says(&format!("doctor --config config.toml --output json --url {url} --ca cert.pem"));
    for part in [
        "certificate for livehook.example.com, valid until 20",
        "the certificate is not for localhost",
        "reaches livehook",
    ] {
        assert!(examined.contains(part), "{part}: {examined}");
    }
    assert!(
        livehook.log().contains(&format!("receiving callbacks at https://{}", livehook.receiver)),
        "{}",
        livehook.log()
    );
    livehook.stop().await;
}
