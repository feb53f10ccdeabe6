//! The words of comments, messages and documents: turns of phrase that a reader has to decode are kept rare.

use std::path::Path;

/// Phrases that hide who does what. Each stands for a plainer way to say it: "a new index" for "the index anew".
const DECODED: [&str; 20] = [
    "anew",
    "told",
    "tells",
    "of which",
    "those that",
    "those who",
    "that of",
    "whoever",
    "who has",
    "nobody",
    "is no",
    "are no",
    "once more",
    "meanwhile",
    "beside",
    "where there is",
    "where it is",
    "what is",
    "is of use",
    "as asked",
];

/// How often they may stand among 1,000 words.
const PER_1000_MAX: f64 = 1.0;

/// Lines of a kind in a file, in lower case, with single spaces between the words.
struct Prose {
    file: String,
    lines: Vec<String>,
}

#[test]
fn prose_is_plain() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut prose = Vec::new();
    for folder in ["src", "tests", "benches", "docs", "examples", "."] {
        collect(&root.join(folder), folder != ".", &mut prose);
    }
    let words: usize = prose.iter().flat_map(|file| &file.lines).map(|line| line.split(' ').count()).sum();
    assert!(words > 20_000, "{words} words were found");
    let mut found: Vec<(usize, String)> = Vec::new();
    for Prose { file, lines } in &prose {
        let text = format!(" {} ", lines.join(" "));
        let hits: Vec<String> = DECODED
            .iter()
            .map(|phrase| (phrase, text.matches(&format!(" {phrase} ")).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(phrase, count)| format!("{phrase} ({count})"))
            .collect();
        let count = DECODED.iter().map(|phrase| text.matches(&format!(" {phrase} ")).count()).sum();
        if count > 0 {
            found.push((count, format!("{file}: {}", hits.join(", "))));
        }
    }
    let count: usize = found.iter().map(|(count, _)| count).sum();
    let per_1000 = count as f64 * 1000.0 / words as f64;
    found.sort_by(|one, other| other.cmp(one));
    let most: Vec<&String> = found.iter().take(40).map(|(_, text)| text).collect();
    assert!(per_1000 <= PER_1000_MAX, "{per_1000:.2} per 1,000 words ({count} in {words}): {most:#?}");
}

/// Adds the comments and messages of Rust and Python files, and the text of Markdown files.
fn collect(folder: &Path, is_deep: bool, prose: &mut Vec<Prose>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if is_deep {
                collect(&path, true, prose);
            }
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_translated = name.ends_with(".ko.md") || name.ends_with(".zh-CN.md");
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let comment = match extension {
            "rs" => Some("//"),
            "py" | "toml" | "sh" => Some("#"),
            "md" if !is_translated => None,
            _ => continue,
        };
        // The list of phrases is not prose.
        if name == "words.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_code = false;
        let lines = text.lines().filter_map(|line| {
            let line = line.trim();
            match comment {
                Some(mark) => match line.strip_prefix(mark) {
                    Some(rest) => Some(rest.trim_start_matches(['/', '!', '#']).to_owned()),
                    None => message_in(line),
                },
                None if line.starts_with("```") => {
                    is_code = !is_code;
                    None
                }
                None => (!is_code).then(|| line.to_owned()),
            }
        });
        let lines = lines.map(|line| plain(&line)).filter(|line| !line.is_empty()).collect();
        prose.push(Prose { file: path.display().to_string(), lines });
    }
}

/// The text between the quotes of a line of code, if it is a message and not a name: it has at least three words.
fn message_in(line: &str) -> Option<String> {
    let text = line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" . ");
    (text.split_whitespace().count() >= 3).then_some(text)
}

/// Words alone, in lower case. Punctuation stays a word of its own, so that no phrase reaches over a full stop.
fn plain(line: &str) -> String {
    let spaced: String = line
        .chars()
        .map(|character| if character.is_alphanumeric() || character == '\'' { character } else { ' ' })
        .collect();
    let ends = line.ends_with(['.', ':', ';']);
    let words: Vec<String> = spaced.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() || !ends { words.join(" ") } else { words.join(" ") + " ." }
}
