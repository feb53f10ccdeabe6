use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::super::layout::Tab;
use super::*;
use crate::callback::{Interruption, Reason, ReasonCategory};
use crate::receiver::ERRORS;

const SOURCES: [(Language, &str); 3] =
    [(Language::English, ENGLISH), (Language::Korean, KOREAN), (Language::Chinese, CHINESE)];

/// The ids of a file, each with the names of the values in its sentence.
fn sentences(source: &str) -> BTreeMap<String, BTreeSet<String>> {
    FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| errors).unwrap();
    let mut sentences = BTreeMap::new();
    let mut id = String::new();
    for line in source.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        if !line.starts_with(' ') && line != "}" {
            id = line.split(" = ").next().unwrap().to_owned();
            assert!(sentences.insert(id.clone(), BTreeSet::new()).is_none(), "{id} is there twice");
        }
        let values = line.split("{ $").skip(1).map(|rest| rest.split([' ', '}']).next().unwrap().to_owned());
        sentences.get_mut(&id).unwrap().extend(values);
    }
    sentences
}

/// The code of the pages, by file.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/pages")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("texts/tests.rs") {
                let source = fs::read_to_string(&path).unwrap();
                sources.push((path, source));
            }
        }
    }
    sources
}

/// Every `text("id")` of the pages, and every id that is made of a word.
fn used() -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (_, source) in sources() {
        let quoted = source
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        used.extend(quoted.map(str::to_owned));
    }
    let words = |prefix: &str, words: &[&str]| {
        words.iter().map(|word| format!("{prefix}{}", word.replace('_', "-"))).collect::<Vec<_>>()
    };
    used.extend(words("category-", &ReasonCategory::ALL.map(ReasonCategory::label)));
    used.extend(words("refusal-", &ERRORS));
    used.extend(ERRORS.map(|word| format!("refusal-{}-cure", word.replace('_', "-"))));
    used.extend(words("state-", &["live", "ended", "stale"]));
    used.extend(words("mark-", &ReasonCategory::ALL.map(ReasonCategory::label)));
    used.extend(words("mark-", &["live", "stale"]));
    used.extend(words("theme-", &["auto", "light", "dark"]));
    used.extend(Tab::ALL.iter().map(|tab| format!("tab-{}", tab.word())));
    used.extend(words("condition-", &["good", "warning", "bad"]));
    used.extend(words("column-", &["name", "since", "started", "pusher", "node", "size", "pushes", "anomalies"]));
    for problem in [
        "not-found",
        "internal",
        "busy",
        "unavailable",
        "too-expensive",
        "no-index",
        "foreign-form",
        "unreadable-form",
        "no-login",
    ] {
        used.extend([format!("problem-{problem}"), format!("problem-{problem}-help")]);
    }
    used
}

#[test]
fn languages_have_the_same_sentences() {
    let english = sentences(ENGLISH);
    for (language, source) in SOURCES {
        let own = sentences(source);
        let ids = |sentences: &BTreeMap<String, _>| sentences.keys().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&own), ids(&english), "{language:?}");
        for (id, values) in &own {
            // A sentence without the count of another language may lack it: `streams are live` stands below the number.
            assert_eq!(values, &english[id], "{language:?}: {id}");
        }
    }
}

#[test]
fn every_sentence_is_used() {
    let used = used();
    let unused: Vec<_> = sentences(ENGLISH).into_keys().filter(|id| !used.contains(id)).collect();
    assert_eq!(unused, [""; 0]);
}

/// A sentence that the code names and no file has would be shown as its id.
#[test]
fn every_named_sentence_exists() {
    let english = sentences(ENGLISH);
    for (file, source) in sources() {
        for call in ["text(\"", "text_with(\""] {
            for id in source.split(call).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(english.contains_key(id), "{}: {id}", file.display());
            }
        }
    }
}

/// A cause without a translation would be shown in English.
#[test]
fn every_cause_is_in_every_language() {
    let listed = Interruption::all().map(Reason::from);
    let others = [Reason::of(None, None), Reason::of(Some(-1), None), Reason::manual()];
    let causes: BTreeSet<String> = listed.chain(others).map(|reason| reason.cause.to_string()).collect();
    let parts = ["meaning", "actor", "advice"];
    let expected: Vec<String> =
        causes.iter().flat_map(|cause| parts.map(|part| format!("cause-{cause}-{part}"))).collect();
    for source in [KOREAN_CAUSES, CHINESE_CAUSES] {
        let own = sentences(source);
        let missing: Vec<&String> = expected.iter().filter(|id| !own.contains_key(*id)).collect();
        assert_eq!(missing, [""; 0]);
        let unused: Vec<&String> = own.keys().filter(|id| !expected.contains(id)).collect();
        assert_eq!(unused, [""; 0]);
    }
}

#[test]
fn numbers_and_plurals_are_of_the_language() {
    let text = |language, count: i64| Texts::of(language).text_with("behind", &[("count", count.into())]).into_owned();
    assert_eq!(text(Language::English, 1), "1 event behind");
    assert_eq!(text(Language::English, 12_345), "12,345 events behind");
    assert_eq!(text(Language::Korean, 1), "1건 밀림");
    assert_eq!(text(Language::Chinese, 12_345), "落后 12,345 条");
    assert_eq!(Texts::of(Language::English).text("no-such-id"), "no-such-id");
}
