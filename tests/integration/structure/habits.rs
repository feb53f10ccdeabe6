//! Habits of the tests, and of code that reads the time.

use std::path::{Path, PathBuf};

use super::arrows::code_of;
use super::sources;

/// The longest name of a test.
const NAME_CHARACTERS_MAX: usize = 60;

/// Every Rust file below a folder, with its text.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files
}

fn all_files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["src", "tests"].iter().flat_map(|folder| files(&root.join(folder))).collect()
}

#[test]
fn test_names_are_short() {
    let mut count = 0;
    for (path, text) in all_files() {
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
                continue;
            }
            let declared = lines.by_ref().find_map(|line| line.trim_start_matches("async ").strip_prefix("fn "));
            let name = declared.and_then(|rest| rest.split('(').next()).unwrap();
            let length = name.chars().count();
            assert!(length <= NAME_CHARACTERS_MAX, "{}: `{name}` has {length} characters", path.display());
            count += 1;
        }
    }
    assert!(count > 500, "{count} tests were found");
}

/// `cargo test` prints these reasons, so a reader learns what it left out and how to run it.
#[test]
fn skipped_tests_say_what_runs_them() {
    let mut count = 0;
    for (path, text) in all_files() {
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("#[ignore")) {
            assert!(line.ends_with(": run by tests/run\"]"), "{}: {line}", path.display());
            count += 1;
        }
    }
    assert!(count > 5, "{count} tests are skipped");
}

/// A part that asks the system for the time can't be tested at another time. Commands may: they end at once.
#[test]
fn only_the_clock_reads_the_time() {
    for source in sources().iter().filter(|source| !source.is_for_tests()) {
        let may = source.name == "clock.rs" || source.room().as_deref() == Some("cli");
        let code = code_of(&source.text);
        let is_reading =
            ["Timestamp::now()", "SystemTime::now()", "Zoned::now()"].iter().any(|call| code.contains(call));
        assert!(may || !is_reading, "{} reads the time of the system: pass it a `Clock`", source.name);
    }
}
