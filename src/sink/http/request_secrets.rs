//! Collects the secrets of an HTTP sink: a receiver may repeat its request in the text of its answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::options::Options;
use crate::sink::own_secrets::OwnSecrets;

/// A shorter part of a header's value is no secret, for example `Basic`.
const PART_BYTES_MIN: usize = 8;

/// Returns the secrets of the options: the webhook secrets, the values of the headers, and path and query of the URL.
pub(super) fn own_secrets(options: &Options) -> OwnSecrets {
    let mut secrets = OwnSecrets::default();
    for secret in &options.secrets {
        let text = secret.reveal();
        secrets.add(&text);
        // Without its prefix.
        secrets.add(text.split_once('_').map_or("", |(_, encoded)| encoded));
    }
    if let Some(secret) = &options.sign_secret {
        secrets.add(secret.reveal());
    }
    options.headers.values().for_each(|value| add_header(&mut secrets, value));
    if let Ok(url) = &options.url.url {
        // Many services identify the caller by a part of the path.
        for part in std::iter::once(url.path()).chain(url.path().split('/')) {
            secrets.add(part);
            secrets.add(&percent_decode_str(part).decode_utf8_lossy());
        }
        secrets.add(url.query().unwrap_or_default());
        url.query_pairs().for_each(|(_, value)| secrets.add(&value));
    }
    secrets
}

/// Adds the value of a header and its parts: `Bearer TOKEN`, `Basic BASE64`, `a=TOKEN; b=TOKEN`.
fn add_header(secrets: &mut OwnSecrets, value: &str) {
    secrets.add(value);
    for part in value.split([' ', ';', ',', '=']).filter(|part| part.len() >= PART_BYTES_MIN) {
        secrets.add(part);
    }
    let encoded = value.rsplit(' ').next().unwrap_or_default();
    if let Some(pair) = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok())
        && let Some((_, password)) = pair.split_once(':')
    {
        secrets.add(&pair);
        secrets.add(password);
    }
}
