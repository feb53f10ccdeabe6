//! Measures how fast the sinks of a network deliver, and how much the work of `http` delays the answers to
//! callbacks. livehook is built for release, and a receiver on loopback answers 204 to everything.
//!
//! ```text
//! cargo bench --bench sinks                       single, lists and paired
//! cargo bench --bench sinks -- single             events one by one, with concurrency 16
//! cargo bench --bench sinks -- lists              events in lists of 100
//! cargo bench --bench sinks -- paired             answers to callbacks with the file sink alone, and with the sink http too
//! cargo bench --bench sinks -- backlog            a million events in lists of 100, and the memory that they need
//! cargo bench --features sql --bench sinks -- postgres --events 200000     waiting events to PostgreSQL, with sessions
//! cargo bench --features sql --bench sinks -- mysql --events 200000        waiting events to MariaDB, with sessions
//! cargo bench --features full --bench sinks -- redis --events 200000       waiting events to a stream of Redis
//! cargo bench --features full --bench sinks -- nats --events 200000        waiting events to a stream of NATS
//! cargo bench --features full --bench sinks -- amqp --events 200000        waiting events to a queue of RabbitMQ
//! cargo bench --features full --bench sinks -- kafka --events 200000       waiting events to a topic of noida-db with 6 partitions
//! ```
//!
//! Options: `--rounds N` (5), `--secs N` for the length of a round of `paired` (5), `--with SERVER` for `paired` with the sink of a
//! server, for example `redis`, in place of http, `--events N` for `backlog` and the servers (1000000), `--keys KEYS` for more keys of
//! the sink of a server, for example `batch_events_max = 100`, `--dir DIR` for the data (in `target/`). Nothing else should run at the
//! same time. Needs Linux, two cores, `taskset` and `sh`.
//!
//! The generator and the receiver run on core 0, and livehook on core 1. With a server, livehook and the server share both cores.
//!
//! For `single`, `lists`, `backlog` and the servers, events gather while nothing takes them. The time counts from the start of the
//! receiver or server until the sink has delivered all of them. They are spread over ten thousand streams.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod loopback;
mod other_end;
mod scenarios;

use anyhow::{Context, bail};
use common::arguments::{self, Arguments};
use scenarios::Rounds;

const MODES: [&str; 10] =
    ["single", "lists", "paired", "backlog", "postgres", "mysql", "redis", "nats", "amqp", "kafka"];

fn main() -> anyhow::Result<()> {
    if let Some(address) = arguments::address_after("serve-loopback")? {
        return loopback::serve(address);
    }
    let mut arguments = Arguments::read()?;
    let (rounds, secs) = (arguments.count("--rounds", 5)?, arguments.number("--secs", 5)?.max(1));
    let events = arguments.number("--events", 1_000_000)?.max(1);
    let with = arguments.text("--with");
    let more = arguments.text("--keys").unwrap_or_default();
    let dir = arguments.dir();
    let mode = arguments.mode(&MODES)?;
    if !more.is_empty() && with.is_none() && scenarios::keys_of_server(&mode).is_none() {
        bail!("--keys is for the sink of a server");
    }
    let directory = common::start("sinks", &dir)?;
    let directory = directory.path();
    let is_chosen = |name: &str| mode == name || mode == "all";
    if is_chosen("single") {
        scenarios::single(directory, rounds)?;
    }
    if is_chosen("lists") {
        scenarios::lists(directory, rounds)?;
    }
    if is_chosen("paired") {
        let rounds = Rounds { count: rounds, secs };
        match with {
            None => scenarios::paired(directory, rounds)?,
            Some(server) => {
                let keys =
                    scenarios::keys_of_server(&server).with_context(|| format!("--with {server}: no such server"))?;
                scenarios::paired_with(directory, rounds, &server, &format!("{keys}\n{more}"))?;
            }
        }
    }
    // Only on its own: a million events take too long for every run.
    if mode == "backlog" {
        scenarios::backlog(directory, events)?;
    }
    if let Some(keys) = scenarios::keys_of_server(&mode) {
        scenarios::server(directory, &mode, &format!("{keys}\n{more}"), events)?;
    }
    Ok(())
}
