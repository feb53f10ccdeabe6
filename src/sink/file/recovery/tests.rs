//! Crashes at every moment, as the files show them afterwards.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::callback::{Event, testing};
use crate::journal::JournalError;
use crate::sink::Sink;
use crate::sink::file::closed_names::ClosedNames;
use crate::sink::file::options::Options;
use crate::sink::file::state::FileState;
use crate::sink::file::testing::{Files, deliver, pass};
use crate::sink::testing::{Stored, lines, records};

/// Resumes after a crash, delivers the remaining events, and asserts that the files hold each event once.
async fn recovers(files: &Files, cursor: Offset, state: Option<&[u8]>, stored: &[Record], wanted: &[Record]) {
    let (mut sink, found) = files.resumed(cursor, state, &Stored(stored.to_vec())).await;
    assert!(found >= cursor);
    let rest: Vec<Record> = wanted.iter().filter(|record| record.offset > found).cloned().collect();
    deliver(&mut sink, &rest).await;
    assert_eq!(files.contents().concat(), lines(wanted));
    // The same cursor again, as if this delivery had crashed before its commit too.
    let (_, found) = files.resumed(cursor, state, &Stored(stored.to_vec())).await;
    assert_eq!(found, wanted.last().unwrap().offset);
    assert_eq!(files.contents().concat(), lines(wanted));
}

#[tokio::test]
async fn a_crash_at_any_byte_is_repaired() {
    let all = records(6);
    let (before, batch) = all.split_at(2);
    let written = lines(batch);
    for length in 0..=written.len() {
        let files = Files::new();
        files.write(lines(before));
        let state = files.state();
        files.write(lines(before) + &written[..length]);
        recovers(&files, before[1].offset, Some(&state), &all, &all).await;
    }
}

/// The file has some events as they were before signed copies confirmed them in the journal. No event is written twice, and a torn
/// line is written as the journal has it now.
#[tokio::test]
async fn confirmed_events_are_found_in_the_file() {
    let event = |number: i64| testing::event("relay").happened_secs(1_700_000_000).member("n", number);
    let record = |number: i64, event: Event| Record { offset: Offset(3 * number), event };
    let unsigned: Vec<Record> = (1..=4).map(|number| record(number, event(number).build())).collect();
    let confirm = |number: i64| event(number).build().confirmed_by(&event(number).build_signed()).unwrap();
    let stored: Vec<Record> = (1..=4).map(|number| record(number, confirm(number))).collect();
    let (before, written) = (lines(&unsigned[..1]), lines(&unsigned[1..]));
    for length in (0..=written.len()).step_by(5).chain([written.len()]) {
        let files = Files::new();
        files.write(&before);
        let state = files.state();
        files.write(before.clone() + &written[..length]);
        let whole = 1 + written[..length].matches('\n').count();
        let (mut sink, found) = files.resumed(Offset(3), Some(&state), &Stored(stored.clone())).await;
        assert_eq!(found, Offset(3 * whole as i64), "at {length}");
        deliver(&mut sink, &stored[whole..]).await;
        assert_eq!(files.read(), lines(&unsigned[..whole]) + &lines(&stored[whole..]), "at {length}");
    }
}

#[tokio::test]
async fn a_crash_in_the_first_batch_is_repaired() {
    let all = records(3);
    let written = lines(&all);
    for length in (0..=written.len()).step_by(3) {
        let files = Files::new();
        let (sink, _) = files.resumed(Offset(0), None, &Stored(Vec::new())).await;
        let state = sink.state();
        files.write(&written[..length]);
        for state in [state.as_deref(), None] {
            recovers(&files, Offset(0), state, &all, &all).await;
            files.write(&written[..length]);
        }
    }
}

#[tokio::test]
async fn filtered_records_are_skipped() {
    let all = records(9);
    let wanted: Vec<Record> = [0, 1, 4, 5, 8].map(|index: usize| all[index].clone()).into();
    let written = lines(&wanted[1..]);
    for length in (0..=written.len()).step_by(7).chain([written.len()]) {
        let files = Files::new();
        files.write(lines(&wanted[..1]));
        let state = files.state();
        files.write(lines(&wanted[..1]) + &written[..length]);
        recovers(&files, wanted[0].offset, Some(&state), &all, &wanted).await;
    }
}

/// A step of a delivery, as the disk sees it.
#[derive(Clone, Debug)]
enum Step {
    Write(String),
    Rename(String),
    Create,
}

/// The steps from the content `before` of the current file to the files as they are.
fn steps(files: &Files, before: &str) -> Vec<Step> {
    let names = ClosedNames::next_to(files.path());
    let mut contents = files.contents();
    contents[0] = contents[0].strip_prefix(before).unwrap().to_owned();
    let mut steps = Vec::new();
    for (index, (stamp, form)) in names.list().unwrap().into_iter().enumerate() {
        let name = names.path(stamp, form).file_name().unwrap().to_str().unwrap().to_owned();
        steps.extend([Step::Write(contents[index].clone()), Step::Rename(name), Step::Create]);
    }
    steps.push(Step::Write(contents.last().unwrap().clone()));
    steps
}

/// Does the steps, but only the first `last_bytes` of the last write.
fn crash(files: &Files, steps: &[Step], last_bytes: usize) {
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Write(text) => {
                let count = if index + 1 == steps.len() { last_bytes } else { text.len() };
                files.write(files.read() + &text[..count]);
            }
            Step::Rename(name) => fs::rename(files.path(), files.directory.path().join(name)).unwrap(),
            Step::Create => files.write(""),
        }
    }
}

#[tokio::test]
async fn a_crash_within_a_rotation_is_repaired() {
    let all = records(8);
    let (before, batch) = all.split_at(2);
    // Two lines per file, and three in the first.
    let limit = |options: &mut Options| options.rotate_bytes = Some(lines(&all[..3]).len() as u64 + 5);
    let example = Files::with(limit);
    example.write(lines(before));
    let mut sink = example.resumed(before[1].offset, Some(&example.state()), &Stored(all.clone())).await.0;
    deliver(&mut sink, batch).await;
    let steps = steps(&example, &lines(before));
    assert_eq!(steps.len(), 7, "{steps:?}");

    for count in 1..=steps.len() {
        let bytes = match &steps[count - 1] {
            Step::Write(text) => {
                (0..=text.len()).step_by(11).chain([text.len().saturating_sub(1), text.len()]).collect()
            }
            _ => vec![0],
        };
        for bytes in bytes {
            let files = Files::with(limit);
            files.write(lines(before));
            let state = files.state();
            crash(&files, &steps[..count], bytes);
            recovers(&files, before[1].offset, Some(&state), &all, &all).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn random_crashes_leave_each_event_once(
        limit_lines in 1_u64..6, batches in prop::collection::vec((1_usize..6, any::<bool>(), 0_i64..2), 1..10),
        cut in any::<prop::sample::Index>(), passes in prop::collection::vec(any::<bool>(), 60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let all = records(batches.iter().map(|(count, ..)| count).sum());
            let wanted: Vec<Record> =
                all.iter().zip(&passes).filter(|(_, passes)| **passes).map(|(record, _)| record.clone()).collect();
            let stored = Stored(all.clone());
            let files = Files::with(|options| options.rotate_bytes = Some(limit_lines * 300));
            let (mut cursor, mut state) = (Offset(0), files.fresh().await.state());
            let (mut sink, _) = files.resumed(cursor, state.as_deref(), &stored).await;
            for (count, crashes, secs) in batches {
                pass(secs);
                let batch: Vec<Record> =
                    wanted.iter().filter(|record| record.offset > cursor).take(count).cloned().collect();
                deliver(&mut sink, &batch).await;
                if crashes {
                    // Neither cursor nor state were committed, and part of the last file never reached the disk.
                    let active = files.read();
                    let previous: Option<FileState> = state.as_deref().map(|state| serde_json::from_slice(state).unwrap());
                    let kept = previous
                        .filter(|previous| previous.inode == fs::metadata(files.path()).unwrap().ino())
                        .map_or(0, |previous| previous.length as usize);
                    files.write(&active[..kept + cut.index(active.len() - kept + 1)]);
                    let resumed = files.resumed(cursor, state.as_deref(), &stored).await;
                    sink = resumed.0;
                    cursor = resumed.1;
                } else if let Some(last) = batch.last() {
                    cursor = last.offset;
                }
                state = sink.state();
            }
            let rest: Vec<Record> = wanted.iter().filter(|record| record.offset > cursor).cloned().collect();
            deliver(&mut sink, &rest).await;
            assert_eq!(files.contents().concat(), lines(&wanted));
        });
    }
}

#[tokio::test]
async fn unsynced_zeros_are_cut() {
    let all = records(4);
    let files = Files::new();
    files.write(lines(&all[..1]));
    let state = files.state();
    for torn in ["", &all[2].event.line()[..90]] {
        files.write(lines(&all[..2]) + torn + &"\0".repeat(5000));
        recovers(&files, all[0].offset, Some(&state), &all, &all).await;
    }
}

#[tokio::test]
async fn zeros_before_kept_pages_are_cut() {
    const PAGE_BYTES: usize = 128;
    let all = records(9);
    let before = &all[..2];
    let written = lines(&all).into_bytes();
    let start = lines(before).len();
    for first in (0..written.len()).step_by(PAGE_BYTES).map(|first| first.max(start)) {
        for length in [1, PAGE_BYTES, 3 * PAGE_BYTES] {
            let files = Files::new();
            files.write(lines(before));
            let state = files.state();
            let mut torn = written.clone();
            let end = (first + length).min(torn.len());
            torn[first..end].fill(0);
            files.write(torn);
            recovers(&files, before[1].offset, Some(&state), &all, &all).await;
        }
    }
}

#[tokio::test]
async fn zeros_in_a_rotated_file_are_cut() {
    let all = records(3);
    let files = Files::with(|options| options.rotate_bytes = Some(lines(&all[..1]).len() as u64));
    files.write(lines(&all[..1]));
    let state = files.state();
    fs::rename(files.path(), files.directory.path().join("events-20260102T030405Z.jsonl")).unwrap();
    files.write("\0".repeat(200) + &lines(&all[1..])[200..]);
    recovers(&files, all[0].offset, Some(&state), &all, &all).await;
}

#[tokio::test]
async fn foreign_zeros_stay() {
    let all = records(3);
    for zeros in ["\0".repeat(5000), lines(&all[..1]) + "\0\0", "\0\0\n".to_owned() + &lines(&all[..1])] {
        let files = Files::new();
        files.write(&zeros);
        let (mut sink, found) = files.resumed(Offset(0), None, &Stored(all.clone())).await;
        deliver(&mut sink, &all[2..]).await;
        let joint = if zeros.ends_with('\n') { "" } else { "\n" };
        assert_eq!(files.read(), zeros.clone() + joint + &lines(&all[2..]));
        assert_eq!(found, if zeros.starts_with('{') { all[0].offset } else { Offset(0) });

        // The state of another file does not make them ours either.
        let mut elsewhere = Files::new();
        elsewhere.write("");
        let state = elsewhere.state();
        elsewhere.options.path = elsewhere.directory.path().join("new.jsonl");
        elsewhere.write(&zeros);
        let _ = elsewhere.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
        assert_eq!(elsewhere.read(), zeros);
    }
}

#[tokio::test]
async fn a_foreign_line_has_a_bounded_cost() {
    struct Counted(AtomicI64);

    #[async_trait]
    impl Records for Counted {
        async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
            self.0.fetch_add(limit as i64, Ordering::Relaxed);
            let event = records(1).remove(0).event;
            Ok((1..=limit as i64)
                .map(|number| Record { offset: Offset(after.0 + number), event: event.clone() })
                .collect())
        }
    }

    let files = Files::new();
    files.write("a line\n");
    let state = files.state();
    files.write("a line\nsomebody's\n");
    let counted = Counted(AtomicI64::new(0));
    let found = files.sink().resume(Offset(7), Some(&state), &counted).await.unwrap();
    assert_eq!(found, Offset(7));
    assert!(counted.0.load(Ordering::Relaxed) < 25_000, "{counted:?}", counted = counted.0);
}

#[tokio::test]
async fn a_foreign_tail_gets_a_line_end() {
    let all = records(3);
    for (foreign, joint) in [
        ("somebody's\nlines\n", ""),
        ("half a line", "\n"),
        ("{\"specversion\":\"1.0\",\"id\":\"?", "\n"),
        ("\0", "\n"),
    ] {
        for known in [true, false] {
            let files = Files::new();
            files.write(lines(&all[..1]));
            let state = known.then(|| files.state());
            files.write(lines(&all[..1]) + foreign);
            let stored = Stored(if foreign == "\0" { Vec::new() } else { all.clone() });
            let (mut sink, found) = files.resumed(all[0].offset, state.as_deref(), &stored).await;
            assert_eq!(found, all[0].offset);
            deliver(&mut sink, &all[1..]).await;
            assert_eq!(files.read(), lines(&all[..1]) + foreign + joint + &lines(&all[1..]), "{foreign:?} {known}");
        }
    }
}

#[tokio::test]
async fn a_crash_after_a_foreign_tail_is_repaired() {
    let all = records(2);
    let whole = "half a line".to_owned() + "\n" + &lines(&all);
    for length in "half a line".len()..=whole.len() {
        let files = Files::new();
        files.write("half a line");
        let state = files.state();
        files.write(&whole[..length]);
        let (mut sink, found) = files.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
        let rest: Vec<Record> = all.iter().filter(|record| record.offset > found).cloned().collect();
        deliver(&mut sink, &rest).await;
        assert_eq!(files.read(), whole, "{length}");
    }
}

#[tokio::test]
async fn foreign_lines_after_ours_stay() {
    let all = records(3);
    let files = Files::new();
    files.write("");
    let state = files.state();
    files.write(lines(&all[..2]) + "somebody's\n");
    let (mut sink, found) = files.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
    assert_eq!(found, all[1].offset);
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(files.read(), lines(&all[..2]) + "somebody's\n" + &lines(&all[2..]));
}

#[tokio::test]
async fn without_state_no_record_is_skipped() {
    let all = records(4);
    let files = Files::new();
    files.write(lines(&[all[0].clone(), all[2].clone()]));
    let (_, found) = files.resumed(Offset(0), None, &Stored(all.clone())).await;
    assert_eq!(found, all[0].offset);
    files.write(lines(&all[1..]));
    let (_, found) = files.resumed(Offset(0), None, &Stored(all.clone())).await;
    assert_eq!(found, Offset(0));
    let (_, found) = files.resumed(Offset(0), Some(b"not a state"), &Stored(all)).await;
    assert_eq!(found, Offset(0));
}

#[tokio::test]
async fn a_replaced_file_is_continued() {
    let all = records(4);
    for (left, found) in [("", 0), ("short\n", 0), (&lines(&all[1..3]), 3)] {
        let files = Files::new();
        files.write(lines(&all[..1]).repeat(5));
        let state = files.state();
        files.write(left);
        let (mut sink, offset) = files.resumed(all[0].offset, Some(&state), &Stored(all.clone())).await;
        assert_eq!(offset, all[found.max(1) - 1].offset);
        deliver(&mut sink, &all[3..]).await;
        assert_eq!(files.read(), left.to_owned() + &lines(&all[3..]));
    }
}

#[tokio::test]
async fn a_crash_after_others_rename_is_repaired() {
    let all = records(5);
    for (in_old, in_new) in [(0, 0), (0, 2), (2, 0), (2, 1)] {
        let files = Files::new();
        files.write(lines(&all[..1]));
        let state = files.state();
        let [old, new] = [&all[1..1 + in_old], &all[1 + in_old..1 + in_old + in_new]].map(lines);
        files.write(lines(&all[..1]) + &old + &all[4].event.line()[..60]);
        let renamed = files.path().with_extension("jsonl.1");
        fs::rename(files.path(), &renamed).unwrap();
        files.write(new);
        let (mut sink, found) = files.resumed(all[0].offset, Some(&state), &Stored(all.clone())).await;
        assert_eq!(found, all[in_old + in_new].offset);
        deliver(&mut sink, &all[1 + in_old + in_new..]).await;
        assert_eq!(fs::read_to_string(renamed).unwrap() + &files.read(), lines(&all));
    }
}

#[tokio::test]
async fn a_crash_before_a_new_path_is_repaired() {
    let all = records(3);
    let mut files = Files::new();
    files.write("");
    let state = files.state();
    files.write(lines(&all[..1]) + &all[1].event.line()[..80]);
    let old = files.options.path.clone();
    files.options.path = files.directory.path().join("elsewhere").join("new.jsonl");
    let (mut sink, found) = files.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
    assert_eq!(found, all[0].offset);
    deliver(&mut sink, &all[1..]).await;
    assert_eq!([fs::read_to_string(old).unwrap(), files.read()], [lines(&all[..1]), lines(&all[1..])]);
}

/// The journal returns today's form of these events, and the file has the form of an earlier version.
#[tokio::test]
async fn a_crash_before_an_upgrade_is_repaired() {
    let mut all = records(4);
    let mut earlier = Vec::new();
    for record in &mut all {
        let event = &record.event;
        let line = event.line().replace(r#""data":{"#, r#""data":{"errmsg":"cut \ud83d","note":"\u0000\ud83d\ude00","#);
        let line = line.replace(r#","datacontenttype""#, r#","subject":"a\u001b\n\ufdd0","datacontenttype""#);
        record.event = Event::restore(event.id(), event.event_type(), event.received_ms(), &line).unwrap();
        assert_ne!(record.event.line(), line);
        earlier.push(line + "\n");
    }
    let before = all[0].offset;
    let written = earlier[1..].concat();
    for length in (0..=written.len()).step_by(13).chain([written.len()]) {
        let files = Files::with(|options| options.rotate_bytes = Some(1 << 20));
        files.write(&earlier[0]);
        let state = files.state();
        files.write(earlier[0].clone() + &written[..length]);
        // Every second crash follows a rotation.
        if length % 2 == 0 {
            fs::rename(files.path(), files.directory.path().join("events-20260102T030405Z.jsonl")).unwrap();
            files.write("");
        }
        let (mut sink, found) = files.resumed(before, Some(&state), &Stored(all.clone())).await;
        let count = written[..length].matches('\n').count() + 1;
        assert_eq!(found, all[count - 1].offset, "{length}");
        deliver(&mut sink, &all[count..]).await;
        assert_eq!(files.contents().concat(), earlier[..count].concat() + &lines(&all[count..]), "{length}");
    }
}
