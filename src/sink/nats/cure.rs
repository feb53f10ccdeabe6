//! Says what to do about an error of a NATS server.

/// Returns the cure for an error by a part of its text; `None` if the text of the server says enough.
pub(super) fn cure(error: &str) -> Option<&'static str> {
    let cures = [
        (
            "authorization violation",
            "correct the login (`user` and `password_file`, `credentials_file`, or `nkey_file`), or renew it if it has expired",
        ),
        ("Permissions Violation", "let the user publish to the subjects of `subject`, and subscribe to _INBOX.>"),
        ("account authentication expired", "renew the credentials"),
        ("error code 10060", "another stream takes the subject: correct `stream` or `subject`"),
        ("error code 10077", "the stream is full: raise its limits, or let it discard old messages"),
        ("error code 10047", "the storage of the server is used up: add some, or raise the limit of the account"),
        ("error code 10023", "the server lacks resources: raise the limits of JetStream"),
        ("error code 10002", "the account has reached its limits: raise them"),
        ("error code 10109", "the stream is sealed: let `stream` name another one"),
        ("error code 10065", "another stream takes some of these subjects: correct `subject`, or use that stream"),
        ("error code 10039", "enable JetStream for the account"),
        ("error code 10076", "enable JetStream on the server: run it with -js"),
    ];
    cures.into_iter().find(|(part, _)| error.contains(part)).map(|(_, cure)| cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_a_person_can_mend_have_a_cure() {
        for error in
            ["Permissions Violation for Publish to \"a\"", "maximum bytes exceeded (code 503, error code 10077)"]
        {
            assert!(cure(error).is_some(), "{error}");
        }
        assert_eq!(cure("JetStream system temporarily unavailable (code 503, error code 10008)"), None);
    }
}
