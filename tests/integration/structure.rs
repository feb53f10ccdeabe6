//! The rules of the source's structure that no compiler checks.

use std::path::{Path, PathBuf};

/// The modules, top first. One may use those of the lines below its own, and never one beside or above it.
const LAYERS: [&[&str]; 10] = [
    &["cli"],
    &["app"],
    &["config"],
    &["server"],
    &["delivery"],
    &["sink", "index"],
    &["journal"],
    &["telemetry"],
    &["session"],
    &["callback", "moment", "directory", "http_client", "printable"],
];

const LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 30;

/// Every source file by its path below `src`, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut directories, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn is_for_tests(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.ends_with("_tests.rs") || name.ends_with("tests.rs") || name.ends_with("example.rs")
}

/// The module of the crate's root that a file belongs to; none for the roots themselves.
fn module_of(path: &Path) -> Option<&str> {
    let name = path.iter().next().unwrap().to_str().unwrap();
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (!matches!(name, "lib" | "main")).then_some(name)
}

fn layer_of(module: &str) -> usize {
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    layer.unwrap_or_else(|| panic!("`{module}` has no layer: give it one here"))
}

/// The code of a file, without its comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The modules of the crate's root that some code names.
fn used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    let is_name = |character: char| character == '_' || character.is_ascii_alphanumeric();
    for (at, prefix) in code.match_indices("crate::") {
        if code[..at].ends_with(is_name) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        assert!(!rest.starts_with('{'), "write one `use` for each module");
        used.push(rest.chars().take_while(|character| is_name(*character)).collect());
    }
    used
}

#[test]
fn uses_are_found_where_they_are() {
    let text = "use crate::journal::{self, Offset};\n    let x = crate::sink::file::Options::at(\"a\");\n// crate::cli\nmycrate::app::x";
    assert_eq!(used(&code(text)), ["journal", "sink"]);
}

#[test]
fn every_module_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        for other in used(&code(&text)) {
            count += 1;
            if other != module && layer_of(&other) <= layer_of(module) {
                wrong.push(format!("{}: `{module}` uses `{other}`", path.display()));
            }
        }
    }
    assert!(count > 50, "{count} uses were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_of_layers_is_the_one_that_is_checked() {
    let page = include_str!("../../ARCHITECTURE.md");
    let (_, section) = page.split_once("\n## Layers\n").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let first_cells = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').nth(1).unwrap());
    let names = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let told: Vec<&str> = names.map(|name| name.trim_end_matches('/').trim_end_matches(".rs")).collect();
    let checked: Vec<&str> = std::iter::once("main").chain(LAYERS.concat()).collect();
    assert_eq!(told, checked);
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources() {
        let most = if path == Path::new("main.rs") { MAIN_LINES_MAX } else { LINES_MAX };
        let count = text.lines().count();
        assert!(is_for_tests(&path) || count <= most, "{}: {count} lines, and {most} is the most", path.display());
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for (path, text) in sources() {
        assert!(is_for_tests(&path) || text.starts_with("//! "), "{} does not begin with `//! `", path.display());
    }
}

#[test]
fn only_the_command_line_prints() {
    for (path, text) in sources() {
        let prints = code(&text).lines().any(|line| {
            ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("].iter().any(|print| line.contains(print))
        });
        assert!(!prints || is_for_tests(&path) || module_of(&path) == Some("cli"), "{} prints", path.display());
    }
}
