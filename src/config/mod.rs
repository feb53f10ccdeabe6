//! Reads the configuration: a TOML file, then environment variables, then flags, into one validated [`Config`].
//!
//! [`Config::load`] shows the whole way. It reports all mistakes at once, each with the key, the value, the rule and what to
//! write instead. The options of a component and their rules live with the component; the rules here span several.

mod admin_token;
mod callback_keys;
mod changes;
mod checks;
mod document;
mod environment;
#[cfg(test)]
mod example;
mod exposure;
mod fault;
mod field_names;
mod findings;
mod key_path;
mod load;
mod load_part;
mod misplaced_keys;
mod mistake;
mod overrides;
mod reader;
mod secret_file;
mod service_config;
mod settings;
mod shown_value;
mod sink_checks;
mod sink_config;
mod sink_tables;
mod sources;
mod suggestion;
mod summary;
mod surroundings;
#[cfg(test)]
mod testing;
mod tls_checks;
mod unread_variables;

pub use changes::{Change, changes, keep_fixed};
pub use load_part::DataConfig;
pub use mistake::{Mistake, Mistakes};
pub use overrides::{Overrides, SecretText};
pub use secret_file::SecretFile;
pub use service_config::Config;
pub use settings::DATA_DIR_DEFAULT;
pub use sink_config::{InvalidSinkName, SinkConfig, SinkName};
pub use summary::Summary;
pub use surroundings::{Process, Surroundings};
