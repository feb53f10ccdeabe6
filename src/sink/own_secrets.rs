//! The secrets of one sink, to replace them in texts of others: the answers of receivers, and the output of programs.
//!
//! A receiver may repeat its request in any form. So a secret is also found in base64, in hexadecimal, percent-encoded, and
//! escaped as in JSON or HTML, also if the form changes from one character to the next.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const REPLACEMENT: &str = "REDACTED";

/// A shorter text is no secret.
const BYTES_MIN: usize = 2;

/// A shorter secret is replaced only if it stands alone, because other words may contain it.
const BYTES_WITHIN_WORDS: usize = 8;

/// This many bytes of its beginning suffice to find a secret, because a receiver may cut it.
const BEGINNING_BYTES: usize = 8;

/// Like [`BEGINNING_BYTES`], at the end of a text. livehook itself may have cut the text there.
const BEGINNING_BYTES_AT_END: usize = 4;

/// The most layers of percent-encoding: `%2525` has two.
const LAYERS_MAX: usize = 8;

/// The secrets of one sink. `Debug` shows none.
#[derive(Clone, Default)]
pub(super) struct OwnSecrets {
    /// Each secret, and its encodings that don't work character by character.
    texts: Vec<Vec<u8>>,
}

impl OwnSecrets {
    /// Adds a secret.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim().as_bytes();
        if secret.len() < BYTES_MIN {
            return;
        }
        self.push(secret.to_owned());
        let hexadecimal: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.push(hexadecimal.to_ascii_uppercase().into_bytes());
        self.push(hexadecimal.into_bytes());
        for before in 0..3 {
            let encoded = base64_after(before, secret);
            if encoded.len() >= BEGINNING_BYTES {
                self.push(encoded.replace('+', "-").replace('/', "_").into_bytes());
                self.push(encoded.into_bytes());
            }
        }
    }

    fn push(&mut self, text: Vec<u8>) {
        if !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    /// Returns the text with each secret replaced by `REDACTED`.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut output = String::with_capacity(text.len());
        let mut position = 0;
        while let Some(character) = text[position..].chars().next() {
            let found = self.texts.iter().filter_map(|secret| found_bytes(text, position, secret)).max();
            match found {
                Some(bytes) => {
                    output.push_str(REPLACEMENT);
                    position += bytes;
                    // A match may end within a character.
                    while !text.is_char_boundary(position) {
                        position += 1;
                    }
                }
                None => {
                    output.push(character);
                    position += character.len_utf8();
                }
            }
        }
        output
    }
}

impl fmt::Debug for OwnSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OwnSecrets")
    }
}

/// The part of a longer base64 text that depends on `secret` alone, if `before` bytes come before it.
fn base64_after(before: usize, secret: &[u8]) -> String {
    let bytes = [&b"\0\0"[..before], secret].concat();
    // A character of base64 holds 6 bits.
    let (first, end) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
    STANDARD_NO_PAD.encode(&bytes).get(first..end).unwrap_or_default().to_owned()
}

/// The length of the secret in the text, if it begins at this position.
fn found_bytes(text: &str, position: usize, secret: &[u8]) -> Option<usize> {
    let rest = &text.as_bytes()[position..];
    if secret.len() >= BYTES_WITHIN_WORDS && rest.starts_with(secret) {
        return Some(secret.len());
    }
    let (mut matched, mut bytes) = (0, 0);
    while matched < secret.len()
        && let Some((of_secret, of_text)) = next_bytes(&secret[matched..], &rest[bytes..])
    {
        matched += of_secret;
        bytes += of_text;
    }
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = position.checked_sub(1).map(|before| &text.as_bytes()[before]);
    let stands_alone = !is_word(before) && !is_word(rest.get(bytes));
    let is_found = matched == secret.len() && (stands_alone || matched >= BYTES_WITHIN_WORDS)
        || matched >= BEGINNING_BYTES
        || matched >= BEGINNING_BYTES_AT_END && bytes == rest.len();
    is_found.then_some(bytes)
}

/// Compares the next character. Returns the bytes of the secret and of the text that it takes; `None` if they differ.
fn next_bytes(secret: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    let (wanted, first) = (*secret.first()?, *text.first()?);
    let encoded = match first {
        b'%' => percent(wanted, text),
        b'\\' => backslash(secret, text),
        b'&' => entity(secret, text),
        b'+' if wanted == b' ' => Some((1, 1)),
        // Long texts may be broken into lines.
        b'\r' | b'\n' if wanted != first => Some((0, 1)),
        _ => None,
    };
    encoded.or_else(|| (first == wanted).then_some((1, 1)))
}

/// `%2F` for `/`, also with more layers: `%252F`.
fn percent(wanted: u8, text: &[u8]) -> Option<(usize, usize)> {
    for layer in 0..LAYERS_MAX {
        let digits = text.get(1 + 2 * layer..3 + 2 * layer)?;
        if number(digits, 16) == Some(u32::from(wanted)) {
            return Some((1, 3 + 2 * layer));
        }
        if digits != b"25" {
            return None;
        }
    }
    None
}

/// `\"`, `\/`, `\n`, `\u002f`, `\u{2f}` and `\x2f`, after any number of backslashes.
fn backslash(secret: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    let count = text.iter().take_while(|byte| **byte == b'\\').count();
    if secret[0] == b'\\' {
        return Some((1, count.min(2)));
    }
    let after = &text[count..];
    let escaped = match after.first()? {
        b'u' if after.get(1) == Some(&b'{') => {
            let end = after.iter().position(|byte| *byte == b'}')?;
            number(&after[2..end], 16).and_then(|code| character(code, secret, end + 1))
        }
        b'u' => after.get(1..5).and_then(|digits| number(digits, 16)).and_then(|code| character(code, secret, 5)),
        b'x' => after.get(1..3).and_then(|digits| number(digits, 16)).and_then(|code| character(code, secret, 3)),
        b'n' if secret[0] == b'\n' => Some((1, 1)),
        b't' if secret[0] == b'\t' => Some((1, 1)),
        _ => None,
    };
    let (of_secret, of_text) = escaped.or_else(|| (after[0] == secret[0]).then_some((1, 1)))?;
    Some((of_secret, count + of_text))
}

/// `&amp;`, `&#38;` and `&#x26;`, also with more layers: `&amp;amp;`.
fn entity(secret: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    let mut layers = 0;
    while layers < LAYERS_MAX && text[1 + 4 * layers..].starts_with(b"amp;") {
        layers += 1;
    }
    let name = &text[1 + 4 * layers..];
    let length = name.iter().take(10).position(|byte| *byte == b';');
    let code = length.and_then(|length| match &name[..length] {
        b"lt" => Some(u32::from('<')),
        b"gt" => Some(u32::from('>')),
        b"quot" => Some(u32::from('"')),
        b"apos" => Some(u32::from('\'')),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    });
    let bytes = 1 + 4 * layers + length.map_or(0, |length| length + 1);
    let found = code.and_then(|code| character(code, secret, bytes));
    found.or_else(|| (layers > 0 && secret[0] == b'&').then_some((1, 1 + 4 * layers)))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, radix).ok()
}

/// The bytes of the secret that this character takes, if the secret begins with it.
fn character(code: u32, secret: &[u8], of_text: usize) -> Option<(usize, usize)> {
    let mut bytes = [0; 4];
    let encoded = char::from_u32(code)?.encode_utf8(&mut bytes);
    secret.starts_with(encoded.as_bytes()).then_some((encoded.len(), of_text))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "s3cr3t/+\"&<tok>=en\\x %41";

    fn secrets(texts: &[&str]) -> OwnSecrets {
        let mut secrets = OwnSecrets::default();
        texts.iter().for_each(|text| secrets.add(text));
        secrets
    }

    #[test]
    fn every_form_is_replaced() {
        let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        let twice = utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string();
        let json = serde_json::to_string(SECRET).unwrap();
        let units: String = SECRET.chars().map(|one| format!("\\u{:04x}", u32::from(one))).collect();
        let html = SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
        let hexadecimal: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            SECRET.to_owned(),
            percent.to_lowercase(),
            percent.replace("%20", "+"),
            percent,
            twice,
            serde_json::to_string(&json).unwrap().trim_matches(['"', '\\']).to_owned(),
            json.trim_matches('"').to_owned(),
            units,
            html.replace('&', "&amp;"),
            html,
            hexadecimal,
            STANDARD.encode(format!("user:{SECRET}")),
            STANDARD.encode(format!("u:{SECRET}!")),
            URL_SAFE_NO_PAD.encode(format!("{SECRET}.")),
        ] {
            let redacted = secrets(&[SECRET]).redact(&format!("key=\"{text}\" is wrong"));
            assert!(redacted.contains("REDACTED") && redacted.ends_with("is wrong"), "{text}: {redacted}");
            assert!(!redacted.contains("tok") && !redacted.contains("3cr3t"), "{text}: {redacted}");
        }
    }

    #[test]
    fn a_cut_secret_is_replaced() {
        let secrets = secrets(&["0123456789abcdef"]);
        assert_eq!(secrets.redact("got 01234567..., no"), "got REDACTED..., no");
        assert_eq!(secrets.redact("got 0123"), "got REDACTED");
        assert_eq!(secrets.redact("got 0123, no"), "got 0123, no");
    }

    #[test]
    fn a_short_secret_leaves_words_alone() {
        let secrets = secrets(&["live", "x", ""]);
        assert_eq!(secrets.redact("not delivered to live: x"), "not delivered to REDACTED: x");
        assert_eq!(format!("{secrets:?}"), "OwnSecrets");
        assert_eq!(OwnSecrets::default().redact("ä"), "ä");
    }

    proptest! {
        #[test]
        fn any_text_is_redacted_without_a_panic(secret in ".{0,20}", text in ".{0,60}", cut in 0..200_usize) {
            let secrets = secrets(&[&secret]);
            let text = format!("{text}%{secret}\\u{secret}&#{secret}&amp;");
            let cut = (0..=cut.min(text.len())).rev().find(|cut| text.is_char_boundary(*cut)).unwrap();
            secrets.redact(&text[..cut]);
        }
    }
}
