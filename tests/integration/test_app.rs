//! livehook inside the test's process, with free ports, its own directory and a file sink.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use livehook::app::App;
use livehook::config::{Config, Overrides, Process};
use livehook::journal::{Offset, Reader};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Client, KEY};

/// A running service. If it has failed by the time it is dropped, the test fails.
pub(crate) struct TestApp {
    pub(crate) receiver: SocketAddr,
    pub(crate) admin: SocketAddr,
    directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl TestApp {
    /// Starts with the tests' key, a file sink, and the settings in `config`.
    pub(crate) async fn start(config: &str) -> TestApp {
        TestApp::start_with_admin(config, "127.0.0.1:0").await
    }

    /// The same, with the admin endpoint on this address.
    pub(crate) async fn start_with_admin(config: &str, admin_listen: &str) -> TestApp {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("events.jsonl");
        let text = format!("{config}\n[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"{}\"\n", file.display());
        let overrides = Overrides {
            data_dir: Some(directory.path().join("data")),
            listen: Some("127.0.0.1:0".to_owned()),
            admin_listen: Some(admin_listen.to_owned()),
            keys: vec![KEY.into()],
            ..Overrides::default()
        };
        let path = directory.path().join("config.toml");
        let config =
            Config::load(Some((&path, &text)), &overrides, &Process).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let app = App::start(config).await.unwrap();
        let (receiver, admin) = (app.receiver_address(), app.admin_address());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run(
            async {
                let _ = stopped.await;
            },
            std::future::pending(),
        ));
        TestApp { receiver, admin, directory, stop: Some(stop), running: Some(running) }
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The lines of all events in the journal.
    pub(crate) fn events(&self) -> Vec<String> {
        let records = Reader::open(&self.data_dir()).unwrap().read(Offset(0), 100_000).unwrap();
        records.iter().map(|record| record.event.line().to_owned()).collect()
    }

    /// The lines in the sink's file.
    pub(crate) fn file_lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.path().join("events.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the sink's file has `count` lines.
    pub(crate) async fn wait_for_events(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.file_lines().len() < count {
            assert!(Instant::now() < deadline, "{} of {count} arrived", self.file_lines().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All metrics.
    pub(crate) async fn metrics(&self) -> String {
        let answer = Client::connect(self.admin).await.unwrap().get("/metrics", "").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Stops it, and returns the lines of the sink's file.
    pub(crate) async fn stop(mut self) -> Vec<String> {
        let _ = self.stop.take().map(|stop| stop.send(()));
        self.running.take().unwrap().await.unwrap().unwrap();
        self.file_lines()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = &self.running
            && running.is_finished()
            && !std::thread::panicking()
        {
            panic!("the service has ended before the test");
        }
    }
}
