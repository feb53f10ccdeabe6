use std::net::Ipv4Addr;

use serde_json::json;

use super::*;
use crate::callback::{Callback, EventType};
use crate::http::ErrorBody;
use crate::receiver::answers::BODY_TOO_SLOW;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn keep(refusals: &RecentRefusals) {
    let event_type = Some(EventType::Unknown(777));
    refusals.keep(7000, CLIENT, NotStored { event_type, hint: "; a hint".into(), ..BODY_TOO_SLOW.into() });
}

#[test]
fn flood_of_one_word_hides_no_other() {
    let refusals = RecentRefusals::new(0);
    let malformed = Callback::parse(br#"{"5ECR37":1,"5ECR37":2}"#).unwrap_err();
    let body = Some(Box::new(RefusedBody::malformed(&malformed, 9)));
    refusals.keep(1, CLIENT, NotStored { body, ..NotStored::refused(&malformed.into(), None) });
    for _ in 0..10_000 {
        refusals.keep(2, CLIENT, ErrorBody::not_found("/wp-login.php").into());
    }
    let kept = refusals.page(|_| true, None, 10_000);
    assert_eq!((kept.len(), kept[256].error), (257, "malformed"));
    assert_eq!(kept[256].message, "a member appears twice", "names of a malformed body are not kept");
}

#[test]
fn newest_are_kept_and_paged() {
    let refusals = RecentRefusals::new(5);
    for _ in 0..300 {
        keep(&refusals);
    }
    let numbers = |refusals: Vec<Arc<KeptRefusal>>| refusals.iter().map(|refusal| refusal.number).collect::<Vec<_>>();
    assert_eq!(numbers(refusals.page(|_| true, None, 1000)), (45..=300).rev().collect::<Vec<_>>());
    assert_eq!(numbers(refusals.page(|refusal| refusal.number % 2 == 0, Some(100), 3)), [98, 96, 94]);
    assert_eq!(numbers(refusals.page(|_| true, Some(45), 3)), [0; 0]);
    let newest = serde_json::to_value(refusals.page(|_| true, None, 1)[0].as_ref()).unwrap();
    let expected = json!({"received": "1970-01-01T00:00:07Z", "client": "127.0.0.1", "status": 408, "error": "timeout",
        "message": "the body of the request took too long to arrive; a hint", "event_type": "event-777",
        "late_secs": null, "body_bytes": null, "fault": null, "members_bytes": null, "members": null});
    assert_eq!(newest, expected);
}
