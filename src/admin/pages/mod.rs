//! The pages of the admin endpoint, for people: who is live, why a stream stopped, what was refused, how the sinks do.
//!
//! Every page is rendered here, from the read model, and is complete without a script. A script only renews its parts when
//! something changes. Text from outside is escaped by the templates. [`texts`] has every sentence, in each language.

mod absent_sink;
mod answer;
mod assets;
mod dead_letters;
mod done;
mod error_page;
mod event_detail;
mod event_filter;
mod events;
mod form;
mod format;
mod gzip;
mod icons;
mod lag_chart;
mod language;
mod layout;
mod login;
mod now;
mod numbers;
mod preferences;
mod reasons;
mod refusal_cause;
mod refusal_list;
mod refused;
mod replays;
mod routes;
mod session;
mod session_broadcast;
mod session_media;
mod setup;
mod sharing;
mod sink;
mod sink_changes;
mod sink_view;
mod sinks;
mod state;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod texts;
mod theme;
mod time_toolbar;
mod timeline;
mod updates;
mod view;
mod window;
mod zone;

pub(super) use error_page::not_found;
pub(super) use routes::router;
pub(super) use state::Pages;
