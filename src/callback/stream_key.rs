//! The key of a stream. Sessions are stored and found under it.

use std::borrow::Cow;

use super::partition_key::PartitionKey;

/// Identifies a stream by domain, app name and stream name, such as `push.example.com/live/demo`. The case of the domain doesn't
/// matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey(String);

impl StreamKey {
    /// Returns the key of an event's stream: the partition key, with the domain in lower case.
    pub fn of(partition_key: PartitionKey<'_>) -> StreamKey {
        StreamKey::from_text(partition_key.as_str())
    }

    /// Reads a key from its text, as [`StreamKey::as_str`] returns it.
    pub fn from_text(text: &str) -> StreamKey {
        let mut key = text.to_owned();
        let domain = key.find('/').unwrap_or(key.len());
        key[..domain].make_ascii_lowercase();
        StreamKey(key)
    }

    /// Returns the key of the stream with these names. A name that the stream does not have is empty.
    pub fn from_parts(domain: &str, app_name: &str, stream: &str) -> StreamKey {
        StreamKey::from_text(&PartitionKey::encoded(domain, app_name, stream))
    }

    /// `domain/app name/stream`, each percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain, decoded. Empty if the callback has none.
    pub fn domain(&self) -> Cow<'_, str> {
        self.parts().domain()
    }

    /// The app name, decoded. Empty if the callback has none.
    pub fn app_name(&self) -> Cow<'_, str> {
        self.parts().app_name()
    }

    /// The stream name, decoded. Empty if the callback has none.
    pub fn stream(&self) -> Cow<'_, str> {
        self.parts().stream()
    }

    /// Returns whether the names, as people read them (`domain/app name/stream`), have a text in lower case.
    pub fn has_text(&self, text: &str) -> bool {
        // Names that need no encoding are in the key as people read them. That is several times as fast.
        if !self.0.contains('%') {
            return self.0.to_lowercase().contains(text);
        }
        format!("{}/{}/{}", self.domain(), self.app_name(), self.stream()).to_lowercase().contains(text)
    }

    fn parts(&self) -> PartitionKey<'_> {
        PartitionKey::from_text(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_of_a_domain_does_not_matter() {
        let key = StreamKey::from_text("Push.Example.COM/Live/a%2Fb");
        assert_eq!(key, StreamKey::from_text("push.example.com/Live/a%2Fb"));
        assert_ne!(key, StreamKey::from_text("push.example.com/live/a%2Fb"));
        assert_eq!((&*key.domain(), &*key.app_name(), &*key.stream()), ("push.example.com", "Live", "a/b"));
    }
}
