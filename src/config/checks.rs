//! Rules that a value alone, or its type, cannot keep: bounds, and what keys demand of each other.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::File;
use super::document::{element_path, member_path};
use super::mistake::{Findings, Mistake};
use super::sinks::SinkConfig;
use super::sources::{SourcedKey, Surroundings};
use crate::{admin, receiver};

const DAY_SECS: u64 = 24 * 60 * 60;
const MIB: u64 = 1024 * 1024;

/// CSS stamps `t` this far ahead, so that a callback and its repetitions may be this old before any leeway.
const CSS_VALIDITY_SECS: u64 = 600;

/// CSS gives up on an answer after about so long.
const CSS_PATIENCE_SECS: u64 = 20;

/// The smallest limit that the HTTP library takes for the head of a request.
const HEADERS_BYTES_MIN: u64 = 8192;

/// The files of the data directory; each has companions whose names begin alike.
const DATA_FILES: [&str; 3] = ["journal.db", "index.db", "livehook.lock"];

/// Where keys come from, as mistakes name it.
const KEY_SOURCES: [&str; 5] = ["receiver.keys", "receiver.keys_file", "LIVEHOOK_KEYS", "LIVEHOOK_KEYS_FILE", "--key"];

const NO_KEY_CURE: &str = "give the key of your CSS callback template (or set one there that `livehook keygen` makes) \
    by --key, LIVEHOOK_KEYS, LIVEHOOK_KEYS_FILE, `receiver.keys` or `receiver.keys_file`; only to try livehook out, \
    `receiver.allow_unsigned = true` accepts anything from anybody";

const NO_TOKEN_CURE: &str = "set `admin.token`, `admin.token_file` or LIVEHOOK_ADMIN_TOKEN (`livehook keygen` makes \
    one), or listen on 127.0.0.1";

/// Checks the whole.
pub(super) fn check(
    file: &File,
    keys: &[SourcedKey],
    sinks: &[(String, SinkConfig)],
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) {
    let mut checks = Checks { findings };
    if file.data_dir.as_os_str().is_empty() {
        checks.mistake(Mistake::new("data_dir", "must name a directory").quoted(""));
    }
    checks.range("shutdown_grace_secs", file.shutdown_grace_secs, 0, 3600);
    checks.keys(&file.receiver, keys);
    checks.receiver(&file.receiver);
    checks.receiver_limits(&file.receiver);
    checks.admin(&file.admin, file.receiver.listen);
    checks.journal(file);
    checks.index(file);
    checks.sinks(sinks);
    checks.sink_paths(file, sinks, surroundings);
}

struct Checks<'c> {
    findings: &'c mut Findings,
}

impl Checks<'_> {
    fn mistake(&mut self, mistake: Mistake) {
        self.findings.mistake(mistake);
    }

    fn range(&mut self, key: &str, value: impl TryInto<u64>, least: u64, most: u64) {
        // What does not even fit the type has been told the type's range, and left the default here.
        if let Some(mistake) = self.findings.mistakes.iter_mut().find(|mistake| mistake.key == key) {
            mistake.rule = format!("must be a whole number from {least} to {most}");
            return;
        }
        let value = value.try_into().unwrap_or(u64::MAX);
        if !(least..=most).contains(&value) {
            self.mistake(Mistake::new(key, format!("must be from {least} to {most}")).value(value));
        }
    }

    fn keys(&mut self, receiver: &receiver::Options, keys: &[SourcedKey]) {
        let spoilt = KEY_SOURCES.iter().any(|source| self.findings.spoilt(source));
        match (keys.is_empty(), receiver.allow_unsigned) {
            (true, false) if !spoilt => {
                let rule = "there is no callback key, so no callback could be verified";
                self.mistake(Mistake::new("receiver.keys", rule).cure(NO_KEY_CURE));
            }
            (true, true) => self.findings.warn(
                "receiver.allow_unsigned: there is no callback key, so anything from anybody is accepted unverified",
            ),
            (false, true) => {
                self.findings.warn("receiver.allow_unsigned: has no effect, since there is a callback key; remove it")
            }
            _ => {}
        }
        for (source, _) in keys.iter().filter(|(_, key)| key.key.is_short()) {
            self.findings.warn(format!(
                "{source}: the callback key has fewer than 16 characters and can be guessed; \
                 `livehook keygen` makes a better one"
            ));
        }
    }

    fn receiver(&mut self, receiver: &receiver::Options) {
        if let Some(health_path) = &receiver.health_path
            && !receiver.paths_differ()
            && !self.findings.spoilt("receiver.path")
        {
            let same = Mistake::new("receiver.health_path", "must differ from `receiver.path`");
            self.mistake(same.quoted(health_path.as_str()));
        }
        for (position, parameter) in receiver.redact_parameters.iter().enumerate() {
            let is_no_name = |character: char| character.is_whitespace() || "=&?#%\"\\".contains(character);
            if parameter.is_empty() || parameter.contains(is_no_name) {
                let path = element_path("receiver.redact_parameters", position);
                let wrong = Mistake::new(path, "must be the name of a parameter").quoted(parameter);
                self.mistake(wrong.cure("give what stands before the =, without white space, & ? # % \" and \\"));
            }
        }
        if let Some(validity_secs_max) = receiver.validity_secs_max
            && u64::from(validity_secs_max) < CSS_VALIDITY_SECS
        {
            self.findings.warn(format!(
                "receiver.validity_secs_max = {validity_secs_max}: CSS stamps t {CSS_VALIDITY_SECS} s ahead, so genuine \
                 callbacks will be refused; give at least {CSS_VALIDITY_SECS}, and some more for clocks that differ"
            ));
        }
    }

    fn receiver_limits(&mut self, receiver: &receiver::Options) {
        self.range("receiver.body_bytes_max", receiver.body_bytes_max, 1, 1024 * MIB);
        self.range("receiver.headers_bytes_max", receiver.headers_bytes_max, HEADERS_BYTES_MIN, MIB);
        self.range("receiver.connections_max", receiver.connections_max, 1, 1_000_000);
        self.range("receiver.headers_timeout_secs", receiver.headers_timeout_secs, 1, DAY_SECS);
        self.range("receiver.body_timeout_secs", receiver.body_timeout_secs, 1, DAY_SECS);
        self.range("receiver.idle_timeout_secs", receiver.idle_timeout_secs, 1, DAY_SECS);
        self.range("receiver.answer_timeout_secs", receiver.answer_timeout_secs, 1, DAY_SECS);
        if receiver.bodies_bytes_max < receiver.body_bytes_max {
            let small = Mistake::new(
                "receiver.bodies_bytes_max",
                format!("must be at least `receiver.body_bytes_max`, which is {}", receiver.body_bytes_max),
            );
            self.mistake(small.value(receiver.bodies_bytes_max));
        }
        if receiver.answer_timeout_secs >= CSS_PATIENCE_SECS {
            self.findings.warn(format!(
                "receiver.answer_timeout_secs = {}: CSS gives up after about {CSS_PATIENCE_SECS} s and sends \
                 again, so a later answer is in vain; give less",
                receiver.answer_timeout_secs
            ));
        }
    }

    fn admin(&mut self, admin: &admin::Options, receiver: SocketAddr) {
        if overlap(admin.listen, receiver) {
            let taken = Mistake::new("admin.listen", format!("is taken by `receiver.listen`, which is {receiver}"));
            self.mistake(taken.value(admin.listen).cure("choose another port"));
        }
        let token_spoilt = self.findings.spoilt("admin.token") || self.findings.spoilt("admin.token_file");
        if !admin.listen.ip().to_canonical().is_loopback() {
            match &admin.token {
                None if !token_spoilt => {
                    let open = Mistake::new("admin.listen", "can be reached from other machines and so needs a token");
                    self.mistake(open.value(admin.listen).cure(NO_TOKEN_CURE));
                }
                Some(token) if token.is_short() => self.findings.warn(
                    "admin.token: the token has fewer than 16 characters and can be guessed; `livehook keygen` makes a \
                     better one",
                ),
                _ => {}
            }
        }
        self.range("admin.subscribers_max", admin.subscribers_max, 1, 100_000);
        for (position, host) in admin.allowed_hosts.iter().enumerate() {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || !host.bytes().all(allowed) {
                let wrong = Mistake::new(element_path("admin.allowed_hosts", position), "must be the name of a host");
                self.mistake(wrong.quoted(host).cure("give it without scheme, port and path"));
            }
        }
    }

    fn journal(&mut self, file: &File) {
        let journal = &file.journal;
        self.range("journal.retention_days", journal.retention_days, 1, 36_500);
        if journal.size_bytes_max < 16 * MIB {
            let small = Mistake::new("journal.size_bytes_max", format!("must be at least {} (16 MiB)", 16 * MIB));
            self.mistake(small.value(journal.size_bytes_max));
        }
        self.range("journal.dedupe_ids_max", journal.dedupe_ids_max, 1000, 100_000_000);
        self.range("journal.queue_events_max", journal.queue_events_max, 1, 1_000_000);
        self.range("journal.batch_events_max", journal.batch_events_max, 1, 1_000_000);
        if journal.batch_events_max > journal.queue_events_max {
            let large = Mistake::new(
                "journal.batch_events_max",
                format!("must be at most `journal.queue_events_max`, which is {}", journal.queue_events_max),
            );
            self.mistake(large.value(journal.batch_events_max));
        }
        let window_secs_min = u64::from(file.receiver.leeway_secs) + CSS_VALIDITY_SECS;
        if u64::from(journal.dedupe_window_secs) < window_secs_min {
            let short = Mistake::new(
                "journal.dedupe_window_secs",
                format!("must be at least {window_secs_min}: `receiver.leeway_secs` and {CSS_VALIDITY_SECS}"),
            );
            let cure = "a callback can be sent again for as long as its signature counts, and would be stored twice";
            self.mistake(short.value(journal.dedupe_window_secs).cure(cure));
        }
    }

    fn index(&mut self, file: &File) {
        let index = &file.index;
        self.range("index.retention_days", index.retention_days, 1, 36_500);
        if index.stale_after_secs != 0 {
            self.range("index.stale_after_secs", index.stale_after_secs, 60, 10 * 365 * DAY_SECS);
        }
        self.range("index.bridge_gap_secs", index.bridge_gap_secs, 0, DAY_SECS);
    }

    fn sinks(&mut self, sinks: &[(String, SinkConfig)]) {
        for (position, (path, sink)) in sinks.iter().enumerate() {
            let prefix = sink.name.variable_prefix();
            let like = sinks[..position].iter().find(|(_, other)| other.name.variable_prefix() == prefix);
            if let Some((first, other)) = like {
                let rule = match other.name == sink.name {
                    true => format!("is the name of {first} too"),
                    false => format!(
                        "differs from the name of {first} by - and _ alone, and both would read the variable {prefix}SECRETS"
                    ),
                };
                let twice = Mistake::new(member_path(path, "name"), rule).quoted(sink.name.as_str());
                self.mistake(twice.cure("give each sink a name of its own"));
            }
            let retry = member_path(path, "retry");
            let sized = &sink.retry;
            self.range(&member_path(&retry, "wait_ms_max"), sized.wait_ms_max, 1, DAY_SECS * 1000);
            if sized.wait_ms_first < 1 || sized.wait_ms_first > sized.wait_ms_max {
                let rule = format!("must be from 1 to `wait_ms_max`, which is {}", sized.wait_ms_max);
                self.mistake(Mistake::new(member_path(&retry, "wait_ms_first"), rule).value(sized.wait_ms_first));
            }
            for (name, zero) in
                [("attempts_max", sized.attempts_max == Some(0)), ("age_secs_max", sized.age_secs_max == Some(0))]
            {
                if zero {
                    let wrong = Mistake::new(member_path(&retry, name), "must be at least 1").value(0);
                    self.mistake(wrong.cure("leave it out to try without end"));
                }
            }
        }
    }

    fn sink_paths(&mut self, file: &File, sinks: &[(String, SinkConfig)], surroundings: &dyn Surroundings) {
        let data_dir = surroundings.canonical(&file.data_dir);
        let mut taken: Vec<(PathBuf, &str)> = Vec::new();
        for (path, sink) in sinks {
            let Some(given) = sink.sink.exclusive_path() else {
                continue;
            };
            let key = member_path(path, "path");
            if self.findings.spoilt(&key) {
                continue;
            }
            let place = Mistake::new(key, "").quoted(given.to_string_lossy());
            if given.as_os_str().is_empty() {
                self.mistake(Mistake { rule: "must name a file".to_owned(), ..place });
                continue;
            }
            let canonical = surroundings.canonical(given);
            let name = canonical.file_name().unwrap_or_default().to_string_lossy();
            if canonical.parent() == Some(&data_dir) && DATA_FILES.iter().any(|known| name.starts_with(known)) {
                let rule = "is a file of livehook's own, in `data_dir`".to_owned();
                self.mistake(Mistake { rule, ..place }.cure("choose another name or directory"));
            } else if let Some((_, first)) = taken.iter().find(|(other, _)| *other == canonical) {
                let rule = format!("is the file of {first} too, and two sinks would tear each other's lines");
                self.mistake(Mistake { rule, ..place }.cure("give each sink a file of its own"));
            } else {
                taken.push((canonical, path));
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_where_one_covers_the_other() {
        for (first, second, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "127.0.0.1:9090", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("0.0.0.0:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "[::]:8080", true),
            ("0.0.0.0:8080", "[::1]:8080", false),
            ("127.0.0.1:8080", "127.0.0.2:8080", false),
        ] {
            assert_eq!(overlap(first.parse().unwrap(), second.parse().unwrap()), expected, "{first} {second}");
        }
    }
}
