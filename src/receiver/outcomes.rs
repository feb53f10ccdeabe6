//! The outcomes of callbacks that metrics count from zero.

use super::recent_refusals::ERRORS;
use crate::telemetry::Metrics;

/// The outcomes of a callback whose event type livehook has read.
const WITH_TYPE: [&str; 8] = [
    "stored",
    "duplicate",
    "signature_missing",
    "signature_mismatch",
    "signature_expired",
    "appid_not_allowed",
    "domain_not_allowed",
    "unavailable",
];

/// Outcomes without an event type that are not in the list of refusals.
const WITHOUT_TYPE: [&str; 3] = ["headers_too_large", "displaced", "unavailable"];

/// Makes every counter of callbacks that the receiver can count.
pub(super) fn expect(metrics: &Metrics) {
    let refusals = ERRORS.into_iter().filter(|word| !WITH_TYPE.contains(word));
    let without_type: Vec<_> = refusals.chain(WITHOUT_TYPE).collect();
    metrics.expect_callbacks(&WITH_TYPE, &without_type);
}
