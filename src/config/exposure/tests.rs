use crate::config::testing::World;

const FILE: &str = "; let only livehook's user read it (`chmod 600`), in a directory that other users can't change";

fn world() -> World {
    World::default().file("k", "sixteen-letters!")
}

#[test]
fn exposed_secret_file_warns() {
    let text = "receiver.keys_file = \"k\"";
    for (given, danger) in [
        (world().permissions("/current/k", 0o640), None),
        (world().permissions("/current/k", 0o644), Some("read")),
        (world().permissions("/current/k", 0o602), Some("change")),
        // Nobody else can enter the directory.
        (world().permissions("/current/k", 0o666).permissions("/current", 0o700), None),
        // Whoever can rename the file or its directory can replace it, unless the directory is sticky.
        (world().permissions("/current/k", 0o600).permissions("/current", 0o777), Some("change")),
        (world().permissions("/current/k", 0o600).permissions("/", 0o777), Some("change")),
        (world().permissions("/current/k", 0o600).permissions("/current", 0o1777), None),
    ] {
        let warnings = given.load(text).unwrap().warnings;
        let expected = danger
            .map(|danger| format!("receiver.keys_file: other users of this machine can {danger} the file k{FILE}"));
        assert_eq!(warnings, Vec::from_iter(expected));
    }
}

#[test]
fn exposed_files_of_all_sources_warn() {
    let given = world()
        .permissions("/current/k", 0o644)
        .file("w", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .permissions("/current/w", 0o644)
        .variable("LIVEHOOK_KEYS_FILE", "k");
    let text = "admin.token_file = \"k\"\n[[sinks]]\nname = \"a\"\ntype = \"http\"\nurl = \"https://b\"\nsecrets_file = \"w\"\nbearer_token_file = \"w\"";
    let warnings = given.load(text).unwrap().warnings;
    let sources: Vec<&str> =
        warnings.iter().filter_map(|warning| Some(warning.split_once(": other users")?.0)).collect();
    assert_eq!(
        sources,
        ["admin.token_file", "LIVEHOOK_KEYS_FILE", "sinks[0].secrets_file", "sinks[0].bearer_token_file"]
    );
}

#[test]
fn exposed_configuration_warns() {
    let warnings = |mode: u32, text: &str| {
        World::with_key().file("a.toml", text).permissions("/current/a.toml", mode).load(text).unwrap().warnings
    };
    let secret = "receiver.keys = [\"another-key-of-letters\"]";
    assert_eq!(warnings(0o600, secret), [""; 0]);
    assert_eq!(warnings(0o644, ""), [""; 0]);
    let read = format!("the configuration: other users of this machine can read the file a.toml{FILE}");
    assert_eq!(warnings(0o644, secret), [read]);
    let change = format!("the configuration: other users of this machine can change the file a.toml{FILE}");
    assert_eq!(warnings(0o602, ""), [change]);
}

#[test]
fn exposed_data_directory_warns() {
    let warnings = |mode: u32| World::with_key().permissions("/current/livehook-data", mode).load("").unwrap().warnings;
    assert_eq!(warnings(0o755), [""; 0]);
    assert_eq!(warnings(0o775), [""; 0]);
    let expected = "data_dir: other users of this machine can change the directory livehook-data, and so forge or remove events; let only livehook's user write to it (`chmod 700`), in a directory that other users can't change";
    assert_eq!(warnings(0o777), [expected]);
    assert_eq!(warnings(0o1777), [expected]);
}
