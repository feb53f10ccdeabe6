//! Streams by parts of their names, as people look for them.

use crate::session::StreamKey;

/// Streams by parts of their names. An empty one takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Only streams of this domain, in any case; empty for all.
    pub domain: String,
    /// Only streams of this app name; empty for all.
    pub app_name: String,
    /// Only streams whose `domain/app name/stream` has this text, in any case; empty for all.
    pub text: String,
}

impl StreamFilter {
    /// Whether it takes every stream.
    pub fn is_empty(&self) -> bool {
        *self == StreamFilter::default()
    }

    /// Whether it takes the stream of a key.
    pub fn takes(&self, key: &StreamKey) -> bool {
        (self.domain.is_empty() || key.domain().eq_ignore_ascii_case(&self.domain))
            && (self.app_name.is_empty() || key.app_name() == self.app_name)
            && (self.text.is_empty() || key.has_text(&self.text.to_lowercase()))
    }
}
