//! Turns a [`Callback`] into an [`Event`] if it is genuine, still valid, and for this receiver.
//!
//! Source: the vendor's page "Event Message Notification", section on signatures: `sign = MD5(key + t)`, valid until
//! `t`. The signature covers nothing else of the body.

use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::event::Event;
use super::event_type::EventType;
use super::json;
use super::key::CallbackKey;
use super::members;
use super::parse::{Callback, Sign};
use super::pattern::DomainPattern;
use super::redact::{Redactor, without_credentials};
use super::refusal::Refusal;

/// A callback key, and the domains that it may sign for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOptions {
    /// The key.
    pub key: CallbackKey,
    /// The key verifies only callbacks of these domains, and no callback without a domain. `None` sets no limit.
    pub domains: Option<Vec<DomainPattern>>,
}

/// The rules that a callback must meet. The defaults are the rules of the vendor's documents, without a key.
#[derive(Clone, Debug, Default)]
pub struct VerifierOptions {
    /// The active keys: any of them may have signed.
    pub keys: Vec<KeyOptions>,
    /// Accept all callbacks without checking their signature, if there is no key. With a key it has no effect.
    pub allow_unsigned: bool,
    /// How long a signature stays valid after its `t`, in seconds.
    pub leeway_secs: u32,
    /// How far in the future `t` may be, in seconds. `None` sets no limit.
    pub validity_secs_max: Option<u32>,
    /// Types that are accepted without a `sign`.
    pub unsigned_event_types: Vec<EventType>,
    /// If not empty, callbacks of other appids are refused.
    pub allowed_appids: Vec<i64>,
    /// If not empty, callbacks of other domains and callbacks without a domain are refused.
    pub allowed_domains: Vec<DomainPattern>,
    /// Parameters whose values are redacted in addition to `txSecret`.
    pub redact_parameters: Vec<String>,
}

/// Why the options make no verifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VerifierError {
    /// Without a key nothing can be verified.
    #[error(
        "there is no callback key: set `receiver.keys`, --key, LIVEHOOK_KEYS or a keys file, or set `receiver.allow_unsigned = true` to accept unverified callbacks from anyone"
    )]
    NoKey,
}

/// A callback that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its event.
    pub event: Event,
    /// The position of the key that signed it, in [`VerifierOptions::keys`]. `None` if it was accepted without a signature.
    pub key: Option<usize>,
}

/// Checks callbacks against the options.
#[derive(Clone, Debug)]
pub struct Verifier {
    options: VerifierOptions,
    redactor: Redactor,
}

impl Verifier {
    /// Makes a verifier.
    ///
    /// # Errors
    /// There is no key, and `allow_unsigned` is false.
    pub fn new(options: VerifierOptions) -> Result<Verifier, VerifierError> {
        if options.keys.is_empty() && !options.allow_unsigned {
            return Err(VerifierError::NoKey);
        }
        let redactor = Redactor::new(options.redact_parameters.iter().map(String::as_str));
        Ok(Verifier { options, redactor })
    }

    /// Verifies a callback like [`Verifier::verify_by_key`], and returns its event alone.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn verify(&self, callback: &Callback<'_>, now_ms: i64) -> Result<Event, Refusal> {
        self.verify_by_key(callback, now_ms).map(|verified| verified.event)
    }

    /// Verifies a callback that was received at `now_ms` (Unix ms): signature, then expiry, then appid, then domain.
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn verify_by_key(&self, callback: &Callback<'_>, now_ms: i64) -> Result<Verified, Refusal> {
        let domain = members::domain(&callback.members, callback.event_type);
        // `t` is in whole seconds, so the current time is too.
        let key = self.check_signature(callback, domain.as_deref(), now_ms.div_euclid(1000))?;

        let VerifierOptions { allowed_appids, allowed_domains, .. } = &self.options;
        if !allowed_appids.is_empty()
            && !members::number(&callback.members, "appid").is_some_and(|appid| allowed_appids.contains(&appid))
        {
            return Err(Refusal::AppidNotAllowed);
        }
        if !allowed_domains.is_empty() && !matches_any(allowed_domains, domain.as_deref()) {
            return Err(Refusal::DomainNotAllowed);
        }
        Ok(Verified { event: Event::new(callback, key.is_some(), now_ms, &self.redactor), key })
    }

    /// Returns the fingerprint of each key, in the order of the options. Takes some milliseconds for each.
    pub fn fingerprints(&self) -> Vec<String> {
        self.options.keys.iter().map(|options| options.key.fingerprint()).collect()
    }

    /// Returns the members of a refused callback as one JSON object, which people may see. It is redacted like an event, and has no
    /// `sign` and `t`. The values of deeper members with these names are replaced, in whatever case the names are.
    pub fn redacted_members(&self, callback: &Callback<'_>) -> String {
        let mut object = String::with_capacity(callback.members_bytes() + 64);
        let redaction = self.redactor.of_callback(callback.sign.digest());
        members::write_object(&mut object, &members::redacted(&callback.members, &redaction), callback.is_plain);
        json::valid_unicode(&without_credentials(&object)).into_owned()
    }

    /// Returns whether a callback needs no signature. If it names a domain, a key must be able to sign for this domain: otherwise
    /// the limits of the keys would hold for honest senders only.
    fn accepts_unsigned(&self, event_type: EventType, domain: Option<&str>) -> bool {
        let signs_for = |key: &KeyOptions| match (&key.domains, domain) {
            (Some(limit), Some(domain)) => matches_any(limit, Some(domain)),
            _ => true,
        };
        self.options.unsigned_event_types.contains(&event_type) && self.options.keys.iter().any(signs_for)
    }

    /// Returns the position of the key that signed the callback; `None` if the callback is accepted without a signature.
    fn check_signature(
        &self,
        callback: &Callback<'_>,
        domain: Option<&str>,
        now_secs: i64,
    ) -> Result<Option<usize>, Refusal> {
        let options = &self.options;
        // `Verifier::new` lets a verifier without a key exist only with `allow_unsigned`, so there is nothing to check.
        if options.keys.is_empty() {
            return Ok(None);
        }
        let (t, sign) = match (&callback.t, callback.sign) {
            (_, Sign::Absent) if self.accepts_unsigned(callback.event_type, domain) => return Ok(None),
            (_, Sign::Absent) | (None, _) => {
                let event_type = callback.event_type;
                let is_foreign_domain = options.unsigned_event_types.contains(&event_type);
                return Err(Refusal::SignatureMissing { event_type, is_foreign_domain });
            }
            (Some(_), Sign::Unreadable) => return Err(Refusal::SignatureMismatch),
            (Some(t), Sign::Digest(sign)) => (t, sign),
        };

        // Every key is compared, and in constant time, so that the time of an answer says nothing about the keys.
        let (mut matched, mut matching_key) = (Choice::from(0), 0);
        for (position, KeyOptions { key, domains }) in (0_u64..).zip(&options.keys) {
            if domains.as_ref().is_none_or(|limit| matches_any(limit, domain)) {
                let is_match = key.sign(&t.text).ct_eq(&sign);
                matching_key.conditional_assign(&position, is_match);
                matched |= is_match;
            }
        }
        if !bool::from(matched) {
            return Err(Refusal::SignatureMismatch);
        }
        // Saturating, because `t` may be as large as an i64 can be.
        let expired_by_secs = now_secs.saturating_sub(t.secs);
        if expired_by_secs > i64::from(options.leeway_secs) {
            return Err(Refusal::SignatureExpired { expired_by_secs });
        }
        let ahead_secs = t.secs.saturating_sub(now_secs);
        if options.validity_secs_max.is_some_and(|most| ahead_secs > i64::from(most)) {
            return Err(Refusal::SignatureTooFarAhead { ahead_secs });
        }
        Ok(usize::try_from(matching_key).ok())
    }
}

fn matches_any(patterns: &[DomainPattern], domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| patterns.iter().any(|pattern| pattern.matches(domain)))
}

/// A key for every domain is a string. A key for some domains is a table.
impl<'de> Deserialize<'de> for KeyOptions {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<KeyOptions, D::Error> {
        struct StringOrTable;
        impl<'de> Visitor<'de> for StringOrTable {
            type Value = KeyOptions;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a key, or { key = \"...\", domains = [\"push.example.com\"] }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyOptions, E> {
                let key = CallbackKey::new(text).map_err(E::custom)?;
                Ok(KeyOptions { key, domains: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeyOptions, A::Error> {
                let (mut key, mut domains) = (None, None);
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "key" => key = Some(CallbackKey::new(&map.next_value::<String>()?).map_err(de::Error::custom)?),
                        "domains" => domains = Some(map.next_value()?),
                        other => return Err(de::Error::unknown_field(other, &["key", "domains"])),
                    }
                }
                let key = key.ok_or_else(|| de::Error::missing_field("key"))?;
                Ok(KeyOptions { key, domains })
            }
        }
        deserializer.deserialize_any(StringOrTable)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"event_time":1545115790,"event_type":1,
        "stream_id":"test_stream","sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;
    const T: i64 = 1_545_030_873;

    fn key(text: &str, domains: &[&str]) -> KeyOptions {
        let limit = || domains.iter().map(|domain| DomainPattern::new(domain).unwrap()).collect();
        KeyOptions { key: CallbackKey::new(text).unwrap(), domains: (!domains.is_empty()).then(limit) }
    }

    fn options() -> VerifierOptions {
        VerifierOptions { keys: vec![key("test", &[])], ..VerifierOptions::default() }
    }

    fn judge(options: VerifierOptions, body: &str, now_secs: i64) -> Result<Event, Refusal> {
        let callback = Callback::parse(body.as_bytes()).unwrap();
        Verifier::new(options).unwrap().verify(&callback, now_secs * 1000 + 999)
    }

    fn signed(key: &str, t: &str, rest: &str) -> String {
        let sign = hex::encode(CallbackKey::new(key).unwrap().sign(t));
        format!(r#"{{"t":{t},"sign":"{sign}",{rest}}}"#)
    }

    #[test]
    fn published_sample_is_valid_until_its_t() {
        assert!(judge(options(), SAMPLE, T - 600).is_ok());
        assert!(judge(options(), SAMPLE, T).is_ok());
        assert_eq!(judge(options(), SAMPLE, T + 1), Err(Refusal::SignatureExpired { expired_by_secs: 1 }));
        assert!(judge(options(), &SAMPLE.replace("ca3e25e5", "CA3E25E5"), T).is_ok());
        assert!(judge(options(), &SAMPLE.replace("1545030873", "\"1545030873\""), T).is_ok());
    }

    #[test]
    fn leeway_and_validity_move_the_bounds() {
        let lenient = VerifierOptions { leeway_secs: 60, ..options() };
        assert!(judge(lenient.clone(), SAMPLE, T + 60).is_ok());
        let expired = Err(Refusal::SignatureExpired { expired_by_secs: 61 });
        assert_eq!(judge(lenient, SAMPLE, T + 61), expired, "counted from `t`, so it says which leeway would do");
        let bounded = VerifierOptions { validity_secs_max: Some(660), ..options() };
        assert!(judge(bounded.clone(), SAMPLE, T - 660).is_ok());
        assert_eq!(judge(bounded, SAMPLE, T - 661), Err(Refusal::SignatureTooFarAhead { ahead_secs: 661 }));
    }

    #[test]
    fn wrong_signatures_come_before_expiry() {
        for body in [
            SAMPLE.replace("ca3e", "ca3f"),
            SAMPLE.replace("ca3e", "zz3e"),
            SAMPLE.replace("ca3e", ""),
            SAMPLE.replace("873}", "874}"),
        ] {
            assert_eq!(judge(options(), &body, T + 10_000), Err(Refusal::SignatureMismatch), "{body}");
        }
        let missing = Err(Refusal::SignatureMissing { event_type: EventType::Push, is_foreign_domain: false });
        assert_eq!(judge(options(), r#"{"event_type":1,"t":1}"#, T), missing);
        assert_eq!(judge(options(), r#"{"event_type":1}"#, T), missing);
    }

    #[test]
    fn an_md5_length_extension_is_refused() {
        // MD5("test" + t) continued: anyone can compute the digest of key + t + padding + suffix without the key. The
        // forged `t` would have to hold the padding, which no accepted form of `t` can.
        let padding = "\\u0080".to_owned() + &"\\u0000".repeat(41) + "p" + &"\\u0000".repeat(7);
        for suffix in ["9999999999", ""] {
            let body = SAMPLE.replace("1545030873", &format!("\"1545030873{padding}{suffix}\""));
            assert!(Callback::parse(body.as_bytes()).is_err());
        }
    }

    #[test]
    fn any_active_key_may_have_signed() {
        let keys = vec![key("other", &[]), key("test", &[]), key("third", &[])];
        let verifier = Verifier::new(VerifierOptions { keys, ..VerifierOptions::default() }).unwrap();
        let verified = verifier.verify_by_key(&Callback::parse(SAMPLE.as_bytes()).unwrap(), T * 1000).unwrap();
        assert_eq!(verified.key, Some(1), "the metrics of this key count it");
        let neither = VerifierOptions { keys: vec![key("other", &[])], ..VerifierOptions::default() };
        assert_eq!(judge(neither, SAMPLE, T), Err(Refusal::SignatureMismatch));
    }

    #[test]
    fn limited_keys_sign_for_their_domains() {
        let limited =
            |domain: &str| VerifierOptions { keys: vec![key("test", &[domain])], ..VerifierOptions::default() };
        assert!(judge(limited("*.domain.com"), SAMPLE, T).is_ok());
        assert_eq!(judge(limited("other.com"), SAMPLE, T), Err(Refusal::SignatureMismatch));
        let nameless = signed("test", "1545030873", r#""event_type":1"#);
        assert_eq!(judge(limited("*.domain.com"), &nameless, T), Err(Refusal::SignatureMismatch));
        let by_other_member =
            signed("test", "1545030873", r#""event_type":1,"domain":"test.domain.com","app":"evil.com""#);
        assert_eq!(judge(limited("*.domain.com"), &by_other_member, T), Err(Refusal::SignatureMismatch));
    }

    #[test]
    fn unsigned_types_are_marked() {
        let options = VerifierOptions { unsigned_event_types: vec![EventType::Relay], ..options() };
        for body in [r#"{"event_type":314}"#, r#"{"event_type":314,"t":1}"#] {
            assert!(judge(options.clone(), body, T).unwrap().line().contains(r#""verified":false"#), "{body}");
        }
        assert_eq!(judge(options.clone(), r#"{"event_type":314,"t":1,"sign":""}"#, T), Err(Refusal::SignatureMismatch));
        assert_eq!(
            judge(options, r#"{"event_type":315}"#, T),
            Err(Refusal::SignatureMissing { event_type: EventType::AudioModeration, is_foreign_domain: false })
        );
    }

    #[test]
    fn unsigned_types_keep_the_keys_domains() {
        let keys = vec![key("test", &["a.com"]), key("other", &["*.b.com"])];
        let options =
            VerifierOptions { keys, unsigned_event_types: vec![EventType::LiveSummary], ..VerifierOptions::default() };
        let foreign = Refusal::SignatureMissing { event_type: EventType::LiveSummary, is_foreign_domain: true };
        for (rest, refusal) in [
            (r#","domain":"a.com""#, None),
            (r#","domain":"x.b.com""#, None),
            (r#","domain":"c.com""#, Some(foreign)),
            // Many types that CSS doesn't sign name no domain.
            ("", None),
        ] {
            let body = format!(r#"{{"event_type":348{rest}}}"#);
            assert_eq!(judge(options.clone(), &body, T).err(), refusal, "{body}");
        }
    }

    #[test]
    fn no_key_needs_allow_unsigned() {
        assert_eq!(Verifier::new(VerifierOptions::default()).unwrap_err(), VerifierError::NoKey);
        let open = VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() };
        assert!(judge(open.clone(), r#"{"event_type":1}"#, T).unwrap().line().contains(r#""verified":false"#));
        assert!(judge(VerifierOptions { keys: options().keys, ..open }, r#"{"event_type":1}"#, T).is_err());
    }

    #[test]
    fn appids_and_domains_can_be_limited() {
        let appids = |appid| VerifierOptions { allowed_appids: vec![appid], ..options() };
        assert!(judge(appids(12_345_678), SAMPLE, T).is_ok());
        assert!(judge(appids(12_345_678), &SAMPLE.replace("12345678", "\"12345678\""), T).is_ok());
        assert_eq!(judge(appids(1), SAMPLE, T), Err(Refusal::AppidNotAllowed));
        let domains =
            |domain| VerifierOptions { allowed_domains: vec![DomainPattern::new(domain).unwrap()], ..options() };
        assert!(judge(domains("TEST.domain.com"), SAMPLE, T).is_ok());
        assert_eq!(judge(domains("domain.com"), SAMPLE, T), Err(Refusal::DomainNotAllowed));
        assert_eq!(
            judge(domains("domain.com"), &SAMPLE.replace("\"app\"", "\"x\""), T),
            Err(Refusal::DomainNotAllowed)
        );
        assert_eq!(
            judge(appids(1), SAMPLE, T + 1),
            Err(Refusal::SignatureExpired { expired_by_secs: 1 }),
            "the signature comes first"
        );
    }

    proptest! {
        #[test]
        fn nothing_is_accepted_without_the_key(
            sign in "[0-9a-f]{32}", t in any::<u32>(), rest in any::<String>(), event_type in 0..400i64,
        ) {
            let body = serde_json::json!({"event_type": event_type, "t": t, "sign": sign, "x": rest}).to_string();
            prop_assert!(judge(options(), &body, 0).is_err());
        }

        #[test]
        fn far_times_do_not_overflow(t in 0..=i64::MAX, now in any::<i64>()) {
            let body = signed("test", &t.to_string(), r#""event_type":1"#);
            let callback = Callback::parse(body.as_bytes()).unwrap();
            let lenient = VerifierOptions { leeway_secs: u32::MAX, validity_secs_max: Some(0), ..options() };
            let _ = Verifier::new(lenient).unwrap().verify(&callback, now);
        }
    }
}
