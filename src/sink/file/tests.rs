use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::rotation::{Form, Names};
use super::*;
use crate::sink::fixture::{Stored, all_delivered, lines, records};

/// 2026-01-02T03:04:05Z.
const NOW_SECS: i64 = 1_767_323_045;

/// A directory with a file sink's files.
struct Place {
    directory: TempDir,
    options: Options,
    now_secs: Arc<AtomicI64>,
}

impl Place {
    fn new() -> Place {
        Place::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::at(directory.path().join("events.jsonl"));
        change(&mut options);
        Place { directory, options, now_secs: Arc::new(AtomicI64::new(NOW_SECS)) }
    }

    fn sink(&self) -> FileSink {
        let now_secs = Arc::clone(&self.now_secs);
        let clock = Arc::new(move || Timestamp::from_second(now_secs.load(Ordering::Relaxed)).unwrap());
        FileSink::with_clock(self.options.clone(), clock)
    }

    fn pass(&self, secs: i64) {
        self.now_secs.fetch_add(secs, Ordering::Relaxed);
    }

    async fn resumed(&self, cursor: Offset, state: Option<&[u8]>, stored: &Stored) -> (FileSink, Offset) {
        let mut sink = self.sink();
        let offset = sink.resume(cursor, state, stored).await.unwrap();
        (sink, offset)
    }

    async fn fresh(&self) -> FileSink {
        self.resumed(Offset(0), None, &Stored(Vec::new())).await.0
    }

    fn path(&self) -> &Path {
        &self.options.path
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    fn read(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The files that hold plain lines, in the order in which they were written.
    fn files(&self) -> Vec<String> {
        let names = Names::beside(self.path());
        let closed = names.list().unwrap().into_iter().filter(|(_, form)| *form == Form::Plain);
        let mut paths: Vec<PathBuf> = closed.map(|(stamp, form)| names.path(stamp, form)).collect();
        paths.extend(self.path().exists().then(|| self.path().to_owned()));
        paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    fn state(&self) -> Vec<u8> {
        let metadata = fs::metadata(self.path()).unwrap();
        let remembered = Remembered {
            path: fs::canonicalize(self.path()).unwrap().to_str().unwrap().to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            rotated: None,
        };
        serde_json::to_vec(&remembered).unwrap()
    }
}

async fn deliver(sink: &mut FileSink, batch: &[Record]) {
    let outcomes = sink.deliver(batch).await;
    assert!(all_delivered(&outcomes, batch), "{outcomes:?}");
}

/// Resumes on what a crash left, delivers what is still to be, and demands that every event is there once.
async fn recovers(place: &Place, cursor: Offset, state: Option<&[u8]>, stored: &[Record], wanted: &[Record]) {
    let (mut sink, found) = place.resumed(cursor, state, &Stored(stored.to_vec())).await;
    assert!(found >= cursor);
    let rest: Vec<Record> = wanted.iter().filter(|record| record.offset > found).cloned().collect();
    deliver(&mut sink, &rest).await;
    assert_eq!(place.files().concat(), lines(wanted));
    // Once more, from the same old place, as if this had crashed before its commit too.
    let (_, found) = place.resumed(cursor, state, &Stored(stored.to_vec())).await;
    assert_eq!(found, wanted.last().unwrap().offset);
    assert_eq!(place.files().concat(), lines(wanted));
}

#[tokio::test]
async fn events_are_lines_and_the_directory_is_made() {
    let place = Place::with(|options| options.path = options.path.with_file_name("a").join("b").join("events.jsonl"));
    let mut sink = place.fresh().await;
    let all = records(5);
    deliver(&mut sink, &all[..2]).await;
    deliver(&mut sink, &all[2..]).await;
    assert!(sink.deliver(&[]).await.is_empty());
    assert_eq!(place.read(), lines(&all));
    assert_eq!(sink.state().unwrap(), place.state());
}

#[tokio::test]
async fn a_crash_at_any_byte_loses_and_repeats_nothing() {
    let all = records(6);
    let (before, batch) = all.split_at(2);
    let written = lines(batch);
    for length in 0..=written.len() {
        let place = Place::new();
        place.write(lines(before));
        let state = place.state();
        place.write(lines(before) + &written[..length]);
        recovers(&place, before[1].offset, Some(&state), &all, &all).await;
    }
}

#[tokio::test]
async fn a_crash_in_the_first_batch_of_all_loses_and_repeats_nothing() {
    let all = records(3);
    let written = lines(&all);
    for length in (0..=written.len()).step_by(3) {
        let place = Place::new();
        let (sink, _) = place.resumed(Offset(0), None, &Stored(Vec::new())).await;
        let state = sink.state();
        place.write(&written[..length]);
        for state in [state.as_deref(), None] {
            recovers(&place, Offset(0), state, &all, &all).await;
            place.write(&written[..length]);
        }
    }
}

#[tokio::test]
async fn records_that_the_filter_left_out_are_passed_over() {
    let all = records(9);
    let wanted: Vec<Record> = [0, 1, 4, 5, 8].map(|index: usize| all[index].clone()).into();
    let written = lines(&wanted[1..]);
    for length in (0..=written.len()).step_by(7).chain([written.len()]) {
        let place = Place::new();
        place.write(lines(&wanted[..1]));
        let state = place.state();
        place.write(lines(&wanted[..1]) + &written[..length]);
        recovers(&place, wanted[0].offset, Some(&state), &all, &wanted).await;
    }
}

/// Everything that a delivery does to the disk, one step after the other.
#[derive(Clone, Debug)]
enum Step {
    Write(String),
    Rename(String),
    Create,
}

/// The steps that lead from `before` in the active file to the files that are there.
fn steps(place: &Place, before: &str) -> Vec<Step> {
    let names = Names::beside(place.path());
    let mut files = place.files();
    files[0] = files[0].strip_prefix(before).unwrap().to_owned();
    let mut steps = Vec::new();
    for (index, (stamp, form)) in names.list().unwrap().into_iter().enumerate() {
        let name = names.path(stamp, form).file_name().unwrap().to_str().unwrap().to_owned();
        steps.extend([Step::Write(files[index].clone()), Step::Rename(name), Step::Create]);
    }
    steps.push(Step::Write(files.last().unwrap().clone()));
    steps
}

/// Does the steps up to one, and of that one so many bytes.
fn crash(place: &Place, steps: &[Step], last_bytes: usize) {
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Write(text) => {
                let count = if index + 1 == steps.len() { last_bytes } else { text.len() };
                place.write(place.read() + &text[..count]);
            }
            Step::Rename(name) => fs::rename(place.path(), place.directory.path().join(name)).unwrap(),
            Step::Create => place.write(""),
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_moment_of_a_rotation_loses_and_repeats_nothing() {
    let all = records(8);
    let (before, batch) = all.split_at(2);
    // Two lines a file, and one more in the first.
    let limit = |options: &mut Options| options.rotate_bytes = Some(lines(&all[..3]).len() as u64 + 5);
    let example = Place::with(limit);
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
            let place = Place::with(limit);
            place.write(lines(before));
            let state = place.state();
            crash(&place, &steps[..count], bytes);
            recovers(&place, before[1].offset, Some(&state), &all, &all).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_the_batches_the_limits_and_the_crashes_each_event_is_there_once(
        limit_lines in 1_u64..6, batches in prop::collection::vec((1_usize..6, any::<bool>(), 0_i64..2), 1..10),
        cut in any::<prop::sample::Index>(), passes in prop::collection::vec(any::<bool>(), 60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let all = records(batches.iter().map(|(count, ..)| count).sum());
            let wanted: Vec<Record> =
                all.iter().zip(&passes).filter(|(_, passes)| **passes).map(|(record, _)| record.clone()).collect();
            let stored = Stored(all.clone());
            let place = Place::with(|options| options.rotate_bytes = Some(limit_lines * 300));
            let (mut cursor, mut state) = (Offset(0), place.fresh().await.state());
            let (mut sink, _) = place.resumed(cursor, state.as_deref(), &stored).await;
            for (count, crashes, secs) in batches {
                place.pass(secs);
                let batch: Vec<Record> =
                    wanted.iter().filter(|record| record.offset > cursor).take(count).cloned().collect();
                deliver(&mut sink, &batch).await;
                if crashes {
                    // Neither cursor nor state were committed, and part of the last file never reached the disk.
                    let active = place.read();
                    let previous: Option<Remembered> = state.as_deref().map(|state| serde_json::from_slice(state).unwrap());
                    let kept = previous
                        .filter(|previous| previous.inode == fs::metadata(place.path()).unwrap().ino())
                        .map_or(0, |previous| previous.length as usize);
                    place.write(&active[..kept + cut.index(active.len() - kept + 1)]);
                    let resumed = place.resumed(cursor, state.as_deref(), &stored).await;
                    sink = resumed.0;
                    cursor = resumed.1;
                } else if let Some(last) = batch.last() {
                    cursor = last.offset;
                }
                state = sink.state();
            }
            let rest: Vec<Record> = wanted.iter().filter(|record| record.offset > cursor).cloned().collect();
            deliver(&mut sink, &rest).await;
            assert_eq!(place.files().concat(), lines(&wanted));
        });
    }
}

#[tokio::test]
async fn zeros_in_place_of_what_was_never_synced_are_cut() {
    let all = records(4);
    let place = Place::new();
    place.write(lines(&all[..1]));
    let state = place.state();
    for torn in ["", &all[2].event.line()[..90]] {
        place.write(lines(&all[..2]) + torn + &"\0".repeat(5000));
        recovers(&place, all[0].offset, Some(&state), &all, &all).await;
    }
}

#[tokio::test]
async fn zeros_before_what_was_kept_are_cut_and_nothing_is_lost_or_repeated() {
    const PAGE_BYTES: usize = 128;
    let all = records(9);
    let before = &all[..2];
    let written = lines(&all).into_bytes();
    let start = lines(before).len();
    for first in (0..written.len()).step_by(PAGE_BYTES).map(|first| first.max(start)) {
        for length in [1, PAGE_BYTES, 3 * PAGE_BYTES] {
            let place = Place::new();
            place.write(lines(before));
            let state = place.state();
            let mut torn = written.clone();
            let end = (first + length).min(torn.len());
            torn[first..end].fill(0);
            place.write(torn);
            recovers(&place, before[1].offset, Some(&state), &all, &all).await;
        }
    }
}

#[tokio::test]
async fn zeros_at_the_beginning_of_a_file_that_a_rotation_began_are_cut() {
    let all = records(3);
    let place = Place::with(|options| options.rotate_bytes = Some(lines(&all[..1]).len() as u64));
    place.write(lines(&all[..1]));
    let state = place.state();
    fs::rename(place.path(), place.directory.path().join("events-20260102T030405Z.jsonl")).unwrap();
    place.write("\0".repeat(200) + &lines(&all[1..])[200..]);
    recovers(&place, all[0].offset, Some(&state), &all, &all).await;
}

#[tokio::test]
async fn zeros_that_nobody_knows_to_be_ours_stay() {
    let all = records(3);
    for zeros in ["\0".repeat(5000), lines(&all[..1]) + "\0\0", "\0\0\n".to_owned() + &lines(&all[..1])] {
        let place = Place::new();
        place.write(&zeros);
        let (mut sink, found) = place.resumed(Offset(0), None, &Stored(all.clone())).await;
        deliver(&mut sink, &all[2..]).await;
        let joint = if zeros.ends_with('\n') { "" } else { "\n" };
        assert_eq!(place.read(), zeros.clone() + joint + &lines(&all[2..]));
        assert_eq!(found, if zeros.starts_with('{') { all[0].offset } else { Offset(0) });

        // Neither does a state of another file make them ours.
        let mut elsewhere = Place::new();
        elsewhere.write("");
        let state = elsewhere.state();
        elsewhere.options.path = elsewhere.directory.path().join("new.jsonl");
        elsewhere.write(&zeros);
        let _ = elsewhere.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
        assert_eq!(elsewhere.read(), zeros);
    }
}

#[tokio::test]
async fn a_foreign_line_costs_no_more_than_a_batch_can_span() {
    struct Counted(AtomicI64);

    #[async_trait]
    impl Records for Counted {
        async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, crate::journal::JournalError> {
            self.0.fetch_add(limit as i64, Ordering::Relaxed);
            let event = records(1).remove(0).event;
            Ok((1..=limit as i64)
                .map(|number| Record { offset: Offset(after.0 + number), event: event.clone() })
                .collect())
        }
    }

    let place = Place::new();
    place.write("a line\n");
    let state = place.state();
    place.write("a line\nsomebody's\n");
    let counted = Counted(AtomicI64::new(0));
    let found = place.sink().resume(Offset(7), Some(&state), &counted).await.unwrap();
    assert_eq!(found, Offset(7));
    assert!(counted.0.load(Ordering::Relaxed) < 25_000, "{counted:?}", counted = counted.0);
}

#[tokio::test]
async fn a_tail_that_is_not_ours_is_continued_on_a_line_of_its_own() {
    let all = records(3);
    for (foreign, joint) in [
        ("somebody's\nlines\n", ""),
        ("half a line", "\n"),
        ("{\"specversion\":\"1.0\",\"id\":\"?", "\n"),
        ("\0", "\n"),
    ] {
        for known in [true, false] {
            let place = Place::new();
            place.write(lines(&all[..1]));
            let state = known.then(|| place.state());
            place.write(lines(&all[..1]) + foreign);
            let stored = Stored(if foreign == "\0" { Vec::new() } else { all.clone() });
            let (mut sink, found) = place.resumed(all[0].offset, state.as_deref(), &stored).await;
            assert_eq!(found, all[0].offset);
            deliver(&mut sink, &all[1..]).await;
            assert_eq!(place.read(), lines(&all[..1]) + foreign + joint + &lines(&all[1..]), "{foreign:?} {known}");
        }
    }
}

#[tokio::test]
async fn a_crash_behind_a_line_of_others_that_had_no_end_is_recovered_from() {
    let all = records(2);
    let whole = "half a line".to_owned() + "\n" + &lines(&all);
    for length in "half a line".len()..=whole.len() {
        let place = Place::new();
        place.write("half a line");
        let state = place.state();
        place.write(&whole[..length]);
        let (mut sink, found) = place.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
        let rest: Vec<Record> = all.iter().filter(|record| record.offset > found).cloned().collect();
        deliver(&mut sink, &rest).await;
        assert_eq!(place.read(), whole, "{length}");
    }
}

#[tokio::test]
async fn lines_of_others_behind_ours_stay_and_ours_are_not_repeated() {
    let all = records(3);
    let place = Place::new();
    place.write("");
    let state = place.state();
    place.write(lines(&all[..2]) + "somebody's\n");
    let (mut sink, found) = place.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
    assert_eq!(found, all[1].offset);
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(place.read(), lines(&all[..2]) + "somebody's\n" + &lines(&all[2..]));
}

#[tokio::test]
async fn without_a_state_no_record_is_passed_over() {
    let all = records(4);
    let place = Place::new();
    place.write(lines(&[all[0].clone(), all[2].clone()]));
    let (_, found) = place.resumed(Offset(0), None, &Stored(all.clone())).await;
    assert_eq!(found, all[0].offset);
    place.write(lines(&all[1..]));
    let (_, found) = place.resumed(Offset(0), None, &Stored(all.clone())).await;
    assert_eq!(found, Offset(0));
    let (_, found) = place.resumed(Offset(0), Some(b"not a state"), &Stored(all)).await;
    assert_eq!(found, Offset(0));
}

#[tokio::test]
async fn a_file_that_others_cut_or_replaced_is_continued() {
    let all = records(4);
    for (left, found) in [("", 0), ("short\n", 0), (&lines(&all[1..3]), 3)] {
        let place = Place::new();
        place.write(lines(&all[..1]).repeat(5));
        let state = place.state();
        place.write(left);
        let (mut sink, offset) = place.resumed(all[0].offset, Some(&state), &Stored(all.clone())).await;
        assert_eq!(offset, all[found.max(1) - 1].offset);
        deliver(&mut sink, &all[3..]).await;
        assert_eq!(place.read(), left.to_owned() + &lines(&all[3..]));
    }
}

#[tokio::test]
async fn a_crash_after_others_renamed_the_file_loses_and_repeats_nothing() {
    let all = records(5);
    for (in_old, in_new) in [(0, 0), (0, 2), (2, 0), (2, 1)] {
        let place = Place::new();
        place.write(lines(&all[..1]));
        let state = place.state();
        let [old, new] = [&all[1..1 + in_old], &all[1 + in_old..1 + in_old + in_new]].map(lines);
        place.write(lines(&all[..1]) + &old + &all[4].event.line()[..60]);
        let renamed = place.path().with_extension("jsonl.1");
        fs::rename(place.path(), &renamed).unwrap();
        place.write(new);
        let (mut sink, found) = place.resumed(all[0].offset, Some(&state), &Stored(all.clone())).await;
        assert_eq!(found, all[in_old + in_new].offset);
        deliver(&mut sink, &all[1 + in_old + in_new..]).await;
        assert_eq!(fs::read_to_string(renamed).unwrap() + &place.read(), lines(&all));
    }
}

#[tokio::test]
async fn a_crash_before_the_path_was_configured_anew_is_recovered_from() {
    let all = records(3);
    let mut place = Place::new();
    place.write("");
    let state = place.state();
    place.write(lines(&all[..1]) + &all[1].event.line()[..80]);
    let old = place.options.path.clone();
    place.options.path = place.directory.path().join("elsewhere").join("new.jsonl");
    let (mut sink, found) = place.resumed(Offset(0), Some(&state), &Stored(all.clone())).await;
    assert_eq!(found, all[0].offset);
    deliver(&mut sink, &all[1..]).await;
    assert_eq!([fs::read_to_string(old).unwrap(), place.read()], [lines(&all[..1]), lines(&all[1..])]);
}

#[tokio::test]
async fn rotation_keeps_files_under_their_limit_and_larger_lines_alone() {
    let all = records(12);
    let line = all[0].event.line().len() as u64 + 6;
    for limit in [1, line, 3 * line, 100 * line] {
        let place = Place::with(|options| options.rotate_bytes = Some(limit));
        let mut sink = place.fresh().await;
        for batch in all.chunks(5) {
            deliver(&mut sink, batch).await;
        }
        let files = place.files();
        assert_eq!(files.concat(), lines(&all));
        assert!(files.iter().all(|text| text.len() as u64 <= limit || text.matches('\n').count() == 1));
        assert_eq!(files.len() as u64, 12_u64.div_ceil((limit / line).max(1)), "{limit}");
    }
}

#[tokio::test]
async fn rotation_follows_the_day_and_not_a_clock_that_is_set_back() {
    let all = records(6);
    let place = Place::with(|options| options.rotate_daily = true);
    let mut sink = place.fresh().await;
    let midnight = (NOW_SECS / 86_400 + 1) * 86_400;
    let mut names = Vec::new();
    // The real clock made the file; it is of the day of its first write by then.
    for (index, secs) in [-3600, -1, 0, -3600, 7200, 86_400].into_iter().enumerate() {
        place.now_secs.store(midnight + secs, Ordering::Relaxed);
        if index == 0 {
            fs::File::open(place.path()).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            sink = place.fresh().await;
        }
        deliver(&mut sink, &all[index..=index]).await;
        names.push(place.files().len());
    }
    assert_eq!(names, [1, 1, 2, 2, 2, 3]);
    assert_eq!(place.files(), [lines(&all[..2]), lines(&all[2..5]), lines(&all[5..])]);
}

#[tokio::test]
async fn a_file_of_an_earlier_day_is_closed_after_a_restart() {
    let all = records(2);
    let place = Place::with(|options| options.rotate_daily = true);
    place.write(lines(&all[..1]));
    let yesterday = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW_SECS as u64 - 86_400);
    fs::File::options().append(true).open(place.path()).unwrap().set_modified(yesterday).unwrap();
    deliver(&mut place.fresh().await, &all[1..]).await;
    assert_eq!(place.files(), [lines(&all[..1]), lines(&all[1..])]);
}

#[tokio::test]
async fn rotation_overwrites_nothing() {
    let place = Place::with(|options| options.rotate_bytes = Some(1));
    let mut sink = place.fresh().await;
    // Made behind its back, so that it cannot have known.
    let taken = place.directory.path().join("events-20260102T030405Z.jsonl");
    fs::create_dir(&taken).unwrap();
    let all = records(2);
    deliver(&mut sink, &all).await;
    assert!(taken.is_dir());
    assert_eq!(place.files(), [lines(&all[..1]), lines(&all[1..])]);
    assert!(place.directory.path().join("events-20260102T030405Z-1.jsonl").is_file());
}

#[tokio::test]
async fn closed_files_are_removed_and_compressed_once_no_recovery_needs_them() {
    let place = Place::with(|options| {
        options.rotate_bytes = Some(1);
        options.keep_files_max = Some(2);
        options.gzip = true;
    });
    let all = records(5);
    let mut sink = place.fresh().await;
    deliver(&mut sink, &all[..4]).await;
    sink.retention.finish().await;
    assert_eq!(place.files().len(), 4, "they were touched before the place after them was durable");
    deliver(&mut sink, &all[4..]).await;
    sink.retention.finish().await;
    let names = Names::beside(place.path());
    let forms: Vec<Form> = names.list().unwrap().into_iter().map(|(_, form)| form).collect();
    assert_eq!(forms, [Form::Compressed, Form::Compressed, Form::Plain]);
    assert_eq!(place.files(), [lines(&all[3..4]), lines(&all[4..])]);
}

/// Delivers one more event, and waits for what becomes of the closed files.
async fn look_again(sink: &mut FileSink) {
    deliver(sink, &records(1)).await;
    sink.retention.finish().await;
}

#[tokio::test]
async fn closed_files_grow_old_also_without_a_rotation() {
    let place = Place::with(|options| options.keep_days_max = Some(2));
    let closed = place.directory.path().join("events-20260102T030405Z.jsonl");
    fs::write(&closed, "").unwrap();
    let mut sink = place.fresh().await;
    for days in [0, 1, 1] {
        place.pass(days * 86_400);
        look_again(&mut sink).await;
        assert!(closed.exists());
    }
    place.pass(3600);
    look_again(&mut sink).await;
    assert!(closed.exists(), "it was looked at twice a day");
    place.pass(86_400);
    look_again(&mut sink).await;
    assert!(!closed.exists());
}

#[tokio::test]
async fn a_closed_file_that_could_not_be_compressed_is_tried_again() {
    let place = Place::with(|options| options.gzip = true);
    let closed = place.directory.path().join("events-20260102T030405Z.jsonl");
    let in_the_way = closed.with_extension("jsonl.gz.part");
    fs::write(&closed, "").unwrap();
    fs::create_dir(&in_the_way).unwrap();
    let mut sink = place.fresh().await;
    look_again(&mut sink).await;
    look_again(&mut sink).await;
    fs::remove_dir(&in_the_way).unwrap();
    place.pass(60);
    look_again(&mut sink).await;
    assert!(closed.exists(), "it was tried again too soon");
    place.pass(600);
    look_again(&mut sink).await;
    assert!(!closed.exists() && closed.with_extension("jsonl.gz").exists());
}

#[tokio::test]
async fn a_rename_by_others_is_noticed() {
    let all = records(3);
    let place = Place::new();
    let mut sink = place.fresh().await;
    deliver(&mut sink, &all[..1]).await;
    let renamed = place.path().with_extension("jsonl.1");
    fs::rename(place.path(), &renamed).unwrap();
    deliver(&mut sink, &all[1..2]).await;
    fs::remove_dir_all(place.directory.path()).unwrap();
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(place.read(), lines(&all[2..]));
}

#[tokio::test]
async fn a_truncation_and_an_appended_line_by_others_are_noticed() {
    let all = records(3);
    let place = Place::new();
    let mut sink = place.fresh().await;
    deliver(&mut sink, &all[..1]).await;
    fs::File::options().write(true).open(place.path()).unwrap().set_len(0).unwrap();
    deliver(&mut sink, &all[1..2]).await;
    assert_eq!(place.read(), lines(&all[1..2]));
    place.write(place.read() + "half a line");
    deliver(&mut sink, &all[2..]).await;
    assert_eq!(place.read(), lines(&all[1..2]) + "half a line\n" + &lines(&all[2..]));
    assert_eq!(sink.state().unwrap(), place.state());
}

#[tokio::test]
async fn a_delivery_that_was_dropped_is_taken_back() {
    for limit in [None, Some(1)] {
        let all = records(4);
        let place = Place::with(|options| options.rotate_bytes = limit);
        let mut sink = place.fresh().await;
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
        assert_eq!(place.files().concat(), lines(&all));
    }
}

#[tokio::test]
async fn a_symbolic_link_is_followed_and_stays_one() {
    let all = records(2);
    let place = Place::with(|options| options.rotate_bytes = Some(1));
    let target = place.directory.path().join("disk").join("real.jsonl");
    fs::create_dir(target.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, place.path()).unwrap();
    deliver(&mut place.fresh().await, &all).await;
    assert!(place.path().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), lines(&all[1..]));
    let closed = target.with_file_name("real-20260102T030405Z.jsonl");
    assert_eq!(fs::read_to_string(closed).unwrap(), lines(&all[..1]));
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_by_name() {
    let place = Place::new();
    let pipe = place.directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    place.write("");
    let below_a_file = place.path().join("events.jsonl");
    for (path, reason) in [
        (place.directory.path().to_owned(), "is a directory: the sink"),
        (pipe, "is a pipe: the sink"),
        ("/dev/full".into(), "is a device: the sink"),
        (below_a_file, ": cannot make the directory: "),
    ] {
        let mut sink = FileSink::new(Options::at(&path));
        let resumed = sink.resume(Offset(0), None, &Stored(Vec::new())).await.unwrap_err();
        let delivered = sink.deliver(&records(1)).await.remove(0).unwrap_err();
        for error in [resumed, delivered] {
            assert!(matches!(error, DeliveryError::Transient { .. }));
            assert!(error.to_string().contains(reason), "{error}");
            assert!(error.to_string().starts_with(path.parent().unwrap().to_str().unwrap()), "{error}");
        }
    }
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs; run by tests/run"]
async fn a_full_disk_leaves_no_torn_line_and_takes_up_again() {
    let place = Place::new();
    let disk = place.directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let system = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program).args(arguments).arg(&disk).status().is_ok_and(|status| status.success())
    };
    assert!(system("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]), "a tmpfs cannot be mounted: run it as root");
    let all = records(1000);
    let path = disk.join("events.jsonl");
    let mut sink = FileSink::new(Options::at(&path));
    sink.resume(Offset(0), None, &Stored(Vec::new())).await.unwrap();
    deliver(&mut sink, &all[..10]).await;
    let refused = sink.deliver(&all[10..]).await;
    let kept = fs::read_to_string(&path);
    let larger = system("mount", &["-o", "remount,size=10m"]);
    let delivered = sink.deliver(&all[10..]).await;
    let text = fs::read_to_string(&path);
    drop(sink);
    assert!(system("umount", &[]));

    assert!(larger);
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(matches!(error, DeliveryError::Transient { .. }));
        assert!(error.to_string().contains("events.jsonl: cannot write to it: No space left on device"), "{error}");
    }
    assert_eq!(kept.unwrap(), lines(&all[..10]));
    assert!(all_delivered(&delivered, &all[10..]));
    assert_eq!(text.unwrap(), lines(&all));
}

#[test]
fn options_that_cannot_work_are_mistakes() {
    let keys = |toml: &str| -> Vec<String> {
        let options: Options = toml::from_str(toml).unwrap();
        options.mistakes().into_iter().map(|mistake| mistake.key).collect()
    };
    for (toml, expected) in [
        ("path = 'events.jsonl'", &[] as &[&str]),
        (
            "path = 'a/b'\nrotate_bytes = 65536\nrotate_daily = true\nkeep_files_max = 1\nkeep_days_max = 1\ngzip = true",
            &[],
        ),
        ("path = ''", &["path"]),
        ("path = 'a/'", &["path"]),
        ("path = '..'", &["path"]),
        ("path = 'a'\nrotate_bytes = 65535", &["rotate_bytes"]),
        (
            "path = 'a'\nrotate_daily = true\nkeep_files_max = 0\nkeep_days_max = 0",
            &["keep_files_max", "keep_days_max"],
        ),
        ("path = 'a'\ngzip = true\nkeep_files_max = 3", &["keep_files_max", "gzip"]),
    ] {
        assert_eq!(keys(toml), expected, "{toml}");
    }
}
