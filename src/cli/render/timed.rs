//! A view of the index with the time at which it was read, because the duration of a live session depends on that time.

use serde::Serialize;

/// A view of the index, and the time when it was read. Its JSON is the JSON of the view.
#[derive(Serialize)]
pub(crate) struct Timed<V> {
    #[serde(flatten)]
    pub(crate) view: V,
    /// In Unix ms.
    #[serde(skip)]
    pub(crate) now_ms: i64,
}
