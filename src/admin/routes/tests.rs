//! The router of the admin endpoint, without a socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Version};
use tokio::sync::watch;
use tower::Service;

use super::*;

use crate::admin::problem::API_PREFIX;
use crate::admin::{Reloads, Token};
use crate::callback::InstanceName;
use crate::delivery::{Status, Statuses};
use crate::http::BodyBudget;
use crate::http::testing::Lines;
use crate::index;
use crate::journal::testing::MemoryJournal;
use crate::journal::{AppendError, Journal};
use crate::receiver::{HourlyCounts, RecentRefusals};

/// A route that changes something.
const REBUILD_PATH: &str = "/api/v1/index/rebuild";

struct Setup {
    journal: Arc<MemoryJournal>,
    index: Arc<index::Status>,
    draining: Arc<AtomicBool>,
    router: Router,
}

fn setup(local: &str, token: Option<&str>) -> Setup {
    let journal = Arc::new(MemoryJournal::default());
    let draining = Arc::new(AtomicBool::new(false));
    let index = Arc::new(index::Status::default());
    let options = Options {
        token: token.map(|token| Token::new(token).unwrap()),
        allowed_hosts: vec!["ops.example.com".to_owned()],
        ..Options::default()
    };
    let sources = Sources {
        data_dir: PathBuf::from("absent"),
        journal: Arc::clone(&journal) as Arc<dyn Journal>,
        metrics: Arc::default(),
        sinks: Statuses::new(vec![Arc::new(Status::new("archive", "file"))]),
        index: Some(Arc::clone(&index)),
        receiver: Arc::default(),
        refusals: Arc::new(RecentRefusals::new(0)),
        bodies: Arc::new(BodyBudget::new(1000, 100)),
        hourly_counts: Arc::new(HourlyCounts::new(0)),
        draining: Arc::clone(&draining),
        stopping: watch::channel(false).1,
        reloads: Reloads::new().0,
        instance: InstanceName::default(),
        clock: || 0,
    };
    let admin = Admin::new(&options, sources);
    Setup { journal, index, draining, router: Arc::new(admin).router(local.parse().unwrap()) }
}

async fn ask(setup: &Setup, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 4711))));
    let request = request.body(Body::empty()).unwrap();
    let response = setup.router.clone().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

const LOOPBACK: &str = "127.0.0.1:9090";
const OUTSIDE: &str = "0.0.0.0:9090";

#[tokio::test]
async fn health_and_metrics_are_shown() {
    let setup = setup(LOOPBACK, None);
    assert_eq!(ask(&setup, "GET", "/livez", &[]).await.2, "ok\n");
    assert_eq!(ask(&setup, "HEAD", "/livez", &[]).await.0, 200);
    let (status, _, body) = ask(&setup, "GET", "/readyz", &[]).await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        r#"{"ready":true,"state":"ready","draining":false,"journal":{"head":0,"refuses":null},"sinks":[{"name":"archive","type":"file","cursor":0,"lag":0,"oldest_pending_secs":null,"attempt":1,"last_error":null,"dead_letters":0}],"index":{"cursor":0,"lag":0,"rebuilding":false,"last_error":null}}"#
    );
    let (status, headers, body) = ask(&setup, "GET", "/metrics", &[]).await;
    assert_eq!(status, 200);
    assert_eq!(headers[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(headers["vary"], "accept");
    assert!(!body.contains("# EOF"), "{body}");
    assert!(body.contains("livehook_delivery_lag_records{sink=\"archive\"} 0"), "{body}");
    assert!(body.contains("livehook_dead_letters{sink=\"archive\"} 0"), "{body}");
    let accept =
        ("accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2");
    let (_, headers, body) = ask(&setup, "GET", "/metrics", &[accept]).await;
    assert_eq!(headers[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(body.ends_with("# EOF\n"), "{body}");
}

#[tokio::test]
async fn readiness_follows_journal_and_drain() {
    let setup = setup(LOOPBACK, None);
    setup.journal.refuse(Some(AppendError::Full));
    let (status, _, body) = ask(&setup, "GET", "/readyz", &[]).await;
    assert_eq!(status, 503);
    assert!(body.contains("journal.size_bytes_max") && body.contains(r#""state":"unavailable""#), "{body}");
    setup.journal.refuse(None);
    assert_eq!(ask(&setup, "GET", "/readyz", &[]).await.0, 200);
    setup.draining.store(true, Ordering::Relaxed);
    let (status, _, body) = ask(&setup, "GET", "/readyz", &[]).await;
    assert_eq!(status, 503);
    assert!(body.starts_with(r#"{"ready":false,"state":"stopping","draining":true,"#), "{body}");
    assert_eq!(ask(&setup, "GET", "/livez", &[]).await.0, 200);
}

#[tokio::test]
async fn token_is_needed_beyond_the_loopback() {
    let setup = setup(OUTSIDE, Some("a-long-token"));
    let right = [("authorization", "Bearer a-long-token")];
    for path in ["/metrics", "/nothing", "/api/v1/sessions", "/"] {
        let (status, headers, body) = ask(&setup, "GET", path, &[]).await;
        assert_eq!((status, &headers["www-authenticate"]), (401, &HeaderValue::from_static("Bearer")), "{path}");
        let start = if path.starts_with(API_PREFIX) {
            r#"{"status":401,"title":"#
        } else {
            r#"{"code":401,"error":"unauthorized","#
        };
        assert!(body.starts_with(start), "{body}");
    }
    for wrong in ["Bearer a-long-toke", "Bearer a-long-token2", "a-long-token", "Basic a-long-token", "Bearer", ""] {
        assert_eq!(ask(&setup, "GET", "/metrics", &[("authorization", wrong)]).await.0, 401, "{wrong}");
    }
    assert_eq!(ask(&setup, "GET", "/metrics", &right).await.0, 200);
    assert_eq!(ask(&setup, "GET", "/metrics", &[("authorization", "bearer a-long-token")]).await.0, 200);
    assert_eq!(ask(&setup, "GET", "/nothing", &right).await.0, 404);
    for (path, expected) in [("/livez", "ok\n"), ("/readyz", r#"{"ready":true,"state":"ready"}"#)] {
        let (status, _, body) = ask(&setup, "GET", path, &[("host", "anything.example.com")]).await;
        assert_eq!((status, body.as_str()), (200, expected), "no detail without the token");
    }
    assert!(ask(&setup, "GET", "/readyz", &right).await.2.contains(r#""name":"archive""#));
    assert_eq!(ask(&self::setup(OUTSIDE, None), "GET", "/metrics", &right).await.0, 401, "closed without a token");
}

#[tokio::test]
async fn loopback_checks_the_host() {
    let setup = setup(LOOPBACK, Some("a-long-token"));
    for host in [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "localhost.:9090",
        "ops.example.com.",
        "127.0.0.1",
        "127.1.2.3:9090",
        "[::1]",
        "[::1]:9090",
        "ops.example.com:9090",
    ] {
        assert_eq!(ask(&setup, "GET", "/metrics", &[("host", host)]).await.0, 200, "{host}");
    }
    for host in [
        "evil.example.com",
        "localhost.evil.example.com",
        "localhost..",
        "192.0.2.1",
        "localhost@evil.example.com",
        "",
        "a b",
    ] {
        let (status, _, body) = ask(&setup, "GET", "/livez", &[("host", host)]).await;
        assert_eq!(status, 403, "{host}");
        assert!(body.starts_with(r#"{"code":403,"error":"host_not_allowed","#), "{body}");
    }
    for (target, status) in [("http://evil.example.com/livez", 403), ("http://localhost:1/livez", 200)] {
        let (answered, headers, _) = ask(&setup, "GET", target, &[("host", "localhost")]).await;
        assert_eq!((answered, &headers["x-content-type-options"]), (status, &HeaderValue::from_static("nosniff")));
    }
    let two = [("host", "localhost"), ("host", "evil.example.com")];
    assert_eq!(ask(&setup, "GET", "/livez", &two).await.0, 400);
    for (version, status) in [(Version::HTTP_11, 400), (Version::HTTP_10, 200)] {
        let request = Request::builder().uri("/livez").version(version).body(Body::empty()).unwrap();
        assert_eq!(setup.router.clone().call(request).await.unwrap().status(), status, "none with {version:?}");
    }
}

#[tokio::test]
async fn cross_site_requests_are_refused() {
    for local in [LOOPBACK, OUTSIDE] {
        let setup = setup(local, Some("a-long-token"));
        for (site, mode, status) in [
            ("cross-site", "no-cors", 403),
            ("cross-site", "cors", 403),
            ("cross-site", "navigate", 200),
            ("same-origin", "cors", 200),
            ("none", "navigate", 200),
        ] {
            let right = ("authorization", "Bearer a-long-token");
            let headers = [("sec-fetch-site", site), ("sec-fetch-mode", mode), right];
            assert_eq!(ask(&setup, "GET", "/metrics", &headers).await.0, status, "{local} {site} {mode}");
        }
        let (status, _, body) = ask(&setup, "GET", "/api/v1/sinks", &[("sec-fetch-site", "cross-site")]).await;
        assert!(status == 403 && body.contains(r#""error":"cross_site_not_allowed""#), "{body}");
    }
}

#[tokio::test]
async fn change_needs_token_and_json() {
    let json = ("content-type", "application/json");
    let right = ("authorization", "Bearer a-long-token");
    for local in [LOOPBACK, OUTSIDE] {
        let setup = setup(local, Some("a-long-token"));
        for (method, headers, status) in [
            ("GET", vec![json, right], 405),
            ("POST", vec![json], 401),
            ("POST", vec![json, ("authorization", "Bearer a-long-toke")], 401),
            ("POST", vec![right], 415),
            ("POST", vec![right, ("content-type", "text/plain")], 415),
        ] {
            assert_eq!(ask(&setup, method, REBUILD_PATH, &headers).await.0, status, "{local} {method} {headers:?}");
        }
        assert!(!setup.index.view().is_rebuilding);
        let charset = ("content-type", "Application/JSON; charset=utf-8");
        let (status, _, body) = ask(&setup, "POST", REBUILD_PATH, &[right, charset]).await;
        assert_eq!((status, body.as_str()), (202, r#"{"rebuilding":true}"#));
        assert!(setup.index.view().is_rebuilding);
    }
    let (status, _, body) = ask(&setup(LOOPBACK, None), "POST", REBUILD_PATH, &[json]).await;
    assert_eq!(status, 401);
    assert!(body.contains("`admin.token`"), "{body}");
}

#[tokio::test]
async fn refusals_are_logged_within_bounds() {
    let (lines, _guard) = Lines::take();
    let (outside, loopback) = (setup(OUTSIDE, Some("a-long-token")), setup(LOOPBACK, None));
    assert_eq!(ask(&outside, "GET", "/readyz", &[]).await.0, 200);
    assert_eq!(ask(&outside, "GET", "/metrics", &[("authorization", "Bearer a-long-token")]).await.0, 200);
    assert_eq!(lines.text(), "");
    let guess = [("authorization", "Bearer guessed")];
    assert_eq!(ask(&outside, "GET", "/readyz", &guess).await.0, 200, "a probe with a wrong token");
    assert_eq!(lines.text().matches("error=\"unauthorized\"").count(), 1, "the guess is logged");
    ask(&loopback, "GET", "/metrics", &[("host", "evil.example.com")]).await;
    assert_eq!(lines.text().matches("error=\"host_not_allowed\"").count(), 1);
    for _ in 0..100 {
        assert_eq!(ask(&outside, "GET", "/metrics", &guess).await.0, 401);
    }
    let text = lines.text();
    assert!((3..20).contains(&text.lines().count()), "{text}");
    assert!(text.contains("client=192.0.2.7") && text.contains("WARN"), "{text}");
    assert!(!text.contains("guessed") && !text.contains("evil"), "{text}");
}

#[tokio::test]
async fn wrong_method_is_answered_with_allow() {
    let setup = setup(LOOPBACK, None);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let (status, headers, body) = ask(&setup, method, "/metrics", &[]).await;
        assert_eq!((status, &headers["allow"]), (405, &HeaderValue::from_static("GET,HEAD")), "{method}");
        assert!(body.starts_with(r#"{"code":405,"error":"method_not_allowed","#), "{body}");
        assert_eq!(ask(&setup, method, "/nothing", &[]).await.0, 404, "{method}");
        for (path, allowed) in [
            ("streams", "GET,HEAD"),
            ("dead-letters", "GET,HEAD"),
            ("dead-letters/7", "GET,HEAD"),
            ("streams/a/b/cancel", "GET,HEAD"),
            ("replays/7", "GET,HEAD"),
        ] {
            let (status, headers, body) = ask(&setup, method, &format!("/api/v1/{path}"), &[]).await;
            assert_eq!((status, headers["allow"].to_str().unwrap()), (405, allowed), "{method} {path}");
            assert!(body.starts_with(r#"{"status":405,"#), "{body}");
        }
        for path in ["/api/v1", "/api/v1/nothing", "/api/v1/replays/7/8"] {
            let (status, headers, body) = ask(&setup, method, path, &[]).await;
            assert_eq!((status, headers.get("allow")), (404, None), "{method} {path}");
            assert!(body.starts_with(r#"{"status":404,"#), "{body}");
        }
    }
    let (status, headers, _) = ask(&setup, "PUT", "/api/v1/replays", &[]).await;
    assert_eq!((status, headers["allow"].to_str().unwrap()), (405, "GET,HEAD,POST"));
    for path in ["index/rebuild", "dead-letters/drop", "dead-letters/redrive", "replays/7/cancel"] {
        let path = format!("/api/v1/{path}");
        for method in ["PUT", "DELETE"] {
            let (status, headers, _) = ask(&setup, method, &path, &[]).await;
            assert_eq!((status, headers["allow"].to_str().unwrap()), (405, "POST"), "{method} {path}");
        }
        assert_eq!(ask(&setup, "POST", &path, &[]).await.0, 401, "{path}");
    }
    let (status, _, body) = ask(&setup, "GET", "/%22%0a\"x", &[]).await;
    assert_eq!(status, 404);
    assert!(body.starts_with(r#"{"code":404,"error":"not_found","message":"there is nothing at `/"#), "{body}");
}
