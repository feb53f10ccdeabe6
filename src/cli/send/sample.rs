//! Generates callbacks like the ones of CSS, to test a receiver.
//!
//! The members and their types follow the vendor's documentation of push and stop callbacks. `stream_param` carries a push
//! credential, as real callbacks do, so that a test shows whether the receiver redacts it.

use serde_json::json;

/// The members that all generated pushes have in common.
#[derive(Clone, Debug)]
pub(super) struct Sample<'a> {
    /// The push domain.
    pub(super) domain: &'a str,
    /// The app name, which is the path of the push URL.
    pub(super) app_name: &'a str,
    /// The stream name.
    pub(super) stream: &'a str,
    /// The errcode of a stop, from the vendor's table.
    pub(super) errcode: i64,
}

/// One push from its start to its stop.
#[derive(Clone, Debug)]
pub(super) struct Push {
    sequence: u64,
    duration_ms: u64,
    client: u8,
    secret: u128,
}

impl Push {
    /// A push with random values.
    pub(super) fn random() -> Push {
        Push {
            // Real sequences have 19 digits and fit i64.
            sequence: fastrand::u64(1_000_000_000_000_000_000..=9_223_372_036_854_775_807),
            duration_ms: fastrand::u64(30_000..=3_600_000),
            client: fastrand::u8(1..=254),
            secret: fastrand::u128(..),
        }
    }

    /// The callback of its start at `time_secs` (Unix seconds), without a signature.
    pub(super) fn start(&self, sample: &Sample<'_>, time_secs: i64) -> String {
        let mut members = self.members(sample, time_secs);
        members["event_type"] = 1.into();
        members["errcode"] = 0.into();
        members["errmsg"] = "ok".into();
        members.to_string()
    }

    /// The callback of its stop at `time_secs` (Unix seconds), without a signature.
    pub(super) fn stop(&self, sample: &Sample<'_>, time_secs: i64) -> String {
        let mut members = self.members(sample, time_secs);
        members["event_type"] = 0.into();
        members["errcode"] = sample.errcode.into();
        members["errmsg"] = errmsg(sample.errcode).into();
        members["push_duration"] = self.duration_ms.to_string().into();
        members.to_string()
    }

    /// Its duration in whole seconds.
    pub(super) fn duration_secs(&self) -> i64 {
        i64::try_from(self.duration_ms / 1000).unwrap_or(0)
    }

    fn members(&self, sample: &Sample<'_>, time_secs: i64) -> serde_json::Value {
        json!({
            "app": sample.domain,
            "appid": 1_250_000_000,
            "appname": sample.app_name,
            "channel_id": sample.stream,
            "event_time": time_secs,
            "height": 1080,
            "idc_id": 35,
            "node": "198.51.100.7",
            "sequence": self.sequence.to_string(),
            "set_id": 2,
            "stream_id": sample.stream,
            "stream_param": format!("txSecret={:032x}&txTime={:X}", self.secret, time_secs + 86_400),
            "user_ip": format!("203.0.113.{}", self.client),
            "width": 1920,
        })
    }
}

/// The vendor's message for an errcode.
fn errmsg(errcode: i64) -> &'static str {
    match errcode {
        1 => "The push client actively stopped the push",
        2 | 35 => "The push client stopped the push",
        3 => "The push client closed the TCP connection",
        8 | 20 => "No data was received for a long time",
        _ => "The push was interrupted",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::callback::{Callback, CallbackKey, Event, KeyOptions, StreamEvent, Verifier, VerifierOptions};
    use crate::cli::sign::sign;

    const SAMPLE: Sample<'_> =
        Sample { domain: "push.example.com", app_name: "live", stream: "直播 \"1\"", errcode: 3 };

    fn event(callback: &str) -> Event {
        let key = CallbackKey::new("test").unwrap();
        let signed = sign(callback.as_bytes(), &key, 1_777_637_400).unwrap();
        let options = VerifierOptions { keys: vec![KeyOptions { key, domains: None }], ..VerifierOptions::default() };
        let callback = Callback::parse(signed.as_bytes()).unwrap();
        Verifier::new(options).unwrap().verify(&callback, 1_777_636_800_000).unwrap()
    }

    #[test]
    fn push_and_stop_verify_and_pair() {
        let push = Push::random();
        let start = event(&push.start(&SAMPLE, 1_777_636_000));
        let stop = event(&push.stop(&SAMPLE, 1_777_636_000 + push.duration_secs()));
        assert_eq!(start.partition_key().as_str(), stop.partition_key().as_str());
        assert_eq!(start.partition_key().stream(), SAMPLE.stream);
        assert!(start.line().contains("txSecret=REDACTED&txTime="));

        assert_eq!(start.sequence(), stop.sequence());
        assert_eq!(start.sequence().unwrap().len(), 19);
        let (start, stop) = (StreamEvent::of(&start).unwrap(), StreamEvent::of(&stop).unwrap());
        assert_eq!((start.is_stop, start.errcode, start.push_duration_ms), (false, Some(0), None));
        assert_eq!((stop.is_stop, stop.errcode), (true, Some(3)));
        assert_eq!(stop.push_duration_ms, i64::try_from(push.duration_ms).ok());
    }

    #[test]
    fn random_pushes_differ() {
        let ids: HashSet<_> = (0..1000).map(|_| event(&Push::random().start(&SAMPLE, 1_777_636_800)).id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
