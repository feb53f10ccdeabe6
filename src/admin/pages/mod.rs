//! The pages of the admin endpoint, for people: who is live, why a stream stopped, what was refused, how the sinks do.
//!
//! Every page is rendered here, from the read model, and is complete without a script. A script only renews its parts when
//! something changes. Text from outside is escaped by the templates. [`texts`] has every sentence, in each language.

mod answer;
mod assets;
mod error_page;
mod form;
mod format;
mod icons;
mod language;
mod layout;
mod login;
mod now;
mod numbers;
mod preferences;
mod reasons;
mod routes;
mod session;
mod setup;
mod state;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod texts;
mod theme;
mod time_toolbar;
mod timeline;
mod view;
mod window;
mod zone;

pub(super) use error_page::not_found;
pub(super) use routes::router;
pub(super) use state::Pages;
