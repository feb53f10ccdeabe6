//! Signatures as in Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>), symmetric: an HMAC-SHA256 over the id, the
//! time and the whole body. A receiver that knows the secret can verify that they are unchanged.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::callback::EventId;
use crate::journal::Record;

/// The beginning of every secret.
const PREFIX: &str = "whsec_";

/// The placeholder of `config.example.toml`. It is refused, because everyone can read it there.
const PLACEHOLDER: &str = "whsec_a-secret-of-your-own";

/// The lengths that the specification allows, in bytes.
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;

/// Some tools that make secrets leave the padding out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A secret shared with a receiver: `whsec_<base64>`.
///
/// It can't be printed: `Debug` shows `REDACTED`.
#[derive(Clone)]
pub struct WebhookSecret {
    bytes: Box<[u8]>,
    keyed: Hmac<Sha256>,
}

/// Why a text can't be a secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// It is the placeholder of the example file.
    #[error("the secret is the placeholder of the example file: make one with `livehook keygen --webhook`")]
    Placeholder,
    /// It has another form, or a copy lost characters.
    #[error(
        "must be `whsec_` and base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes; `livehook keygen --webhook` makes one"
    )]
    Form,
}

impl WebhookSecret {
    /// Parses the text of a secret.
    ///
    /// # Errors
    /// The text has another form, or is the placeholder.
    pub fn new(text: &str) -> Result<WebhookSecret, SecretError> {
        if text == PLACEHOLDER {
            return Err(SecretError::Placeholder);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Form)?;
        WebhookSecret::from_bytes(&LENIENT.decode(encoded).map_err(|_| SecretError::Form)?)
    }

    /// Makes a secret of its bytes.
    ///
    /// # Errors
    /// There are too few or too many bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<WebhookSecret, SecretError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(SecretError::Form);
        }
        // Never fails: HMAC takes keys of any length.
        let keyed = Hmac::new_from_slice(bytes).map_err(|_| SecretError::Form)?;
        Ok(WebhookSecret { bytes: bytes.into(), keyed })
    }

    /// Returns the text of the secret. Only for a person who asked for it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        // A copy of the keyed state saves the work of keying for each request.
        let mut mac = self.keyed.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebhookSecret(REDACTED)")
    }
}

/// Finds a secret that the configuration names twice. It isn't constant in time, so it must not check signatures.
impl PartialEq for WebhookSecret {
    fn eq(&self, other: &WebhookSecret) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for WebhookSecret {}

impl<'de> Deserialize<'de> for WebhookSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WebhookSecret, D::Error> {
        WebhookSecret::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Returns the value of `webhook-signature`: one signature for each secret, so that a receiver needs only one of them during a
/// rotation. `timestamp` is the Unix time in seconds, as text.
pub(super) fn signatures(secrets: &[WebhookSecret], id: &str, timestamp: &str, body: &[u8]) -> String {
    secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect::<Vec<_>>().join(" ")
}

/// Returns the value of `webhook-id`: the id of the event. A list gets an id made of the ids of its events, so that the same
/// list has the same id when it is sent again.
pub(super) fn message_id(records: &[&Record]) -> String {
    if let [record] = records {
        return record.event.id().to_string();
    }
    let mut digest = Sha256::new();
    for record in records {
        let id: EventId = record.event.id();
        // Ids have a fixed length, so no other list gives the same bytes.
        digest.update(id.to_string());
    }
    format!("batch-{}", hex::encode(&digest.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::records;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::new(text).unwrap()
    }

    #[test]
    fn a_signature_equals_the_published_one() {
        // Made by the package `standardwebhooks` of PyPI, version 1.1.0.
        let signature = secret(SECRET).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_gives_a_signature() {
        let other = WebhookSecret::from_bytes(&[7; 24]).unwrap();
        let both = signatures(&[secret(SECRET), other.clone()], "id", "1", b"{}");
        let single = [secret(SECRET).sign("id", "1", b"{}"), other.sign("id", "1", b"{}")];
        assert_eq!(both, single.join(" "));
    }

    #[test]
    fn malformed_secrets_are_refused_unprinted() {
        for text in
            ["", "whsec_", SECRET.trim_start_matches(PREFIX), "whsec_c2hvcnQ=", "whsec_!!!", &format!("{SECRET} ")]
        {
            assert_eq!(WebhookSecret::new(text).unwrap_err(), SecretError::Form, "{text}");
        }
        assert_eq!(WebhookSecret::new(PLACEHOLDER).unwrap_err(), SecretError::Placeholder);
        assert!(WebhookSecret::from_bytes(&[0; 64]).is_ok() && WebhookSecret::from_bytes(&[0; 65]).is_err());
        assert_eq!(format!("{:?}", secret(SECRET)), "WebhookSecret(REDACTED)");
    }

    #[test]
    fn a_revealed_secret_can_be_parsed() {
        let padded = WebhookSecret::from_bytes(&[9; 25]).unwrap();
        assert_eq!(secret(&padded.reveal()), padded);
        assert_eq!(secret(padded.reveal().trim_end_matches('=')), padded);
    }

    #[test]
    fn the_id_of_a_list_depends_on_its_order() {
        let records = records(3);
        let [first, second, third] = [&records[0], &records[1], &records[2]];
        assert_eq!(message_id(&[first]), first.event.id().to_string());
        assert_eq!(message_id(&[first, second]), message_id(&[first, second]));
        assert_ne!(message_id(&[first, second]), message_id(&[second, first]));
        assert_ne!(message_id(&[first, second]), message_id(&[first, second, third]));
    }
}
