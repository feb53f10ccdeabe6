use axum::http::HeaderValue;

use super::*;

const KNOWN: &str = "5d0c1f7a9be2440d-4711";

fn read(header: Option<&str>, query: &str) -> Result<Beginning, String> {
    let mut headers = HeaderMap::new();
    if let Some(header) = header {
        headers.insert(LAST_EVENT_ID, HeaderValue::from_bytes(header.as_bytes()).unwrap());
    }
    beginning(&headers, &mut Parameters::of(Some(query)), 1_777_636_800_000)
        .map_err(|problem| serde_json::to_value(&problem).unwrap()["detail"].as_str().unwrap().to_owned())
}

#[test]
fn what_a_client_has_goes_before_what_it_asks_for() {
    let after = |text: &str| Ok(Beginning::After(text.parse().unwrap()));
    assert_eq!(read(None, ""), Ok(Beginning::Now));
    assert_eq!(read(None, "since=15m"), Ok(Beginning::Since(1_777_636_800_000 - 900_000)));
    assert_eq!(read(None, &format!("since=15m&last_event_id={KNOWN}")), after(KNOWN));
    let newer = "5d0c1f7a9be2440d-4712";
    assert_eq!(read(Some(newer), &format!("last_event_id={KNOWN}&since=1h")), after(newer));
}

#[test]
fn an_id_that_is_none_is_refused_and_named() {
    for header in ["", "4711", "5d0c1f7a9be2440d-x", "5d0c1f7a9be2440d-1 ", "直"] {
        let told = read(Some(header), "").unwrap_err();
        assert!(told.starts_with("`Last-Event-ID`: is no id of this feed"), "{header:?}: {told}");
    }
    for query in ["last_event_id=", "last_event_id=4711", "last_event_id=%0a"] {
        assert!(read(None, query).unwrap_err().starts_with("`last_event_id`: is no id"), "{query}");
        assert!(read(Some(KNOWN), query).is_err(), "{query}");
    }
    assert!(read(None, "since=yesterday").is_err());
}
