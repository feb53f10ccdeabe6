//! Bodies made from a template, for chat tools and for receivers with a form of their own.
//!
//! `template` reads, checks and fills a template. `event_values` names the parts of an event that a template sees, and `members`
//! holds the vendor's. `shown` bounds their text. `escape` writes it so that a chat tool shows it and does nothing else with it.

mod escape;
mod event_values;
mod members;
mod shown;
mod template;

pub use escape::Escape;
pub(super) use template::{MessageTemplate, TemplateOptions};
