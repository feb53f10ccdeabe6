use std::path::Path;

use super::Overrides;
use crate::config::testing::{World, lines, load};
use crate::telemetry::{Format, Level};

#[test]
fn flags_override_variables_and_the_file() {
    let text = "data_dir = \"file\"\n[receiver]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:2\"\ntoken = \"file\"\n[log]\nlevel = \"error\"";
    let config = load(text).unwrap();
    assert_eq!(config.data_dir, Path::new("file"));
    assert_eq!(config.receiver.listen.port(), 1);
    assert_eq!(config.admin.listen.port(), 2);
    assert!(config.admin.token.unwrap().matches(b"file"));
    assert_eq!(config.log.level, Level::Error);

    let given = World::with_key()
        .variable("LIVEHOOK_DATA_DIR", "variable")
        .variable("LIVEHOOK_LISTEN", "127.0.0.1:3")
        .variable("LIVEHOOK_ADMIN_LISTEN", "127.0.0.1:4")
        .variable("LIVEHOOK_ADMIN_TOKEN", "variable")
        .variable("LIVEHOOK_LOG_LEVEL", "debug")
        .variable("LIVEHOOK_LOG_FORMAT", "json")
        .variable("LIVEHOOK_SERVICE_PORT", "tcp://10.0.0.1:80");
    let config = given.load(text).unwrap();
    assert_eq!(config.data_dir, Path::new("variable"));
    assert_eq!(config.receiver.listen.port(), 3);
    assert_eq!(config.admin.listen.port(), 4);
    assert!(config.admin.token.unwrap().matches(b"variable"));
    assert_eq!((config.log.level, config.log.format), (Level::Debug, Format::Json));

    let overrides = Overrides {
        data_dir: Some("flag".into()),
        listen: Some("127.0.0.1:5".to_owned()),
        admin_listen: Some("127.0.0.1:6".to_owned()),
        keys: Vec::new(),
        log_level: Some("trace".to_owned()),
        log_format: Some("text".to_owned()),
    };
    let config = given.load_with(text, &overrides).unwrap();
    assert_eq!(config.data_dir, Path::new("flag"));
    assert_eq!(config.receiver.listen.port(), 5);
    assert_eq!(config.admin.listen.port(), 6);
    assert_eq!((config.log.level, config.log.format), (Level::Trace, Format::Text));
}

#[test]
fn mistake_in_a_flag_names_the_flag() {
    let overrides = Overrides { admin_listen: Some("0.0.0.0:9".to_owned()), ..Overrides::default() };
    let given = World::with_key();
    let mistakes = given.load_with("[admin]\nlisten = \"127.0.0.1:9\"", &overrides).unwrap_err();
    let message = lines(&mistakes);
    assert!(message[0].starts_with("--admin-listen = 0.0.0.0:9: other machines can reach"), "{message:?}");
}
