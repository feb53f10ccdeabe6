//! A server of another project, started by a script of `tests/servers`, with a proxy before it.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Fault;
use super::proxy::{Mode, Proxy};
use crate::process::free_port;

/// A server on a free port, with its data in a folder.
pub(super) struct Server {
    script: PathBuf,
    folder: PathBuf,
    settings: Vec<String>,
    pub(super) port: u16,
    pub(super) proxy: Proxy,
    process: Option<Child>,
    is_stopped: bool,
    /// Whether it ends by SIGTERM, because it stores its data later than it confirms it.
    is_orderly: bool,
}

impl Server {
    /// Starts the server of this script. In a setting, `{proxy}` is the port of the proxy.
    pub(super) fn start(name: &str, directory: &Path, settings: &[&str]) -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name);
        let folder = directory.join(name);
        std::fs::create_dir(&folder).unwrap();
        let port = free_port().port();
        let proxy = Proxy::start(port);
        let proxy_port = proxy.address.port().to_string();
        let settings = settings.iter().map(|setting| setting.replace("{proxy}", &proxy_port)).collect();
        let mut server =
            Server { script, folder, settings, port, proxy, process: None, is_stopped: false, is_orderly: false };
        server.run();
        server
    }

    /// Lets the server end by SIGTERM.
    pub(super) fn orderly(mut self) -> Server {
        self.is_orderly = true;
        self
    }

    /// Ends the server, and starts it with other settings.
    pub(super) fn restart_with(&mut self, settings: &[&str]) {
        self.kill();
        self.settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        self.run();
    }

    fn run(&mut self) {
        let mut command = Command::new(&self.script);
        command.arg(&self.folder).arg(self.port.to_string()).args(&self.settings);
        self.process = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let status = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(status.is_none(), "{} ended with {status:?}", self.script.display());
            assert!(Instant::now() < deadline, "{} does not start", self.script.display());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the server, and to the processes that it has for its connections.
    fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for id in std::iter::once(id.to_string()).chain(children.split_whitespace().map(str::to_owned)) {
            // A child may end first.
            Command::new("kill").args(["-s", name, &id]).stderr(Stdio::null()).status().unwrap();
        }
    }

    /// Makes the server fail, or the way to it.
    pub(super) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Away if self.is_orderly => {
                self.signal("TERM");
                self.process.take().unwrap().wait().unwrap();
            }
            Fault::Away => self.kill(),
            Fault::Stopped => {
                self.signal("STOP");
                self.is_stopped = true;
            }
            Fault::Reset => self.proxy.set_mode(Mode::Reset),
            Fault::LostAcknowledgement => self.proxy.set_mode(Mode::LoseAnswers),
            Fault::Refusing => panic!("each server refuses in its own way"),
        }
    }

    /// Makes the server and the way to it work again.
    pub(super) fn mend(&mut self) {
        self.proxy.set_mode(Mode::Pass);
        if std::mem::take(&mut self.is_stopped) {
            self.signal("CONT");
        }
        if self.process.is_none() {
            self.run();
        }
    }

    fn kill(&mut self) {
        if self.process.is_some() {
            self.signal("KILL");
        }
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
