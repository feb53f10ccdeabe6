//! Writes an event as a record, and its topic.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::DateTime;
use rskafka::record::Record;

use crate::callback::Event;
use crate::sink::broker::{MessageFormat, attributes};

/// The longest name of a topic, in bytes.
pub(super) const TOPIC_BYTES_MAX: usize = 249;

/// Whether Kafka allows this byte in the name of a topic.
pub(super) fn is_of_topic(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Writes a value for the name of a topic: `_` and two hexadecimal digits for each byte that can't be in one, and for `_` itself.
pub(super) fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if is_of_topic(byte) && byte != b'_' {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "_{byte:02x}");
        }
    }
    text
}

/// Returns the record of an event.
pub(super) fn record(event: &Event, format: MessageFormat) -> Record {
    let mut headers: BTreeMap<String, Vec<u8>> = match format {
        MessageFormat::Binary => {
            attributes(event).into_iter().map(|(name, value)| (format!("ce_{name}"), value.into_bytes())).collect()
        }
        MessageFormat::CloudEvents | MessageFormat::Data => {
            BTreeMap::from([("ce_id".to_owned(), event.id().to_string().into_bytes())])
        }
    };
    headers.insert("content-type".to_owned(), format.content_type().into());
    Record {
        key: Some(event.partition_key().as_str().into()),
        value: Some(format.body(event).into()),
        headers,
        timestamp: DateTime::from_timestamp_millis(event.received_ms()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn escaped_values_differ_if_the_values_do() {
        assert_eq!(escaped("push.example.com"), "push.example.com");
        assert_eq!(
            (escaped("a_b").as_str(), escaped("a_5fb").as_str(), escaped("é").as_str()),
            ("a_5fb", "a_5f5fb", "_c3_a9")
        );
    }

    #[test]
    fn every_form_has_the_id() {
        let event = event("push").stream("a").build();
        for (format, headers) in [(MessageFormat::CloudEvents, 2), (MessageFormat::Data, 2), (MessageFormat::Binary, 9)]
        {
            let record = record(&event, format);
            assert_eq!(record.headers["ce_id"], event.id().to_string().into_bytes());
            assert_eq!(record.headers.len(), headers, "{:?}", record.headers.keys());
            assert_eq!(record.key.unwrap(), event.partition_key().as_str().as_bytes());
        }
    }
}
