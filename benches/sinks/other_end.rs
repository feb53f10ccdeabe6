//! The server that a sink delivers to, started by a script of `tests/servers`.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A server with its data in a folder.
pub(crate) struct OtherEnd {
    script: PathBuf,
    folder: PathBuf,
    /// The cores that it may use.
    cores: &'static str,
}

/// A running server. Dropping it ends it.
pub(crate) struct Running(Child);

impl OtherEnd {
    /// Makes an empty server for a mode of the bench, and what its sink expects to find there.
    pub(crate) fn create(
        mode: &str,
        folder: &Path,
        address: SocketAddr,
        cores: &'static str,
    ) -> anyhow::Result<OtherEnd> {
        let name = match mode {
            "amqp" => "rabbitmq",
            "kafka" => "noida",
            same => same,
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name);
        fs::create_dir(folder)?;
        let other_end = OtherEnd { script, folder: folder.to_owned(), cores };
        let running = other_end.start(address)?;
        prepare(mode, address)?;
        drop(running);
        Ok(other_end)
    }

    /// Starts the server.
    pub(crate) fn start(&self, address: SocketAddr) -> anyhow::Result<Running> {
        // It would inherit the one core of the generator.
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", self.cores]).arg(&self.script).arg(&self.folder).arg(address.port().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null());
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

/// Makes the queue or the topic of a mode that needs one.
fn prepare(mode: &str, address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    #[cfg(feature = "amqp")]
    if mode == "amqp" {
        return runtime.block_on(bind_queue(address));
    }
    #[cfg(feature = "kafka")]
    if mode == "kafka" {
        return runtime.block_on(create_topic(address));
    }
    // Used in a build without these features too.
    let _ = (runtime, mode, address);
    Ok(())
}

/// Makes the exchange of the sink, and a durable queue for all of its events.
#[cfg(feature = "amqp")]
async fn bind_queue(address: SocketAddr) -> anyhow::Result<()> {
    use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
    use lapin::types::FieldTable;
    let properties = lapin::ConnectionProperties::default();
    let connection = lapin::Connection::connect(&format!("amqp://guest:guest@{address}/%2f"), properties).await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let topic = lapin::ExchangeKind::Topic;
    channel.exchange_declare("livehook".into(), topic, durable, FieldTable::default()).await?;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("all".into(), durable, FieldTable::default()).await?;
    let options = QueueBindOptions::default();
    channel.queue_bind("all".into(), "livehook".into(), "#".into(), options, FieldTable::default()).await?;
    // The connection is dropped and not closed: to close it, the library waits for an answer, and now and then that never ends.
    Ok(())
}

#[cfg(feature = "kafka")]
async fn create_topic(address: SocketAddr) -> anyhow::Result<()> {
    let client = rskafka::client::ClientBuilder::new(vec![address.to_string()]).build().await?;
    client.controller_client()?.create_topic("livehook", 6, 1, 5000).await?;
    Ok(())
}

impl Drop for Running {
    fn drop(&mut self) {
        // An orderly end also ends the processes of its connections.
        let _ = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}
