use std::io;

use super::*;
use crate::sink::http::signature::WebhookSecret;
use crate::sink::http::target_url::TargetUrl;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn options(toml: &str) -> Options {
    toml::from_str(toml).unwrap()
}

fn keys(options: &Options) -> Vec<String> {
    options.mistakes().into_iter().map(|mistake| mistake.key).collect()
}

#[test]
fn values_out_of_range_are_mistakes() {
    let wrong = "url = \"http://a\"\ntimeout_secs = 0\nconnect_timeout_secs = 3601\nconcurrency = 0\nbatch_events_max = 1001\nbatch_bytes_max = 1";
    assert_eq!(
        keys(&options(wrong)),
        ["timeout_secs", "connect_timeout_secs", "concurrency", "batch_events_max", "batch_bytes_max"]
    );
}

#[test]
fn content_type_is_a_media_type() {
    for (text, is_right) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("application/vnd.api+json", true),
        ("", false),
        ("json", false),
        ("a/b/c", false),
        ("/json", false),
        ("text /plain", false),
        ("text/plain\nHost: b", false),
    ] {
        let wrong = keys(&options(&format!("url = \"http://a\"\ncontent_type = {text:?}")));
        assert_eq!(wrong.is_empty(), is_right, "{text}");
    }
}

#[test]
fn unsigned_or_unencrypted_is_a_warning() {
    assert_eq!(options("url = \"http://a\"").warnings().len(), 1);
    assert_eq!(options("url = \"http://a\"\nbearer_token_file = \"t\"").warnings().len(), 2);
    let signed = format!("url = \"https://a\"\nsecrets = [\"{SECRET}\"]\nbearer_token_file = \"t\"");
    assert_eq!(options(&signed).warnings().len(), 0);
}

#[test]
fn the_url_has_one_source() {
    let url = |toml: &str, file, variable| {
        let mut options = options(toml);
        let mistakes = options.take_secrets(&Given(file, variable));
        (mistakes.len() + options.mistakes().len(), options.url)
    };
    let at = |host: &str| TargetUrl::new(&format!("https://{host}/secret"));
    assert_eq!(url("url = \"https://a/secret\"", "", None), (0, at("a")));
    assert_eq!(url("url_file = \"there\"", "https://b/secret\n", None), (0, at("b")));
    assert_eq!(url("url = \"https://a/secret\"\nurl_file = \"there\"", "https://b/secret", None), (1, at("a")));
    for (toml, file) in [("", ""), ("url_file = \"there\"", " \n"), ("url_file = \"elsewhere\"", "")] {
        assert_eq!(url(toml, file, None), (1, TargetUrl::default()), "{toml}");
    }
    assert_eq!(url("url_file = \"there\"", "hunter2", None).0, 1);
    let mut by_variable = options("url = \"https://a/secret\"");
    assert_eq!(by_variable.take_secrets(&UrlVariable), []);
    assert_eq!(by_variable.url, at("c"));
}

struct UrlVariable;

impl SecretSources for UrlVariable {
    fn variable(&self, purpose: &str) -> Option<(String, String)> {
        (purpose == "URL").then(|| ("LIVEHOOK_SINK_X_URL".to_owned(), "https://c/secret".to_owned()))
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn shown(&self, _: &Path) -> Option<String> {
        None
    }
}

struct Given(&'static str, Option<&'static str>);

impl SecretSources for Given {
    fn variable(&self, what: &str) -> Option<(String, String)> {
        self.1.filter(|_| what == "SECRETS").map(|text| (format!("LIVEHOOK_SINK_X_{what}"), text.to_owned()))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        if path == Path::new("there") { Ok(self.0.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn shown(&self, path: &Path) -> Option<String> {
        (path == Path::new("there")).then(|| "there".to_owned())
    }
}

#[test]
fn secrets_of_all_sources_add_up() {
    let other = WebhookSecret::from_bytes(&[3; 32]).unwrap();
    let text = format!("url = \"https://a\"\nsecrets = [\"{SECRET}\"]\nsecrets_file = \"there\"");
    let mut signed = options(&text);
    let file = format!("# old\n\n {SECRET}\n{}\n", other.reveal()).leak();
    assert_eq!(signed.take_secrets(&Given(file, Some(SECRET))), []);
    assert_eq!(signed.secrets, [WebhookSecret::new(SECRET).unwrap(), other]);
    assert_eq!(signed.mistakes(), []);
    signed.secrets.push(WebhookSecret::from_bytes(&[4; 32]).unwrap());
    assert_eq!(keys(&signed), ["secrets"]);
}

#[test]
fn wrong_secrets_are_mistakes_unprinted() {
    for (file, path, variable, key) in [
        ("", "there", None, "secrets_file"),
        ("hunter2", "there", None, "secrets_file"),
        ("", "elsewhere", None, "secrets_file"),
        (SECRET, "there", Some("hunter2,"), "secrets"),
        (SECRET, "whsec_hunter2", None, "secrets_file"),
    ] {
        let mut unsigned = options(&format!("url = \"https://a\"\nsecrets_file = \"{path}\""));
        let mistakes = unsigned.take_secrets(&Given(file, variable));
        assert!(mistakes.iter().any(|mistake| mistake.key == key), "{mistakes:?}");
        assert!(key != "secrets" || mistakes.len() == 1, "reported once: {mistakes:?}");
        assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
    }
}

#[test]
fn impossible_messages_are_mistakes() {
    let template = "template = '{\"text\": \"{{ event.stream }}\"}'\n";
    for (toml, expected) in [
        ("escape = 'html'\nmin_interval_secs = 60\ndashboard_url = 'https://l.example'", &[] as &[&str]),
        ("answer = { member = '/code', delivered = [0] }", &[]),
        ("min_interval_secs = 0", &["min_interval_secs"]),
        ("batch_events_max = 2\nformat = 'data'", &["batch_events_max", "format"]),
        ("dashboard_url = 'l.example'", &["dashboard_url"]),
        ("answer = { member = 'code', delivered = [0] }", &["answer.member"]),
        ("sign = 'feishu'", &["sign"]),
        ("sign_secret_file = 'there'", &["sign_secret_file"]),
    ] {
        assert_eq!(keys(&options(&format!("url = 'http://a'\n{template}{toml}"))), expected, "{toml}");
    }
    let without = "escape = 'html'\nmin_interval_secs = 60\ndashboard_url = 'https://l.example'\nsign = 'dingtalk'";
    let unused = ["min_interval_secs", "dashboard_url", "escape", "sign"];
    assert_eq!(keys(&options(&format!("url = 'http://a'\n{without}"))), unused);
    let wrong = options("url = 'http://a'\ntemplate = '{\"a\": {{ event.nothing }}}'").mistakes();
    assert!(wrong[0].rule.starts_with("line 1, column 10: "), "{wrong:?}");
}

#[test]
fn template_and_secret_come_from_files() {
    let read = |toml: &str, text| {
        let mut options = options(&format!("url = 'http://a'\n{toml}"));
        let mut mistakes = options.take_secrets(&Given(text, None));
        mistakes.extend(options.mistakes());
        (mistakes.into_iter().map(|mistake| mistake.key).collect::<Vec<_>>(), options)
    };
    let (wrong, read_template) = read("template_file = 'there'", "{\"a\": {{ count }}}");
    assert!(wrong.is_empty() && read_template.template().is_some());
    assert_eq!(read("template_file = 'there'", "{{").0, ["template_file"]);
    assert_eq!(read("template_file = 'elsewhere'", "").0, ["template_file"]);
    assert_eq!(read("template_file = 'there'\ntemplate = '{}'", "{}").0, ["template_file"]);
    let (wrong, signed) = read("sign = 'dingtalk'\nsign_secret_file = 'there'", "hunter2\n");
    assert!(wrong.is_empty() && !format!("{signed:?}").contains("hunter2"));
    assert_eq!(signed.sign_secret.unwrap().reveal(), "hunter2");
    assert_eq!(read("sign = 'dingtalk'\nsign_secret_file = 'there'", "").0, ["sign_secret_file"]);
}
