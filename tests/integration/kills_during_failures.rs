//! SIGKILL at random moments while one stream fails and others pass: events delivered after the failing one are not repeated.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use livehook::journal::{DeadLetterSelection, Reader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Client, expected_id, id_of, now_secs, sign};
use super::kills::rounds;
use super::process::Livehook;

/// How often the receiver took each event.
type Taken = Arc<Mutex<HashMap<EventId, u32>>>;

/// A receiver that fails for all events of the stream `bad`, rejects all events of the stream `poison` for good, and takes
/// the rest. Returns its URL.
async fn receiver(taken: Taken) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, Arc::clone(&taken)));
        }
    });
    url
}

async fn serve(mut connection: TcpStream, taken: Taken) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        if connection.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() < length.parse().unwrap() {
            continue;
        }
        bytes.clear();
        let status = match () {
            () if body.contains(r#""subject":"bad""#) => "500 Not now",
            () if body.contains(r#""subject":"poison""#) => "400 Never",
            () => {
                *taken.lock().unwrap().entry(id_of(body)).or_default() += 1;
                "200 Ok"
            }
        };
        connection.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
    }
}

fn body(stream: &str, number: u64) -> String {
    let members = format!(
        r#""app":"push.example.com","appid":1,"appname":"live","event_time":1703731478,"event_type":1,
        "sequence":"{number}","stream_id":"{stream}""#
    );
    sign(&members, now_secs() + 600)
}

/// A service, and the events sent to it.
struct Bench {
    livehook: Livehook,
    taken: Taken,
    good: HashSet<EventId>,
    poison: HashSet<EventId>,
    numbers: u64,
}

impl Bench {
    /// Sends events until the service is gone. An event without an answer may be stored or not.
    async fn post(&mut self, streams: &[&str]) {
        let Ok(mut client) = Client::connect(self.livehook.receiver).await else { return };
        for stream in streams {
            self.numbers += 1;
            let body = body(stream, self.numbers);
            match client.post(&body).await {
                Ok(answer) => assert_eq!(answer.status, 200),
                Err(_) => return,
            }
            match *stream {
                "bad" => {}
                "poison" => drop(self.poison.insert(expected_id(&body))),
                _ => drop(self.good.insert(expected_id(&body))),
            }
        }
    }

    fn dead_letters(&self) -> Vec<EventId> {
        let reader = Reader::open(&self.livehook.path("data")).unwrap();
        let page = reader.dead_letters(&DeadLetterSelection::default(), 0, 1_000_000).unwrap();
        assert!(page.next.is_none());
        page.dead_letters.iter().map(|letter| letter.event.id()).collect()
    }

    /// Waits until the receiver has every good event, and every poison event is a dead letter.
    async fn all_done(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let letters = self.dead_letters().into_iter().collect();
            let is_taken = self.good.iter().all(|id| self.taken.lock().unwrap().contains_key(id));
            if is_taken && self.poison.is_subset(&letters) {
                return;
            }
            assert!(Instant::now() < deadline, "{}", self.livehook.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn kill_repeats_no_finished_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let taken = Taken::default();
    let url = receiver(Arc::clone(&taken)).await;
    let config = format!(
        "[[sinks]]\nname = \"it\"\ntype = \"http\"\nurl = \"{url}\"\nretry = {{ wait_ms_first = 5, wait_ms_max = 20 }}\n"
    );
    let livehook = Livehook::configure(directory.path(), "", &config);
    let mut bench = Bench { livehook, taken, good: HashSet::new(), poison: HashSet::new(), numbers: 0 };
    bench.livehook.start();
    bench.livehook.ready().await;
    bench.post(&["bad", "poison", "good"]).await;
    for round in 0..rounds() {
        bench.all_done().await;
        // The worker stores its progress before it hands over more. When the second is taken, progress before it is stored.
        for _ in 0..2 {
            bench.post(&["good"]).await;
            bench.all_done().await;
        }
        let last = expected_id(&body("good", bench.numbers));
        let mut settled = bench.taken.lock().unwrap().clone();
        settled.remove(&last);
        let kill_after = Duration::from_micros(fastrand::u64(0..20_000));
        let posting = async {
            loop {
                bench.post(&["good", "poison", "other", "good", "third"]).await;
            }
        };
        tokio::select! { () = posting => {}, () = tokio::time::sleep(kill_after) => {} }
        bench.livehook.kill();
        bench.livehook.start();
        bench.livehook.ready().await;
        bench.all_done().await;

        let taken = bench.taken.lock().unwrap().clone();
        let again: Vec<_> = settled.iter().filter(|(id, count)| taken[id] > **count).collect();
        assert!(again.is_empty(), "round {round}: {again:?} were taken again, of {}", settled.len());
        let letters = bench.dead_letters();
        assert_eq!(letters.len(), letters.iter().collect::<HashSet<_>>().len(), "round {round}: the same one twice");
    }
    let most = bench.taken.lock().unwrap().values().copied().max();
    println!("{} events, and none was taken more than {most:?} times", bench.numbers);
    assert!(most <= Some(2), "at most the requests in flight came again");
}
