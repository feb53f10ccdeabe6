//! The attributes of an event, for a message that carries them in its headers and the vendor's members alone in its body.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::callback::Event;

/// Returns the attributes of CloudEvents and their extensions, sorted by name. `datacontenttype` is not among them, because a broker
/// has a place of its own for it.
pub(in crate::sink) fn attributes(event: &Event) -> Vec<(String, String)> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(event.line()).unwrap_or_default();
    let text = |value: &RawValue| serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
    let is_attribute = |name: &String| name != "data" && name != "datacontenttype";
    members.into_iter().filter(|(name, _)| is_attribute(name)).map(|(name, value)| (name, text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn attributes_are_text() {
        let event = event("push").stream("a \"b\"").build();
        let attributes: BTreeMap<String, String> = attributes(&event).into_iter().collect();
        assert_eq!(attributes["id"], event.id().to_string());
        assert_eq!((attributes["specversion"].as_str(), attributes["type"].as_str()), ("1.0", "tencent.css.push"));
        assert_eq!((attributes["subject"].as_str(), attributes["verified"].as_str()), ("a \"b\"", "false"));
        assert_eq!(attributes["partitionkey"], event.partition_key().as_str());
        assert!(!attributes.contains_key("data"));
    }
}
