//! Says what to do about an error of an AMQP server.

/// Returns the cure for an error by a part of its text; `None` if the text of the server says enough.
pub(super) fn cure(error: &str) -> Option<&'static str> {
    let cures = [
        ("no exchange", "create the exchange, or set `declare`"),
        ("no queue", "create the queue that `routing_key` names"),
        (
            "inequivalent arg",
            "the exchange exists with other settings: leave `declare` out, or choose another `exchange`",
        ),
        ("ACCESS_REFUSED - access to", "let the user configure, write and read the exchange"),
        (
            "ACCESS_REFUSED",
            "correct `user` and the password, and let the user use the virtual host in the path of `url`",
        ),
        ("vhost", "correct the path of `url`: it names the virtual host"),
        ("NOT_ALLOWED", "let the user use the virtual host in the path of `url`"),
        ("alarm", "free memory or disk space of the server, or raise its limits"),
    ];
    cures.into_iter().find(|(part, _)| error.contains(part)).map(|(_, cure)| cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_a_person_can_mend_have_a_cure() {
        for error in ["NOT_FOUND - no exchange 'livehook' in vhost '/'", "ACCESS_REFUSED - Login was refused"] {
            assert!(cure(error).is_some(), "{error}");
        }
        assert_eq!(cure("CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"), None);
    }
}
