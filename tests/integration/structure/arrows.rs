//! Which file uses which, read from the text: an arrow goes from a file to the one that defines what it names.
//!
//! Re-exports are followed, so `use crate::journal::Reader` is an arrow to `journal/reader.rs`, and the `pub use` in
//! `journal/mod.rs` is none.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;

type Path = Vec<String>;

/// The modules of the crate, and what their files say.
pub(super) struct Crate<'a> {
    modules: BTreeMap<Path, Module<'a>>,
}

struct Module<'a> {
    source: &'a Source,
    code: String,
    /// Local name, and the path that it stands for.
    imports: Vec<(String, Path)>,
}

impl<'a> Crate<'a> {
    /// Reads every file that is not for tests alone.
    pub(super) fn of(sources: &'a [Source]) -> Crate<'a> {
        let files = sources.iter().filter(|source| !source.is_for_tests() && source.name != "main.rs");
        let mut modules: BTreeMap<Path, Module<'a>> = files
            .map(|source| (source.module(), Module { source, code: code_of(&source.text), imports: Vec::new() }))
            .collect();
        let known: BTreeSet<Path> = modules.keys().cloned().collect();
        for (path, module) in &mut modules {
            module.imports = imports(&module.code, path, &known);
        }
        Crate { modules }
    }

    /// Every arrow: the file that uses, and the file that is used.
    pub(super) fn arrows(&self) -> BTreeSet<(&'a str, &'a str)> {
        let mut arrows = BTreeSet::new();
        for (path, module) in &self.modules {
            for target in self.targets(path, module) {
                if let Some(file) = self.definition(&target, 0).filter(|file| *file != module.source.name) {
                    arrows.insert((module.source.name.as_str(), file));
                }
            }
        }
        arrows
    }

    /// What a file names, as paths from the crate's root.
    fn targets(&self, path: &Path, module: &Module<'_>) -> Vec<Path> {
        let without_uses = without_statements(&module.code, "use ");
        let mut targets = Vec::new();
        for (name, import) in &module.imports {
            if !self.modules.contains_key(import) {
                // A re-export names nothing for this file itself.
                if !module.code.contains(&format!("pub use {name}")) && !self.is_reexport(module, import, path) {
                    targets.push(import.clone());
                }
                continue;
            }
            for rest in names_after(&without_uses, &format!("{name}::")) {
                targets.push(import.iter().cloned().chain(rest).collect());
            }
        }
        for root in ["crate::", "super::", "self::"] {
            for rest in names_after(&without_uses, root) {
                let full: Path = std::iter::once(root.trim_end_matches("::").to_owned()).chain(rest).collect();
                targets.extend(absolute(&full, path, &self.modules.keys().cloned().collect()));
            }
        }
        let children = self.modules.keys().filter(|child| child.len() == path.len() + 1 && child.starts_with(path));
        for child in children {
            let name = child.last().map(String::as_str).unwrap_or_default();
            for rest in names_after(&without_uses, &format!("{name}::")) {
                targets.push(child.iter().cloned().chain(rest).collect());
            }
        }
        targets
    }

    fn is_reexport(&self, module: &Module<'_>, import: &Path, path: &Path) -> bool {
        statements(&module.code, "use ").iter().any(|(is_public, statement)| {
            *is_public
                && leaves(statement)
                    .iter()
                    .any(|(_, leaf)| absolute(leaf, path, &self.known()).as_ref() == Some(import))
        })
    }

    fn known(&self) -> BTreeSet<Path> {
        self.modules.keys().cloned().collect()
    }

    /// The file that defines what a path names.
    fn definition(&self, target: &Path, depth: usize) -> Option<&'a str> {
        let length = (0..=target.len()).rev().find(|length| self.modules.contains_key(&target[..*length]))?;
        let module = &self.modules[&target[..length]];
        let Some(name) = target.get(length) else { return Some(&module.source.name) };
        let import = module.imports.iter().find(|(local, _)| local == name);
        match import {
            Some((_, import)) if depth < 8 && !defines(&module.code, name) => self.definition(import, depth + 1),
            _ => Some(&module.source.name),
        }
    }
}

fn defines(code: &str, name: &str) -> bool {
    ["struct", "enum", "trait", "fn", "type", "const", "static", "mod"].iter().any(|kind| {
        code.match_indices(&format!("{kind} {name}")).any(|(at, found)| !code[at + found.len()..].starts_with(is_name))
    })
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_ascii_alphanumeric()
}

/// The code without comments, and without the tests at its end.
pub(super) fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let mut code = String::new();
    for (at, line) in lines.iter().enumerate() {
        let is_test_item = at > 0 && lines[at - 1].trim() == "#[cfg(test)]";
        if !line.trim_start().starts_with("//") && !is_test_item {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// Every statement that begins with `keyword`: whether it is public, and the rest up to its semicolon.
fn statements(code: &str, keyword: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(keyword) {
        let line = rest[..at].rsplit('\n').next().unwrap_or_default().trim();
        let begins = line.is_empty() || line.starts_with("pub");
        let tail = &rest[at + keyword.len()..];
        let end = tail.find(';').unwrap_or(tail.len());
        if begins && !line.contains(' ') || line.starts_with("pub(in") {
            found.push((line.starts_with("pub"), tail[..end].to_owned()));
        }
        rest = tail;
    }
    found
}

fn without_statements(code: &str, keyword: &str) -> String {
    let mut code = code.to_owned();
    for (_, statement) in statements(&code.clone(), keyword) {
        code = code.replacen(&format!("{keyword}{statement};"), "", 1);
    }
    code
}

/// The leaves of a tree of uses: the local name and the path of each. `*` stands for a glob.
fn leaves(tree: &str) -> Vec<(String, Path)> {
    fn walk(prefix: &Path, tree: &str, found: &mut Vec<(String, Path)>) {
        let tree = tree.trim();
        if let Some((head, tail)) = tree.split_once('{') {
            let segments = head.trim().trim_end_matches("::").split("::").filter(|segment| !segment.is_empty());
            let prefix: Path = prefix.iter().cloned().chain(segments.map(str::to_owned)).collect();
            let inner = tail.rsplit_once('}').map_or(tail, |(inner, _)| inner);
            let (mut depth, mut start) = (0, 0);
            for (at, character) in inner.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        walk(&prefix, &inner[start..at], found);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            walk(&prefix, &inner[start..], found);
        } else if !tree.is_empty() {
            let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
            let mut full: Path = prefix.iter().cloned().chain(path.split("::").map(|s| s.trim().to_owned())).collect();
            if full.last().is_some_and(|last| last == "self") && full.len() > 1 {
                full.pop();
            }
            let name =
                if alias.is_empty() { full.last().cloned().unwrap_or_default() } else { alias.trim().to_owned() };
            found.push((name, full));
        }
    }
    let mut found = Vec::new();
    walk(&Vec::new(), tree, &mut found);
    found
}

/// A path as from the crate's root; `None` where it leads out of the crate.
fn absolute(path: &Path, from: &Path, known: &BTreeSet<Path>) -> Option<Path> {
    let mut base = from.clone();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str)? {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        first => {
            base.push(first.to_owned());
            if !known.contains(&base) {
                return None;
            }
            rest = &rest[1..];
        }
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

fn imports(code: &str, path: &Path, known: &BTreeSet<Path>) -> Vec<(String, Path)> {
    let uses = statements(code, "use ").into_iter().flat_map(|(_, statement)| leaves(&statement));
    uses.filter_map(|(name, leaf)| Some((name, absolute(&leaf, path, known)?))).collect()
}

/// The segments that follow each place where a path begins with `start`.
fn names_after(code: &str, start: &str) -> Vec<Path> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = &code[..at];
        if before.ends_with(is_name) || before.ends_with("::") || before.ends_with('.') {
            continue;
        }
        let path: String =
            code[at + start.len()..].chars().take_while(|character| is_name(*character) || *character == ':').collect();
        found.push(path.split("::").filter(|segment| !segment.is_empty()).map(str::to_owned).collect());
    }
    found
}

/// The sets of nodes that reach each other along the arrows.
pub(super) fn circles<'n>(arrows: &BTreeSet<(&'n str, &'n str)>) -> Vec<BTreeSet<&'n str>> {
    let mut reach: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        reach.entry(from).or_default().insert(to);
    }
    // The closure: what is reached by way of what is reached.
    loop {
        let next: BTreeMap<&str, BTreeSet<&str>> = reach
            .iter()
            .map(|(from, to)| {
                let beyond = to.iter().filter_map(|node| reach.get(node)).flatten().copied();
                (*from, to.iter().copied().chain(beyond).collect())
            })
            .collect();
        if next == reach {
            break;
        }
        reach = next;
    }
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for (node, reached) in &reach {
        if reached.contains(node) && !circles.iter().any(|circle| circle.contains(node)) {
            let circle = reached.iter().filter(|other| reach.get(**other).is_some_and(|back| back.contains(node)));
            circles.push(circle.copied().collect());
        }
    }
    circles
}

#[test]
fn arrows_are_found_where_they_are() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let sources = [
        source("lib.rs", "mod journal;\nmod sink;\nmod cli;\n"),
        source("journal/mod.rs", "mod reader;\nmod offset;\npub use reader::Reader;\npub use offset::Offset;\n"),
        source("journal/reader.rs", "use super::offset::Offset;\npub struct Reader;\n"),
        source("journal/offset.rs", "pub struct Offset;\n// use crate::cli::run;\n"),
        source("sink.rs", "use crate::journal::{self, Offset};\nfn a(_: journal::Reader) {}\npub fn start() {}\n"),
        source(
            "cli.rs",
            "pub fn run() { crate::sink::start() }\n#[cfg(test)]\nmod tests {\nuse crate::journal::Reader;\n}\n",
        ),
    ];
    let found = Crate::of(&sources).arrows();
    let expected = [
        ("cli.rs", "sink.rs"),
        ("journal/reader.rs", "journal/offset.rs"),
        ("sink.rs", "journal/offset.rs"),
        ("sink.rs", "journal/reader.rs"),
    ];
    assert_eq!(found, expected.into());
    assert!(circles(&found).is_empty());
    let circle = [("a.rs", "b.rs"), ("b.rs", "c.rs"), ("c.rs", "a.rs"), ("d.rs", "a.rs")].into();
    assert_eq!(circles(&circle), [["a.rs", "b.rs", "c.rs"].into()]);
}
