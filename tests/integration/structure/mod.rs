//! The rules of the source's structure that no compiler checks.

mod arrows;
mod habits;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use arrows::{Crate, circles};

/// The modules, top first. A module may use those of the lines below its own, and never one next to it or above it.
const LAYERS: [&[&str]; 18] = [
    &["cli"],
    &["app"],
    &["config"],
    &["admin"],
    &["receiver"],
    &["history"],
    &["delivery"],
    &["sink"],
    &["index"],
    &["journal"],
    &["session"],
    &["storage"],
    &["http"],
    &["telemetry"],
    &["callback"],
    &["clock", "moment", "printable", "http_client"],
    &["tls"],
    &["byte_order_mark", "named_file"],
];

const LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 30;

/// A source file.
struct Source {
    /// Its path below `src`, with `/`.
    name: String,
    text: String,
}

impl Source {
    fn is_for_tests(&self) -> bool {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        file.ends_with("tests.rs") || matches!(file, "testing.rs" | "fixture.rs" | "example.rs")
    }

    /// The path of its module; empty for the roots.
    fn module(&self) -> Vec<String> {
        let path = self.name.trim_end_matches(".rs");
        let mut path: Vec<String> = path.split('/').map(str::to_owned).collect();
        if matches!(path.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            path.pop();
        }
        path
    }

    /// The module of the crate's root that it belongs to; none for the roots themselves.
    fn room(&self) -> Option<String> {
        self.module().into_iter().next()
    }
}

/// Every source file.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut directories, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push(Source { name, text });
            }
        }
    }
    assert!(sources.len() > 50, "the sources were not found");
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    sources
}

fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn layer_of(module: &str) -> usize {
    let layer = LAYERS.iter().position(|modules| modules.contains(&module));
    layer.unwrap_or_else(|| panic!("`{module}` has no layer: give it one here"))
}

#[test]
fn no_arrow_points_upwards() {
    let sources = sources();
    let arrows = Crate::of(&sources).arrows();
    assert!(arrows.len() > 300, "{} arrows were found", arrows.len());
    let is_upward = |from: &str, to: &str| {
        let (from, to) = (room_of(from), room_of(to));
        from != "lib" && to != "lib" && from != to && layer_of(to) <= layer_of(from)
    };
    let upward: Vec<_> = arrows.iter().filter(|(from, to)| is_upward(from, to)).collect();
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let arrows = Crate::of(&sources).arrows();
    let found = circles(&arrows);
    let is_within = |file: &str| found.iter().any(|circle| circle.contains(file));
    let ties: Vec<_> = arrows.iter().filter(|(from, to)| is_within(from) && is_within(to)).collect();
    assert!(found.is_empty(), "{found:#?}, tied by {ties:#?}");
}

#[test]
fn no_folders_use_each_other_in_a_circle() {
    let sources = sources();
    let arrows = Crate::of(&sources).arrows();
    let folders: BTreeSet<&str> =
        sources.iter().flat_map(|source| source.name.match_indices('/').map(|(at, _)| &source.name[..at])).collect();
    let mut wrong = Vec::new();
    for folder in folders.into_iter().chain([""]) {
        // Each file or folder in it is one node; what is beyond it is none.
        let place = |file: &str| -> Option<String> {
            let rest = if folder.is_empty() { file } else { file.strip_prefix(folder)?.strip_prefix('/')? };
            Some(rest.split('/').next().unwrap_or_default().to_owned())
        };
        let between: BTreeSet<(String, String)> = arrows
            .iter()
            .filter_map(|(from, to)| Some((place(from)?, place(to)?)))
            .filter(|(from, to)| from != to)
            .collect();
        let between = between.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        for circle in circles(&between) {
            if circle.iter().any(|name| !name.ends_with(".rs")) {
                wrong.push(format!("{folder}/: {circle:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn layers_in_the_document_are_those_checked() {
    let page = include_str!("../../../ARCHITECTURE.md");
    let (_, section) = page.split_once("\n## Layers\n").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let first_cells = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').nth(1).unwrap());
    let names = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let listed: Vec<&str> = names.map(|name| name.trim_end_matches('/').trim_end_matches(".rs")).collect();
    let checked: Vec<&str> = std::iter::once("main").chain(LAYERS.concat()).collect();
    assert_eq!(listed, checked);
}

#[test]
fn no_file_is_too_long() {
    for source in sources() {
        let most = if source.name == "main.rs" { MAIN_LINES_MAX } else { LINES_MAX };
        let count = source.text.lines().count();
        assert!(source.is_for_tests() || count <= most, "{}: {count} lines, and {most} is the most", source.name);
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    for source in sources() {
        assert!(source.is_for_tests() || source.text.starts_with("//! "), "{} does not begin with `//! `", source.name);
    }
}

#[test]
fn only_the_command_line_prints() {
    for source in sources() {
        let prints = arrows::code_of(&source.text).lines().any(|line| {
            ["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!("].iter().any(|print| line.contains(print))
        });
        let may = source.is_for_tests() || source.room().as_deref() == Some("cli");
        assert!(!prints || may, "{} prints", source.name);
    }
}
