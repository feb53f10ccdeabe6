//! Events in any order and with repetitions, sent to real servers, and the sessions that the domain makes of the same events.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::journal::{Offset, Record};
use crate::session::testing::{fold, history, shuffled};
use crate::sink::Sink;
use crate::sink::sql::database::{Conflict, Database};
use crate::sink::sql::session_row::session_row;
use crate::sink::sql::tables::{Row, Table};
use crate::sink::sql::{Kind, Options, SqlSink};
use crate::sink::testing::all_delivered;

/// How many histories are compared.
const HISTORIES: u32 = 30;

/// A server on a free port.
struct Server {
    process: Child,
    port: u16,
    // Removed at the end.
    _directory: tempfile::TempDir,
}

impl Server {
    fn start(kind: Kind) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("server");
        std::fs::create_dir(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(kind.type_name());
        let mut command = Command::new(script);
        // Without syncs, because the disk would be slower than the test.
        let setting = match kind {
            Kind::Postgres => "fsync=off",
            Kind::MySql => "--innodb-flush-log-at-trx-commit=0",
        };
        command.arg(folder).arg(port.to_string()).arg(setting).stdin(Stdio::null()).stdout(Stdio::null());
        Server { process: command.spawn().unwrap(), port, _directory: directory }
    }

    /// Returns the number of rows of a query.
    fn count(&self, kind: Kind, query: &str) -> String {
        let port = self.port.to_string();
        let mut command = match kind {
            Kind::Postgres => Command::new("psql"),
            Kind::MySql => Command::new("mariadb"),
        };
        match kind {
            Kind::Postgres => command.args(["-h", "127.0.0.1", "-p", &port, "-U", "livehook", "-d", "live", "-Atc"]),
            Kind::MySql => {
                command.args(["-h", "127.0.0.1", "-P", &port, "-ulivehook", "-plivehook", "-NB", "live", "-e"])
            }
        };
        let output = command.arg(format!("SELECT COUNT(*) FROM ({query}) AS d")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An orderly end also ends the processes of its connections.
        let id = self.process.id().to_string();
        Command::new("kill").args(["-s", "TERM", &id]).status().unwrap();
        self.process.wait().unwrap();
    }
}

/// A history as events arrive: in any order, and some of them more than once.
fn arrived(runner: &mut TestRunner, random: &mut fastrand::Rng) -> (Vec<Record>, Vec<(Row, String)>) {
    let events = history().new_tree(runner).unwrap().current();
    let expected = fold(&events).into_iter().map(|((stream, sequence), session)| {
        let row = session_row(&stream, &sequence, &session);
        let id = row[0].clone().unwrap();
        (row, id)
    });
    let expected = expected.collect();
    let numbered = (1..).zip(shuffled(&events, random));
    (numbered.map(|(number, event)| Record { offset: Offset(number), event }).collect(), expected)
}

async fn sessions_are_those_of_the_domain(kind: Kind) {
    let server = Server::start(kind);
    let (scheme, port) = (kind.type_name(), server.port);
    let toml = format!("url = '{scheme}://livehook:livehook@127.0.0.1:{port}/live'\nbatch_events_max = 7");
    let options: Options = toml::from_str::<Options>(&toml).unwrap().of_kind(kind);
    let mut sink = SqlSink::new(options.clone());
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(failure) = sink.probe().await {
        assert!(Instant::now() < deadline, "{failure}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (mut runner, mut random) = (TestRunner::deterministic(), fastrand::Rng::with_seed(7));
    let expected_table = Table::of_sessions(kind, "expected");
    let mut database: Option<Box<dyn Database>> = None;
    for number in 0..HISTORIES {
        let (batch, expected) = arrived(&mut runner, &mut random);
        let outcomes = sink.deliver(&batch).await;
        assert!(all_delivered(&outcomes, &batch), "{outcomes:?}");
        let database = match &mut database {
            Some(database) => database,
            none => none.insert(super::Destination::new(options.clone()).open(true).await.unwrap()),
        };
        if number == 0 {
            for statement in expected_table.creation() {
                database.run(&statement).await.unwrap();
            }
        }
        let rows: Vec<Row> = expected.iter().map(|(row, _)| row.clone()).collect();
        database.insert(&expected_table, &rows, Conflict::Replace).await.unwrap();
        let columns = expected_table.column_names().join(", ");
        let sessions = options.sessions().unwrap().name;
        let expected = &expected_table.name;
        for (more, less) in [(&sessions, expected), (expected, &sessions)] {
            let differing = format!("SELECT {columns} FROM {more} EXCEPT SELECT {columns} FROM {less}");
            assert_eq!(server.count(kind, &differing), "0", "history {number}: {more} has other rows than {less}");
        }
        for table in ["livehook_events", &sessions, expected] {
            database.run(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL and takes some seconds: run by tests/run"]
async fn postgres_sessions_are_those_of_the_domain() {
    sessions_are_those_of_the_domain(Kind::Postgres).await;
}

#[tokio::test]
#[ignore = "needs MariaDB and takes some seconds: run by tests/run"]
async fn mysql_sessions_are_those_of_the_domain() {
    sessions_are_those_of_the_domain(Kind::MySql).await;
}
