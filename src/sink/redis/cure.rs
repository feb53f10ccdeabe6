//! Says what to do about an error of a Redis server.

const LOGIN: &str = "the server wants a login: set `password_file`, and `user` if it has an ACL";

const PERMISSIONS: &str = "let the ACL of the user allow EVALSHA, SCRIPT LOAD and the commands on these keys";

/// Returns the cure for an error by its beginning; `None` if the text of the server says enough.
pub(super) fn cure(error: &str) -> Option<&'static str> {
    let cures = [
        ("NOAUTH", LOGIN),
        // Without a login, Redis refuses a long command before it looks at it.
        ("ERR Protocol error: unauthenticated", LOGIN),
        ("WRONGPASS", "correct `user` and the password"),
        ("NOPERM", PERMISSIONS),
        // Redis reports a command inside a script in other words.
        ("ERR The user executing the script", PERMISSIONS),
        ("ACL failure in script", PERMISSIONS),
        ("WRONGTYPE", "the key holds something else: choose another `stream` or `prefix`, or remove the key"),
        ("OOM", "the server has reached maxmemory: raise it, or set `maxlen`"),
        ("READONLY", "the server is a replica: let `url` name the primary"),
        ("MOVED", "the server is a node of a cluster: let `url` name the node that has this key"),
        (
            "CROSSSLOT",
            "the keys are on several nodes of a cluster: put a hash tag into `prefix`, such as \"{livehook}:\"",
        ),
    ];
    cures.into_iter().find(|(beginning, _)| error.starts_with(beginning)).map(|(_, cure)| cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_a_person_can_mend_have_a_cure() {
        for error in ["NOAUTH Authentication required.", "ERR The user executing the script can't run this command"] {
            assert!(cure(error).is_some(), "{error}");
        }
        assert_eq!(cure("LOADING Redis is loading the dataset in memory"), None);
    }
}
