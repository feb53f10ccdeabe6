//! Runs the servers, each as a process on core 1 by default, and reads their CPU time, memory and metrics.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::generator;

/// The binary that users run, built with the same profile as this bench.
pub(crate) const LIVEHOOK: &str = env!("CARGO_BIN_EXE_livehook");

/// The unit of the times in `/proc/PID/stat`: a hundredth of a second on every architecture that livehook runs on.
const US_PER_TICK: u64 = 10_000;

/// Keeps the generator on these cores, away from the server. Threads that start later inherit this.
pub(crate) fn pin_self(cores: &str) -> anyhow::Result<()> {
    let pinned = Command::new("taskset")
        .args(["--cpu-list", "--pid", cores, &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()
        .context("taskset (package util-linux) is needed")?;
    if !pinned.success() {
        bail!("taskset could not pin the generator to {cores}");
    }
    Ok(())
}

/// The settings of a livehook that differ from its defaults.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// The cores that it may use.
    pub(crate) cores: &'a str,
    /// A program that runs it, with its arguments, for example `["valgrind", "--quiet"]`. Empty to run it directly.
    pub(crate) runner: &'a [String],
    /// More keys for the section `[admin]` of its configuration.
    pub(crate) admin_more: &'a str,
    /// More sections for its configuration.
    pub(crate) sections: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { cores: "1", runner: &[], admin_more: "", sections: "" }
    }
}

fn on_cores(setup: Setup<'_>, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["--cpu-list", setup.cores])
        .args(setup.runner)
        .arg(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A running server. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// The address for callbacks.
    pub(crate) address: SocketAddr,
    /// The address of the admin endpoint; `None` for the bare server.
    pub(crate) admin: Option<SocketAddr>,
    /// The time from the start of the process to its first 200.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts the bare handler.
    pub(crate) fn bare() -> anyhow::Result<Server> {
        Server::bare_with(Setup::default())
    }

    /// Starts the bare handler on the cores and with the runner of a setup.
    pub(crate) fn bare_with(setup: Setup<'_>) -> anyhow::Result<Server> {
        let address = free_address()?;
        let mut command = on_cores(setup, &std::env::current_exe()?);
        command.arg("serve-bare").arg(address.to_string());
        Server::start(command, address, None)
    }

    /// Starts livehook with its data in `directory`. It opens the data of an earlier run.
    pub(crate) fn livehook(directory: &Path) -> anyhow::Result<Server> {
        Server::livehook_with(directory, Setup::default())
    }

    /// Starts livehook with other settings.
    pub(crate) fn livehook_with(directory: &Path, setup: Setup<'_>) -> anyhow::Result<Server> {
        let (address, admin) = (free_address()?, free_address()?);
        fs::create_dir_all(directory)?;
        let config = directory.join("config.toml");
        let (data, file) = (directory.join("data"), directory.join("events.jsonl"));
        // livehook warns if other users can read a file with keys.
        let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&config)?;
        write!(
            opened,
            "data_dir = {data:?}\n\n[receiver]\nlisten = \"{address}\"\nkeys = [\"{}\"]\n\n[admin]\nlisten = \
             \"{admin}\"\n{}\n\n[log]\nlevel = \"warn\"\n\n[[sinks]]\nname = \"archive\"\ntype = \"file\"\npath = {file:?}\n\n{}",
            generator::KEY,
            setup.admin_more,
            setup.sections
        )?;
        let mut command = on_cores(setup, Path::new(LIVEHOOK));
        command.args(["serve", "--config"]).arg(config);
        // They would override the file.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LIVEHOOK_") {
                command.env_remove(name);
            }
        }
        Server::start(command, address, Some(admin))
    }

    fn start(mut command: Command, address: SocketAddr, admin: Option<SocketAddr>) -> anyhow::Result<Server> {
        let started = Instant::now();
        let child = command.spawn().context("taskset (package util-linux) is needed")?;
        let mut server = Server { child, address, admin, started_in: Duration::ZERO };
        // Sending is the test: a server that only listens cannot store events yet.
        while let Err(error) = generator::send_one(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended at its start: {status}");
            }
            if started.elapsed() > Duration::from_secs(60) {
                return Err(error.context("the server gave no 200 within a minute"));
            }
            // Short, because the time to the first 200 is a result of the bench.
            thread::sleep(Duration::from_micros(200));
        }
        server.started_in = started.elapsed();
        Ok(server)
    }

    /// Returns user and system time of the process so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> anyhow::Result<u64> {
        cpu_us(&self.child.id().to_string())
    }

    /// Returns the names of the threads, in the order in which they began.
    pub(crate) fn thread_names(&self) -> anyhow::Result<Vec<String>> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let numbers = fs::read_dir(&tasks)?.map(|task| Ok(task?.file_name().to_string_lossy().parse::<u32>()?));
        let mut numbers = numbers.collect::<anyhow::Result<Vec<_>>>()?;
        numbers.sort_unstable();
        let name = |number| Ok(fs::read_to_string(format!("{tasks}/{number}/comm"))?.trim().to_owned());
        numbers.into_iter().map(name).collect()
    }

    /// Returns a line of `/proc/PID/status` in MiB, for example `VmRSS` (memory now) or `VmHWM` (the most so far).
    pub(crate) fn memory_mib(&self, name: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix(" kB"))
            .with_context(|| format!("/proc/PID/status has no {name}"))?;
        Ok(kib.parse::<f64>()? / 1024.0)
    }

    /// Returns when the file sink and the index have every event.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let Some(admin) = self.admin else { return Ok(()) };
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(600) {
            let lag = metric(admin, "livehook_index_lag_records")?;
            if lag == 0.0 && self.lag("archive")? == 0 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the file sink or the index did not catch up within ten minutes");
    }

    /// Returns how many records a sink is behind.
    pub(crate) fn lag(&self, sink: &str) -> anyhow::Result<u64> {
        let admin = self.admin.context("a bare server has no sink")?;
        Ok(metric(admin, &format!("livehook_delivery_lag_records{{sink=\"{sink}\"}}"))? as u64)
    }

    /// Sends a GET to the admin endpoint, and returns the head and the body of the answer.
    pub(crate) fn ask(&self, path: &str) -> anyhow::Result<String> {
        get(self.admin.context("a bare server has no admin endpoint")?, path)
    }

    /// Stops the server as a service manager would, and waits for its end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status()?;
        let status = self.child.wait()?;
        // SIGTERM kills the bare server, which is not a success.
        if self.admin.is_some() && !status.success() {
            bail!("livehook did not stop as it should: {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` the process is gone, and both calls fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns user and system time of a process in microseconds; `self` is this process.
pub(crate) fn cpu_us(process: &str) -> anyhow::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the name in brackets, may contain spaces and brackets. Field three follows the last bracket.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has another form")?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next().context("no user time")??, ticks.next().context("no system time")??);
    Ok((user + system) * US_PER_TICK)
}

fn get(admin: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn metric(admin: SocketAddr, series: &str) -> anyhow::Result<f64> {
    let text = get(admin, "/metrics")?;
    let value = text.lines().find_map(|line| line.strip_prefix(series)).with_context(|| {
        format!("/metrics has no {series}; it answered: {}", text.lines().next().unwrap_or_default())
    })?;
    Ok(value.trim().parse()?)
}
