//! The log on stderr, and every metric.

mod access_options;
mod attempts;
mod configuration;
mod disk;
mod gauges;
mod journald;
mod key_use;
mod labels;
mod limits;
mod log_options;
mod log_queue;
mod log_settings;
mod logs;
mod metrics;
mod process;
mod readiness;
mod registrar;
mod text_format;
mod tls;

pub use access_options::{AccessOptions, PresentShare, Share};
pub use attempts::AttemptMetrics;
pub use configuration::ConfigMetrics;
pub use disk::DiskMetrics;
pub use key_use::{KeyMetrics, KeyUse};
pub use labels::DeliveryOutcome;
pub use limits::{LimitMetrics, LimitValues};
pub use log_options::{Format, Level, LogOptions};
pub use log_queue::Log;
pub use log_settings::set_log_options;
pub use logs::start_log;
pub use metrics::Metrics;
pub use process::ProcessMetrics;
pub use readiness::UnreadyReason;
pub use text_format::TextFormat;
pub use tls::TlsMetrics;
