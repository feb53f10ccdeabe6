use super::*;
use crate::callback::Event;
use crate::callback::testing::event;
use crate::journal::Offset;

fn read(text: &str, escape: Escape, is_json: bool) -> Result<MessageTemplate, TemplateError> {
    let dashboard_url = Some("https://livehook.example.com/");
    MessageTemplate::new(TemplateOptions { text, escape, is_json, dashboard_url })
}

/// The mistake in a JSON template.
fn mistake(text: &str) -> String {
    read(text, Escape::None, true).and_then(|template| template.check()).unwrap_err().to_string()
}

fn message(text: &str, escape: Escape, event: Event) -> Result<String, TemplateError> {
    read(text, escape, true)?.message(&[&Record { offset: Offset(1), event }])
}

fn stop(stream: &str) -> Event {
    let stop = event("stop").domain("push.example.com").app("live").stream(stream).sequence(7);
    stop.member("errcode", 2).member("push_duration", 128_581).member("node", "192.0.2.1").build()
}

#[test]
fn a_stop_has_its_reason_and_page() {
    let parts = "{{ event.type }} | {{ event.stream }} | {{ event.reason_category }} | {{ event.duration }} | \
                 {{ event.duration_secs }} | {{ event.node }} | {{ event.session_url }} | {{ count }} | {{ more }}";
    let template = read(parts, Escape::Markdown, false).unwrap();
    let url = "https://livehook.example.com/sessions/7-";
    let text = template.message(&[&Record { offset: Offset(1), event: stop("a") }]).unwrap();
    assert!(text.starts_with("stop | a | client | 2m 8s | 128 | 192\\.0\\.2\\.1 | https://"), "{text}");
    assert!(text.contains(url) && text.ends_with(" | 1 | 0"), "{text}");
}

#[test]
fn hostile_text_stays_within_its_string() {
    let template = r#"{"text": "{{ event.stream }}", "more": {{ more }}}"#;
    for stream in [r#""},{"x":"#, r#"\"#, "a\nb", "\u{202e}\u{0}", "{{ count }}", "{% raw %}", "</script>"] {
        let text = message(template, Escape::None, stop(stream)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 2, "{text}");
        assert_eq!(value["text"], *printable(stream, 300), "{text}");
    }
    // A template of a person may mark text as safe. It still can't leave its string.
    let safe = r#"{"text": "{{ event.stream | safe }}"}"#;
    assert_eq!(message(safe, Escape::Html, stop("<\"")).unwrap(), r#"{"text": "<\""}"#);
}

#[test]
fn a_template_sees_the_vendors_members() {
    let values = |template, event| -> serde_json::Value {
        serde_json::from_str(&message(template, Escape::Html, event).unwrap()).unwrap()
    };
    let flat = r#"["{{ event.data.width }}", {{ event.data.width | default(0, true) }}, "{{ event.data.errmsg[:4] }}",
        "{{ event.data.sign }}"]"#;
    let parts = serde_json::json!([{ "name": "\"},{<!all>" }]);
    let full =
        || event("stop").stream("a").member("width", 1920).member("parts", parts.clone()).member("errmsg", "x\ny");
    assert_eq!(values(flat, full().build()), serde_json::json!(["1920", 1920, "x\\ny", ""]));
    assert_eq!(values(flat, stop("a")), serde_json::json!(["", 0, "", ""]));
    let nested = r#"["{{ event.data.parts[0].name }}", "{{ event.data.parts[0].absent }}",
        "{% for name in event.data if name == "width" %}{{ name }}{% endfor %}"]"#;
    assert_eq!(values(nested, full().build()), serde_json::json!(["\"},{&lt;!all&gt;", "", "width"]));
    // Without a default, no event of another type would fit.
    assert!(mistake("{\"width\": {{ event.data.width }}}").contains("not JSON"));
}

#[test]
fn a_digest_shows_the_first_events() {
    let template = r#"["{{ count }}", "{{ more }}"{% for one in events %}, "{{ one.stream }}"{% endfor %}]"#;
    let template = read(template, Escape::None, true).unwrap();
    let records: Vec<Record> =
        (1..=30).map(|number| Record { offset: Offset(number), event: stop(&format!("s{number}")) }).collect();
    let records: Vec<&Record> = records.iter().collect();
    let parts: Vec<String> = serde_json::from_str(&template.message(&records).unwrap()).unwrap();
    assert_eq!((parts.len(), &parts[0], &parts[1], &parts[21]), (22, &"30".into(), &"10".into(), &"s20".into()));
}

#[test]
fn mistakes_have_their_place() {
    for (text, place, cause) in [
        ("{\n  \"a\": \"{{ event.streem }}\"\n}", "line 2, column 12: ", "event.streem"),
        ("{{ nothing }}", "line 1, column 4: ", "nothing"),
        ("[\n{% for one in events %}\n]", "line 2, column 24: ", "unexpected end of input"),
        ("[\"{{ event.stream \"]", "line 1", ""),
        ("{{ event.stream | no_filter }}", "line 1", "no_filter"),
        ("{\"a\": {{ event.stream }}}", "the message is not JSON: ", "`{\"a\": room-1}`"),
        ("{\"a\": \"{{ event.reason_meaning }}\"", "the message is not JSON: ", ""),
        ("{% include \"other\" %}", "line 1", ""),
    ] {
        let mistake = mistake(text);
        assert!(mistake.starts_with(place) && mistake.contains(cause), "{text}: {mistake}");
    }
}

#[test]
fn a_template_costs_a_bounded_amount() {
    for text in [
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{% set a = 'x' * 99 %}{% set a = a * 99 %}{% set a = a * 99 %}{% set a = a * 99 %}{% set a = a * 99 %}{{ a }}",
    ] {
        let error = read(text, Escape::None, false).unwrap().check().unwrap_err().to_string();
        assert!(error.contains("fuel"), "{error}");
    }
}

#[test]
fn an_event_may_not_fit_its_template() {
    let template = r#"["{{ event.stream[5] }}"]"#;
    assert_eq!(read(template, Escape::None, true).unwrap().check(), Ok(()));
    assert_eq!(message(template, Escape::None, stop("room-2")).unwrap(), r#"["2"]"#);
    let error = message(template, Escape::None, stop("lobby")).unwrap_err().to_string();
    assert!(error.starts_with("line 1, column "), "{error}");
}
