//! `/updates`: server-sent events that say when an open page should renew itself.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::state::Pages;
use super::view::View;
use crate::admin::api::Seat;
use crate::admin::event_stream::{HEARTBEAT, RETRY_MS, event_stream};
use crate::admin::problem::Problem;
use crate::admin::updates::Update;
use crate::session::StreamKey;

const UPDATE: Bytes = Bytes::from_static(b"data: renew\n\n");
const SILENCE: Bytes = Bytes::from_static(b":\n\n");

/// `GET /updates`. With `stream=domain/app/stream`, only events of that stream count.
pub(super) async fn follow(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    match Open::of(&pages, &view) {
        Ok(open) => {
            let beginning = stream::once(async { Ok(Bytes::from(format!("retry: {RETRY_MS}\n\n"))) });
            let rest = stream::unfold(open, |mut open| async { open.next().await.map(|piece| (Ok(piece), open)) });
            event_stream::<Infallible>(beginning.chain(rest))
        }
        Err(problem) => problem.into_response(),
    }
}

/// An open page.
struct Open {
    /// The stream that the page is about; `None` if it's about all.
    stream: Option<StreamKey>,
    updates: broadcast::Receiver<Arc<Update>>,
    stopping: watch::Receiver<bool>,
    heartbeat: Interval,
    _seat: Seat,
}

impl Open {
    fn of(pages: &Pages, view: &View) -> Result<Open, Problem> {
        let feed = pages.api.feed();
        let _seat = feed.take_seat()?;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Open {
            stream: view.parameter("stream").map(|stream| StreamKey::from_text(&stream)),
            updates: pages.updates.subscribe(),
            stopping: feed.stopping(),
            heartbeat,
            _seat,
        })
    }

    /// Returns the next piece of text; `None` if the service is stopping.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let received = tokio::select! {
                received = self.updates.recv() => received,
                _ = self.heartbeat.tick() => return Some(SILENCE),
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            match (received, &self.stream) {
                (Ok(update), Some(stream)) if !update.is_about(stream) => {}
                (Ok(_) | Err(RecvError::Lagged(_)), _) => return Some(UPDATE),
                (Err(RecvError::Closed), _) => return None,
            }
        }
    }
}
