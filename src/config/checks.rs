//! The rules that span several components, and the bounds of numbers. Those of the sinks are in `sink_checks.rs`.

use std::net::SocketAddr;
use std::path::Path;

use super::callback_keys::{KEY_SOURCES, SourcedKey};
use super::findings::Findings;
use super::key_path::element_path;
use super::mistake::Mistake;
use super::settings::Settings;
use super::surroundings::Surroundings;
use crate::callback::{EventType, KnownType, Signed};
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

/// The smallest size limit of a journal.
const JOURNAL_BYTES_MIN: u64 = 16 * MIB;

const NO_KEY_CURE: &str = "make one with `livehook keygen`, enter it in your CSS callback template, and set it as \
    LIVEHOOK_KEYS, `receiver.keys` or `receiver.keys_file`. To try livehook out: --key test";

const NO_TOKEN_CURE: &str = "set `admin.token`, `admin.token_file` or LIVEHOOK_ADMIN_TOKEN (`livehook keygen` makes a \
    token), or listen on 127.0.0.1";

/// Checks all settings but those of the sinks.
pub(super) fn check(settings: &Settings, keys: &[SourcedKey], findings: &mut Findings) {
    let Settings { data_dir, shutdown_grace_secs, receiver, admin, journal, index, .. } = settings;
    if data_dir.as_os_str().is_empty() {
        findings.mistake(Mistake::new("data_dir", "must name a directory, such as \"livehook-data\"").quoted(""));
    }
    findings.check_range("shutdown_grace_secs", *shutdown_grace_secs, 0, 3600);
    check_keys(receiver, keys, findings);
    check_receiver(receiver, findings);
    check_trust(receiver, keys, findings);
    check_receiver_limits(receiver, findings);
    check_admin(admin, receiver.listen, findings);
    check_journal(journal, receiver.leeway_secs, findings);
    check_index(index, findings);
}

/// Checks that the data directory is one, or can be made.
pub(super) fn check_data_dir(data_dir: &Path, surroundings: &dyn Surroundings, findings: &mut Findings) {
    let canonical = surroundings.canonical(data_dir);
    let nearest = canonical.ancestors().find_map(|path| Some((path, surroundings.is_directory(path)?)));
    if let Some((file, false)) = nearest
        && !data_dir.as_os_str().is_empty()
    {
        let rule = match file == canonical {
            true => "is a file, not a directory".to_owned(),
            false => format!("cannot be made, because {} is a file", file.display()),
        };
        let wrong = Mistake::new("data_dir", rule).quoted(data_dir.to_string_lossy());
        findings.mistake(wrong.cure("choose another path"));
    }
}

fn check_keys(receiver: &receiver::Options, keys: &[SourcedKey], findings: &mut Findings) {
    // A source with a mistake may be the reason why there is no key. One mistake about it is enough.
    let has_mistake = KEY_SOURCES.iter().any(|source| findings.has_mistake_at(source));
    match (keys.is_empty(), receiver.allow_unsigned) {
        (true, false) if !has_mistake => {
            findings.mistake(Mistake::new("receiver.keys", "no callback key is set").cure(NO_KEY_CURE));
        }
        (true, true) => findings.warn(
            "receiver.allow_unsigned: no callback key is set, so livehook accepts unverified callbacks from everyone",
        ),
        (false, true) => {
            findings.warn("receiver.allow_unsigned: has no effect, because a callback key is set; remove it")
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
        // Otherwise `receiver.path` is only the default here, which the user didn't write.
        && !findings.has_mistake_at("receiver.path")
    {
        let same = Mistake::new(
            "receiver.health_path",
            "must differ from `receiver.path`; choose another path, such as \"/health\"",
        );
        findings.mistake(same.quoted(health_path.as_str()));
    }
    for (position, parameter) in receiver.redact_parameters.iter().enumerate() {
        let is_no_name = |character: char| character.is_whitespace() || "=&?#%\"\\".contains(character);
        if parameter.is_empty() || parameter.contains(is_no_name) {
            let path = element_path("receiver.redact_parameters", position);
            let wrong = Mistake::new(path, "must be the name of a parameter, such as \"token\"").quoted(parameter);
            findings.mistake(wrong.cure("write only the part before the =, without white space, & ? # % \" and \\"));
        }
    }
    if let Some(validity_secs_max) = receiver.validity_secs_max
        && u64::from(validity_secs_max) < CSS_VALIDITY_SECS
    {
        findings.warn(format!(
            "receiver.validity_secs_max = {validity_secs_max}: CSS sets t {CSS_VALIDITY_SECS} s ahead, so livehook \
             will refuse genuine callbacks; set at least {CSS_VALIDITY_SECS}, and some more for clock differences, for \
             example 660"
        ));
    }
}

/// Warns of lists that trust more than their user may know.
fn check_trust(receiver: &receiver::Options, keys: &[SourcedKey], findings: &mut Findings) {
    for network in receiver.trusted_proxies.iter().filter(|network| network.is_broad()) {
        findings.warn(format!(
            "receiver.trusted_proxies: {network} holds clients too, and livehook believes what they say about their address; \
             list only the addresses of your proxies"
        ));
    }
    for network in receiver.allowed_addresses.iter().filter(|network| network.is_broad()) {
        findings.warn(format!(
            "receiver.allowed_addresses: {network} holds the addresses of strangers; list smaller networks, or remove the list \
             to accept every address"
        ));
    }
    let limited =
        keys.iter().flat_map(|(source, key)| key.domains.iter().flatten().map(move |domain| (&**source, domain)));
    let allowed = receiver.allowed_domains.iter().map(|domain| ("receiver.allowed_domains", domain));
    for (source, domain) in limited.chain(allowed).filter(|(_, domain)| domain.is_broad()) {
        findings.warn(format!("{source}: {domain} matches the domains of strangers too; list your own domains"));
    }
    for (position, event_type) in receiver.unsigned_event_types.iter().enumerate() {
        if *event_type == EventType::SessionEnded {
            let path = element_path("receiver.unsigned_event_types", position);
            let own = Mistake::new(path, "livehook makes the events of this type itself, so no callback has it");
            findings.mistake(own.quoted(event_type.to_string()).cure("remove it"));
        }
        if KnownType::of(*event_type).is_some_and(|known| known.signed == Signed::Yes) {
            findings.warn(format!(
                "receiver.unsigned_event_types: CSS signs every event of the type {event_type}, so only forged ones come without a \
                 signature; remove it"
            ));
        }
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
             the callback again, so a later answer comes too late; set a smaller value, for example 15",
            receiver.answer_timeout_secs
        ));
    }
}

fn check_admin(admin: &admin::Options, receiver: SocketAddr, findings: &mut Findings) {
    if overlap(admin.listen, receiver) {
        let taken = Mistake::new("admin.listen", format!("`receiver.listen` uses this port already ({receiver})"));
        findings.mistake(taken.value(admin.listen).cure("choose another port"));
    }
    let has_mistake = findings.has_mistake_at("admin.token") || findings.has_mistake_at("admin.token_file");
    // The IPv6 form of an IPv4 address, such as ::ffff:127.0.0.1, is not loopback by itself.
    let is_loopback = admin.listen.ip().to_canonical().is_loopback();
    match &admin.token {
        None if !is_loopback && !has_mistake => {
            let open = Mistake::new("admin.listen", "other machines can reach this address, so it needs a token");
            findings.mistake(open.value(admin.listen).cure(NO_TOKEN_CURE));
        }
        // On a loopback address too, because each user of the machine could then change data.
        Some(token) if token.is_short() => findings.warn(format!(
            "{}: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a better one",
            findings.source_of("admin.token")
        )),
        _ => {}
    }
    findings.check_range("admin.subscribers_max", admin.subscribers_max, 1, 100_000);
    for (position, host) in admin.allowed_hosts.iter().enumerate() {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || !host.bytes().all(allowed) {
            let wrong = Mistake::new(
                element_path("admin.allowed_hosts", position),
                "must be a host name, such as \"livehook.example.com\"",
            );
            findings.mistake(wrong.quoted(host).cure("write it without scheme, port and path"));
        }
    }
}

fn check_journal(journal: &journal::Options, leeway_secs: u32, findings: &mut Findings) {
    findings.check_range("journal.retention_days", journal.retention_days, 1, 36_500);
    findings.check_bytes_min("journal.size_bytes_max", journal.size_bytes_max, JOURNAL_BYTES_MIN);
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
            format!("must be at least {window_secs_min}, which is `receiver.leeway_secs` + {CSS_VALIDITY_SECS}"),
        );
        let cure = "CSS can repeat a callback while its signature is valid, and livehook would store it twice";
        findings.mistake(short.value(journal.dedupe_window_secs).cure(cure));
    }
}

fn check_index(index: &index::Options, findings: &mut Findings) {
    findings.check_range("index.retention_days", index.retention_days, 1, 36_500);
    // With 0, a session without a stop counts as live for ever.
    if index.stale_after_secs != 0 {
        findings.check_range("index.stale_after_secs", index.stale_after_secs, 60, 10 * 365 * DAY_SECS);
    }
    findings.check_range("index.bridge_gap_secs", index.bridge_gap_secs, 0, DAY_SECS);
}

/// Whether a process cannot listen on both addresses at once.
fn overlap(first: SocketAddr, second: SocketAddr) -> bool {
    // On Linux, [::] also takes the connections to IPv4 addresses.
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || wide.is_ipv4() == narrow.is_ipv4())
    };
    // With port 0 the system chooses a free port for each.
    first.port() != 0
        && first.port() == second.port()
        && (first.ip() == second.ip() || covers(first, second) || covers(second, first))
}
