//! The file sink as a whole, on real files.

use std::fs::{self, File};

use super::*;
use crate::clock::testing::test_clock;
use crate::sink::file::testing::{Files, deliver, pass};
use crate::sink::testing::{Stored, all_delivered, lines, reason, records};

#[tokio::test]
async fn events_are_lines_in_a_new_directory() {
    let files = Files::with(|options| options.path = options.path.with_file_name("a").join("b").join("events.jsonl"));
    let mut sink = files.fresh().await;
    let all = records(5);
    deliver(&mut sink, &all[..2]).await;
    deliver(&mut sink, &all[2..]).await;
    assert!(sink.deliver(&[]).await.is_empty());
    assert_eq!(files.read(), lines(&all));
    assert_eq!(sink.state().unwrap(), files.state());
}

#[tokio::test]
async fn a_dropped_delivery_is_taken_back() {
    for limit in [None, Some(1)] {
        let all = records(4);
        let files = Files::with(|options| options.rotate_bytes = limit);
        let mut sink = files.fresh().await;
        deliver(&mut sink, &all[..1]).await;
        let state = sink.state();
        {
            let mut delivery = sink.deliver(&all[1..]);
            let waker = std::task::Waker::noop();
            let polled = delivery.as_mut().poll(&mut std::task::Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        assert_eq!(sink.state(), state);
        deliver(&mut sink, &all[1..2]).await;
        deliver(&mut sink, &all[2..]).await;
        assert_eq!(files.contents().concat(), lines(&all));
    }
}

#[tokio::test]
async fn files_age_without_events() {
    let day = 86_400;
    let files = Files::with(|options| {
        (options.rotate_daily, options.gzip, options.keep_days_max) = (true, true, Some(2));
    });
    // The system clock stamps the file, so its time is set back.
    files.write("");
    File::open(files.path()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut sink = files.fresh().await;
    let all = records(1);
    deliver(&mut sink, &all).await;
    assert_eq!(sink.tend().await, Ok(false), "the day is not over");
    let names = || {
        let names = fs::read_dir(files.directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    pass(day);
    assert_eq!(sink.tend().await, Ok(true));
    assert_eq!(names(), ["events-20260103T030405Z.jsonl", "events.jsonl"]);
    assert_eq!(files.read(), "");
    for (secs, expected) in [
        (60, Some("events-20260103T030405Z.jsonl.gz")),
        (day, Some("events-20260103T030405Z.jsonl.gz")),
        (2 * day, None),
    ] {
        pass(secs);
        assert_eq!(sink.tend().await, Ok(false), "an empty file is not rotated");
        sink.retention.finish().await;
        assert_eq!(names().first().map(String::as_str).filter(|name| name.contains('-')), expected);
    }

    // A restart after a long time.
    deliver(&mut sink, &all).await;
    drop(sink);
    let state = files.state();
    File::options().append(true).open(files.path()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let (mut sink, _) = files.resumed(Offset(1), Some(&state), &Stored(Vec::new())).await;
    assert_eq!(sink.tend().await, Ok(true));
    assert_eq!(files.read(), "");
    deliver(&mut sink, &all).await;
    assert_eq!(files.read(), lines(&all));
}

#[tokio::test]
async fn an_irregular_file_is_refused_by_name() {
    let files = Files::new();
    let pipe = files.directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    files.write("");
    let below_a_file = files.path().join("events.jsonl");
    for (path, expected) in [
        (files.directory.path().to_owned(), "is a directory: the sink"),
        (pipe, "is a pipe: the sink"),
        ("/dev/full".into(), "is a device: the sink"),
        (below_a_file, ": cannot make the directory: "),
    ] {
        let mut sink = FileSink::new(Options::at(&path), test_clock);
        let resumed = sink.resume(Offset(0), None, &Stored(Vec::new())).await.unwrap_err();
        let delivered = sink.deliver(&records(1)).await.remove(0);
        for outcome in [Outcome::Retry(resumed), delivered] {
            assert!(matches!(outcome, Outcome::Retry(_)));
            let reason = reason(&outcome);
            assert!(reason.contains(expected), "{reason}");
            assert!(reason.starts_with(path.parent().unwrap().to_str().unwrap()), "{reason}");
        }
    }
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn a_full_disk_leaves_no_torn_line() {
    let files = Files::new();
    let disk = files.directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let system = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program).args(arguments).arg(&disk).status().is_ok_and(|status| status.success())
    };
    assert!(system("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]), "a tmpfs cannot be mounted: run it as root");
    let all = records(1000);
    let path = disk.join("events.jsonl");
    let mut sink = FileSink::new(Options::at(&path), test_clock);
    sink.resume(Offset(0), None, &Stored(Vec::new())).await.unwrap();
    deliver(&mut sink, &all[..10]).await;
    let failed = sink.deliver(&all[10..]).await;
    let kept = fs::read_to_string(&path);
    let is_enlarged = system("mount", &["-o", "remount,size=10m"]);
    let delivered = sink.deliver(&all[10..]).await;
    let text = fs::read_to_string(&path);
    drop(sink);
    assert!(system("umount", &[]));

    assert!(is_enlarged);
    for outcome in failed {
        assert!(matches!(outcome, Outcome::Retry(_)));
        let reason = reason(&outcome);
        assert!(reason.contains("events.jsonl: cannot write to it: No space left on device"), "{reason}");
    }
    assert_eq!(kept.unwrap(), lines(&all[..10]));
    assert!(all_delivered(&delivered, &all[10..]));
    assert_eq!(text.unwrap(), lines(&all));
}
