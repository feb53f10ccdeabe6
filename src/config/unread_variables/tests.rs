use crate::config::testing::{World, sink};

#[test]
fn unread_variable_is_named() {
    let http = sink("http", "url = \"https://b\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]");
    for (name, text, cure) in [
        ("LIVEHOOK_SINK_B_SECRETS", http.as_str(), Some("did you mean LIVEHOOK_SINK_A_SECRETS?")),
        ("LIVEHOOK_SINK_A_SECRET", &http, Some("did you mean LIVEHOOK_SINK_A_SECRETS?")),
        ("LIVEHOOK_SINK_SOMETHING_ELSE", &http, Some("no sink has this variable, so remove it")),
        ("LIVEHOOK_SINK_A_SECRETS", &http, None),
        // A sink of this type reads no secrets.
        ("LIVEHOOK_SINK_A_SECRETS", "", Some("no sink has this variable, so remove it")),
        ("LIVEHOOK_KEY", "", Some("did you mean LIVEHOOK_KEYS?")),
        ("LIVEHOOK_ADMIN_TOKENS", "", Some("did you mean LIVEHOOK_ADMIN_TOKEN?")),
        ("LIVEHOOK_\u{1b}KEYS", "", Some("did you mean LIVEHOOK_KEYS?")),
        ("LIVEHOOK_CONFIG", "", None),
        ("LIVEHOOK_TOKEN_FILE", "", Some("did you mean LIVEHOOK_ADMIN_TOKEN_FILE?")),
        ("LIVEHOOK_TOKEN", "", Some("did you mean LIVEHOOK_ADMIN_TOKEN?")),
        ("LIVEHOOK_RECEIVER_LISTEN", "", Some("did you mean LIVEHOOK_LISTEN?")),
        ("LIVEHOOK_RECEIVER_KEYS_FILE", "", Some("did you mean LIVEHOOK_KEYS_FILE?")),
        (
            "LIVEHOOK_JOURNAL_RETENTION_DAYS",
            "",
            Some("use the configuration file for a setting without a variable, or remove it"),
        ),
        ("LIVEHOOK_IMAGE_TAG", "", Some("use the configuration file for a setting without a variable, or remove it")),
        ("OTHER_KEY", "", None),
        ("LIVEHOOK_PORT", "", None),
        ("LIVEHOOK_SERVICE_PORT_HTTP", "", None),
        ("LIVEHOOK_SINK_SERVICE_HOST", "", None),
        ("LIVEHOOK_SINK_PORT_80_TCP_ADDR", "", None),
    ] {
        let warnings =
            World::with_key().variable(name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").load(text).unwrap().warnings;
        let expected = cure.map(|cure| format!("{}: livehook doesn't read this variable; {cure}", name.escape_debug()));
        assert_eq!(warnings, Vec::from_iter(expected), "{name}");
    }
}
