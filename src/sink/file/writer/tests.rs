//! Rotation, and changes that others make to the file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::clock::testing::set_test_clock;
use crate::journal::Record;
use crate::sink::file::file_sink::FileSink;
use crate::sink::file::testing::{Files, NOW_SECS, deliver};
use crate::sink::testing::{lines, records};
use crate::sink::{Outcome, Sink};

#[tokio::test]
async fn rotation_keeps_the_size_limit() {
    let all = records(12);
    let line = all[0].event.line().len() as u64 + 6;
    for limit in [1, line, 3 * line, 100 * line] {
        let files = Files::with(|options| options.rotate_bytes = Some(limit));
        let mut sink = files.fresh().await;
        for batch in all.chunks(5) {
            deliver(&mut sink, batch).await;
        }
        let contents = files.contents();
        assert_eq!(contents.concat(), lines(&all));
        assert!(contents.iter().all(|text| text.len() as u64 <= limit || text.matches('\n').count() == 1));
        assert_eq!(contents.len() as u64, 12_u64.div_ceil((limit / line).max(1)), "{limit}");
    }
}

#[tokio::test]
async fn rotation_follows_the_day() {
    let all = records(6);
    let files = Files::with(|options| options.rotate_daily = true);
    let mut sink = files.fresh().await;
    let midnight = (NOW_SECS / 86_400 + 1) * 86_400;
    let mut counts = Vec::new();
    // The system clock stamped the file, so its time is set back.
    for (index, secs) in [-3600, -1, 0, -3600, 7200, 86_400].into_iter().enumerate() {
        set_test_clock((midnight + secs) * 1000);
        if index == 0 {
            File::open(files.path()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            sink = files.fresh().await;
        }
        deliver(&mut sink, &all[index..=index]).await;
        counts.push(files.contents().len());
    }
    assert_eq!(counts, [1, 1, 2, 2, 2, 3]);
    assert_eq!(files.contents(), [lines(&all[..2]), lines(&all[2..5]), lines(&all[5..])]);
}

#[tokio::test]
async fn a_restart_closes_yesterdays_file() {
    let all = records(2);
    let files = Files::with(|options| options.rotate_daily = true);
    files.write(lines(&all[..1]));
    let yesterday = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW_SECS as u64 - 86_400);
    File::options().append(true).open(files.path()).unwrap().set_modified(yesterday).unwrap();
    deliver(&mut files.fresh().await, &all[1..]).await;
    assert_eq!(files.contents(), [lines(&all[..1]), lines(&all[1..])]);
}

#[tokio::test]
async fn rotation_overwrites_nothing() {
    let files = Files::with(|options| options.rotate_bytes = Some(1));
    let mut sink = files.fresh().await;
    // Made after the sink listed the closed files.
    let taken = files.directory.path().join("events-20260102T030405Z.jsonl");
    fs::create_dir(&taken).unwrap();
    let all = records(2);
    deliver(&mut sink, &all).await;
    assert!(taken.is_dir());
    assert_eq!(files.contents(), [lines(&all[..1]), lines(&all[1..])]);
    assert!(files.directory.path().join("events-20260102T030405Z-1.jsonl").is_file());
}

#[tokio::test]
async fn a_foreign_rename_is_followed() {
    let all = records(3);
    let files = Files::new();
    let mut sink = files.fresh().await;
    deliver(&mut sink, &all[..1]).await;
    let renamed = files.path().with_extension("jsonl.1");
    fs::rename(files.path(), &renamed).unwrap();
    deliver(&mut sink, &all[1..2]).await;
    fs::remove_dir_all(files.directory.path()).unwrap();
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(files.read(), lines(&all[2..]));
}

#[tokio::test]
async fn foreign_cuts_and_appends_are_followed() {
    let all = records(3);
    let files = Files::new();
    let mut sink = files.fresh().await;
    deliver(&mut sink, &all[..1]).await;
    File::options().write(true).open(files.path()).unwrap().set_len(0).unwrap();
    deliver(&mut sink, &all[1..2]).await;
    assert_eq!(files.read(), lines(&all[1..2]));
    files.write(files.read() + "half a line");
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(files.read(), lines(&all[1..2]) + "half a line\n" + &lines(&all[2..]));
    assert_eq!(sink.state().unwrap(), files.state());
}

fn link(target: &Path, link: &Path) {
    let _ = fs::remove_file(link);
    std::os::unix::fs::symlink(target, link).unwrap();
}

// An administrator keeps the file on another disk. Closed files go there too.
#[tokio::test]
async fn a_symbolic_link_is_followed() {
    let all = records(4);
    let files = Files::with(|options| options.rotate_bytes = Some(1));
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("target.jsonl");
    link(&target, files.path());
    let mut sink = files.fresh().await;
    deliver(&mut sink, &all[..2]).await;
    assert_eq!(fs::read_to_string(&target).unwrap(), lines(&all[1..2]));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 2);
    // The link can change while the sink runs.
    link(&elsewhere.path().join("second.jsonl"), files.path());
    deliver(&mut sink, &all[2..3]).await;
    assert_eq!(files.read(), lines(&all[2..3]));
    assert!(files.path().is_symlink());
}

// Another user can write to the directory, and swaps the file for a link to one of livehook's own files.
#[tokio::test]
async fn swapped_file_is_not_followed() {
    let all = records(3);
    let files = Files::new();
    let victim = tempfile::NamedTempFile::new().unwrap();
    let directory = fs::Permissions::from_mode(0o777);
    fs::set_permissions(files.directory.path(), directory).unwrap();
    let mut sink = files.fresh().await;
    deliver(&mut sink, &all[..1]).await;
    link(victim.path(), files.path());
    let said = failure(&mut sink, &all[1..2]).await;
    assert!(said.contains("events.jsonl is a symbolic link") && said.contains("permissions 777"), "{said}");
    let probed = files.sink().probe().await.unwrap_err().to_string();
    assert!(probed.contains("is a symbolic link"), "{probed}");

    fs::remove_file(files.path()).unwrap();
    fs::hard_link(victim.path(), files.path()).unwrap();
    let said = failure(&mut sink, &all[1..2]).await;
    assert!(said.contains("2 names (hard links)"), "{said}");
    assert_eq!(fs::read_to_string(victim.path()).unwrap(), "");

    fs::remove_file(files.path()).unwrap();
    deliver(&mut sink, &all[1..]).await;
    assert_eq!(files.read(), lines(&all[1..]));
}

async fn failure(sink: &mut FileSink, batch: &[Record]) -> String {
    match sink.deliver(batch).await.remove(0) {
        Outcome::Retry(failure) => failure.to_string(),
        other => panic!("{other:?}"),
    }
}
