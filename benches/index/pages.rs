//! How long the service takes to render each page, over HTTP and without another load.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use livehook::journal;

use crate::common::process::{Server, Setup};
use crate::common::report::{percentile, row, table};
use crate::data::{JOURNAL_SECTION, data_dir};
use crate::queries::{Subject, micros, ms, subject};

/// Returns the address of a page.
type PagePath = fn(&Subject) -> String;

const PAGES: [(&str, PagePath); 11] = [
    ("now", |_| "/".to_owned()),
    ("time line, 1 hour", |_| "/timeline?span=1h".to_owned()),
    ("time line, 24 hours", |_| "/timeline?span=24h".to_owned()),
    ("time line, 7 days", |_| "/timeline?span=7d".to_owned()),
    ("time line, 24 hours, page 10", |_| "/timeline?span=24h&page=10".to_owned()),
    ("time line, a reason", |_| "/timeline?span=24h&reason=network".to_owned()),
    ("time line, a name", |subject| format!("/timeline?span=7d&stream={}", subject.key.stream())),
    ("reasons, 24 hours", |_| "/reasons?span=24h".to_owned()),
    ("reasons, 30 days", |_| "/reasons?span=30d".to_owned()),
    ("one stream", |subject| format!("/streams/{}", subject.key.as_str())),
    ("one session", |subject| format!("/sessions/{}", subject.key.session(&subject.sequence))),
];

/// The wait before each request. livehook gives a page that it has just rendered to everyone who asks for it within 50 ms.
const UNSHARED: Duration = Duration::from_millis(60);

/// Asks `count` times for each page.
pub(crate) fn pages(full: &Path, count: usize) -> anyhow::Result<()> {
    let server = Server::livehook_with(full, Setup { sections: JOURNAL_SECTION, ..Setup::default() })?;
    server.settle()?;
    let journal = journal::Reader::open(&data_dir(full))?;
    let mut random = fastrand::Rng::with_seed(7);
    table(&format!("{count} requests for each page"), &["page", "p50 ms", "p99 ms", "p50 KiB"]);
    for (name, path) in PAGES {
        let (mut times_us, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let subject = subject(&journal, &mut random)?;
            thread::sleep(UNSHARED);
            let started = Instant::now();
            let answer = server.ask(&path(&subject))?;
            times_us.push(micros(started.elapsed()));
            sizes.push((answer.len() / 1024) as u32);
            if !answer.starts_with("HTTP/1.1 200 ") {
                bail!("{name}: {}", answer.lines().next().unwrap_or_default());
            }
        }
        row(&[
            name.to_owned(),
            ms(&mut times_us, 0.5),
            ms(&mut times_us, 0.99),
            percentile(&mut sizes, 0.5).to_string(),
        ]);
    }
    server.stop()
}
