//! The pages of events, sinks and refusals.

use super::*;

/// The headers of a browser that has logged in, and its form token.
async fn login(site: &Site) -> (String, String) {
    let entered = site.post("/login", &[], &format!("token={TOKEN}")).await;
    let cookie = entered.cookie().to_owned();
    let page = site.send("GET", "/sinks", &[("cookie", &cookie)], "").await;
    let form_token = page.body.split(r#"name="form_token" value=""#).nth(1).unwrap().split('"').next().unwrap();
    (cookie, form_token.to_owned())
}

#[tokio::test]
async fn sinks_show_their_state() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let page = site.get("/sinks").await;
    assert_eq!(page.status, 200);
    page.has(r#"data-sink="archive""#);
    page.has("4 events behind");
    page.has(r#"href="/sinks" aria-current="page""#);
    let page = site.get("/sinks/archive?after=x&dead_letter=y").await;
    assert_eq!(page.status, 200);
    page.has("No dead letter.");
    page.has("No replay.");
    for path in ["/sinks/none", "/sinks/%ff", "/sinks/none/drop", "/sinks/archive/unknown", "/sinks/archive/skip"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}

/// Everybody on this machine may read, and only a browser that has logged in may change something.
#[tokio::test]
async fn change_needs_login_and_form_token() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let asked = site.get("/sinks/archive/drop?dead_letter=7").await;
    assert_eq!(asked.location(), "/login?next=%2Fsinks%2Farchive%2Fdrop%3Fdead_letter%3D7");
    let (cookie, form_token) = login(&site).await;
    let headers = [("cookie", cookie.as_str())];
    let asked = site.send("GET", "/sinks/archive/drop?dead_letter=7", &headers, "").await;
    asked.has(r#"name="dead_letter" value="7""#);
    asked.has(&format!(r#"name="form_token" value="{form_token}""#));

    let fields = "dead_letter=7";
    for (headers, token) in [(&headers[..0], form_token.as_str()), (&headers, ""), (&headers, "wrong")] {
        let body = format!("{fields}&form_token={token}");
        assert_eq!(site.post("/sinks/archive/drop", headers, &body).await.status, 403, "{token}");
    }
    let body = format!("{fields}&form_token={form_token}");
    let foreign =
        [headers[0], ("content-type", "application/x-www-form-urlencoded"), ("origin", "https://evil.example")];
    assert_eq!(site.send("POST", "/sinks/archive/drop", &foreign, &body).await.status, 403);
    let retried = site.post("/sinks/archive/retry", &headers, &body).await;
    assert_eq!((retried.status.as_u16(), retried.location()), (303, "/sinks/archive?done=retry&count=0"));
    site.send("GET", retried.location(), &headers, "").await.has("The sink tries again now.");
}

#[tokio::test]
async fn refused_is_empty_at_first() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let page = site.get("/refused?error=nonsense&before=x").await;
    assert_eq!(page.status, 200);
    page.has("No callback has been refused.");
    assert!(!page.body.contains("data-cause"));
}

#[tokio::test]
async fn events_are_filtered_and_paged() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let count = async |query: &str| {
        let page = site.get(&format!("/events?{query}")).await;
        assert_eq!(page.status, 200, "{query}");
        page.body.matches("data-event=").count()
    };
    for (query, events) in [
        ("", 4),
        ("type=push", 3),
        ("type=stop&stream=g*", 1),
        ("text=GONE", 2),
        ("text=nothing-like-it", 0),
        ("domain=*.example.com", 4),
        ("until=2000-01-01", 0),
        ("paused=2", 2),
        ("after=3", 2),
    ] {
        assert_eq!(count(query).await, events, "{query}");
    }
    let wrong = site.get("/events?since=then").await;
    assert_eq!(wrong.status, 200);
    wrong.has(r#"aria-invalid="true""#);
    assert!(!wrong.body.contains("data-event="));
}

#[tokio::test]
async fn event_is_shown_in_full() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    let list = site.get("/events?type=stop").await;
    let id = list.body.split(r#"data-event=""#).nth(1).unwrap().split('"').next().unwrap();
    let page = site.get(&format!("/events?event={id}")).await;
    page.has(&format!(r#"data-detail="{id}""#));
    page.has("livehook sign --key CALLBACK_KEY");
    page.has("curl --data-binary @- http://127.0.0.1:8080/callback");
    page.has(r#"aria-current="true""#);
    site.get("/events?event=00000000-0000-8000-8000-000000000000").await.has("no longer has this event");
}

#[tokio::test]
async fn pages_and_files_are_compressed() {
    let site = Site::of(LOOPBACK, broadcasts(), 4);
    for path in ["/", "/events", "/assets/livehook.css", "/assets/livehook.js"] {
        let plain = site.get(path).await;
        assert_eq!(plain.headers.get("content-encoding"), None);
        let request = Request::builder().uri(path).header("host", "localhost:9090").header("accept", "text/html");
        let request = request.header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let response = site.router.clone().call(request).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        assert_eq!(response.headers()["vary"], "accept-encoding", "{path}");
        let bytes = axum::body::to_bytes(response.into_body(), 1_000_000).await.unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
        assert!(bytes.len() * 2 < text.len(), "{path}");
        if path.starts_with("/assets") {
            assert_eq!(text, plain.body);
        }
    }
}
