//! What the documents say about this repository.

use std::path::{Path, PathBuf};

/// The text of every Rust file below a folder of the repository.
fn sources(folder: &str) -> String {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// If you rename a test, rename it in docs/guarantees.md too: the page is worth no more than its proofs.
#[test]
fn guarantees_name_existing_tests() {
    let page = include_str!("../../docs/guarantees.md");
    let sources = sources("src") + &sources("tests");
    let mut count = 0;
    for paragraph in page.split("\n\n").filter_map(|paragraph| paragraph.strip_prefix("**Tests.** ")) {
        for name in paragraph.split('`').skip(1).step_by(2) {
            assert!(
                sources.contains(&format!("fn {name}(")),
                "docs/guarantees.md names `{name}`: there is no such test"
            );
            count += 1;
        }
    }
    let promises = page.matches("\n**Promise.** ").count();
    assert_eq!(promises, page.matches("\n**Limit.** ").count(), "each promise has its limit");
    assert!(promises > 5 && count > promises, "{count} tests for {promises} promises");
}
