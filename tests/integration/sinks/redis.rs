//! The sink `redis`, against a real server. `redis-cli` reads back what arrived.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::server::Server;
use super::{
    Fault, RETRY, Subject, all_arrived, callback, conforms, metric, nothing_is_pending, post, started,
    survives_a_long_stop, wait_for,
};
use crate::client::{Client, now_secs, sign};
use crate::process::{Livehook, PROGRAM};

/// The token for replays. The configuration of the tests ends in the table `[admin]`.
const TOKEN: &str = "token = \"a-token-for-the-tests\"\n";

/// The server, and further keys of the sink.
pub(super) struct Redis {
    server: Server,
    more: &'static str,
}

impl Redis {
    pub(super) fn new(directory: &Path, more: &'static str) -> Redis {
        Redis { server: Server::start("redis", directory, &[]), more }
    }

    /// The answer of the server to a command, as JSON.
    fn ask(&self, arguments: &[&str]) -> serde_json::Value {
        let mut command = Command::new("redis-cli");
        let output = command.args(["-p", &self.server.port.to_string(), "--json"]).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text}"))
    }
}

impl Subject for Redis {
    fn configure(&self) -> String {
        let port = self.server.proxy.address.port();
        format!("type = \"redis\"\nurl = \"redis://127.0.0.1:{port}\"\ntimeout_secs = 1\n{}\n", self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away, Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement, Fault::Refusing]
    }

    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Refusing => drop(self.ask(&["CONFIG", "SET", "maxmemory", "1"])),
            fault => self.server.fail(fault),
        }
    }

    fn mend(&mut self) {
        self.server.mend();
        self.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    fn received(&self) -> Vec<String> {
        let entries = self.ask(&["XRANGE", "livehook:events", "-", "+"]);
        let line = |entry: &serde_json::Value| {
            let fields = &entry[1];
            // Old versions of redis-cli print fields as a list, and newer ones as an object.
            let event = if fields.is_array() { &fields[5] } else { &fields["event"] };
            event.as_str().unwrap().to_owned()
        };
        entries.as_array().unwrap().iter().map(line).collect()
    }

    fn may_repeat(&self) -> bool {
        false
    }

    fn is_in_order(&self) -> bool {
        true
    }
}

#[tokio::test]
#[ignore = "needs redis-server and takes half a minute: run by tests/run"]
async fn the_redis_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Redis::new(directory.path(), "batch_events_max = 50"), directory.path()).await;
}

#[tokio::test]
#[ignore = "needs redis-server and takes some seconds: run by tests/run"]
async fn errors_of_redis_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::new(directory.path(), "");
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let config = format!("{TOKEN}[[sinks]]\nname = \"it\"\n{RETRY}\n{}{file}", redis.configure());
    let mut livehook = Livehook::configure(directory.path(), "", &config);
    redis.ask(&["SET", "livehook:events", "a text"]);
    livehook.start();
    livehook.ready().await;
    post(&livehook, 0..50).await;
    wait_for(&livehook, "WRONGTYPE").await;
    redis.ask(&["DEL", "livehook:events"]);
    all_arrived(&livehook, &redis, false).await;

    let port = redis.server.port.to_string();
    for (number, (cause, mend, said)) in (1..).zip([
        (&["REPLICAOF", "127.0.0.1", "1"][..], &["REPLICAOF", "NO", "ONE"][..], "READONLY"),
        (
            &["ACL", "SETUSER", "default", "-xadd"],
            &["ACL", "SETUSER", "default", "+xadd"],
            "let the ACL of the user allow",
        ),
        (&["CONFIG", "SET", "requirepass", "s3cr3t-word"], &["CONFIG", "SET", "requirepass", ""], "wants a login"),
    ]) {
        redis.ask(cause);
        if said == "wants a login" {
            // Connections that are open stay logged in.
            let kill = ["-p", &port, "-a", "s3cr3t-word", "CLIENT", "KILL", "TYPE", "normal"];
            Command::new("redis-cli").args(kill).output().unwrap();
        }
        post(&livehook, number * 50..(number + 1) * 50).await;
        wait_for(&livehook, said).await;
        assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0, "{said}");
        if said == "wants a login" {
            let command = ["-p", &port, "-a", "s3cr3t-word"];
            Command::new("redis-cli").args(command).args(mend).output().unwrap();
        } else {
            redis.ask(mend);
        }
        all_arrived(&livehook, &redis, false).await;
    }
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    assert_eq!(livehook.lines("events.jsonl").len(), 200, "the other sink has every event");

    // A replay adds every event again, and a new event follows.
    let answer = replay(&livehook);
    assert!(answer.contains("200 of 200"), "{answer}");
    post(&livehook, 200..250).await;
    all_arrived(&livehook, &redis, true).await;
    assert_eq!(redis.received().len(), 200 + 200 + 50);
    livehook.stop().await;
}

/// Sends every event to the sink again.
fn replay(livehook: &Livehook) -> String {
    let config = livehook.path("config.toml");
    let arguments = ["replay", "--sink", "it", "--config"];
    let output = Command::new(PROGRAM).args(arguments).arg(config).output().unwrap();
    format!("{output:?}")
}

/// A push or a stop with this sequence, at a time in Unix seconds.
fn of_session(stream: &str, sequence: u64, is_push: bool, secs: i64) -> String {
    let event_type = u8::from(is_push);
    let members = format!(
        r#""app":"push.example.com","appid":12345678,"appname":"live","event_time":{secs},"event_type":{event_type},
        "sequence":"{sequence}","stream_id":"{stream}","node":"10.0.0.1","user_ip":"10.0.0.2""#
    );
    sign(&members, now_secs() + 600)
}

#[tokio::test]
#[ignore = "needs redis-server and takes some seconds: run by tests/run"]
async fn live_streams_ignore_the_order() {
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::new(directory.path(), "mode = \"live\"\npublish = true");
    let config = format!("{TOKEN}[[sinks]]\nname = \"it\"\n{RETRY}\n{}", redis.configure());
    let mut livehook = Livehook::configure(directory.path(), "", &config);
    livehook.start();
    livehook.ready().await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let begin = now_secs() - 1000;
    // `a` has a backup push, `b` has ended, and the stop of `c` comes before its push.
    for body in [
        of_session("a", 1, true, begin),
        of_session("a", 2, true, begin + 10),
        of_session("b", 3, true, begin),
        of_session("b", 3, false, begin + 20),
        of_session("c", 4, false, begin + 20),
        of_session("c", 4, true, begin),
        callback("d", 0),
    ] {
        assert_eq!(client.post(&body).await.unwrap().status, 200);
    }
    let settled = async || {
        nothing_is_pending(&livehook).await;
        redis.ask(&["HGETALL", "livehook:live"])
    };
    let live = settled().await;
    let sessions = |live: &serde_json::Value, stream: &str| -> Vec<String> {
        let text = live[format!("push.example.com/live/{stream}")].as_str().unwrap_or("[]").to_owned();
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        list.iter().map(|session| session["sequence"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(live.as_object().unwrap().len(), 2, "{live}");
    assert_eq!((sessions(&live, "a"), sessions(&live, "d").len()), (vec!["1".to_owned(), "2".to_owned()], 1), "{live}");
    assert!(live.to_string().contains("10.0.0.2"), "{live}");
    let domain = redis.ask(&["SMEMBERS", "livehook:live:push.example.com"]);
    assert_eq!(domain.as_array().unwrap().len(), 2, "{domain}");

    // A replay changes nothing, and also restores the hash after it was lost.
    for lose in [&["PING"][..], &["FLUSHALL"]] {
        redis.ask(lose);
        let answer = replay(&livehook);
        let deadline = Instant::now() + Duration::from_secs(20);
        while redis.ask(&["HGETALL", "livehook:live"]) != live || !livehook.log().contains("a replay has ended") {
            assert!(Instant::now() < deadline, "{answer}: {}", livehook.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(client.post(&of_session("a", 1, false, begin + 30)).await.unwrap().status, 200);
    assert_eq!(sessions(&settled().await, "a"), ["2"]);
    assert_eq!(client.post(&of_session("a", 2, false, begin + 40)).await.unwrap().status, 200);
    assert_eq!(settled().await.as_object().unwrap().len(), 1);
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs redis-server and takes two minutes: run by tests/run"]
async fn a_backlog_for_redis_needs_flat_memory() {
    const EVENTS: u64 = 100_000;
    const MEMORY_KIB_MAX: u64 = 32 * 1024;
    let directory = tempfile::tempdir().unwrap();
    let mut redis = Redis::new(directory.path(), "start = \"earliest\"");
    let config = format!("[[sinks]]\nname = \"it\"\n{}", redis.configure());
    let mut livehook = Livehook::configure(directory.path(), "", &config);
    redis.fail(Fault::Away);
    livehook.start();
    livehook.ready().await;
    post(&livehook, 0..EVENTS).await;
    let before = livehook.memory_kib();
    redis.mend();
    let (began, mut most) = (Instant::now(), 0);
    while metric(&livehook, "livehook_delivery_lag_records").await > 0 {
        most = most.max(livehook.memory_kib());
        assert!(began.elapsed() < Duration::from_secs(120), "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{EVENTS} events in {:?}: {before} KiB before, {most} KiB at most", began.elapsed());
    assert!(most < before + MEMORY_KIB_MAX, "{before} KiB before, and up to {most} KiB during the delivery");
    all_arrived(&livehook, &redis, false).await;
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs redis-server and takes half a minute: run by tests/run"]
async fn a_long_stop_of_redis_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    survives_a_long_stop(Redis::new(directory.path(), ""), directory.path()).await;
}

/// The primary dies after its replica has every event. Until the replica is promoted, it refuses events.
#[tokio::test]
#[ignore = "needs redis-server and takes some seconds: run by tests/run"]
async fn a_replica_of_redis_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let mut primary = Redis::new(directory.path(), "");
    let folder = directory.path().join("replica");
    std::fs::create_dir(&folder).unwrap();
    let settings = ["--replicaof", "127.0.0.1", &primary.server.port.to_string()];
    let replica = Redis { server: Server::start("redis", &folder, &settings), more: "" };
    let mut livehook = started(directory.path(), &primary.configure()).await;
    post(&livehook, 0..200).await;
    all_arrived(&livehook, &primary, false).await;
    assert_eq!(primary.ask(&["WAIT", "1", "10000"]), 1);

    primary.fail(Fault::Away);
    post(&livehook, 200..400).await;
    primary.server.proxy.switch_to(replica.server.port);
    wait_for(&livehook, "READONLY").await;
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    all_arrived(&livehook, &replica, false).await;
    post(&livehook, 400..600).await;
    all_arrived(&livehook, &replica, false).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}
