//! Lists in pages: while items are added, and with tokens of other lists.

use serde_json::Value;

use super::super::client::now_secs;
use super::super::test_app::TestApp;
use super::{answer_to, get, indexed, items, problem, push, start_secs, stop};

/// Reads a list to its end in pages of `limit`, and calls `come_in` after each page.
async fn read_while(app: &TestApp, path: &str, limit: usize, mut come_in: impl AsyncFnMut(usize)) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = String::new();
    for number in 0..1000 {
        let page = get(app, &format!("{path}&limit={limit}{next}")).await;
        assert!(items(&page).len() <= limit, "{path}");
        all.extend(items(&page).iter().cloned());
        let Some(token) = page["next"].as_str() else { return all };
        next = format!("&page={token}");
        come_in(number).await;
    }
    panic!("{path}: there is no end");
}

/// Returns the values of a member, of the items whose stream begins with `old`.
fn old(items: &[Value], member: &str) -> Vec<String> {
    let is_old = |item: &&Value| item["stream"].as_str().or(item["subject"].as_str()).unwrap().starts_with("old");
    items.iter().filter(is_old).map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

/// Posts twenty streams with two sessions each. Many have the same start and duration. Every fifth stream is live.
async fn streams_of_old(app: &TestApp) {
    let start = start_secs();
    for number in 0..20u64 {
        let (name, began) = (format!("old-{number}"), start + i64::try_from(number / 3).unwrap() * 1000);
        push(app, &name, 2 * number, began).await;
        stop(app, &name, 2 * number, began + 60 + i64::try_from(number % 4).unwrap()).await;
        push(app, &name, 2 * number + 1, began + 300).await;
        if !number.is_multiple_of(5) {
            stop(app, &name, 2 * number + 1, began + 360).await;
        }
    }
    indexed(app).await;
}

#[tokio::test]
#[ignore = "takes some seconds: run by tests/run"]
async fn new_items_cause_no_gap_and_no_repetition() {
    let app = TestApp::start("").await;
    streams_of_old(&app).await;
    let start = start_secs();
    let mut sequence = 1_000_000;
    let mut lists: Vec<(String, &str)> = vec![
        ("streams?".into(), "stream"),
        ("broadcasts?".into(), "first_session"),
        ("broadcasts?state=ended".into(), "first_session"),
        ("sessions?state=ended&stream=old-*&domain=*.example.com&app_name=live&app_name=other".into(), "id"),
    ];
    for order in ["descending", "ascending"] {
        for sort in ["started", "ended", "duration"] {
            lists.push((format!("sessions?sort={sort}&order={order}"), "id"));
        }
        let streams = (0..20).map(|number| format!("&stream=old-{number}")).collect::<String>();
        for filter in
            ["", "&type=push", "&stream=*", "&type=stop&stream=old-*", &streams, "&stream=old-7&type=1&type=0"]
        {
            lists.push((format!("events?order={order}{filter}"), "id"));
        }
    }
    for (path, member) in lists {
        let whole = get(&app, &format!("{path}&limit=1000")).await;
        let expected = old(items(&whole), member);
        assert!(whole["next"].is_null() && expected.len() >= 4, "{path}: {}", expected.len());
        for limit in [3, 7] {
            let read = read_while(&app, &path, limit, async |number| {
                // The new sessions are newer than all others, older, and in between, and some of them stop.
                if ![0, 2, 5].contains(&number) {
                    return;
                }
                for time in [now_secs(), start - 5000, start + 3000] {
                    sequence += 1;
                    push(&app, &format!("new-{sequence}"), sequence, time).await;
                    if sequence % 2 == 0 {
                        stop(&app, &format!("new-{sequence}"), sequence, time + 61).await;
                    }
                }
                indexed(&app).await;
            });
            let read = old(&read.await, member);
            assert_eq!(read, expected, "{path} in pages of {limit}");
        }
    }
    app.stop().await;
}

// A live stream with two pushes keeps its place when the older push stops.
#[tokio::test]
async fn live_stream_comes_once() {
    let app = TestApp::start("").await;
    let start = start_secs();
    for number in 0..6u64 {
        let name = format!("old-{number}");
        for push_number in 0..2 {
            let began = start + i64::try_from(1000 * push_number + number).unwrap();
            push(&app, &name, 10 * number + push_number, began).await;
        }
    }
    indexed(&app).await;
    let read = read_while(&app, "streams?", 2, async |page| {
        // The older push stops of a stream on an earlier page, and of a stream on a later one.
        let page = u64::try_from(page).unwrap();
        for number in [page, 5 - page] {
            stop(&app, &format!("old-{number}"), 10 * number, start + 2000).await;
        }
        indexed(&app).await;
    });
    let expected: Vec<String> = (0..6).map(|number| format!("old-{number}")).collect();
    assert_eq!(old(&read.await, "stream"), expected);
    app.stop().await;
}

#[tokio::test]
async fn page_token_is_valid_for_its_list_alone() {
    let app = TestApp::start("").await;
    streams_of_old(&app).await;
    for (list, others) in [
        ("sessions?state=ended", ["sessions?state=live", "sessions?", "broadcasts?state=ended"]),
        ("events?type=push", ["events?type=stop", "events?type=push&order=ascending", "sessions?"]),
        ("streams?domain=*.example.com", ["streams?", "streams?stream=old-1", "broadcasts?domain=*.example.com"]),
        ("broadcasts?", ["streams?", "broadcasts?since=7d", "sessions?"]),
    ] {
        let token = get(&app, &format!("{list}&limit=1")).await["next"].as_str().unwrap().to_owned();
        get(&app, &format!("{list}&page={token}")).await;
        let longer = get(&app, &format!("{list}&page={token}&limit=2")).await;
        assert_eq!(items(&longer).len(), 2, "the limit can change");
        for other in others {
            let problem = problem(&answer_to(&app, &format!("{other}&page={token}")).await, 400);
            assert_eq!(problem["parameter"], "page", "{other}: {problem}");
        }
        let changed = token.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect::<String>();
        for forged in [&changed, &"0".repeat(48), &"f".repeat(48), &token[1..], "", "%00", &"9".repeat(5000)] {
            let problem = problem(&answer_to(&app, &format!("{list}&page={forged}")).await, 400);
            assert_eq!(problem["parameter"], "page", "{forged}: {problem}");
        }
    }
    app.stop().await;
}
