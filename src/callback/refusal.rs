//! Why a callback is refused.

use super::event_type::EventType;
use super::parse::Malformed;

/// A callback that is answered with 4xx. The sender reads the text: one sentence that helps, without a secret and without
/// the name of a setting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// Not a callback at all.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// No `sign` among the members.
    #[error("the callback has no `sign`: set the same callback key in the CSS console and in livehook")]
    SignatureMissing {
        /// Types can be accepted unsigned by configuration, so the log names this one.
        event_type: EventType,
        /// Whether the configuration accepts the type unsigned, but no key may sign for the domain of this callback.
        is_foreign_domain: bool,
    },
    /// No active key gives this `sign` for this `t`.
    #[error(
        "no active callback key produces this `sign` for this `t`: the key in the CSS console must be one of livehook's keys"
    )]
    SignatureMismatch,
    /// `t` is in the past, by more than the leeway.
    #[error("the signature expired {expired_by_secs} s ago: `livehook sign` makes a fresh sample")]
    SignatureExpired {
        /// How long ago `t` passed, in seconds. The leeway is not subtracted, so an operator sees which leeway accepts such
        /// callbacks.
        expired_by_secs: i64,
    },
    /// `t` is further in the future than `validity_secs_max` allows.
    #[error("the signature is valid for another {ahead_secs} s, which is too long: check the clocks")]
    SignatureTooFarAhead {
        /// How far in the future `t` is, in seconds.
        ahead_secs: i64,
    },
    /// The client's address is not in `allowed_addresses`.
    #[error("this address may not send callbacks here")]
    AddressNotAllowed,
    /// The appid is not in `allowed_appids`.
    #[error("callbacks of this `appid` are not accepted here")]
    AppidNotAllowed,
    /// The domain is not in `allowed_domains`.
    #[error("callbacks of this domain are not accepted here")]
    DomainNotAllowed,
}

impl Refusal {
    /// The word in the member `error` of the answer and in metrics. It never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) => "malformed",
            Refusal::SignatureMissing { .. } => "signature_missing",
            Refusal::SignatureMismatch => "signature_mismatch",
            // One word, because the cure is the same: `t` and the clock of this machine don't fit each other.
            Refusal::SignatureExpired { .. } | Refusal::SignatureTooFarAhead { .. } => "signature_expired",
            Refusal::AddressNotAllowed => "address_not_allowed",
            Refusal::AppidNotAllowed => "appid_not_allowed",
            Refusal::DomainNotAllowed => "domain_not_allowed",
        }
    }
}
