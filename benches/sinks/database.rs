//! A database: PostgreSQL or MariaDB, started by the scripts of `tests/servers`, on the core of the generator.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A server with its data in a folder.
pub(crate) struct Database {
    script: PathBuf,
    folder: PathBuf,
}

/// A running server. Dropping it ends it.
pub(crate) struct Running(Child);

impl Database {
    /// Makes an empty database.
    pub(crate) fn create(type_name: &str, folder: &Path, address: SocketAddr) -> anyhow::Result<Database> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(type_name);
        fs::create_dir(folder)?;
        let database = Database { script, folder: folder.to_owned() };
        drop(database.start(address)?);
        Ok(database)
    }

    /// Starts the server.
    pub(crate) fn start(&self, address: SocketAddr) -> anyhow::Result<Running> {
        let mut command = Command::new(&self.script);
        command.arg(&self.folder).arg(address.port().to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = Running(command.spawn().context("the script of the server cannot be started")?);
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if running.0.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(60) {
                bail!("{} does not start; its logs are in {}", self.script.display(), self.folder.display());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An orderly end also ends the processes of its connections.
        let _ = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}
