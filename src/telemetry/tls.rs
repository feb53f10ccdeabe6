//! The TLS of each listener: when its certificate expires, and why handshakes fail.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registrar::Registrar;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    listener: &'static str,
    reason: &'static str,
}

/// The certificates and the handshakes of the listeners with TLS.
#[derive(Debug)]
pub struct TlsMetrics {
    not_after: Family<ListenerLabels, Gauge>,
    failed_handshakes: Family<HandshakeLabels, Counter>,
}

impl TlsMetrics {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> TlsMetrics {
        TlsMetrics {
            not_after: registrar.zero(
                "tls_certificate_not_after_timestamp_seconds",
                "When the first certificate of a listener's chain expires, as Unix time",
            ),
            failed_handshakes: registrar
                .zero("tls_handshakes_failed", "Handshakes of TLS that failed, by listener and reason"),
        }
    }

    /// Sets when the first certificate of a listener's chain expires, in Unix seconds.
    pub fn not_after(&self, listener: &'static str, unix_secs: i64) {
        self.not_after.get_or_create(&ListenerLabels { listener }).set(unix_secs);
    }

    /// Makes the counters of a listener, at zero.
    pub fn expect_handshakes(&self, listener: &'static str, reasons: &[&'static str]) {
        for reason in reasons {
            drop(self.failed_handshakes.get_or_create(&HandshakeLabels { listener, reason }));
        }
    }

    /// Counts a handshake that failed.
    pub fn failed_handshake(&self, listener: &'static str, reason: &'static str) {
        self.failed_handshakes.get_or_create(&HandshakeLabels { listener, reason }).inc();
    }
}
