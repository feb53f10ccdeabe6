//! The sink `command`, with a script that fails while a file exists.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Fault, Subject, conforms, post};
use crate::client::whole_lines;
use crate::process::Livehook;

/// The script of mode `each`: fails as the file `fault` says, rejects poison, and stores every other event in the file `in`.
const EACH: &str = r#"
read -r event || exit 1
fault=$(cat fault 2>/dev/null)
case $fault in
    Away) exit 1 ;;
    Stopped) kill -STOP $$ ;;
esac
case $event in *'"subject":"poison"'*) exit 65 ;; esac
printf '%s\n' "$event" >> in
[ "$fault" != LostAcknowledgement ]
"#;

/// The same in mode `lines`.
const LINES: &str = r#"
while read -r event; do
    id=${event#*'"id":"'}
    id=${id%%'"'*}
    fault=$(cat fault 2>/dev/null)
    case $fault in
        Away) exit 1 ;;
        Stopped) kill -STOP $$ ;;
        Refusing) echo "error $id not now"; continue ;;
    esac
    case $event in *'"subject":"poison"'*) echo "permanent $id no"; continue ;; esac
    printf '%s\n' "$event" >> in
    case $fault in LostAcknowledgement) exit 0 ;; esac
    echo "ok $id"
done
"#;

struct Command {
    directory: PathBuf,
    mode: &'static str,
}

impl Subject for Command {
    fn configure(&self) -> String {
        let Command { directory, mode } = self;
        let (script, more) = if *mode == "each" { (EACH, "concurrency = 4") } else { (LINES, "") };
        format!(
            "type = \"command\"\nprogram = \"sh\"\narguments = [\"-c\", '''{script}''']\nmode = \"{mode}\"\ndirectory = {directory:?}\ntimeout_secs = 1\n{more}\n"
        )
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::Away, Fault::Stopped, Fault::LostAcknowledgement];
        // In mode `each`, the exit code of `Fault::Away` says the same.
        faults.extend((self.mode == "lines").then_some(Fault::Refusing));
        faults
    }

    fn fail(&mut self, fault: Fault) {
        std::fs::write(self.directory.join("fault"), format!("{fault:?}")).unwrap();
    }

    fn mend(&mut self) {
        std::fs::remove_file(self.directory.join("fault")).unwrap();
    }

    fn received(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.join("in")).unwrap_or_default();
        whole_lines(&text).map(str::to_owned).collect()
    }

    fn refuses_poison(&self) -> bool {
        true
    }
}

#[tokio::test]
#[ignore = "takes ten seconds: run by tests/run"]
async fn the_command_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Command { directory: directory.path().to_owned(), mode: "each" }, directory.path()).await;
}

#[tokio::test]
#[ignore = "takes ten seconds: run by tests/run"]
async fn the_command_sink_conforms_with_lines() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Command { directory: directory.path().to_owned(), mode: "lines" }, directory.path()).await;
}

#[tokio::test]
async fn no_program_outlives_livehook() {
    for mode in ["each", "lines"] {
        let directory = tempfile::tempdir().unwrap();
        let script = "sleep 1000 & echo $! > child; echo $$ > id; wait";
        let sink = format!(
            "[[sinks]]\nname = \"it\"\ntype = \"command\"\nprogram = \"sh\"\narguments = [\"-c\", \"{script}\"]\nmode = \"{mode}\"\n"
        );
        let mut livehook = Livehook::configure(directory.path(), "shutdown_grace_secs = 2", &sink);
        livehook.start();
        livehook.ready().await;
        post(&livehook, 0..1).await;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !std::fs::read_to_string(livehook.path("id")).is_ok_and(|id| id.ends_with('\n')) {
            assert!(Instant::now() < deadline, "the program does not start: {}", livehook.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        livehook.stop().await;
        for name in ["id", "child"] {
            let id = std::fs::read_to_string(livehook.path(name)).unwrap();
            let stat = format!("/proc/{}/stat", id.trim());
            // A zombie is dead: only its parent has not waited for it yet.
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                assert!(Instant::now() < deadline, "{mode}: the {name} lives on");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}
