//! The sinks `postgres` and `mysql`, against real servers. `psql` and `mariadb` read back what arrived.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use livehook::journal::{Offset, Reader, Record};

use super::server::Server;
use super::{
    Fault, RETRY, Subject, all_arrived, conforms, id_of, metric, nothing_is_pending, post, started,
    survives_a_long_stop, wait_for,
};
use crate::process::{Livehook, Mounted};

/// A table of the user's own. Its column `n` shows the order, and its rule refuses the stream of the rejected events.
const TABLES: [&str; 2] = [
    "CREATE TABLE livehook_events (id uuid PRIMARY KEY, type text, domain text, app text, stream text CHECK (stream <> 'poison'), \
     sequence text, time timestamptz, received timestamptz, data jsonb, n bigserial)",
    "CREATE TABLE livehook_events (id char(36) PRIMARY KEY, type text, domain text, app text, stream text CHECK (stream <> 'poison'), \
     sequence text, time datetime(3), received datetime(3), data json, n bigint auto_increment, UNIQUE KEY (n))",
];

/// The server, and the folder of the test.
pub(super) struct Database {
    server: Server,
    directory: PathBuf,
    is_postgres: bool,
    more: &'static str,
}

impl Database {
    fn new(type_name: &str, directory: &Path, settings: &[&str], more: &'static str) -> Database {
        let server = Server::start(type_name, directory, settings);
        server.proxy.lose_answers_to("COMMIT");
        Database { server, directory: directory.to_owned(), is_postgres: type_name == "postgres", more }
    }

    pub(super) fn postgres(directory: &Path) -> Database {
        Database::new("postgres", directory, &[], "batch_events_max = 50")
    }

    pub(super) fn mysql(directory: &Path) -> Database {
        Database::new("mysql", directory, &[], "batch_events_max = 50")
    }

    fn try_ask(&self, user: &str, statement: &str) -> Output {
        let port = self.server.port.to_string();
        let mut command = if self.is_postgres {
            let mut command = Command::new("psql");
            command.env("PGOPTIONS", "-c default_transaction_read_only=off -c client_min_messages=error");
            command.args(["-h", "127.0.0.1", "-p", &port, "-U", "livehook", "-d", "live", "-Atc"]);
            command
        } else {
            let mut command = Command::new("mariadb");
            let password = format!("-p{user}");
            command.args(["-h", "127.0.0.1", "-P", &port, "-u", user, &password, "-NBr", "live", "-e"]);
            command
        };
        command.arg(statement).output().unwrap()
    }

    /// The lines of the answer to a statement. A server that has just started may not answer yet.
    fn ask_as(&self, user: &str, statement: &str) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let output = self.try_ask(user, statement);
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
            }
            assert!(Instant::now() < deadline, "{statement}: {output:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn ask(&self, statement: &str) -> Vec<String> {
        self.ask_as("livehook", statement)
    }

    /// Asks for one number.
    fn number(&self, statement: &str) -> u64 {
        self.ask(statement)[0].parse().unwrap()
    }

    fn set_read_only(&self, is_read_only: bool) {
        if self.is_postgres {
            let action = if is_read_only {
                "SET default_transaction_read_only = on"
            } else {
                "RESET default_transaction_read_only"
            };
            self.ask(&format!("ALTER SYSTEM {action}"));
            self.ask("SELECT pg_reload_conf()");
        } else {
            self.ask_as("admin", &format!("SET GLOBAL read_only = {}", u8::from(is_read_only)));
        }
    }

    fn url(&self, login: &str) -> String {
        let scheme = if self.is_postgres { "postgres" } else { "mysql" };
        format!("{scheme}://{login}@127.0.0.1:{}/live", self.server.proxy.address.port())
    }

    fn configure_with(&self, login: &str, more: &str) -> String {
        let type_name = if self.is_postgres { "postgres" } else { "mysql" };
        format!("type = \"{type_name}\"\nurl = \"{}\"\ntimeout_secs = 1\n{more}\n", self.url(login))
    }
}

impl Subject for Database {
    fn configure(&self) -> String {
        self.configure_with("livehook:livehook", self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away, Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement, Fault::Refusing]
    }

    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Refusing => self.set_read_only(true),
            fault => self.server.fail(fault),
        }
    }

    fn mend(&mut self) {
        self.server.mend();
        self.set_read_only(false);
    }

    fn received(&self) -> Vec<String> {
        let text = if self.is_postgres { "id || ' ' || data" } else { "CONCAT(id, ' ', data)" };
        let rows = self.ask(&format!("SELECT {text} FROM livehook_events ORDER BY n"));
        // The lines of the journal by id, because the columns hold the members of an event apart.
        let reader = Reader::open(&self.directory.join("data")).unwrap();
        let mut lines = HashMap::new();
        let mut after = Offset(0);
        while let records = reader.read(after, 10_000).unwrap()
            && let Some(last) = records.last()
        {
            after = last.offset;
            let line = |record: &Record| record.event.line().to_owned();
            lines.extend(records.iter().map(line).map(|line| (id_of(&line), line)));
        }
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let line = |row: &String| {
            let (id, data) = row.split_once(' ').unwrap();
            let line = lines[&id.parse::<EventId>().unwrap()].clone();
            assert_eq!(json(data), json(&line)["data"], "{id}");
            line
        };
        rows.iter().map(line).collect()
    }

    fn may_repeat(&self) -> bool {
        false
    }

    fn refuses_poison(&self) -> bool {
        true
    }

    fn is_in_order(&self) -> bool {
        true
    }
}

/// Every session of the index is a row, with the same events.
fn sessions_are_equal(livehook: &Livehook, database: &Database) {
    let output = Command::new(crate::process::PROGRAM)
        .args(["sessions", "--output", "json", "--limit", "100000", "--data-dir"])
        .arg(livehook.path("data"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let sessions: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!sessions.is_empty());
    let expected = sessions.iter().map(|session| {
        let event = |name: &str| session[name].as_str().unwrap_or("none").to_owned();
        format!("{} {} {}", session["id"].as_str().unwrap(), event("push_event_id"), event("stop_event_id"))
    });
    let text = if database.is_postgres { "text" } else { "char" };
    let event = |name: &str| format!("COALESCE(CAST({name} AS {text}), 'none')");
    let (push, stop) = (event("push_event_id"), event("stop_event_id"));
    let stored = database.ask(&format!("SELECT CONCAT(id, ' ', {push}, ' ', {stop}) FROM livehook_sessions"));
    // The index has removed old sessions at its start.
    expected.for_each(|session| assert!(stored.contains(&session), "{session} in {stored:?}"));
}

async fn sink_conforms(database: Database) {
    database.ask(TABLES[usize::from(!database.is_postgres)]);
    let directory = database.directory.clone();
    conforms(database, &directory).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and takes a minute: run by tests/run"]
async fn the_postgres_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    sink_conforms(Database::postgres(directory.path())).await;
}

#[tokio::test]
#[ignore = "needs MariaDB and takes a minute: run by tests/run"]
async fn the_mysql_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    sink_conforms(Database::mysql(directory.path())).await;
}

/// Tables and columns that are missing, rights, passwords: every event waits, and the log shows what to do.
async fn errors_lose_no_event(database: Database) {
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let config = |login: &str, more: &str| {
        format!(
            "[[sinks]]\nname = \"it\"\nstart = \"earliest\"\n{RETRY}\n{}{file}",
            database.configure_with(login, more)
        )
    };
    let mut livehook =
        Livehook::configure(&database.directory, "", &config("livehook:livehook", "create_tables = false"));
    livehook.start();
    livehook.ready().await;
    post(&livehook, 0..50).await;
    wait_for(&livehook, "make it: CREATE TABLE").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    livehook.stop().await;

    // With another login, and with the right to make tables.
    livehook.configure_again("", &config("nobody:s3cr3t-word", ""));
    livehook.start();
    livehook.ready().await;
    wait_for(
        &livehook,
        if database.is_postgres { "role \\\"nobody\\\" does not exist" } else { "correct `user` and the password" },
    )
    .await;
    assert!(!livehook.log().contains("s3cr3t-word"));
    livehook.stop().await;
    livehook.configure_again("", &config("livehook:livehook", ""));
    livehook.start();
    livehook.ready().await;
    all_rows(&livehook, &database, 50).await;

    // A column goes away while the sink is connected. The cure in the log brings it back.
    database.ask("ALTER TABLE livehook_events DROP COLUMN sequence");
    post(&livehook, 50..100).await;
    wait_for(&livehook, "make it: ALTER TABLE").await;
    let log = livehook.log();
    let cure = log.split("make it: ").filter(|text| text.starts_with("ALTER")).last().unwrap();
    let cure = cure.lines().next().unwrap().replace('\\', "");
    let cure = &cure[..cure.find("sequence").unwrap() + 14];
    database.ask(cure);
    all_rows(&livehook, &database, 100).await;

    // A further column without a default refuses every row, and still no event becomes a dead letter.
    database.ask("ALTER TABLE livehook_events ADD COLUMN mine bigint");
    let column = if database.is_postgres { "ALTER COLUMN mine SET NOT NULL" } else { "MODIFY mine bigint NOT NULL" };
    database.ask("UPDATE livehook_events SET mine = 1");
    database.ask(&format!("ALTER TABLE livehook_events {column}"));
    post(&livehook, 100..150).await;
    wait_for(&livehook, "give each further column a default").await;
    let column =
        if database.is_postgres { "ALTER COLUMN mine SET DEFAULT 7" } else { "MODIFY mine bigint NOT NULL DEFAULT 7" };
    database.ask(&format!("ALTER TABLE livehook_events {column}"));
    all_rows(&livehook, &database, 150).await;
    sessions_are_equal(&livehook, &database);
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    assert_eq!(livehook.lines("events.jsonl").len(), 150, "the other sink has every event");
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and takes some seconds: run by tests/run"]
async fn errors_of_postgres_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    errors_lose_no_event(Database::postgres(directory.path())).await;
}

#[tokio::test]
#[ignore = "needs MariaDB and takes some seconds: run by tests/run"]
async fn errors_of_mysql_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    errors_lose_no_event(Database::mysql(directory.path())).await;
}

/// A standby that is away holds the commit back. If a person cancels that wait, PostgreSQL reports success with a warning, and
/// livehook sends the events again until the standby has them.
#[tokio::test]
#[ignore = "needs PostgreSQL and takes some seconds: run by tests/run"]
async fn commit_with_a_warning_proves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::postgres(directory.path());
    let more = "timeout_secs = 30\n";
    let config = database.configure().replace("timeout_secs = 1\n", more);
    let mut livehook = started(directory.path(), &config).await;
    post(&livehook, 0..1).await;
    all_rows(&livehook, &database, 1).await;
    database.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    database.ask("SELECT pg_reload_conf()");
    post(&livehook, 1..50).await;
    let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'livehook'";
    for _ in 0..3 {
        let deadline = Instant::now() + Duration::from_secs(20);
        while database.number(&format!("SELECT count(*) {waiting}")) == 0 {
            assert!(Instant::now() < deadline, "{}", livehook.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        database.ask(&format!("SELECT pg_cancel_backend(pid) {waiting}"));
        wait_for(&livehook, "which proves nothing: canceling wait for synchronous replication").await;
        assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    }
    database.ask("ALTER SYSTEM RESET synchronous_standby_names");
    database.ask("SELECT pg_reload_conf()");
    all_rows(&livehook, &database, 50).await;
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL and takes half a minute: run by tests/run"]
async fn a_long_stop_of_postgres_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::postgres(directory.path());
    database.ask(TABLES[0]);
    survives_a_long_stop(database, directory.path()).await;
}

#[tokio::test]
#[ignore = "needs MariaDB and takes half a minute: run by tests/run"]
async fn a_long_stop_of_mysql_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::mysql(directory.path());
    database.ask(TABLES[1]);
    survives_a_long_stop(database, directory.path()).await;
}

/// The tables are on a disk that fills up. The events wait until it is larger.
#[tokio::test]
#[ignore = "needs PostgreSQL, and mounts a small file system, which takes root: run by tests/run"]
async fn full_disk_of_postgres_loses_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::postgres(directory.path());
    let small = directory.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let disk = Mounted::tmpfs(&small, "size=1m");
    assert!(Command::new("chown").arg("postgres").arg(&small).status().unwrap().success());
    database.ask(&format!("CREATE TABLESPACE small LOCATION '{}'", small.display()));
    database.ask("ALTER ROLE livehook SET default_tablespace = small");
    let mut livehook = started(directory.path(), &database.configure()).await;
    post(&livehook, 0..1500).await;
    wait_for(&livehook, "the disk of the server is full").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    disk.change("size=64m");
    all_rows(&livehook, &database, 1500).await;
    sessions_are_equal(&livehook, &database);
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
    // The server ends before its disk goes.
    drop(database);
}

/// The tables share a space that fills up. The events wait until it may grow.
#[tokio::test]
#[ignore = "needs MariaDB and takes half a minute: run by tests/run"]
async fn full_space_of_mysql_loses_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let shared = "--innodb-file-per-table=OFF";
    let mut database = Database::new("mysql", directory.path(), &[shared, "--innodb-data-file-path=ibdata1:12M"], "");
    let mut livehook = started(directory.path(), &database.configure()).await;
    post(&livehook, 0..8000).await;
    wait_for(&livehook, "the disk of the server is full").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    database.server.restart_with(&[shared, "--innodb-data-file-path=ibdata1:12M:autoextend"]);
    all_rows(&livehook, &database, 8000).await;
    sessions_are_equal(&livehook, &database);
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

/// The primary dies, and its synchronous standby takes over. Until it is promoted, it refuses events.
#[tokio::test]
#[ignore = "needs PostgreSQL and takes some seconds: run by tests/run"]
async fn a_standby_of_postgres_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut primary = Database::postgres(directory.path());
    primary.ask(TABLES[0]);
    let folder = directory.path().join("standby");
    std::fs::create_dir(&folder).unwrap();
    let standby_of = format!("standby_of={}", primary.server.port);
    let standby = Database {
        server: Server::start("postgres", &folder, &[&standby_of]),
        directory: directory.path().to_owned(),
        is_postgres: true,
        more: "",
    };
    primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.ask("SELECT pg_reload_conf()");
    let mut livehook = started(directory.path(), &primary.configure()).await;
    post(&livehook, 0..200).await;
    all_arrived(&livehook, &primary, false).await;

    // Some commits are under way. Each that livehook took for done is on the standby too.
    tokio::join!(post(&livehook, 200..600), async { primary.fail(Fault::Away) });
    primary.server.proxy.switch_to(standby.server.port);
    wait_for(&livehook, "read-only transaction").await;
    standby.ask("SELECT pg_promote()");
    all_arrived(&livehook, &standby, false).await;
    sessions_are_equal(&livehook, &standby);
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

async fn all_rows(livehook: &Livehook, database: &Database, count: u64) {
    nothing_is_pending(livehook).await;
    assert_eq!(database.number("SELECT count(*) FROM livehook_events"), count);
}
