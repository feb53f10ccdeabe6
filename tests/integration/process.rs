//! Starts, queries and kills the real program.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Client, KEY};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_livehook");

/// The configuration of a file sink that writes `events.jsonl` next to the data directory.
pub(crate) const FILE_SINK: &str = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\nretry = { wait_ms_first = 20, wait_ms_max = 50 }\n";

/// A livehook with its own data directory. A test may kill it and start it again.
pub(crate) struct Livehook {
    pub(crate) directory: PathBuf,
    pub(crate) receiver: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Whether it waits for the end of another one (`--wait`).
    waits: bool,
    child: Option<Child>,
    /// Removed with this value, unless the test brought a directory.
    temporary: Option<TempDir>,
}

impl Livehook {
    /// Configures it in a temporary directory, starts it, and waits until it is ready.
    pub(crate) async fn running(head: &str, more: &str) -> Livehook {
        let mut livehook = Livehook::configured(head, more);
        livehook.start();
        livehook.ready().await;
        livehook
    }

    /// Configures it in a temporary directory, and starts nothing.
    pub(crate) fn configured(head: &str, more: &str) -> Livehook {
        let directory = tempfile::tempdir().unwrap();
        let mut livehook = Livehook::configure(directory.path(), head, more);
        livehook.temporary = Some(directory);
        livehook
    }

    /// Writes the configuration into `directory`: free ports, the tests' key, `head` before the first table and `more`
    /// at the end. Starts nothing. Relative paths are relative to `directory`.
    pub(crate) fn configure(directory: &Path, head: &str, more: &str) -> Livehook {
        let (receiver, admin) = (free_port(), free_port());
        let directory = directory.to_owned();
        let livehook = Livehook { directory, receiver, admin, waits: false, child: None, temporary: None };
        livehook.configure_again(head, more);
        livehook
    }

    /// A second one with the same configuration file and ports. Both wait for each other from now on.
    pub(crate) fn standby(&mut self) -> Livehook {
        self.waits = true;
        let Livehook { receiver, admin, .. } = *self;
        Livehook { directory: self.directory.clone(), receiver, admin, waits: true, child: None, temporary: None }
    }

    /// Writes another configuration for the next start, with the same ports and data.
    pub(crate) fn configure_again(&self, head: &str, more: &str) {
        let Livehook { receiver, admin, .. } = self;
        let config = format!(
            "data_dir = \"data\"\n{head}\n[receiver]\nlisten = \"{receiver}\"\nkeys = [\"{KEY}\"]\n[admin]\nlisten = \"{admin}\"\n{more}\n"
        );
        std::fs::write(self.path("config.toml"), config).unwrap();
        // The file holds a key, so livehook warns if other users can read it.
        let only_owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path("config.toml"), only_owner).unwrap();
    }

    /// The path of a file next to the data directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts the program and does not wait. Its log is appended to `stderr.log`.
    pub(crate) fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("stderr.log")).unwrap();
        self.spawn(Command::new(PROGRAM).stdout(Stdio::null()).stderr(log));
    }

    /// Starts the program with less of what `ulimit` limits, and waits until it is ready.
    pub(crate) async fn start_limited(&mut self, limit: &str) {
        let log = std::fs::File::create(self.path("stderr.log")).unwrap();
        let script = format!("ulimit {limit} && exec \"$@\"");
        self.spawn(Command::new("sh").args(["-c", &script, "sh", PROGRAM]).stdout(Stdio::null()).stderr(log));
        self.ready().await;
    }

    /// Starts the program with this command, to which the arguments are added.
    pub(crate) fn spawn(&mut self, command: &mut Command) -> &mut Child {
        assert!(self.child.is_none(), "it runs already");
        let config = self.path("config.toml");
        let command = command.arg("serve").arg("--config").arg(config).current_dir(&self.directory);
        if self.waits {
            command.arg("--wait");
        }
        self.child.insert(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(mut client) = Client::connect(self.admin).await
                && client.get("/readyz", "").await.is_ok_and(|answer| answer.status == 200)
            {
                return;
            }
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("it ended with {status}: {}", self.log());
            }
            assert!(Instant::now() < deadline, "it does not get ready: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The status of `/readyz`.
    pub(crate) async fn readiness(&self) -> u16 {
        Client::connect(self.admin).await.unwrap().get("/readyz", "").await.unwrap().status
    }

    /// The log of all its runs.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("stderr.log")).unwrap_or_default()
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Its resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.as_ref().unwrap().id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How often its threads have waited for something and gone on.
    pub(crate) fn wake_ups(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.as_ref().unwrap().id())).unwrap();
        let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line.map_or(0, |count| count.trim().parse::<u64>().unwrap())
        };
        threads.map(of_thread).sum()
    }

    /// Waits until it ends, at most for `patience`.
    pub(crate) async fn ended(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                self.child = None;
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end within {patience:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops it with SIGTERM. It must end in order.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM");
        let status = self.ended(Duration::from_secs(20)).await;
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// The lines of all events in its journal.
    pub(crate) fn journal(&self) -> Vec<String> {
        let reader = livehook::journal::Reader::open(&self.path("data")).unwrap();
        let mut after = livehook::journal::Offset(0);
        let mut lines = Vec::new();
        loop {
            let records = reader.read(after, 10_000).unwrap();
            let Some(last) = records.last() else { return lines };
            after = last.offset;
            lines.extend(records.iter().map(|record| record.event.line().to_owned()));
        }
    }

    /// The complete lines of a file. Once the service has ended, the last line must be complete.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        // A read can see half of a write that still goes on.
        assert!(self.child.is_some() || complete == text.len(), "{name} ends within a line");
        text[..complete].lines().map(str::to_owned).collect()
    }
}

impl Drop for Livehook {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A small file system. It is unmounted on drop.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// Mounts one on a directory. Needs root.
    pub(crate) fn tmpfs(directory: &Path, options: &str) -> Mounted {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory).status();
        assert!(mount.unwrap().success(), "a tmpfs must be mounted: run as root");
        Mounted(directory.to_owned())
    }

    /// Changes the options.
    #[cfg(feature = "sql")]
    pub(crate) fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Mounted {
    /// Makes a file system with blocks of 1 KiB in the file `image`, and mounts it on a directory. Needs root.
    pub(crate) fn ext2(directory: &Path, image: &Path, bytes: u64) -> Mounted {
        std::fs::File::create(image).unwrap().set_len(bytes).unwrap();
        let made = Command::new("mkfs.ext2").args(["-q", "-b", "1024", "-m", "0"]).arg(image).status();
        assert!(made.unwrap().success(), "mkfs.ext2 is missing");
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(image).arg(directory).status();
        assert!(mounted.unwrap().success(), "an image must be mounted: run as root");
        Mounted(directory.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A port on which no process listens, each port once. The next two ports are free as well, for servers that need three.
///
/// They are below 32768, the first that Linux gives to clients: no connection of another process can take one in between.
pub(crate) fn free_port() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two processes that run tests at once begin at different ports.
    let first = std::process::id().wrapping_mul(97);
    let mut ports = (0..4000).map(|_| {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 4000;
        20_000 + 3 * u16::try_from(number).unwrap()
    });
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port = ports.find(|&port| (port..port + 3).all(is_free)).expect("a port is free");
    SocketAddr::from(([127, 0, 0, 1], port))
}
