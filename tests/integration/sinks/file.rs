//! The sink `file`, whose path becomes a directory.

use std::path::PathBuf;

use super::{Fault, Subject, conforms};

struct File {
    directory: PathBuf,
    moved: usize,
}

impl File {
    fn path(&self) -> PathBuf {
        self.directory.join("events.jsonl")
    }

    fn moved_path(&self, number: usize) -> PathBuf {
        self.directory.join(format!("moved-{number}"))
    }
}

impl Subject for File {
    fn configure(&self) -> String {
        format!("type = \"file\"\npath = \"{}\"\n", self.path().display())
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away]
    }

    fn fail(&mut self, _: Fault) {
        // Root may write to any file, so the path becomes a directory.
        if self.path().exists() {
            self.moved += 1;
            std::fs::rename(self.path(), self.moved_path(self.moved)).unwrap();
        }
        std::fs::create_dir(self.path()).unwrap();
    }

    fn mend(&mut self) {
        std::fs::remove_dir(self.path()).unwrap();
    }

    fn received(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for path in (1..=self.moved).map(|number| self.moved_path(number)).chain([self.path()]) {
            lines.extend(std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned));
        }
        lines
    }

    fn may_repeat(&self) -> bool {
        false
    }

    fn is_in_order(&self) -> bool {
        true
    }
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn the_file_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(File { directory: directory.path().to_owned(), moved: 0 }, directory.path()).await;
}
