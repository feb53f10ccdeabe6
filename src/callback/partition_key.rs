//! The partition key, `domain/app name/stream`. Events with the same key stay in order.

use std::borrow::Cow;
use std::fmt::Write;

/// The domain, app name and stream of an event, such as `push.example.com/live/demo`. Each part is percent-encoded, and an absent
/// one is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartitionKey<'e>(pub(super) &'e str);

impl<'e> PartitionKey<'e> {
    /// Reads a key from its text.
    pub(crate) fn from_text(text: &'e str) -> PartitionKey<'e> {
        PartitionKey(text)
    }

    /// Writes the key of a stream as text.
    pub(crate) fn encoded(domain: &str, app_name: &str, stream: &str) -> String {
        let mut text = String::new();
        encode_part(&mut text, domain);
        text.push('/');
        encode_part(&mut text, app_name);
        text.push('/');
        encode_part(&mut text, stream);
        text
    }

    /// The key as it is in the event.
    pub fn as_str(self) -> &'e str {
        self.0
    }

    /// The domain, decoded. Empty if the callback has none.
    pub fn domain(self) -> Cow<'e, str> {
        self.part(0)
    }

    /// The app name, decoded. Empty if the callback has none.
    pub fn app_name(self) -> Cow<'e, str> {
        self.part(1)
    }

    /// The stream name, decoded. Empty if the callback has none.
    pub fn stream(self) -> Cow<'e, str> {
        self.part(2)
    }

    fn part(self, position: usize) -> Cow<'e, str> {
        decode_part(self.0.split('/').nth(position).unwrap_or_default())
    }
}

/// For each byte, whether it is an unreserved character of RFC 3986.
static IS_UNRESERVED: [bool; 256] = {
    let mut is_unreserved = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        is_unreserved[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    is_unreserved
};

/// Percent-encodes a part, except unreserved characters.
pub(super) fn encode_part(output: &mut String, part: &str) {
    let is_unreserved = |byte: u8| IS_UNRESERVED[usize::from(byte)];
    if part.bytes().all(is_unreserved) {
        output.push_str(part);
        return;
    }
    for byte in part.bytes() {
        if is_unreserved(byte) {
            output.push(char::from(byte));
        } else {
            let _ = write!(output, "%{byte:02X}");
        }
    }
}

fn decode_part(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let mut decoded = [0];
        match tail.get(..2) {
            Some(digits) if *first == b'%' && hex::decode_to_slice(digits, &mut decoded).is_ok() => {
                bytes.push(decoded[0]);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_separated() {
        let key = PartitionKey("d.com/a%2Fb/");
        assert_eq!((key.domain().as_ref(), key.app_name().as_ref(), key.stream().as_ref()), ("d.com", "a/b", ""));
    }

    proptest! {
        #[test]
        fn parts_are_decoded_again(part in any::<String>()) {
            let mut encoded = String::new();
            encode_part(&mut encoded, &part);
            prop_assert!(encoded.is_ascii() && !encoded.contains('/'));
            prop_assert_eq!(decode_part(&encoded), part);
        }
    }
}
