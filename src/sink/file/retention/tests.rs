//! The retention of closed files in real directories.

use std::fs::File;

use flate2::read::GzDecoder;

use super::*;
use crate::sink::file::file_sink::FileSink;
use crate::sink::file::testing::{Files, deliver, pass};
use crate::sink::testing::{lines, records};

const NAMES: [&str; 4] = ["20260101T000000Z", "20260102T000000Z", "20260102T000000Z-1", "20260103T000000Z"];

/// A directory with closed files.
struct ClosedFiles {
    directory: tempfile::TempDir,
    names: ClosedNames,
}

/// The closed files of `NAMES`, each with its name as content, and files that only look like ours.
fn closed_files() -> ClosedFiles {
    let directory = tempfile::tempdir().unwrap();
    let names = ClosedNames::next_to(&directory.path().join("events.jsonl"));
    for name in NAMES {
        fs::write(directory.path().join(format!("events-{name}.jsonl")), name).unwrap();
    }
    for name in others() {
        fs::write(directory.path().join(name), name).unwrap();
    }
    ClosedFiles { directory, names }
}

fn others() -> [&'static str; 4] {
    ["events.jsonl", "events-20200101T000000Z.jsonl.bak", "events-old.jsonl", "other-20200101T000000Z.jsonl"]
}

impl ClosedFiles {
    fn tidy(&self, options: &Options) {
        let now_secs = Stamp::parse("20260103T120000Z").unwrap().closed_secs();
        tidy(&self.names, Stamp::parse(NAMES[3]).unwrap(), options, now_secs, &AtomicBool::new(false)).unwrap();
        for name in others() {
            assert_eq!(fs::read_to_string(self.directory.path().join(name)).unwrap(), name);
        }
    }

    fn list(&self) -> Vec<(String, Form)> {
        self.names.list().unwrap().into_iter().map(|(stamp, form)| (stamp.to_string(), form)).collect()
    }
}

fn options() -> Options {
    Options::at("events.jsonl")
}

#[test]
fn nothing_is_removed_without_a_limit() {
    let closed = closed_files();
    closed.tidy(&options());
    assert_eq!(closed.list().len(), NAMES.len());
}

#[test]
fn the_newest_files_are_kept() {
    let closed = closed_files();
    closed.tidy(&Options { keep_files_max: Some(2), ..options() });
    assert_eq!(closed.list(), [NAMES[2], NAMES[3]].map(|name| (name.to_owned(), Form::Plain)));
}

#[test]
fn files_are_kept_for_days() {
    let closed = closed_files();
    closed.tidy(&Options { keep_days_max: Some(1), ..options() });
    assert_eq!(closed.list(), [(NAMES[3].to_owned(), Form::Plain)]);
}

#[test]
fn compressed_files_hold_the_same() {
    let closed = closed_files();
    let compressing = Options { gzip: true, ..options() };
    closed.tidy(&compressing);
    assert_eq!(closed.list(), NAMES.map(|name| (name.to_owned(), Form::Compressed)));
    for name in NAMES {
        let path = closed.names.path(Stamp::parse(name).unwrap(), Form::Compressed);
        let mut text = String::new();
        GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, name);
    }
    closed.tidy(&Options { keep_files_max: Some(3), ..compressing });
    assert_eq!(closed.list().len(), 3);
}

#[test]
fn half_compressed_files_are_compressed() {
    let closed = closed_files();
    let stamp = Stamp::parse(NAMES[1]).unwrap();
    fs::write(closed.names.path(stamp, Form::Part), "torn").unwrap();
    let whole = Stamp::parse(NAMES[2]).unwrap();
    fs::write(closed.names.path(whole, Form::Compressed), "whole, but the original was not removed yet").unwrap();
    closed.tidy(&Options { gzip: true, ..options() });
    assert_eq!(closed.list(), NAMES.map(|name| (name.to_owned(), Form::Compressed)));
}

#[test]
fn files_closed_later_are_left_alone() {
    let closed = closed_files();
    let options = Options { keep_files_max: Some(1), gzip: true, ..options() };
    let stopped = AtomicBool::new(false);
    tidy(&closed.names, Stamp::parse(NAMES[1]).unwrap(), &options, 0, &stopped).unwrap();
    let kept = [(NAMES[1], Form::Compressed), (NAMES[2], Form::Plain), (NAMES[3], Form::Plain)];
    assert_eq!(closed.list(), kept.map(|(name, form)| (name.to_owned(), form)));
}

#[test]
fn a_stop_keeps_the_original() {
    let closed = closed_files();
    let stopped = AtomicBool::new(true);
    let options = Options { gzip: true, ..options() };
    tidy(&closed.names, Stamp::parse(NAMES[3]).unwrap(), &options, 0, &stopped).unwrap();
    let plain = closed.list().into_iter().filter(|(_, form)| *form == Form::Plain).count();
    assert_eq!(plain, NAMES.len());
}

#[tokio::test]
async fn closed_files_wait_for_a_durable_cursor() {
    let files = Files::with(|options| {
        options.rotate_bytes = Some(1);
        options.keep_files_max = Some(2);
        options.gzip = true;
    });
    let all = records(5);
    let mut sink = files.fresh().await;
    deliver(&mut sink, &all[..4]).await;
    sink.retention.finish().await;
    assert_eq!(files.contents().len(), 4, "they were touched before the cursor after them was durable");
    deliver(&mut sink, &all[4..]).await;
    sink.retention.finish().await;
    let names = ClosedNames::next_to(files.path());
    let forms: Vec<Form> = names.list().unwrap().into_iter().map(|(_, form)| form).collect();
    assert_eq!(forms, [Form::Compressed, Form::Compressed, Form::Plain]);
    assert_eq!(files.contents(), [lines(&all[3..4]), lines(&all[4..])]);
}

/// Delivers another event, and waits until the closed files are tidied.
async fn deliver_and_tidy(sink: &mut FileSink) {
    deliver(sink, &records(1)).await;
    sink.retention.finish().await;
}

#[tokio::test]
async fn closed_files_expire_without_a_rotation() {
    let files = Files::with(|options| options.keep_days_max = Some(2));
    let closed = files.directory.path().join("events-20260102T030405Z.jsonl");
    fs::write(&closed, "").unwrap();
    let mut sink = files.fresh().await;
    for days in [0, 1, 1] {
        pass(days * 86_400);
        deliver_and_tidy(&mut sink).await;
        assert!(closed.exists());
    }
    pass(3600);
    deliver_and_tidy(&mut sink).await;
    assert!(closed.exists(), "it was tidied twice a day");
    pass(86_400);
    deliver_and_tidy(&mut sink).await;
    assert!(!closed.exists());
}

#[tokio::test]
async fn a_failed_compression_is_tried_again() {
    let files = Files::with(|options| options.gzip = true);
    let closed = files.directory.path().join("events-20260102T030405Z.jsonl");
    let in_the_way = closed.with_extension("jsonl.gz.part");
    fs::write(&closed, "").unwrap();
    fs::create_dir(&in_the_way).unwrap();
    let mut sink = files.fresh().await;
    deliver_and_tidy(&mut sink).await;
    deliver_and_tidy(&mut sink).await;
    fs::remove_dir(&in_the_way).unwrap();
    pass(60);
    deliver_and_tidy(&mut sink).await;
    assert!(closed.exists(), "it was tried again too soon");
    pass(600);
    deliver_and_tidy(&mut sink).await;
    assert!(!closed.exists() && closed.with_extension("jsonl.gz").exists());
}

// Another user who can write to the directory guesses the names.
#[test]
fn planted_links_are_not_followed() {
    let closed = closed_files();
    let [victim, secret] = ["victim", "secret"].map(|name| closed.directory.path().join(name));
    fs::write(&victim, "kept").unwrap();
    fs::write(&secret, "secret").unwrap();
    let at = |name: &str| closed.directory.path().join(format!("events-{name}"));
    std::os::unix::fs::symlink(&victim, at("20260101T000000Z.jsonl.gz.part")).unwrap();
    std::os::unix::fs::symlink(&victim, at("20260101T000000Z.jsonl.gz")).unwrap();
    fs::remove_file(at("20260102T000000Z.jsonl")).unwrap();
    std::os::unix::fs::symlink(&secret, at("20260102T000000Z.jsonl")).unwrap();
    closed.tidy(&Options { gzip: true, ..options() });
    assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    assert!(at("20260101T000000Z.jsonl.gz").symlink_metadata().unwrap().is_file());
    assert!(!at("20260102T000000Z.jsonl.gz").exists());
}
