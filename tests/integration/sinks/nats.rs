//! The sink `nats`, against a real server. Its own client library reads back what arrived; `tests/sinks.py` uses another one.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy};

use super::server::Server;
use super::{
    Fault, RETRY, Subject, a_large_event_is_set_aside, all_arrived, block_on, conforms, metric, post, started,
    survives_a_long_stop, wait_for,
};
use crate::process::{Livehook, free_port};

/// The stream of the tests.
const STREAM: &str = "livehook";

/// The server, and further keys of the sink.
pub(super) struct Nats {
    server: Server,
    more: String,
    /// The messages that were read so far.
    read: Mutex<Vec<String>>,
}

impl Nats {
    pub(super) fn new(directory: &Path, more: &str) -> Nats {
        Nats { server: Server::start("nats", directory, &[]), more: more.to_owned(), read: Mutex::default() }
    }

    /// Runs a future with a context of the server.
    fn with<T: Send>(&self, work: impl AsyncFnOnce(jetstream::Context) -> T + Send) -> T {
        with(self.server.port, work)
    }

    fn change(&self, change: impl Fn(&mut Config) + Send + Sync) {
        self.with(async |context| {
            let mut config = context.get_stream(STREAM).await.unwrap().cached_info().config.clone();
            change(&mut config);
            context.update_stream(&config).await.unwrap();
        });
    }

    fn has_stream(&self) -> bool {
        self.with(async |context| context.get_stream(STREAM).await.is_ok())
    }
}

fn with<T: Send>(port: u16, work: impl AsyncFnOnce(jetstream::Context) -> T + Send) -> T {
    block_on(async || {
        let client = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = client.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
        work(jetstream::new(client)).await
    })
}

/// Appends the messages of the stream after those that are in `read`.
async fn read_on(context: &jetstream::Context, read: &mut Vec<String>) {
    let Ok(stream) = context.get_stream(STREAM).await else { return };
    let last = stream.cached_info().state.last_sequence;
    for sequence in read.len() as u64 + 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        read.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
}

impl Subject for Nats {
    fn configure(&self) -> String {
        let port = self.server.proxy.address.port();
        format!("type = \"nats\"\nurl = \"nats://127.0.0.1:{port}\"\ntimeout_secs = 1\n{}\n", self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away, Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement, Fault::Refusing]
    }

    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Refusing => self.change(|config| {
                config.max_messages = 1;
                config.discard = DiscardPolicy::New;
                config.max_messages = i64::try_from(self.received().len()).unwrap();
            }),
            fault => self.server.fail(fault),
        }
    }

    fn mend(&mut self) {
        self.server.mend();
        if self.has_stream() {
            self.change(|config| config.max_messages = -1);
        }
    }

    fn received(&self) -> Vec<String> {
        let mut read = self.read.lock().unwrap();
        let mut more = std::mem::take(&mut *read);
        more = self.with(async |context| {
            let mut more = more.clone();
            read_on(&context, &mut more).await;
            more
        });
        read.clone_from(&more);
        more
    }

    fn may_repeat(&self) -> bool {
        false
    }
}

#[tokio::test]
#[ignore = "needs nats-server and takes half a minute: run by tests/run"]
async fn the_nats_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(Nats::new(directory.path(), "create_stream = true\nbatch_events_max = 50"), directory.path()).await;
}

#[tokio::test]
#[ignore = "needs nats-server and takes some seconds: run by tests/run"]
async fn errors_of_nats_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let nats = Nats::new(directory.path(), "");
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let mut livehook = started(directory.path(), &(nats.configure() + file)).await;
    post(&livehook, 0..50).await;
    wait_for(&livehook, "no stream takes the subject livehook.push%2Eexample%2Ecom.live.s").await;
    // A stream of another name must not take the events.
    let other =
        |name: &str| Config { name: name.to_owned(), subjects: vec!["livehook.>".to_owned()], ..Config::default() };
    nats.with(async |context| drop(context.create_stream(other("other")).await.unwrap()));
    wait_for(&livehook, "another stream takes the subject").await;
    nats.with(async |context| {
        context.delete_stream("other").await.unwrap();
        context.create_stream(other(STREAM)).await.unwrap();
    });
    all_arrived(&livehook, &nats, false).await;

    nats.change(|config| config.max_message_size = 2000);
    a_large_event_is_set_aside(&livehook).await;
    assert_eq!((nats.received().len(), livehook.lines("events.jsonl").len()), (98, 99));
    livehook.stop().await;
}

/// The stream reaches its limit of bytes, and then the server reaches the limit of its storage.
#[tokio::test]
#[ignore = "needs nats-server and takes some seconds: run by tests/run"]
async fn full_nats_loses_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut nats = Nats::new(directory.path(), "create_stream = true");
    let settings = directory.path().join("nats.conf");
    let setting = ["--config", settings.to_str().unwrap()];
    let limit_storage = |bytes: &str| {
        std::fs::write(&settings, format!("jetstream {{ max_file_store: {bytes} }}\n")).unwrap();
    };
    limit_storage("700KB");
    nats.server.restart_with(&setting);
    let mut livehook = started(directory.path(), &nats.configure()).await;
    post(&livehook, 0..50).await;
    all_arrived(&livehook, &nats, false).await;
    nats.change(|config| (config.max_bytes, config.discard) = (100_000, DiscardPolicy::New));
    post(&livehook, 50..200).await;
    wait_for(&livehook, "the stream is full: raise its limits").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    nats.change(|config| config.max_bytes = -1);
    all_arrived(&livehook, &nats, false).await;

    post(&livehook, 200..1500).await;
    wait_for(&livehook, "raise the limits of JetStream").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    limit_storage("100MB");
    nats.server.restart_with(&setting);
    all_arrived(&livehook, &nats, false).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs nats-server and takes half a minute: run by tests/run"]
async fn a_nats_cluster_may_lose_its_leader() {
    let directory = tempfile::tempdir().unwrap();
    let routes: Vec<String> = (0..3).map(|_| format!("nats://127.0.0.1:{}", free_port().port())).collect();
    let all = routes.join(",");
    let mut nodes = Vec::new();
    for (number, route) in routes.iter().enumerate() {
        let name = format!("n{number}");
        let folder = directory.path().join(&name);
        std::fs::create_dir(&folder).unwrap();
        let cluster = ["--name", &name, "--cluster_name", "tests", "--cluster", route, "--routes", &all];
        nodes.push(Server::start("nats", &folder, &cluster));
    }
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
    with(ports[0], async |context| {
        let subjects = vec!["livehook.>".to_owned()];
        let config = Config { name: STREAM.to_owned(), subjects, num_replicas: 3, ..Config::default() };
        let deadline = Instant::now() + Duration::from_secs(30);
        // The nodes need some seconds to choose a leader.
        while context.create_stream(&config).await.is_err() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let config = format!(
        "[[sinks]]\nname = \"it\"\n{RETRY}\ntype = \"nats\"\nurl = \"nats://127.0.0.1:{}\"\ntimeout_secs = 2\n\
         servers = [\"127.0.0.1:{}\", \"127.0.0.1:{}\"]\n",
        ports[0], ports[1], ports[2]
    );
    let mut livehook = Livehook::configure(directory.path(), "", &config);
    livehook.start();
    livehook.ready().await;
    let mut numbers = 0;
    for _ in 0..3 {
        let leader = with(ports[0], async |context| {
            let info = context.get_stream(STREAM).await.unwrap().cached_info().clone();
            info.cluster.unwrap().leader.unwrap()
        });
        let leader = usize::from(leader.as_bytes()[1] - b'0');
        let killed = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            nodes[leader].fail(Fault::Away);
        };
        tokio::join!(post(&livehook, numbers..numbers + 500), killed);
        numbers += 500;
        let deadline = Instant::now() + Duration::from_secs(40);
        while metric(&livehook, "livehook_delivery_lag_records").await > 0 {
            assert!(Instant::now() < deadline, "two of three nodes suffice: {}", livehook.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        nodes[leader].mend();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let nats = Nats { server: nodes.remove(0), more: String::new(), read: Mutex::default() };
    all_arrived(&livehook, &nats, false).await;
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs nats-server and takes half a minute: run by tests/run"]
async fn a_long_stop_of_nats_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    survives_a_long_stop(Nats::new(directory.path(), "create_stream = true"), directory.path()).await;
}

/// A user without the right to publish waits, and the log says what is missing.
#[tokio::test]
#[ignore = "needs nats-server and takes some seconds: run by tests/run"]
async fn rights_of_nats_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut nats =
        Nats::new(directory.path(), "create_stream = true\nuser = \"sender\"\npassword_file = \"nats.password\"");
    let password = directory.path().join("nats.password");
    std::fs::write(&password, "s3cr3t-word").unwrap();
    let keys = nats.configure().replace("nats.password", password.to_str().unwrap());
    let settings = directory.path().join("nats.conf");
    let with_rights = |subjects: &str| {
        let users = format!(
            "authorization {{ users = [{{ user: sender, password: s3cr3t-word, permissions: {{ publish: [{subjects}], \
             subscribe: [\"_INBOX.>\"] }} }}, {{ user: reader, password: reader }}] }}\nno_auth_user: reader\n"
        );
        std::fs::write(&settings, users).unwrap();
    };
    let setting = ["--config", settings.to_str().unwrap()];
    with_rights("\"$JS.API.STREAM.>\"");
    nats.server.restart_with(&setting);
    let mut livehook = started(directory.path(), &keys).await;
    post(&livehook, 0..50).await;
    wait_for(&livehook, "let the user publish to the subjects of `subject`").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    assert!(!livehook.log().contains("s3cr3t-word"));
    with_rights("\"$JS.API.STREAM.>\", \"livehook.>\"");
    nats.server.restart_with(&setting);
    all_arrived(&livehook, &nats, false).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}
