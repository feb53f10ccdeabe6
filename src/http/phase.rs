//! The phases of a connection, and which of them make place for a new connection first.

use std::time::Duration;

/// A connection that entered its phase less than this ago counts as recent: its client may be about to send the rest.
const RECENT: Duration = Duration::from_secs(1);

/// An answer that makes no progress for this long is unread. The system takes a small answer at once, whatever the
/// client does, so only a client that leaves many answers unread gets here.
const UNREAD: Duration = Duration::from_millis(100);

/// The phase of a connection, in the order in which a request passes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Accepted, and no byte has arrived.
    Accepted = 0,
    /// Between requests.
    Idle = 1,
    /// The head of a request has begun to arrive.
    ReadingHead = 2,
    /// The body of a request is arriving. Its handler limits the time for it.
    ReadingBody = 3,
    /// The handler has the whole request, and limits the time of its answer.
    Handling = 4,
    /// The answer is being written, and the client must read it.
    WritingAnswer = 5,
    /// The client has read the answer so far, and the handler will add more, as the feed of the API does.
    AwaitingMore = 6,
    /// The last answer was given, and the client has to close its side.
    Closing = 7,
    /// The client of a port with TLS has to finish its handshake. It comes before all others.
    Handshaking = 8,
}

/// How soon a connection makes place for a new one: the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// The client has not sent, read or closed in time.
    Stuck,
    /// The client was answered, and keeps the connection for its next request.
    Idle,
    /// The client has done something a moment ago.
    Recent,
}

impl Phase {
    /// Returns how soon a connection makes place that has made no progress in this phase for `age`. `None` if it must
    /// stay, because the handler works for it or its answer is on its way.
    pub(super) fn standing(self, age: Duration) -> Option<Standing> {
        match self {
            Phase::Handling | Phase::AwaitingMore => None,
            Phase::WritingAnswer => (age >= UNREAD).then_some(Standing::Stuck),
            Phase::Closing => Some(Standing::Stuck),
            _ if age < RECENT => Some(Standing::Recent),
            Phase::Idle => Some(Standing::Idle),
            Phase::Accepted | Phase::ReadingHead | Phase::ReadingBody | Phase::Handshaking => Some(Standing::Stuck),
        }
    }
}

impl From<u8> for Phase {
    fn from(number: u8) -> Phase {
        match number {
            0 => Phase::Accepted,
            1 => Phase::Idle,
            2 => Phase::ReadingHead,
            3 => Phase::ReadingBody,
            4 => Phase::Handling,
            5 => Phase::WritingAnswer,
            6 => Phase::AwaitingMore,
            7 => Phase::Closing,
            _ => Phase::Handshaking,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 9] = [
        Phase::Accepted,
        Phase::Idle,
        Phase::ReadingHead,
        Phase::ReadingBody,
        Phase::Handling,
        Phase::WritingAnswer,
        Phase::AwaitingMore,
        Phase::Closing,
        Phase::Handshaking,
    ];

    #[test]
    fn standing_depends_on_phase_and_age() {
        use Standing::{Idle, Recent, Stuck};
        let standings = |age_ms| PHASES.map(|phase| phase.standing(Duration::from_millis(age_ms)));
        let recent = Some(Recent);
        assert_eq!(standings(0), [recent, recent, recent, recent, None, None, None, Some(Stuck), recent]);
        assert_eq!(standings(999), [recent, recent, recent, recent, None, Some(Stuck), None, Some(Stuck), recent]);
        let stuck = Some(Stuck);
        assert_eq!(standings(1000), [stuck, Some(Idle), stuck, stuck, None, stuck, None, stuck, stuck]);
        assert!(Stuck < Idle && Idle < Recent);
    }

    #[test]
    fn phase_has_a_number() {
        assert_eq!(PHASES.map(|phase| Phase::from(phase as u8)), PHASES);
    }
}
