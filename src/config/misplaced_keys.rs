//! Finds keys that are right, but in the wrong table, for example `keys` at the top of the file.

use super::fault::UNKNOWN_KEY;
use super::field_names::field_names;
use super::mistake::Mistake;
use super::settings::Settings;
use super::sink_tables::COMMON_KEYS;
use crate::telemetry::LogOptions;
use crate::{admin, index, journal, receiver, sink};

/// Gives each unknown key of the top or of a table a better cure, if another table has a key of this name.
pub(super) fn explain(mistakes: &mut [Mistake]) {
    for mistake in mistakes.iter_mut().filter(|mistake| mistake.rule == UNKNOWN_KEY) {
        let (table, name) = mistake.key.rsplit_once('.').unwrap_or(("", &mistake.key));
        // The keys of a sink have their own cures.
        let is_table = !table.contains(['.', '[', '"']);
        if is_table && let Some(cure) = cure(name) {
            mistake.cure = Some(cure);
        }
    }
}

fn cure(name: &str) -> Option<String> {
    let tables = [
        ("receiver.", field_names::<receiver::Options>()),
        ("admin.", field_names::<admin::Options>()),
        ("journal.", field_names::<journal::Options>()),
        ("index.", field_names::<index::Options>()),
        ("log.", field_names::<LogOptions>()),
        ("", field_names::<Settings>()),
    ];
    let places: Vec<String> =
        tables.iter().filter(|(_, names)| names.contains(&name)).map(|(table, _)| format!("`{table}{name}`")).collect();
    let is_of_sink = [
        &COMMON_KEYS,
        field_names::<sink::log::Options>(),
        field_names::<sink::file::Options>(),
        field_names::<sink::http::Options>(),
        field_names::<sink::command::Options>(),
        #[cfg(feature = "redis")]
        field_names::<sink::redis::Options>(),
        #[cfg(feature = "nats")]
        field_names::<sink::nats::Options>(),
        #[cfg(feature = "kafka")]
        field_names::<sink::kafka::Options>(),
        #[cfg(feature = "amqp")]
        field_names::<sink::amqp::Options>(),
        #[cfg(feature = "sql")]
        field_names::<sink::sql::Options>(),
    ]
    .iter()
    .any(|names| names.contains(&name));
    match (places.is_empty(), is_of_sink) {
        (true, false) => None,
        (true, true) => Some("this is a key of a sink: write it below [[sinks]]".to_owned()),
        (false, false) => Some(format!("did you mean {}?", places.join(" or "))),
        (false, true) => Some(format!("did you mean {}, or a key below [[sinks]]?", places.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::check;

    #[test]
    fn right_key_in_wrong_table_is_explained() {
        check(&[
            ("keys = [\"x\"]", &["1: keys: unknown key; did you mean `receiver.keys`?"]),
            ("[admin]\ndata_dir = \"x\"", &["2: admin.data_dir: unknown key; did you mean `data_dir`?"]),
            ("listen = \"x\"", &["1: listen: unknown key; did you mean `receiver.listen` or `admin.listen`?"]),
            ("[log]\ntoken = \"x\"", &["2: log.token: unknown key; did you mean `admin.token`?"]),
            ("url = \"x\"", &["1: url: unknown key; this is a key of a sink: write it below [[sinks]]"]),
            ("path = \"x\"", &["1: path: unknown key; did you mean `receiver.path`, or a key below [[sinks]]?"]),
            (
                "[receiver]\nretention = 1",
                &["2: receiver.retention: unknown key; `config.example.toml` shows every key"],
            ),
        ]);
    }
}
