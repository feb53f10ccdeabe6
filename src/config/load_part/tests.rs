use std::path::Path;

use crate::config::testing::World;
use crate::config::{Config, DATA_DIR_DEFAULT};

#[test]
fn admin_address_is_found_despite_mistakes() {
    let listen = |given: &World| {
        let admin = Config::find_admin_listener(None, given);
        admin.map(|admin| admin.listen.to_string()).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(listen(&World::default()), Ok("127.0.0.1:9090".to_owned()));
    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let given = given.file("a.toml", "unknown = 1\n[admin]\ntoken = \"\"\nlisten = \"0.0.0.0:9191\"");
    assert_eq!(listen(&given), Ok("0.0.0.0:9191".to_owned()));
    let given = given.variable("LIVEHOOK_ADMIN_LISTEN", "[::1]:9292");
    assert_eq!(listen(&given), Ok("[::1]:9292".to_owned()));
    let message = listen(&given.variable("LIVEHOOK_ADMIN_LISTEN", "9090")).unwrap_err();
    assert!(message.contains("LIVEHOOK_ADMIN_LISTEN"), "{message}");
    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml").file("a.toml", r#"admin.listen = "x""#);
    let message = listen(&given).unwrap_err();
    assert!(message.contains(r#"admin.listen = "x""#), "{message}");
}

#[test]
fn data_dir_is_found_despite_mistakes() {
    let data = |flag: Option<&str>, given: &World| {
        let found = Config::find_data(None, flag.map(Path::new), given).map_err(|mistakes| mistakes.to_string())?;
        Ok::<_, String>((found.data_dir.display().to_string(), found.index.map(|index| index.bridge_gap_secs)))
    };
    assert_eq!(data(None, &World::default()), Ok((DATA_DIR_DEFAULT.to_owned(), None)));
    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let of_file = given.file("a.toml", "unknown = 1\ndata_dir = \"d\"\n[index]\nbridge_gap_secs = 5");
    assert_eq!(data(None, &of_file), Ok(("d".to_owned(), Some(5))));
    assert_eq!(data(Some("e"), &of_file), Ok(("e".to_owned(), Some(5))));
    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let message = data(None, &given.file("a.toml", "[index]\nbridge_gap_secs = \"x\"\nbridge_gap = 5")).unwrap_err();
    assert!(message.contains("index.bridge_gap_secs") && message.contains("index.bridge_gap: "), "{message}");
}

#[test]
fn token_is_found_and_never_shown() {
    let admin = |given: &World| Config::find_admin(None, given).map_err(|mistakes| mistakes.to_string());
    assert_eq!(admin(&World::default()).unwrap().token, None);
    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml");
    let of_file = given.file("a.toml", "unknown = 1\n[admin]\nlisten = \"127.0.0.1:5\"\ntoken = \"hunter22\"");
    let found = admin(&of_file).unwrap();
    assert!(found.token.as_ref().unwrap().matches(b"hunter22") && found.listen.port() == 5);
    assert!(!format!("{found:?}").contains("hunter22"));
    let of_variable = of_file.variable("LIVEHOOK_ADMIN_TOKEN", "of-the-variable");
    assert!(admin(&of_variable).unwrap().token.unwrap().matches(b"of-the-variable"));

    let given = World::default().variable("LIVEHOOK_CONFIG", "a.toml").file("a.toml", r#"admin.token_file = "./t""#);
    assert!(admin(&given).unwrap_err().contains(r#"admin.token_file = "./t": cannot be read"#));
    assert!(admin(&given.file("./t", "hunter22\n")).unwrap().token.unwrap().matches(b"hunter22"));
    let given = World::default().variable("LIVEHOOK_ADMIN_TOKEN", "hunter22 spaced");
    let message = admin(&given).unwrap_err();
    assert!(message.contains("token") && !message.contains("hunter22"), "{message}");
}
