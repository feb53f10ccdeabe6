//! The summary of a configuration that `check-config` prints.

use std::fmt;

use super::callback_keys::described_limit;
use super::service_config::Config;
use super::sink_config::SinkConfig;
use crate::sink::Filter;

#[cfg(test)]
mod tests;

/// A few lines such as `data directory  livehook-data`. They show no secret.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'c>(pub &'c Config);

impl Summary<'_> {
    /// Returns the lines, each as name and text.
    pub fn lines(&self) -> Vec<(String, String)> {
        let config = self.0;
        let receiver = &config.receiver;
        let scheme = receiver.scheme();
        let mut lines = vec![("receiver".to_owned(), format!("{scheme}://{}{}", receiver.listen, receiver.path))];
        if let Some(health_path) = &receiver.health_path {
            lines.push(("health".to_owned(), format!("{scheme}://{}{health_path}", receiver.listen)));
        }
        let admin = config.admin.listen;
        let guard = match (admin.ip().to_canonical().is_loopback(), &config.admin.token) {
            (true, None) => "this machine only, no token is set: nothing can be changed here",
            (true, Some(_)) => "this machine only, the token is required to change data",
            // The checks demand a token.
            (false, _) => "other machines too, the token is required",
        };
        lines.push(("admin".to_owned(), format!("{}://{admin}, {guard}", config.admin.scheme())));
        lines.push(("data directory".to_owned(), config.data_dir.display().to_string()));
        lines.push((
            "callback keys".to_owned(),
            match config.verifier.keys.len() {
                0 => "none: livehook accepts unverified callbacks from everyone".to_owned(),
                count => count.to_string(),
            },
        ));
        lines.extend(config.verifier.keys.iter().map(|key| {
            let domains = match &key.domains {
                Some(_) => format!("only {}", described_limit(&key.domains)),
                None => described_limit(&key.domains),
            };
            (format!("key {}", key.key.fingerprint()), domains)
        }));
        lines.extend(config.sinks.iter().map(|sink| (format!("sink {}", sink.name), described(sink))));
        lines
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (position, (name, text)) in lines.iter().enumerate() {
            let line_break = if position == 0 { "" } else { "\n" };
            write!(formatter, "{line_break}{name:width$}  {text}")?;
        }
        Ok(())
    }
}

/// Returns a sink for people, for example `file to events.jsonl, types push`.
pub(super) fn described(sink: &SinkConfig) -> String {
    format!("{}, {}", sink.destination(), described_filter(&sink.filter))
}

/// Returns a filter for people, for example `types push; domains *.example.com`.
pub(super) fn described_filter(filter: &Filter) -> String {
    let Filter { types, domains, streams } = filter;
    let parts = [("types", joined(types)), ("domains", joined(domains)), ("streams", joined(streams))];
    let limits: Vec<String> = parts
        .into_iter()
        .filter(|(_, patterns)| !patterns.is_empty())
        .map(|(name, patterns)| format!("{name} {patterns}"))
        .collect();
    if limits.is_empty() { "every event".to_owned() } else { limits.join("; ") }
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}
