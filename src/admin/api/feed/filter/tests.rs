use super::*;
use crate::admin::api::feed::testing::filter;
use crate::moment::TimeRange;

fn names(stream: &str) -> Names {
    Names { domain: "Push.example.com".to_owned(), app_name: "live".to_owned(), stream: stream.to_owned() }
}

#[test]
fn default_filter_wants_everything() {
    let open = filter("");
    assert!(open.is_open() && open.wants_sessions() && open.wants_events(EventType::Push));
    assert!(open.wants(&names("a"), 0));
    for query in ["kind=event", "type=push", "stream=a", "domain=*.example.com", "app_name=live"] {
        assert!(!filter(query).is_open(), "{query}");
    }
}

#[test]
fn kinds_and_types_select_messages() {
    for (query, push, stop, session) in [
        ("kind=event", true, true, false),
        ("kind=session", false, false, true),
        ("kind=session&kind=event", true, true, true),
        ("type=push", true, false, true),
        ("type=push&type=0", true, true, true),
        ("type=push&kind=event", true, false, false),
        ("type=push&kind=session", false, false, true),
    ] {
        let filter = filter(query);
        let wants = (filter.wants_events(EventType::Push), filter.wants_events(EventType::Stop));
        assert_eq!((wants, filter.wants_sessions()), ((push, stop), session), "{query}");
    }
}

#[test]
fn streams_and_times_select_records() {
    for (query, stream, wanted) in [
        ("stream=a", "a", true),
        ("stream=a", "b", false),
        ("stream=room-*&domain=push.EXAMPLE.com", "room-1", true),
        ("stream=a&domain=other.example.com", "a", false),
        ("stream=a&app_name=Live", "a", false),
    ] {
        assert_eq!(filter(query).wants(&names(stream), 0), wanted, "{query}");
    }
    let received = TimeRange { since_ms: Some(5), until_ms: None };
    let since = Filter::new(Vec::new(), EventSelection { received, ..EventSelection::default() });
    assert!(!since.wants(&names("a"), 4) && since.wants(&names("a"), 5) && !since.is_open());
}
