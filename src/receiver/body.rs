//! Reads the body of a request within bounds: its size, its time, and the memory of all bodies together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::timeout_at;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// It broke off, or its chunks are malformed.
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

/// What one body takes of it, given back on drop. It grows as bytes arrive: announcing a large body reserves nothing.
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
        let used = self.budget.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.budget.bytes_max { Err(BodyError::NoMemory) } else { Ok(()) }
    }

    /// Makes it at least so many bytes, for what was made of the body. That is never too much: the body was let in, and
    /// it is the next one that has to wait.
    pub(super) fn cover(&mut self, bytes: usize) {
        let _ = self.grow(bytes.saturating_sub(self.bytes));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body of at most `bytes_max` bytes. The share is to be kept as long as the bytes.
///
/// # Errors
/// The first bound that is passed. What is left of the body is then unread.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    deadline: Instant,
    budget: &Arc<Budget>,
) -> Result<(Bytes, Share), BodyError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    // The timer is registered only if the first poll finds the body incomplete.
    match timeout_at(deadline.into(), collect(body, bytes_max, budget)).await {
        Ok(read) => read,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(mut body: Body, bytes_max: usize, budget: &Arc<Budget>) -> Result<(Bytes, Share), BodyError> {
    let mut share = budget.share();
    // Most bodies arrive in one piece, which is then used as it is.
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
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

    use axum::body::Body;
    use hyper::body::Frame;

    use super::*;

    /// A body of given pieces that never ends where `ends` is false.
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
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn pieces_are_joined_and_memory_is_given_back() {
        let budget = Arc::new(Budget::new(10));
        for (left, expected) in [(&[][..], ""), (&["one"], "one"), (&["a", "", "b", "cd"], "abcd")] {
            let (bytes, share) = read(pieces(left, true), 10, soon(), &budget).await.unwrap();
            assert_eq!(bytes, expected);
            assert_eq!(budget.used.load(Ordering::Relaxed), expected.len());
            drop(share);
            assert_eq!(budget.used.load(Ordering::Relaxed), 0);
        }
    }

    #[tokio::test]
    async fn each_bound_has_its_error() {
        let budget = Arc::new(Budget::new(10));
        let large = Body::from("12345678");
        assert_eq!(read(large, 7, soon(), &budget).await.unwrap_err(), BodyError::TooLarge, "by its announced length");
        let large = pieces(&["1234", "5678"], true);
        assert_eq!(read(large, 7, soon(), &budget).await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(read(pieces(&["1"], false), 7, soon(), &budget).await.unwrap_err(), BodyError::TooSlow);
        let (_, _share) = read(pieces(&["123456"], true), 7, soon(), &budget).await.unwrap();
        assert_eq!(read(pieces(&["12345"], true), 7, soon(), &budget).await.unwrap_err(), BodyError::NoMemory);
        assert!(read(pieces(&["1234"], true), 7, soon(), &budget).await.is_ok(), "what failed has been given back");
    }

    #[tokio::test]
    async fn what_is_made_of_a_body_counts_if_it_is_larger() {
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
