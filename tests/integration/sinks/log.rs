//! The sink `log`, whose reader stops reading.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Fault, Subject, conforms};
use crate::client::whole_lines;
use crate::process::{Livehook, PROGRAM};

#[derive(Default)]
struct Log {
    text: Arc<Mutex<Vec<u8>>>,
    is_paused: Arc<AtomicBool>,
}

impl Subject for Log {
    fn configure(&self) -> String {
        "type = \"log\"\n".to_owned()
    }

    fn start(&mut self, livehook: &mut Livehook) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(livehook.path("stderr.log")).unwrap();
        let child = livehook.spawn(Command::new(PROGRAM).stdout(Stdio::piped()).stderr(log));
        let mut stdout = child.stdout.take().unwrap();
        let (text, is_paused) = (Arc::clone(&self.text), Arc::clone(&self.is_paused));
        std::thread::spawn(move || {
            let mut chunk = [0; 1024];
            loop {
                while is_paused.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                match stdout.read(&mut chunk) {
                    Ok(count) if count > 0 => text.lock().unwrap().extend_from_slice(&chunk[..count]),
                    _ => break,
                }
            }
            // Drops the torn line that a killed process left.
            let mut text = text.lock().unwrap();
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            text.truncate(whole);
        });
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Stopped]
    }

    fn fail(&mut self, _: Fault) {
        self.is_paused.store(true, Ordering::SeqCst);
    }

    fn mend(&mut self) {
        self.is_paused.store(false, Ordering::SeqCst);
    }

    fn received(&self) -> Vec<String> {
        let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
        whole_lines(&text).map(str::to_owned).collect()
    }

    fn is_in_order(&self) -> bool {
        true
    }
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn the_log_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Log::default(), directory.path()).await;
}
