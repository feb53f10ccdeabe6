//! The log on stderr, and every metric.

mod log_queue;
mod logs;
mod metrics;
mod text_format;

pub use log_queue::Log;
pub use logs::{Format, Level, LogOptions, start_log};
pub use metrics::{DeliveryOutcome, Metrics};
pub use text_format::TextFormat;
