//! Sets gauges. Their values are `i64`, and counts and sizes come in other types.

use prometheus_client::metrics::gauge::Gauge;

/// Sets a gauge to a count or a size. One that is too large becomes the largest value.
pub(super) fn set(gauge: &Gauge, value: impl TryInto<i64>) {
    gauge.set(value.try_into().unwrap_or(i64::MAX));
}
