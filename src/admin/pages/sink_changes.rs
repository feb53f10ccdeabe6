//! `/sinks/{name}/{change}`: asks whether to change something, and does it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Response;
use maud::{Markup, html};

use super::absent_sink::absent_sinks;
use super::answer::page;
use super::error_page::problem_page;
use super::form::Form;
use super::format::{outside, sink_address};
use super::layout::{Content, Tab};
use super::state::Pages;
use super::view::View;
use crate::admin::html::{encoded, see_other};
use crate::admin::problem::Problem;
use crate::callback::{EventId, NamePattern};
use crate::delivery::SkipSelection;
use crate::journal::{DeadLetterAction, DeadLetterSelection};
use crate::moment::TimeRange;

/// Something that a person can change.
#[derive(Debug)]
enum Change {
    /// Ends the pauses of the sink.
    Retry,
    /// Redrives or drops the dead letter of this number, or all of the sink.
    DeadLetters(DeadLetterAction, Option<i64>),
    SkipEvent(EventId),
    SkipStream(String),
    CancelReplay(i64),
}

/// A change of a sink, as an address and a form name it.
struct Wanted {
    sink: String,
    /// The last part of the address.
    word: String,
    change: Change,
}

impl Wanted {
    /// Reads a change. `field` returns a parameter of the address, or a field of the form.
    fn read(
        pages: &Pages,
        path: Result<Path<(String, String)>, PathRejection>,
        field: impl Fn(&str) -> Option<String>,
    ) -> Result<Wanted, Problem> {
        let unknown = || Problem::not_found("no sink can be changed in this way");
        let Path((sink, word)) = path.map_err(|_| unknown())?;
        // A removed sink keeps its dead letters, and people can drop them.
        if word != "drop" {
            pages.api.sink_of_path(&sink)?;
        }
        let number = |name: &str| match field(name) {
            Some(text) => text.parse::<i64>().map(Some).map_err(|_| unknown()),
            None => Ok(None),
        };
        let change = match word.as_str() {
            "retry" => Change::Retry,
            "redrive" => Change::DeadLetters(DeadLetterAction::Redrive, number("dead_letter")?),
            "drop" => Change::DeadLetters(DeadLetterAction::Drop, number("dead_letter")?),
            "cancel-replay" => Change::CancelReplay(number("replay")?.ok_or_else(unknown)?),
            "skip" => match (field("event"), field("stream")) {
                (Some(event), None) => Change::SkipEvent(event.parse().map_err(|_| unknown())?),
                (None, Some(stream)) => Change::SkipStream(stream),
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        Ok(Wanted { sink, word, change })
    }

    fn address(&self) -> String {
        format!("{}/{}", sink_address(&self.sink), self.word)
    }
}

/// `GET /sinks/{name}/{change}`: asks whether to make the change.
pub(super) async fn ask(
    State(pages): State<Arc<Pages>>,
    path: Result<Path<(String, String)>, PathRejection>,
    view: View,
) -> Response<Body> {
    let wanted = match Wanted::read(&pages, path, |name| view.parameter(name)) {
        Ok(wanted) => wanted,
        Err(problem) => return problem_page(&view, &problem),
    };
    let dead_letters = match count_of(&pages, &wanted.sink).await {
        Ok(count) => count,
        Err(problem) => return problem_page(&view, &problem),
    };
    let Some(login) = &view.login else {
        return see_other(&format!("/login?next={}", encoded(&view.address())));
    };
    let (title, help) = sentences(&wanted.change);
    let title = view.text_with(title, &[("count", dead_letters.into())]);
    let main = html! {
        section.notice.confirm {
            p.muted { (view.text("sink")) " " (outside(&wanted.sink)) }
            h1 { (title) }
            (subject(&wanted.change))
            p { (view.text(help)) }
            form.actions method="post" action=(wanted.address()) {
                input type="hidden" name="form_token" value=(login.form_token());
                (fields(&view, &wanted.change))
                button.danger[matches!(wanted.change, Change::DeadLetters(DeadLetterAction::Drop, _))] {
                    (view.text(verb(&wanted.change)))
                }
                a.button.second href=(sink_address(&wanted.sink)) { (view.text("go-back")) }
            }
        }
    };
    page(&view, Tab::Sinks, Ok(Content { title: title.into_owned(), main }))
}

/// How many dead letters a sink has, which need not be configured.
async fn count_of(pages: &Pages, sink: &str) -> Result<i64, Problem> {
    if let Some(status) = pages.api.sink(sink) {
        return Ok(status.view().dead_letters);
    }
    let absent = absent_sinks(pages).await?.into_iter().find(|(name, _)| name == sink);
    absent.map(|(_, count)| count).ok_or_else(|| Problem::not_found("no sink can be changed in this way"))
}

/// `POST /sinks/{name}/{change}`: makes the change, and goes back to the sink.
pub(super) async fn make(
    State(pages): State<Arc<Pages>>,
    path: Result<Path<(String, String)>, PathRejection>,
    view: View,
    form: Form,
) -> Response<Body> {
    if let Err(refusal) = form.check_login(&view) {
        return refusal.page(&view);
    }
    match change(&pages, path, &form).await {
        Ok(to) => see_other(&to),
        Err(problem) => problem_page(&view, &problem),
    }
}

/// Makes the change. Returns the address of the page that says so.
async fn change(
    pages: &Pages,
    path: Result<Path<(String, String)>, PathRejection>,
    form: &Form,
) -> Result<String, Problem> {
    let wanted = Wanted::read(pages, path, |name| form.value(name).map(str::to_owned))?;
    let (api, sink) = (&pages.api, &wanted.sink);
    let count = match wanted.change {
        Change::Retry => {
            api.retry_sink(sink)?;
            0
        }
        Change::DeadLetters(action, number) => {
            // A dead letter that was not there yet when the person was asked stays.
            let until_ms = form.value("until_ms").and_then(|text| text.parse().ok());
            let selection = DeadLetterSelection {
                sink: Some(sink.clone()),
                numbers: number.into_iter().collect(),
                ids: Vec::new(),
                failed: TimeRange { since_ms: None, until_ms },
            };
            api.change_dead_letters(action, selection).await?.count
        }
        Change::SkipEvent(id) => api.skip_events(sink, SkipSelection { ids: vec![id], streams: Vec::new() }).await?,
        Change::SkipStream(ref stream) => {
            let pattern = NamePattern::new(stream).map_err(|error| Problem::parameter("stream", error))?;
            api.skip_events(sink, SkipSelection { ids: Vec::new(), streams: vec![pattern] }).await?
        }
        Change::CancelReplay(number) => {
            api.cancel_replay(number).await?;
            0
        }
    };
    // The page of a removed sink goes with its last dead letter.
    let to = if api.sink(sink).is_some() { sink_address(sink) } else { "/sinks".to_owned() };
    Ok(format!("{to}?done={}&count={count}", wanted.word))
}

/// The ids of the question and of its explanation.
fn sentences(change: &Change) -> (&'static str, &'static str) {
    match change {
        Change::Retry => ("ask-retry", "ask-retry-help"),
        Change::DeadLetters(DeadLetterAction::Redrive, Some(_)) => ("ask-redrive", "ask-redrive-help"),
        Change::DeadLetters(DeadLetterAction::Redrive, None) => ("ask-redrive-all", "ask-redrive-help"),
        Change::DeadLetters(DeadLetterAction::Drop, Some(_)) => ("ask-drop", "ask-drop-help"),
        Change::DeadLetters(DeadLetterAction::Drop, None) => ("ask-drop-all", "ask-drop-help"),
        Change::SkipEvent(_) => ("ask-skip-event", "ask-skip-help"),
        Change::SkipStream(_) => ("ask-skip-stream", "ask-skip-help"),
        Change::CancelReplay(_) => ("ask-cancel-replay", "ask-cancel-replay-help"),
    }
}

/// The id of the text on the button.
fn verb(change: &Change) -> &'static str {
    match change {
        Change::Retry => "sink-retry",
        Change::DeadLetters(DeadLetterAction::Redrive, _) => "dead-letter-redrive",
        Change::DeadLetters(DeadLetterAction::Drop, _) => "dead-letter-drop",
        Change::SkipEvent(_) | Change::SkipStream(_) => "skip",
        Change::CancelReplay(_) => "replay-cancel",
    }
}

/// Shows what the change is about.
fn subject(change: &Change) -> Markup {
    html! {
        @match change {
            Change::DeadLetters(_, Some(number)) | Change::CancelReplay(number) => { p { code { "#" (number) } } }
            Change::SkipEvent(id) => { p { code { (id) } } }
            Change::SkipStream(stream) => { p { strong { (outside(stream)) } } }
            Change::Retry | Change::DeadLetters(_, None) => {}
        }
    }
}

/// The fields that repeat in the form what the address has asked for.
fn fields(view: &View, change: &Change) -> Markup {
    let (name, value) = match change {
        Change::DeadLetters(_, Some(number)) => ("dead_letter", number.to_string()),
        Change::DeadLetters(_, None) => ("until_ms", view.now_ms.to_string()),
        Change::SkipEvent(id) => ("event", id.to_string()),
        Change::SkipStream(stream) => ("stream", stream.clone()),
        Change::CancelReplay(number) => ("replay", number.to_string()),
        Change::Retry => return html! {},
    };
    html! { input type="hidden" name=(name) value=(value); }
}
