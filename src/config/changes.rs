//! Compares two configurations: what a reload changes, and what needs a restart. It does no I/O, and shows no secret.

use std::fmt::{self, Display};

use super::callback_keys::described_limit;
use super::service_config::Config;
use super::sink_config::SinkConfig;
use super::summary::{described, described_filter};
use crate::callback::KeyOptions;
use crate::tls::ServerFiles;

#[cfg(test)]
mod tests;

/// One difference between the running configuration and another one.
///
/// As text: `receiver.leeway_secs: 0 -> 600`, `receiver.listen: 0.0.0.0:80 -> 0.0.0.0:81 (needs a restart)`, `admin.token: changed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, for example `receiver.leeway_secs`, `receiver.keys` or `sinks.archive.filter`.
    pub key: String,
    /// The running value; `None` if there is none, or if it is secret.
    pub before: Option<String>,
    /// The other value; `None` if there is none, or if it is secret.
    pub after: Option<String>,
    /// Whether only a restart can change it.
    pub needs_restart: bool,
}

impl Change {
    fn new(key: impl Into<String>, before: Option<String>, after: Option<String>) -> Change {
        Change { key: key.into(), before, after, needs_restart: false }
    }

    /// Returns a sentence about other systems that must change too; `None` for most changes.
    pub fn risk(&self) -> Option<String> {
        let (before, after) = (self.before.as_deref()?, self.after.as_deref()?);
        // The old path may have another purpose now, so nothing is said about its answers.
        let risk = match self.key.as_str() {
            "receiver.path" => format!(
                "takes no callbacks at {before}; change the URL in the CSS console to {after}, and the paths that your proxies pass on"
            ),
            "receiver.health_path" if before == NOT_SET => return None,
            "receiver.health_path" => {
                let other = if after == NOT_SET { "another path" } else { after };
                format!("does not say at {before} whether it is ready; let your load balancers ask {other}")
            }
            _ => return None,
        };
        Some(format!("{}: after this change livehook {risk}", self.key))
    }
}

impl Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.key)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(formatter, "{before} -> {after}")?,
            (None, Some(after)) => write!(formatter, "added {after}")?,
            (Some(before), None) => write!(formatter, "removed {before}")?,
            (None, None) => formatter.write_str("changed")?,
        }
        formatter.write_str(if self.needs_restart { " (needs a restart)" } else { "" })
    }
}

/// A setting with one value that may be shown.
struct Setting {
    key: &'static str,
    needs_restart: bool,
    shown: fn(&Config) -> String,
}

/// A setting that a reload changes.
const fn live(key: &'static str, shown: fn(&Config) -> String) -> Setting {
    Setting { key, needs_restart: false, shown }
}

/// A setting that only a restart changes.
const fn fixed(key: &'static str, shown: fn(&Config) -> String) -> Setting {
    Setting { key, needs_restart: true, shown }
}

/// Every setting except keys, token and sinks, in the order of the example file.
const SETTINGS: &[Setting] = &[
    fixed("name", |config| config.name.to_string()),
    fixed("data_dir", |config| config.data_dir.display().to_string()),
    live("shutdown_grace_secs", |config| config.shutdown_grace_secs.to_string()),
    fixed("receiver.listen", |config| config.receiver.listen.to_string()),
    live("receiver.path", |config| config.receiver.path.to_string()),
    live("receiver.health_path", |config| optional(config.receiver.health_path.as_ref())),
    live("receiver.allow_unsigned", |config| config.verifier.allow_unsigned.to_string()),
    live("receiver.leeway_secs", |config| config.verifier.leeway_secs.to_string()),
    live("receiver.validity_secs_max", |config| optional(config.verifier.validity_secs_max)),
    live("receiver.unsigned_event_types", |config| list(&config.verifier.unsigned_event_types)),
    live("receiver.allowed_appids", |config| list(&config.verifier.allowed_appids)),
    live("receiver.allowed_domains", |config| list(&config.verifier.allowed_domains)),
    live("receiver.allowed_addresses", |config| list(&config.receiver.allowed_addresses)),
    live("receiver.trusted_proxies", |config| list(&config.receiver.trusted_proxies)),
    live("receiver.client_address_header", |config| config.receiver.client_address_header.to_string()),
    live("receiver.redact_parameters", |config| list(&config.verifier.redact_parameters)),
    live("receiver.body_bytes_max", |config| config.receiver.body_bytes_max.to_string()),
    live("receiver.headers_bytes_max", |config| config.receiver.headers_bytes_max.to_string()),
    live("receiver.connections_max", |config| config.receiver.connections_max.to_string()),
    live("receiver.bodies_bytes_max", |config| config.receiver.bodies_bytes_max.to_string()),
    live("receiver.headers_timeout_secs", |config| config.receiver.headers_timeout_secs.to_string()),
    live("receiver.body_timeout_secs", |config| config.receiver.body_timeout_secs.to_string()),
    live("receiver.idle_timeout_secs", |config| config.receiver.idle_timeout_secs.to_string()),
    live("receiver.answer_timeout_secs", |config| config.receiver.answer_timeout_secs.to_string()),
    fixed("admin.listen", |config| config.admin.listen.to_string()),
    live("admin.allowed_hosts", |config| list(&config.admin.allowed_hosts)),
    live("admin.subscribers_max", |config| config.admin.subscribers_max.to_string()),
    live("journal.retention_days", |config| config.journal.retention_days.to_string()),
    live("journal.size_bytes_max", |config| config.journal.size_bytes_max.to_string()),
    live("journal.dedupe_window_secs", |config| config.journal.dedupe_window_secs.to_string()),
    live("journal.dedupe_ids_max", |config| config.journal.dedupe_ids_max.to_string()),
    live("journal.queue_events_max", |config| config.journal.queue_events_max.to_string()),
    live("journal.batch_events_max", |config| config.journal.batch_events_max.to_string()),
    fixed("index.enabled", |config| config.index.enabled.to_string()),
    live("index.retention_days", |config| config.index.retention_days.to_string()),
    live("index.stale_after_secs", |config| config.index.stale_after_secs.to_string()),
    live("index.bridge_gap_secs", |config| config.index.bridge_gap_secs.to_string()),
    live("log.level", |config| format!("{:?}", config.log.level).to_lowercase()),
    live("log.format", |config| format!("{:?}", config.log.format).to_lowercase()),
    live("log.access", |config| optional(config.log.access.map(|access| access.sample))),
];

/// Returns every difference, in the order of the example file. A setting that needs a restart keeps its running value until then.
pub fn changes(running: &Config, other: &Config) -> Vec<Change> {
    let mut found: Vec<Change> = SETTINGS
        .iter()
        .filter_map(|setting| {
            let (before, after) = ((setting.shown)(running), (setting.shown)(other));
            let change = || Change::new(setting.key, Some(before.clone()), Some(after.clone()));
            (before != after).then(|| Change { needs_restart: setting.needs_restart, ..change() })
        })
        .collect();
    found.extend(tls_change("receiver.tls", running.receiver.tls.as_ref(), other.receiver.tls.as_ref()));
    found.extend(tls_change("admin.tls", running.admin.tls.as_ref(), other.admin.tls.as_ref()));
    found.extend(key_changes(&running.verifier.keys, &other.verifier.keys));
    found.extend(token_change(running, other));
    found.extend(sink_changes(&running.sinks, &other.sinks));
    found
}

/// Gives `config` the running value of each setting that needs a restart.
pub fn keep_fixed(config: &mut Config, running: &Config) {
    config.name = running.name.clone();
    config.data_dir.clone_from(&running.data_dir);
    config.receiver.listen = running.receiver.listen;
    config.admin.listen = running.admin.listen;
    if config.receiver.tls.is_some() != running.receiver.tls.is_some() {
        config.receiver.tls = running.receiver.tls.clone();
    }
    if config.admin.tls.is_some() != running.admin.tls.is_some() {
        config.admin.tls = running.admin.tls.clone();
    }
    config.index.enabled = running.index.enabled;
}

fn key_changes(running: &[KeyOptions], other: &[KeyOptions]) -> Vec<Change> {
    let without = |key: &KeyOptions, list: &[KeyOptions]| !list.contains(key);
    let shown = |key: &KeyOptions| Some(format!("{} for {}", key.key.fingerprint(), described_limit(&key.domains)));
    let removed = running.iter().filter(|key| without(key, other));
    let added = other.iter().filter(|key| without(key, running));
    let removed = removed.map(|key| Change::new("receiver.keys", shown(key), None));
    removed.chain(added.map(|key| Change::new("receiver.keys", None, shown(key)))).collect()
}

fn token_change(running: &Config, other: &Config) -> Option<Change> {
    let (before, after) = (&running.admin.token, &other.admin.token);
    let (was_set, is_set) = (before.is_some(), after.is_some());
    let word = |is_there: bool| is_there.then(|| "the token".to_owned());
    let changed = if was_set && is_set { (None, None) } else { (word(was_set), word(is_set)) };
    (before != after).then(|| Change::new("admin.token", changed.0, changed.1))
}

fn sink_changes(running: &[SinkConfig], other: &[SinkConfig]) -> Vec<Change> {
    let mut found = Vec::new();
    for before in running {
        match other.iter().find(|after| after.name == before.name) {
            Some(after) => found.extend(changes_of_sink(before, after)),
            None => found.push(Change::new(format!("sinks.{}", before.name), Some(described(before)), None)),
        }
    }
    let added = other.iter().filter(|after| running.iter().all(|before| before.name != after.name));
    found.extend(added.map(|after| Change::new(format!("sinks.{}", after.name), None, Some(described(after)))));
    found
}

fn changes_of_sink(before: &SinkConfig, after: &SinkConfig) -> Vec<Change> {
    let name = &after.name;
    let of = |part: &str, before, after| Change::new(format!("sinks.{name}{part}"), Some(before), Some(after));
    let mut found = Vec::new();
    if before.sink != after.sink {
        let (from, to) = (before.destination(), after.destination());
        // Everything else may be a secret.
        found.push(if from == to {
            Change::new(format!("sinks.{}", after.name), None, None)
        } else {
            of("", from, to)
        });
    }
    if before.filter != after.filter {
        found.push(of(".filter", described_filter(&before.filter), described_filter(&after.filter)));
    }
    if before.retry != after.retry {
        found.push(of(".retry", before.retry.to_string(), after.retry.to_string()));
    }
    found
}

/// The files of TLS can change, but a port can't change its protocol.
fn tls_change(key: &str, before: Option<&ServerFiles>, after: Option<&ServerFiles>) -> Option<Change> {
    let shown = |files: &ServerFiles| format!("{}, {}", files.cert_file.display(), files.key_file.display());
    let change = Change::new(key, before.map(shown), after.map(shown));
    (before != after).then(|| Change { needs_restart: before.is_some() != after.is_some(), ..change })
}

/// The value of a setting that is not set.
const NOT_SET: &str = "not set";

fn optional(value: Option<impl Display>) -> String {
    value.map_or_else(|| NOT_SET.to_owned(), |value| value.to_string())
}

fn list(items: &[impl Display]) -> String {
    format!("[{}]", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
