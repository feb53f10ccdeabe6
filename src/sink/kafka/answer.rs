//! Says whether an error concerns the events of a request, or every event.

use rskafka::client::error::{Error, ProtocolError};

/// Whether the brokers refuse these events for good. If there are several, only some of them may be at fault.
pub(super) fn is_permanent(error: &Error) -> bool {
    let Error::ServerError { protocol_error, .. } = error else { return false };
    matches!(
        protocol_error,
        ProtocolError::MessageTooLarge
            | ProtocolError::RecordListTooLarge
            | ProtocolError::InvalidRecord
            | ProtocolError::InvalidTimestamp
    )
}
