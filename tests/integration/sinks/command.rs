//! `command`, with a script that fails while a file is there.

use std::path::PathBuf;

use super::{Fault, Subject, conforms};

/// What the script does with an event in `$event`: how it fails, how it is done, and how it refuses.
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

const LINES: &str = r#"
while read -r event; do
    fault=$(cat fault 2>/dev/null)
    case $fault in
        Away) exit 1 ;;
        Stopped) kill -STOP $$ ;;
        Refusing) echo error not now; continue ;;
    esac
    case $event in *'"subject":"poison"'*) echo permanent no; continue ;; esac
    printf '%s\n' "$event" >> in
    case $fault in LostAcknowledgement) exit 0 ;; esac
    echo ok
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
        // A program that is started anew says so with its exit code, as in the first.
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
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole].lines().map(str::to_owned).collect()
    }

    fn refuses_poison(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn the_command_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Command { directory: directory.path().to_owned(), mode: "each" }, directory.path()).await;
}

#[tokio::test]
async fn the_command_sink_conforms_with_a_program_that_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Command { directory: directory.path().to_owned(), mode: "lines" }, directory.path()).await;
}
