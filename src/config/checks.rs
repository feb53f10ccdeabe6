//! The rules that span several components, and the bounds of numbers. Those of the sinks are in `sink_checks.rs`.

use std::net::SocketAddr;

use super::callback_keys::{KEY_SOURCES, SourcedKey};
use super::findings::Findings;
use super::key_path::element_path;
use super::mistake::Mistake;
use super::settings::Settings;
use crate::{admin, index, journal, receiver};

#[cfg(test)]
mod tests;

const DAY_SECS: u64 = 24 * 60 * 60;
const MIB: u64 = 1024 * 1024;

/// CSS sets `t` this far into the future. Its retries repeat `t`, so a genuine callback may be this old without any leeway.
const CSS_VALIDITY_SECS: u64 = 600;

/// CSS gives up on a request after about this time.
const CSS_PATIENCE_SECS: u64 = 20;

/// The smallest limit for the head of a request that the HTTP library accepts.
const HEADERS_BYTES_MIN: u64 = 8192;

const NO_KEY_CURE: &str = "give the key of your CSS callback template (or set one there that `livehook keygen` makes) \
    by --key, LIVEHOOK_KEYS, LIVEHOOK_KEYS_FILE, `receiver.keys` or `receiver.keys_file`; only to try livehook out, \
    `receiver.allow_unsigned = true` accepts anything from anybody";

const NO_TOKEN_CURE: &str = "set `admin.token`, `admin.token_file` or LIVEHOOK_ADMIN_TOKEN (`livehook keygen` makes \
    one), or listen on 127.0.0.1";

/// Checks all settings but those of the sinks.
pub(super) fn check(settings: &Settings, keys: &[SourcedKey], findings: &mut Findings) {
    let Settings { data_dir, shutdown_grace_secs, receiver, admin, journal, index, .. } = settings;
    if data_dir.as_os_str().is_empty() {
        findings.mistake(Mistake::new("data_dir", "must name a directory").quoted(""));
    }
    findings.check_range("shutdown_grace_secs", *shutdown_grace_secs, 0, 3600);
    check_keys(receiver, keys, findings);
    check_receiver(receiver, findings);
    check_receiver_limits(receiver, findings);
    check_admin(admin, receiver.listen, findings);
    check_journal(journal, receiver.leeway_secs, findings);
    check_index(index, findings);
}

fn check_keys(receiver: &receiver::Options, keys: &[SourcedKey], findings: &mut Findings) {
    let spoilt = KEY_SOURCES.iter().any(|source| findings.has_mistake_at(source));
    match (keys.is_empty(), receiver.allow_unsigned) {
        (true, false) if !spoilt => {
            let rule = "there is no callback key, so no callback could be verified";
            findings.mistake(Mistake::new("receiver.keys", rule).cure(NO_KEY_CURE));
        }
        (true, true) => findings
            .warn("receiver.allow_unsigned: there is no callback key, so anything from anybody is accepted unverified"),
        (false, true) => {
            findings.warn("receiver.allow_unsigned: has no effect, since there is a callback key; remove it")
        }
        _ => {}
    }
    for (source, _) in keys.iter().filter(|(_, key)| key.key.is_short()) {
        findings.warn(format!(
            "{source}: the callback key has fewer than 16 characters and can be guessed; \
             `livehook keygen` makes a better one"
        ));
    }
}

fn check_receiver(receiver: &receiver::Options, findings: &mut Findings) {
    if let Some(health_path) = &receiver.health_path
        && !receiver.paths_differ()
        && !findings.has_mistake_at("receiver.path")
    {
        let same = Mistake::new("receiver.health_path", "must differ from `receiver.path`");
        findings.mistake(same.quoted(health_path.as_str()));
    }
    for (position, parameter) in receiver.redact_parameters.iter().enumerate() {
        let is_no_name = |character: char| character.is_whitespace() || "=&?#%\"\\".contains(character);
        if parameter.is_empty() || parameter.contains(is_no_name) {
            let path = element_path("receiver.redact_parameters", position);
            let wrong = Mistake::new(path, "must be the name of a parameter").quoted(parameter);
            findings.mistake(wrong.cure("give what stands before the =, without white space, & ? # % \" and \\"));
        }
    }
    if let Some(validity_secs_max) = receiver.validity_secs_max
        && u64::from(validity_secs_max) < CSS_VALIDITY_SECS
    {
        findings.warn(format!(
            "receiver.validity_secs_max = {validity_secs_max}: CSS stamps t {CSS_VALIDITY_SECS} s ahead, so genuine \
             callbacks will be refused; give at least {CSS_VALIDITY_SECS}, and some more for clocks that differ"
        ));
    }
}

fn check_receiver_limits(receiver: &receiver::Options, findings: &mut Findings) {
    findings.check_range("receiver.body_bytes_max", receiver.body_bytes_max, 1, 1024 * MIB);
    findings.check_range("receiver.headers_bytes_max", receiver.headers_bytes_max, HEADERS_BYTES_MIN, MIB);
    findings.check_range("receiver.connections_max", receiver.connections_max, 1, 1_000_000);
    findings.check_range("receiver.headers_timeout_secs", receiver.headers_timeout_secs, 1, DAY_SECS);
    findings.check_range("receiver.body_timeout_secs", receiver.body_timeout_secs, 1, DAY_SECS);
    findings.check_range("receiver.idle_timeout_secs", receiver.idle_timeout_secs, 1, DAY_SECS);
    findings.check_range("receiver.answer_timeout_secs", receiver.answer_timeout_secs, 1, DAY_SECS);
    if receiver.bodies_bytes_max < receiver.body_bytes_max {
        let small = Mistake::new(
            "receiver.bodies_bytes_max",
            format!("must be at least `receiver.body_bytes_max`, which is {}", receiver.body_bytes_max),
        );
        findings.mistake(small.value(receiver.bodies_bytes_max));
    }
    if receiver.answer_timeout_secs >= CSS_PATIENCE_SECS {
        findings.warn(format!(
            "receiver.answer_timeout_secs = {}: CSS gives up after about {CSS_PATIENCE_SECS} s and sends \
             again, so a later answer is in vain; give less",
            receiver.answer_timeout_secs
        ));
    }
}

fn check_admin(admin: &admin::Options, receiver: SocketAddr, findings: &mut Findings) {
    if overlap(admin.listen, receiver) {
        let taken = Mistake::new("admin.listen", format!("is taken by `receiver.listen`, which is {receiver}"));
        findings.mistake(taken.value(admin.listen).cure("choose another port"));
    }
    let token_spoilt = findings.has_mistake_at("admin.token") || findings.has_mistake_at("admin.token_file");
    if !admin.listen.ip().to_canonical().is_loopback() {
        match &admin.token {
            None if !token_spoilt => {
                let open = Mistake::new("admin.listen", "can be reached from other machines and so needs a token");
                findings.mistake(open.value(admin.listen).cure(NO_TOKEN_CURE));
            }
            Some(token) if token.is_short() => findings.warn(
                "admin.token: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a \
                 better one",
            ),
            _ => {}
        }
    }
    findings.check_range("admin.subscribers_max", admin.subscribers_max, 1, 100_000);
    for (position, host) in admin.allowed_hosts.iter().enumerate() {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || !host.bytes().all(allowed) {
            let wrong = Mistake::new(element_path("admin.allowed_hosts", position), "must be the name of a host");
            findings.mistake(wrong.quoted(host).cure("give it without scheme, port and path"));
        }
    }
}

fn check_journal(journal: &journal::Options, leeway_secs: u32, findings: &mut Findings) {
    findings.check_range("journal.retention_days", journal.retention_days, 1, 36_500);
    if journal.size_bytes_max < 16 * MIB {
        let small = Mistake::new("journal.size_bytes_max", format!("must be at least {} (16 MiB)", 16 * MIB));
        findings.mistake(small.value(journal.size_bytes_max));
    }
    findings.check_range("journal.dedupe_ids_max", journal.dedupe_ids_max, 1000, 100_000_000);
    findings.check_range("journal.queue_events_max", journal.queue_events_max, 1, 1_000_000);
    findings.check_range("journal.batch_events_max", journal.batch_events_max, 1, 1_000_000);
    if journal.batch_events_max > journal.queue_events_max {
        let large = Mistake::new(
            "journal.batch_events_max",
            format!("must be at most `journal.queue_events_max`, which is {}", journal.queue_events_max),
        );
        findings.mistake(large.value(journal.batch_events_max));
    }
    let window_secs_min = u64::from(leeway_secs) + CSS_VALIDITY_SECS;
    if u64::from(journal.dedupe_window_secs) < window_secs_min {
        let short = Mistake::new(
            "journal.dedupe_window_secs",
            format!("must be at least {window_secs_min}: `receiver.leeway_secs` and {CSS_VALIDITY_SECS}"),
        );
        let cure = "a callback can be sent again for as long as its signature counts, and would be stored twice";
        findings.mistake(short.value(journal.dedupe_window_secs).cure(cure));
    }
}

fn check_index(index: &index::Options, findings: &mut Findings) {
    findings.check_range("index.retention_days", index.retention_days, 1, 36_500);
    if index.stale_after_secs != 0 {
        findings.check_range("index.stale_after_secs", index.stale_after_secs, 60, 10 * 365 * DAY_SECS);
    }
    findings.check_range("index.bridge_gap_secs", index.bridge_gap_secs, 0, DAY_SECS);
}

/// Whether the two cannot be listened on at once. Port 0 is a free one each time.
fn overlap(first: SocketAddr, second: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || wide.is_ipv4() == narrow.is_ipv4())
    };
    first.port() != 0
        && first.port() == second.port()
        && (first.ip() == second.ip() || covers(first, second) || covers(second, first))
}
