//! The sink `http`, against a receiver in another process (`tests/receiver.py`).

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use super::{Fault, Subject, all_arrived, callback, conforms, metric, post, started};
use crate::client::{Client, whole_lines};
use crate::process::{Livehook, free_port};

/// The receiver, and further keys of the sink.
pub(super) struct Http {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
    is_stopped: bool,
    more: &'static str,
    certificate: Option<String>,
}

impl Http {
    pub(super) fn new(directory: &Path, more: &'static str) -> Http {
        let folder = directory.join("receiver");
        std::fs::create_dir(&folder).unwrap();
        let mut http =
            Http { folder, port: free_port().port(), process: None, is_stopped: false, more, certificate: None };
        http.set_mode("ok");
        http.run();
        http
    }

    fn set_mode(&self, mode: &str) {
        // A rename, because the receiver may read the file at any moment.
        std::fs::write(self.folder.join("mode.new"), mode).unwrap();
        std::fs::rename(self.folder.join("mode.new"), self.folder.join("mode")).unwrap();
    }

    fn run(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receiver.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(self.port.to_string()).arg(&self.folder).args(&self.certificate).stdin(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "the receiver does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The body of each request.
    pub(super) fn bodies(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("requests.jsonl")).unwrap_or_default();
        let body = |line| {
            let request: serde_json::Value = serde_json::from_str(line).unwrap();
            request["body"].as_str().unwrap().to_owned()
        };
        whole_lines(&text).map(body).collect()
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Subject for Http {
    fn configure(&self) -> String {
        format!("type = \"http\"\nurl = \"http://127.0.0.1:{}/\"\ntimeout_secs = 1\n{}\n", self.port, self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away, Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement, Fault::Refusing]
    }

    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Away => self.kill(),
            Fault::Stopped => {
                self.signal("STOP");
                self.is_stopped = true;
            }
            Fault::Reset => self.set_mode("reset"),
            Fault::LostAcknowledgement => self.set_mode("lost"),
            Fault::Refusing => self.set_mode("503"),
        }
    }

    fn mend(&mut self) {
        self.set_mode("ok");
        if std::mem::take(&mut self.is_stopped) {
            self.signal("CONT");
        }
        if self.process.is_none() {
            self.run();
        }
    }

    fn received(&self) -> Vec<String> {
        self.bodies().iter().flat_map(|body| events(body)).collect()
    }

    fn refuses_poison(&self) -> bool {
        true
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The events of a body, byte for byte.
fn events(body: &str) -> Vec<String> {
    if !body.starts_with('[') {
        return vec![body.to_owned()];
    }
    let events: Vec<&RawValue> = serde_json::from_str(body).unwrap();
    events.iter().map(|event| event.get().to_owned()).collect()
}

#[tokio::test]
#[ignore = "takes ten seconds: run by tests/run"]
async fn the_http_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Http::new(directory.path(), ""), directory.path()).await;
}

#[tokio::test]
#[ignore = "takes ten seconds: run by tests/run"]
async fn the_http_sink_conforms_with_lists() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Http::new(directory.path(), "batch_events_max = 20\nconcurrency = 2"), directory.path()).await;
}

#[test]
#[ignore = "needs openssl: run by tests/run"]
fn a_certificate_in_ca_file_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut http = Http::new(directory.path(), "");
    let probe = |port: u16, ca: &str| {
        let more = format!("type = \"http\"\nurl = \"https://127.0.0.1:{port}/\"\nca_file = {:?}\n", path(ca));
        let text = format!("receiver.keys = [\"0123456789abcdef\"]\n[[sinks]]\nname = \"it\"\n{more}");
        std::fs::write(path("config.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_livehook"));
        let output = command.args(["check-config", "--probe", "--config", &path("config.toml")]).output().unwrap();
        (output.status.success(), format!("{output:?}"))
    };
    // As a person makes it: no name but the CN, and marked as a CA.
    for name in ["own", "other"] {
        let arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=me"];
        let mut openssl = Command::new("openssl");
        openssl.args(arguments).args(["-keyout", &path("key.pem"), "-out", &path(name)]);
        assert!(openssl.output().unwrap().status.success());
        if name == "own" {
            let text = ["key.pem", "own"].map(|name| std::fs::read_to_string(path(name)).unwrap()).concat();
            std::fs::write(path("server.pem"), text).unwrap();
        }
    }
    http.kill();
    http.certificate = Some(path("server.pem"));
    http.run();
    let (is_reached, output) = probe(http.port, "own");
    assert!(is_reached, "{output}");
    let (is_reached, output) = probe(http.port, "other");
    assert!(!is_reached && output.contains("ca_file") && output.contains("put "), "{output}");
}

#[tokio::test]
async fn a_wrong_configuration_loses_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let http = Http::new(directory.path(), "");
    http.set_mode("401");
    let mut livehook = started(directory.path(), &http.configure()).await;
    for (numbers, status) in [(0..100, "401"), (100..200, "404"), (200..300, "302")] {
        http.set_mode(status);
        post(&livehook, numbers).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        let logged = format!("answered {status}");
        while !livehook.log().contains(&logged) {
            assert!(Instant::now() < deadline, "{}", livehook.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Some 20 attempts.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(livehook.log().matches(&logged).count(), 1, "{}", livehook.log());
    }
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    http.set_mode("ok");
    all_arrived(&livehook, &http, true).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);

    // Events of one stream are at fault if others pass.
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&callback("unknown", 300)).await.unwrap().status, 200);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut number = 301;
    while metric(&livehook, "livehook_dead_letters").await == 0 {
        assert!(Instant::now() < deadline, "{}", livehook.log());
        post(&livehook, number..number + 1).await;
        number += 1;
    }
    assert!(livehook.log().contains("other events pass"), "{}", livehook.log());
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "takes a minute: run by tests/run"]
async fn a_large_backlog_needs_flat_memory() {
    const EVENTS: u64 = 50_000;
    const MEMORY_KIB_MAX: u64 = 16 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let mut http = Http::new(directory.path(), "batch_events_max = 100\nstart = \"earliest\"");
    let config = format!("[[sinks]]\nname = \"it\"\n{}", http.configure());
    let mut livehook = Livehook::configure(directory.path(), "", &config);
    http.fail(Fault::Away);
    livehook.start();
    livehook.ready().await;
    post(&livehook, 0..EVENTS).await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await >= EVENTS as i64);
    let before = livehook.memory_kib();
    http.mend();
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut most = 0;
    while metric(&livehook, "livehook_delivery_lag_records").await > 0 {
        most = most.max(livehook.memory_kib());
        assert!(Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(most < before + MEMORY_KIB_MAX, "{before} KiB before, and up to {most} KiB during the delivery");
    all_arrived(&livehook, &http, true).await;
    livehook.stop().await;
}
