//! The pages over the whole router of the admin endpoint, with a real journal and index, and without a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::watch;
use tower::Service;

use crate::admin::{Admin, Options, ReceiverSummary, Reloads, Sources, Token};
use crate::callback::InstanceName;
use crate::delivery::{Status, Statuses};
use crate::history::testing::{BEGIN_SECS, Data};
use crate::http::BodyBudget;
use crate::index;
use crate::journal::Journal;
use crate::journal::testing::MemoryJournal;
use crate::receiver::{HourlyCounts, RecentRefusals};

mod lists;

const NOW_MS: i64 = (BEGIN_SECS + 3600) * 1000;
const TOKEN: &str = "a-token-of-some-length";

struct Site {
    router: Router,
    _data: Data,
}

impl Site {
    /// A site at this address, over these events.
    fn of(local: &str, data: Data, head: i64) -> Site {
        let journal = Arc::new(MemoryJournal::default());
        journal.set_head(head);
        let options = Options { token: Some(Token::new(TOKEN).unwrap()), ..Options::default() };
        let sources = Sources {
            data_dir: data.path().to_owned(),
            journal: journal as Arc<dyn Journal>,
            instance: InstanceName::default(),
            metrics: Arc::default(),
            sinks: Statuses::new(vec![Arc::new(Status::new("archive", "file"))]),
            index: Some(Arc::new(index::Status::default())),
            receiver: Arc::new(ArcSwap::from_pointee(ReceiverSummary {
                listen: "[::]:8080".to_owned(),
                path: "/callback".to_owned(),
                fingerprints: vec!["1f7ba3e5".to_owned()],
            })),
            bodies: Arc::new(BodyBudget::new(1000, 100)),
            refusals: Arc::new(RecentRefusals::new(0)),
            hourly_counts: Arc::new(HourlyCounts::new(0)),
            draining: Arc::new(AtomicBool::new(false)),
            stopping: watch::channel(false).1,
            reloads: Reloads::new().0,
            clock: || NOW_MS,
        };
        let router = Arc::new(Admin::new(&options, sources)).router(local.parse().unwrap());
        Site { router, _data: data }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:9090");
        request = request.header("accept", "text/html,*/*;q=0.8");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost:9090")];
        self.send("POST", path, &[&form, headers].concat(), body).await
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    /// The cookie that it sets, as a browser sends it back.
    fn cookie(&self) -> &str {
        self.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap()
    }

    fn has(&self, text: &str) {
        assert!(self.body.contains(text), "{text} is not in {}", self.body);
    }
}

const LOOPBACK: &str = "127.0.0.1:9090";
const OUTSIDE: &str = "0.0.0.0:9090";

/// Two live streams, and one that has stopped.
fn broadcasts() -> Data {
    // The journal is written on a runtime of its own, which cannot run within the test's.
    let write = || {
        let data = Data::new();
        data.write([data.push("alpha", 1), data.push("beta", 2), data.push("gone", 3), data.stop("gone", 3, 60)]);
        data.index_all();
        data
    };
    std::thread::spawn(write).join().unwrap()
}

#[tokio::test]
async fn now_shows_who_is_live_and_what_ended() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    page.has(r#"<strong>2</strong>"#);
    page.has(r#"data-stream="push.example.com/live/alpha""#);
    page.has(r#"data-state="ended""#);
    assert!(page.body.find("live/beta").unwrap() < page.body.find("live/alpha").unwrap(), "the newest comes first");
    let filtered = site.get("/?text=ALPHA&sort=name").await;
    assert!(filtered.body.contains("live/alpha") && !filtered.body.contains("live/beta"));
    site.get("/?text=nothing").await.has("No live stream has this text");
    // Wrong values count as absent.
    assert_eq!(site.get("/?page=x&sort=y&order=z").await.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.body.contains("style=") && !page.body.contains("onclick"));
}

#[tokio::test]
async fn first_page_helps_to_set_up() {
    let page = Site::of(LOOPBACK, Data::new(), 0).get("/").await;
    assert_eq!(page.status, 200);
    page.has("Connect CSS to livehook");
    page.has("&gt;/callback");
    page.has("1f7ba3e5");
    page.has("livehook send --key KEY --url http://127.0.0.1:8080/callback");
    assert!(!page.body.contains(TOKEN));
}

#[tokio::test]
async fn session_says_why_it_stopped() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let now = site.get("/").await;
    let ended = now.body.split(r#"href="/sessions/"#).nth(1).unwrap().split('"').next().unwrap();
    let page = site.get(&format!("/sessions/{ended}")).await;
    assert_eq!(page.status, 200);
    page.has("Who should act");
    page.has(r#"data-state="ended""#);
    assert_eq!(page.body.matches("data-event=").count(), 2);
    for id in ["1-00000000", "nonsense", "%ff"] {
        assert_eq!(site.get(&format!("/sessions/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn stream_shows_its_sessions() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let page = site.get("/streams/push.example.com/live/gone").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("<tr data-session=").count(), 1);
    page.has("reason-");
    site.get("/streams/PUSH.example.com/live/alpha").await.has("state-live");
    for path in ["/streams/push.example.com/live/none", "/streams/a", "/streams/%ff/%00/b", "/streams/a/b/c/d"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}

/// The main push is on, and a backup push has come and gone more often than one page shows.
#[tokio::test]
async fn stream_is_live_on_each_of_its_pages() {
    let write = || {
        let data = Data::new();
        data.write([data.push("s", 1)]);
        data.write((2..62).flat_map(|number| [data.push("s", number), data.stop("s", number, 1)]));
        data.index_all();
        data
    };
    let site = Site::of(LOOPBACK, std::thread::spawn(write).join().unwrap(), 121);
    let first = site.get("/streams/push.example.com/live/s").await;
    let after = first.body.split("?after=").nth(1).unwrap().split('"').next().unwrap();
    let second = site.get(&format!("/streams/push.example.com/live/s?after={after}")).await;
    for (page, rows) in [(first, 50), (second, 11)] {
        assert_eq!(page.body.matches("<tr data-session=").count(), rows);
        page.has("Live for");
    }
}

/// The time line at the end of the hour of [`broadcasts`], with a stream that overlaps itself.
fn lanes() -> Data {
    let write = || {
        let data = Data::new();
        data.write([
            data.push("alpha", 1),
            data.push("twice", 3),
            data.push("twice", 100),
            data.stop("twice", 100, 600),
            data.stop("twice", 3, 1200),
            data.push("<b>\"\u{202e}", 2000),
            data.stop("<b>\"\u{202e}", 2000, 60),
        ]);
        data.index_all();
        data
    };
    std::thread::spawn(write).join().unwrap()
}

#[tokio::test]
async fn time_line_has_a_lane_for_each_stream() {
    let site = Site::of(LOOPBACK, lanes(), 7);
    let page = site.get("/timeline?span=24h").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("class=\"lane\"").count(), 3);
    assert_eq!(page.body.matches("data-session=").count(), 4);
    page.has(r#"data-stream="push.example.com/live/alpha" data-state="live""#);
    page.has("One broadcast of 2 sessions. Gaps: 0");
    assert!(!page.body.contains("<b>") && !page.body.contains("style="));
    // Two rows, because its pushes overlap.
    assert_eq!(page.body.matches(r#"<svg class="lane-bars" height="58""#).count(), 1);

    let found = site.get("/timeline?stream=TWICE").await;
    assert_eq!(found.body.matches("class=\"lane\"").count(), 1);
    site.get("/timeline?domain=other.example&reason=network").await.has("No stream of this selection");
    site.get("/timeline?from=2020-01-01&to=2020-01-02").await.has("No stream was on in this time");
    site.get("/timeline?span=x&from=y&to=z&page=0&code=c&reason=r").await.has("class=\"lane\"");
    let zone = [("cookie", "livehook_zone=540")];
    site.send("GET", "/timeline", &zone, "").await.has("times in UTC+9");
}

#[tokio::test]
async fn reasons_say_what_to_do() {
    let site = Site::of(LOOPBACK, lanes(), 7);
    let page = site.get("/reasons?span=24h").await;
    assert_eq!(page.status, 200);
    page.has("<strong><span class=\"number\">3</span></strong>");
    page.has("Who should act");
    assert_eq!(page.body.matches("class=\"bin\"").count(), 1);
    assert!(!page.body.contains("<b>") && !page.body.contains("style="));
    site.get("/reasons?stream=twice").await.has("<strong><span class=\"number\">2</span></strong>");
    site.get("/reasons?stream=none").await.has("No stream of this selection stopped");
    site.get("/reasons?from=2020-01-01&to=2020-01-02").await.has("No stream stopped in this time");
}

#[tokio::test]
async fn pages_speak_the_readers_language() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let korean = site.send("GET", "/", &[("accept-language", "ko-KR")], "").await;
    korean.has(r#"<html lang="ko""#);
    korean.has("방송 중인 스트림");
    let chosen = site.post("/preferences", &[], "language=zh-CN&theme=dark&back=%2F%3Fpage%3D1").await;
    assert_eq!((chosen.status.as_u16(), chosen.location()), (303, "/?page=1"));
    let cookies: Vec<_> = chosen
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap().split(';').next().unwrap())
        .collect();
    assert_eq!(cookies, ["livehook_theme=dark", "livehook_language=zh-CN"]);
    let chinese = site.send("GET", "/", &[("accept-language", "ko"), ("cookie", &cookies.join("; "))], "").await;
    chinese.has(r#"<html lang="zh-CN" data-theme="dark""#);
    assert_eq!(site.post("/preferences", &[], "back=%2F%2Fevil.example").await.location(), "/");
}

#[tokio::test]
async fn page_beyond_the_loopback_needs_a_login() {
    let site = Site::of(OUTSIDE, broadcasts(), 4);
    let page = site.get("/?text=a").await;
    assert_eq!((page.status.as_u16(), page.location()), (303, "/login?next=%2F%3Ftext%3Da"));
    assert_eq!(site.send("GET", "/", &[("accept", "*/*")], "").await.status, 303);
    assert_eq!(site.get("/api/v1/streams").await.status, 401);
    assert_eq!(site.get("/metrics").await.status, 401);
    let login = site.get("/login?next=%2F%3Ftext%3Da").await;
    login.has(r#"value="/?text=a""#);
    let entered = site.post("/login", &[], &format!("token={TOKEN}&next=%2F%3Ftext%3Da")).await;
    assert_eq!((entered.status.as_u16(), entered.location()), (303, "/?text=a"));
    let set = entered.headers["set-cookie"].to_str().unwrap();
    assert!(set.contains("HttpOnly; SameSite=Strict") && !set.contains(TOKEN), "{set}");
    let cookie = [("cookie", entered.cookie())];
    let page = site.send("GET", "/", &cookie, "").await;
    assert_eq!(page.status, 200);
    // The page's script reads the API with the same cookie, but only the token itself may change something there.
    assert_eq!(site.send("GET", "/api/v1/error-codes", &cookie, "").await.status, 200);
    let json = [("content-type", "application/json"), cookie[0]];
    assert_eq!(site.send("POST", "/api/v1/index/rebuild", &json, "{}").await.status, 401);

    let form_token = page.body.split(r#"name="form_token" value=""#).nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(site.post("/logout", &cookie, "form_token=wrong").await.status, 403);
    assert_eq!(site.send("GET", "/", &cookie, "").await.status, 200);
    assert_eq!(site.post("/logout", &cookie, &format!("form_token={form_token}")).await.status, 303);
    assert_eq!(site.send("GET", "/", &cookie, "").await.status, 303);
}

/// A link on another site brings no cookie, although the browser is logged in. The page sends it on, with the cookie.
#[tokio::test]
async fn link_from_elsewhere_is_sent_on() {
    let site = Site::of(OUTSIDE, broadcasts(), 4);
    let from = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let page = site.send("GET", "/?text=%22%3E", &from, "").await;
    assert_eq!(page.status, 200);
    page.has(r#"content="0; url=/?text=%22%3E""#);
}

#[tokio::test(start_paused = true)]
async fn wrong_token_is_slow_and_refused() {
    let site = Site::of(OUTSIDE, broadcasts(), 4);
    let begun = tokio::time::Instant::now();
    for token in ["", "wrong", &TOKEN[1..]] {
        let answer = site.post("/login", &[], &format!("token={token}")).await;
        assert_eq!((answer.status.as_u16(), answer.headers.get("set-cookie")), (403, None), "{token}");
        answer.has("This is not the admin token.");
    }
    assert_eq!(begun.elapsed().as_secs(), 3);
    // Many at once don't hold up the right one.
    let wrong = async {
        let tries = (0..20).map(|_| site.post("/login", &[], "token=wrong"));
        let answers = futures_util::future::join_all(tries).await;
        answers.iter().filter(|answer| answer.status == 429).count()
    };
    let right = async {
        tokio::task::yield_now().await;
        let begun = tokio::time::Instant::now();
        (site.post("/login", &[], &format!("token={TOKEN}")).await.status.as_u16(), begun.elapsed().as_millis())
    };
    assert_eq!(tokio::join!(wrong, right), (4, (303, 0)));
}

#[tokio::test]
async fn form_of_another_site_is_refused() {
    let site = Site::of(OUTSIDE, broadcasts(), 4);
    let body = format!("token={TOKEN}");
    let form = ("content-type", "application/x-www-form-urlencoded");
    for path in ["/login", "/preferences"] {
        for headers in [vec![form], vec![form, ("origin", "null")], vec![form, ("origin", "https://evil.example")]] {
            let answer = site.send("POST", path, &headers, &body).await;
            assert_eq!((answer.status.as_u16(), answer.headers.get("set-cookie")), (403, None), "{headers:?}");
        }
        let origin = ("origin", "http://localhost:9090");
        assert_eq!(site.send("POST", path, &[origin], &body).await.status, 400, "no form");
        assert_eq!(site.post(path, &[], &"x".repeat(20_000)).await.status, 400, "too large");
    }
}

#[tokio::test]
async fn unknown_address_is_a_page_for_people() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let page = site.get("/nothing/%3Cscript%3E").await;
    assert_eq!(page.status, 404);
    page.has("There is no such page");
    assert_eq!(site.send("GET", "/nothing", &[("accept", "application/json")], "").await.status, 404);
    for (name, media_type) in [("livehook.css", "text/css"), ("livehook.js", "text/javascript")] {
        let asset = site.get(&format!("/assets/{name}")).await;
        assert!(asset.headers["content-type"].to_str().unwrap().starts_with(media_type));
        assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
    }
    assert_eq!(site.get("/assets/..%2fmod.rs").await.status, 404);
}
