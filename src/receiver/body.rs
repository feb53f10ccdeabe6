//! Reads the body of a request within limits: its size, its time, and the memory of all bodies together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The body is larger than allowed.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body ends early, or its chunks are malformed.
    Broken,
    /// All bodies together are larger than allowed.
    NoMemory,
}

/// The memory that all bodies in flight may take.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    used: AtomicUsize,
}

/// The part of the budget that one body takes. Dropping it frees that part. It grows with the bytes that arrive, so a
/// client reserves nothing by announcing a large body.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Budget {
        Budget { bytes_max, used: AtomicUsize::new(0) }
    }

    fn share(self: &Arc<Budget>) -> Share {
        Share { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.bytes += bytes;
        // The bytes count even if they are too many. Dropping the share gives them back.
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.budget.bytes_max { Err(BodyError::NoMemory) } else { Ok(()) }
    }

    /// Grows to at least `bytes`, the size of the event that was made of the body. This never fails: the body was
    /// admitted, so the next body has to wait.
    pub(super) fn cover(&mut self, bytes: usize) {
        let _ = self.grow(bytes.saturating_sub(self.bytes));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body of at most `bytes_max` bytes. Keep the share as long as the bytes.
///
/// # Errors
/// The first limit that the body exceeds. The rest of the body then stays unread.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    deadline: Instant,
    budget: &Arc<Budget>,
) -> Result<(Bytes, Share), BodyError> {
    // `Content-Length` announces it, so nothing has to be read or reserved.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    // The timer is registered only if the first poll finds the body incomplete.
    match timeout_at(deadline, collect(body, bytes_max, budget)).await {
        Ok(read) => read,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(mut body: Body, bytes_max: usize, budget: &Arc<Budget>) -> Result<(Bytes, Share), BodyError> {
    let mut share = budget.share();
    // Most bodies arrive in one piece, which is used without a copy.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers carry nothing that livehook reads.
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        share.grow(data.len())?;
        if share.bytes > bytes_max {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
        // With `Content-Length` the end is known at the last byte, and one poll is saved.
        if body.is_end_stream() {
            break;
        }
    }
    let bytes = if joined.is_empty() { first } else { Bytes::from(joined) };
    Ok((bytes, share))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use hyper::body::Frame;

    use super::*;

    /// A body of some pieces. It never ends if `ends` is false.
    struct Pieces {
        left: Vec<&'static str>,
        ends: bool,
    }

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.left.is_empty() {
                return if self.ends { Poll::Ready(None) } else { Poll::Pending };
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.left.remove(0).as_bytes())))))
        }
    }

    fn pieces(left: &[&'static str], ends: bool) -> Body {
        Body::new(Pieces { left: left.to_vec(), ends })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_joined_and_memory_is_freed() {
        let budget = Arc::new(Budget::new(10));
        for (left, expected) in [(&[][..], ""), (&["one"], "one"), (&["a", "", "b", "cd"], "abcd")] {
            let (bytes, share) = read(pieces(left, true), 10, soon(), &budget).await.unwrap();
            assert_eq!(bytes, expected);
            assert_eq!(budget.used.load(Ordering::Relaxed), expected.len());
            drop(share);
            assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_bound_has_its_error() {
        let budget = Arc::new(Budget::new(10));
        let large = Body::from("12345678");
        assert_eq!(read(large, 7, soon(), &budget).await.unwrap_err(), BodyError::TooLarge, "by its announced length");
        let large = pieces(&["1234", "5678"], true);
        assert_eq!(read(large, 7, soon(), &budget).await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(read(pieces(&["1"], false), 7, soon(), &budget).await.unwrap_err(), BodyError::TooSlow);
        let (_, _share) = read(pieces(&["123456"], true), 7, soon(), &budget).await.unwrap();
        assert_eq!(read(pieces(&["12345"], true), 7, soon(), &budget).await.unwrap_err(), BodyError::NoMemory);
        assert!(read(pieces(&["1234"], true), 7, soon(), &budget).await.is_ok(), "a failed read frees its memory");
    }

    #[tokio::test(start_paused = true)]
    async fn share_grows_to_a_larger_event() {
        let budget = Arc::new(Budget::new(10));
        let (_, mut share) = read(pieces(&["123"], true), 7, soon(), &budget).await.unwrap();
        for (bytes, used) in [(2, 3), (8, 8), (5, 8), (20, 20)] {
            share.cover(bytes);
            assert_eq!(budget.used.load(Ordering::Relaxed), used);
        }
        drop(share);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
