//! Examines the clock: signatures expire by it.

use std::process::{Command, Stdio};

use super::report::Report;
use crate::clock::system_clock;
use crate::journal::{Offset, Reader, Record};

const AREA: &str = "clock";

/// How many of the newest pushes and stops are compared with the clock.
const EVENTS_MAX: usize = 100;

/// How many records are searched for them.
const RECORDS_MAX: usize = 2000;

/// The times of CSS are whole seconds, and a callback takes a moment, so a smaller difference means nothing.
const BEHIND_MS: i64 = 2000;
const LATE_MS: i64 = 60_000;

const CURE: &str = "synchronise the clock with NTP (`timedatectl set-ntp true`, chrony, or the settings of the host)";

/// Reports a clock that the kernel does not count as synchronised, and one that differs from the clock of CSS.
pub(super) fn check(reader: Option<&Reader>, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    match kernel_is_synchronised() {
        Some(true) => report.ok(AREA, "the kernel counts it as synchronised")?,
        Some(false) => report.warning(
            AREA,
            "the kernel does not count it as synchronised",
            "signatures expire by this clock: if it is wrong by minutes, genuine callbacks are refused, or old ones accepted",
            CURE,
        )?,
        None => report.note(
            AREA,
            "the state of the kernel's clock is unknown, because `timedatectl` is missing or does not answer",
            "a container has the clock of its host; check it there",
        )?,
    }
    match reader.map(newest_delays_ms) {
        Some(delays_ms) if !delays_ms.is_empty() => check_delays(delays_ms, report),
        _ => Ok(()),
    }
}

/// Returns whether the kernel counts its clock as synchronised; `None` if systemd does not answer. systemd asks the kernel, because
/// Rust has no safe call for that.
fn kernel_is_synchronised() -> Option<bool> {
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null()).stderr(Stdio::null());
    let answer = command.output().ok().filter(|answer| answer.status.success())?;
    match answer.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// How long after its time each of the newest pushes and stops was received, in ms, and how far ahead of this clock the newest is.
fn newest_delays_ms(reader: &Reader) -> Vec<i64> {
    let records = reader.read_back(Offset(i64::MAX), RECORDS_MAX).unwrap_or_default();
    let is_timed = |record: &&Record| {
        let event = &record.event;
        event.event_type().is_push_or_stop() && event.is_verified() && event.id().time_ms() > 0
    };
    let timed = records.iter().filter(is_timed).take(EVENTS_MAX);
    timed.map(|record| record.event.received_ms().min(system_clock()) - record.event.id().time_ms()).collect()
}

fn check_delays(mut delays_ms: Vec<i64>, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    delays_ms.sort_unstable();
    let median_ms = delays_ms[delays_ms.len() / 2];
    let count = delays_ms.len();
    if median_ms < -BEHIND_MS {
        return report.error(
            AREA,
            format!("the newest {count} pushes and stops came {} s before their own time", -median_ms / 1000),
            "this clock is behind the clock of CSS, so old signatures stay valid for too long",
            CURE,
        );
    }
    if median_ms > LATE_MS {
        return report.warning(
            AREA,
            format!("the newest {count} pushes and stops came {} s after their own time", median_ms / 1000),
            "this clock is ahead of the clock of CSS, or CSS had to try again for a long time",
            format!("{CURE}; if the clock is right, look at `livehook_refused_total` and at the uptime of livehook"),
        );
    }
    report.ok(AREA, format!("the newest {count} pushes and stops came {median_ms} ms after their own time (median)"))
}
