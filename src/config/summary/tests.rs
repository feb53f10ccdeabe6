use super::Summary;
use crate::config::testing::load;

#[test]
fn summary_shows_every_destination() {
    let config = load(
        r#"
        [receiver]
        health_path = "/up"
        [admin]
        token = "abc"
        [[sinks]]
        name = "archive"
        type = "file"
        path = "events.jsonl"
        filter = { types = ["push", 0], domains = ["*.A.com"], streams = ["room-*"] }
        [[sinks]]
        name = "out"
        type = "log"
        "#,
    );
    insta::assert_snapshot!(Summary(&config.unwrap()), @"
    receiver        http://[::]:8080/callback
    health          http://[::]:8080/up
    admin           http://127.0.0.1:9090, this machine only, the token is required to change data
    data directory  livehook-data
    callback keys   1
    key 7cfd4dc1    every domain
    sink archive    file to events.jsonl, types push, stop; domains *.a.com; streams room-*
    sink out        log, every event
    ");
}

#[test]
fn missing_token_is_shown() {
    let summary = Summary(&load("").unwrap()).to_string();
    assert!(summary.contains("this machine only, no token is set: nothing can be changed here"), "{summary}");
}

#[test]
fn public_admin_address_needs_the_token() {
    let config = load("[admin]\nlisten = \"0.0.0.0:9090\"\ntoken = \"sixteen-letters!\"").unwrap();
    let summary = Summary(&config).to_string();
    assert!(summary.contains("http://0.0.0.0:9090, other machines too, the token is required"), "{summary}");
}
