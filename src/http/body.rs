//! Reads the body of a request within limits: its size, its time, and the memory of all bodies together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::address_group::AddressGroup;
use super::body_shares::{BodyShares, NoShare, UnfinishedBody};

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The body is larger than allowed.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body ends early, or its chunks are malformed.
    Broken,
    /// Other bodies needed the memory of this one.
    Displaced,
    /// All bodies together are larger than allowed.
    NoMemory,
}

impl From<NoShare> for BodyError {
    fn from(error: NoShare) -> BodyError {
        match error {
            NoShare::Displaced => BodyError::Displaced,
            NoShare::NoMemory => BodyError::NoMemory,
        }
    }
}

/// The memory that all bodies in flight may take.
#[derive(Debug)]
pub struct BodyBudget {
    shares: Mutex<BodyShares<Arc<Notify>>>,
    body_bytes_max: AtomicUsize,
}

/// The part of the budget that a whole body, or its event, takes. Dropping it frees that part.
#[derive(Debug)]
pub struct BodyShare {
    budget: Arc<BodyBudget>,
    bytes: usize,
}

/// An unfinished body: the bytes that have arrived, and the memory that they take. A client reserves nothing by
/// announcing a large body. Dropping it frees its memory.
struct Reading {
    budget: Arc<BodyBudget>,
    body: UnfinishedBody,
    joined: Vec<u8>,
    bytes_max: usize,
    displaced: Arc<Notify>,
}

impl BodyBudget {
    /// A budget of `bytes_max` for bodies of at most `body_bytes_max` each.
    pub fn new(bytes_max: usize, body_bytes_max: usize) -> BodyBudget {
        let shares = Mutex::new(BodyShares::new(bytes_max, body_bytes_max));
        BodyBudget { shares, body_bytes_max: AtomicUsize::new(body_bytes_max) }
    }

    /// Keeps to other limits from now on. Bodies that have memory keep it.
    pub fn set_limits(&self, bytes_max: usize, body_bytes_max: usize) {
        self.lock().set_limits(bytes_max, body_bytes_max);
        self.body_bytes_max.store(body_bytes_max, Ordering::Relaxed);
    }

    fn body_bytes_max(&self) -> usize {
        self.body_bytes_max.load(Ordering::Relaxed)
    }

    /// Returns how much memory the bodies take now, in bytes.
    pub fn used_bytes(&self) -> usize {
        self.lock().used()
    }

    /// Takes memory for a whole body.
    fn take(self: &Arc<BodyBudget>, bytes: usize) -> Result<BodyShare, BodyError> {
        self.displacing(|shares, displaced| shares.take(bytes, displaced))?;
        Ok(BodyShare { budget: Arc::clone(self), bytes })
    }

    fn begin(self: &Arc<BodyBudget>, sender: AddressGroup, bytes_max: usize) -> Reading {
        let displaced = Arc::new(Notify::new());
        let body = self.lock().begin(sender, Arc::clone(&displaced));
        Reading { budget: Arc::clone(self), body, joined: Vec::new(), bytes_max, displaced }
    }

    /// Changes the shares, and wakes the readers of displaced bodies. Their memory counts as free at once, and they drop
    /// it when they run.
    fn displacing(
        &self,
        change: impl FnOnce(&mut BodyShares<Arc<Notify>>, &mut Vec<Arc<Notify>>) -> Result<(), NoShare>,
    ) -> Result<(), BodyError> {
        let mut displaced = Vec::new();
        let changed = change(&mut self.lock(), &mut displaced);
        for reader in displaced {
            reader.notify_one();
        }
        Ok(changed?)
    }

    fn lock(&self) -> MutexGuard<'_, BodyShares<Arc<Notify>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyShare {
    /// Grows to at least `bytes`, the size of the event that was made of the body. This never fails: the body was
    /// admitted, so the next body has to wait.
    pub fn cover(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.bytes += more;
            self.budget.lock().take_more(more);
        }
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.budget.lock().give_back(self.bytes);
    }
}

impl Reading {
    /// Adds bytes that arrived. It copies them, because a piece of hyper's buffer would keep all of that buffer.
    fn append(&mut self, data: &[u8]) -> Result<(), BodyError> {
        let needed = self.joined.len() + data.len();
        let bytes_max = self.bytes_max;
        if needed > bytes_max {
            return Err(BodyError::TooLarge);
        }
        if needed > self.joined.capacity() {
            // The vector is what is held, so its capacity counts.
            let capacity = needed.max((self.joined.capacity() * 2).min(bytes_max));
            let more = capacity - self.body.bytes();
            let (budget, body) = (&self.budget, &mut self.body);
            budget.displacing(|shares, displaced| shares.grow(body, more, displaced))?;
            self.joined.reserve_exact(capacity - self.joined.len());
        }
        self.joined.extend_from_slice(data);
        Ok(())
    }

    /// Returns the whole body, and the memory that it takes.
    fn finish(mut self) -> (Bytes, BodyShare) {
        let bytes = self.budget.lock().finish(&self.body);
        (Bytes::from(std::mem::take(&mut self.joined)), BodyShare { budget: Arc::clone(&self.budget), bytes })
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut shares = self.budget.lock();
        let bytes = shares.finish(&self.body);
        shares.give_back(bytes);
    }
}

/// Reads a body. Keep the share as long as the bytes. `sender` finds out who sends it, which only a body in several pieces needs.
///
/// # Errors
/// The first limit that the body exceeds. The rest of the body then stays unread.
pub async fn read_body(
    body: Body,
    sender: impl FnOnce() -> AddressGroup,
    deadline: Instant,
    budget: &Arc<BodyBudget>,
) -> Result<(Bytes, BodyShare), BodyError> {
    // `Content-Length` announces it, so nothing has to be read or reserved.
    let bytes_max = budget.body_bytes_max();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    // The timer is registered only if the first poll finds the body incomplete.
    match timeout_at(deadline, collect(body, sender, budget, bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(
    mut body: Body,
    sender: impl FnOnce() -> AddressGroup,
    budget: &Arc<BodyBudget>,
    bytes_max: usize,
) -> Result<(Bytes, BodyShare), BodyError> {
    let Some(first) = next_data(&mut body).await? else { return Ok((Bytes::new(), budget.take(0)?)) };
    // Most bodies arrive in one piece, which is used without a copy. With `Content-Length` the end is known at once.
    if body.is_end_stream() && first.len() <= bytes_max {
        let share = budget.take(first.len())?;
        return Ok((first, share));
    }
    let mut reading = budget.begin(sender(), bytes_max);
    reading.append(&first)?;
    drop(first);
    while !body.is_end_stream() {
        let data = tokio::select! {
            biased;
            () = reading.displaced.notified() => return Err(BodyError::Displaced),
            data = next_data(&mut body) => data?,
        };
        let Some(data) = data else { break };
        reading.append(&data)?;
    }
    // A body that was displaced while its last bytes arrived is whole, and only its memory is uncounted.
    Ok(reading.finish())
}

/// Returns the next bytes of a body; `None` at its end. Trailers carry nothing that livehook reads.
async fn next_data(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};
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

    fn sender(last: u8) -> impl FnOnce() -> AddressGroup {
        move || AddressGroup::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_joined_and_memory_is_freed() {
        let budget = Arc::new(BodyBudget::new(10, 10));
        for (left, expected) in [(&[][..], ""), (&["one"], "one"), (&["a", "", "b", "cd"], "abcd")] {
            let (bytes, share) = read_body(pieces(left, true), sender(1), soon(), &budget).await.unwrap();
            assert_eq!(bytes, expected);
            assert_eq!(budget.lock().used(), expected.len());
            drop(share);
            assert_eq!(budget.lock().used(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_bound_has_its_error() {
        let budget = Arc::new(BodyBudget::new(10, 7));
        let large = Body::from("12345678");
        assert_eq!(
            read_body(large, sender(1), soon(), &budget).await.unwrap_err(),
            BodyError::TooLarge,
            "by its announced length"
        );
        let large = pieces(&["1234", "5678"], true);
        assert_eq!(read_body(large, sender(1), soon(), &budget).await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(read_body(pieces(&["1"], false), sender(1), soon(), &budget).await.unwrap_err(), BodyError::TooSlow);
        let (_, _share) = read_body(pieces(&["123456"], true), sender(1), soon(), &budget).await.unwrap();
        assert_eq!(
            read_body(pieces(&["12345"], true), sender(1), soon(), &budget).await.unwrap_err(),
            BodyError::NoMemory
        );
        assert!(
            read_body(pieces(&["1234"], true), sender(1), soon(), &budget).await.is_ok(),
            "a failed read frees its memory"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn unfinished_body_makes_room() {
        let budget = Arc::new(BodyBudget::new(10, 10));
        let unfinished = read_body(pieces(&["123", "456"], false), sender(1), soon(), &budget);
        let genuine = async {
            // The other reader is polled first, and now waits.
            assert_eq!(budget.lock().used(), 6);
            read_body(pieces(&["12345"], true), sender(2), soon(), &budget).await.map(|(bytes, _)| bytes)
        };
        let (unfinished, genuine) = tokio::join!(biased; unfinished, genuine);
        assert_eq!((unfinished.unwrap_err(), genuine), (BodyError::Displaced, Ok(Bytes::from("12345"))));
        assert_eq!(budget.lock().used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn share_grows_to_a_larger_event() {
        let budget = Arc::new(BodyBudget::new(10, 10));
        let (_, mut share) = read_body(pieces(&["123"], true), sender(1), soon(), &budget).await.unwrap();
        for (bytes, used) in [(2, 3), (8, 8), (5, 8), (20, 20)] {
            share.cover(bytes);
            assert_eq!(budget.lock().used(), used);
        }
        drop(share);
        assert_eq!(budget.lock().used(), 0);
    }
}
