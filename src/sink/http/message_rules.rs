//! The rules for the keys of messages: template, digest, answer and signature.

use reqwest::Url;

use super::chat_signature::ChatSignature;
use super::message::MessageTemplate;
use super::options::Options;
use crate::http_client;
use crate::sink::Format;
use crate::sink::mistake::Mistakes;

/// The longest interval between two messages: a day.
const INTERVAL_SECS_MAX: u64 = 86_400;

/// Adds every rule that these keys break.
pub(super) fn check(options: &Options, mistakes: &mut Mistakes) {
    check_template(options, mistakes);
    if let Some(secs) = options.min_interval_secs {
        mistakes.check_range("min_interval_secs", secs, 1..=INTERVAL_SECS_MAX);
    }
    if let Some(url) = &options.dashboard_url {
        let is_url = Url::parse(url).is_ok_and(|url| http_client::is_callable(&url) && url.query().is_none());
        let rule = "must be the URL of the dashboard, such as \"https://livehook.example.com\"";
        mistakes.check(is_url, "dashboard_url", format!("{url:?}"), rule);
    }
    if let Some((key, rule)) = options.answer.as_ref().and_then(|rule| rule.mistake()) {
        mistakes.add(key, None, rule);
    }
    match options.sign {
        None => {
            let is_unused = options.sign_secret_file.is_some();
            let rule = "has no effect without `sign`: set sign = \"dingtalk\" or sign = \"feishu\"";
            mistakes.check(!is_unused, "sign_secret_file", "set", rule);
        }
        Some(_) if options.sign_secret.is_none() && options.sign_secret_file.is_none() => {
            let rule = "needs a secret: set `sign_secret_file` or the variable LIVEHOOK_SINK_<NAME>_SIGN_SECRET";
            mistakes.add("sign", None, rule);
        }
        Some(ChatSignature::Feishu) if !options.has_template() => {
            mistakes.add(
                "sign",
                Some("\"feishu\"".to_owned()),
                "needs a `template`, because it becomes part of the body",
            );
        }
        Some(_) => {}
    }
}

fn check_template(options: &Options, mistakes: &mut Mistakes) {
    let without_template = "has no effect without a `template`: remove it";
    if options.has_template() {
        let rule =
            "must be 1 with a template: a message is about one event, or with `min_interval_secs` about all that wait";
        mistakes.check(options.batch_events_max == 1, "batch_events_max", options.batch_events_max, rule);
        let is_set = options.format != Format::default();
        mistakes.check(!is_set, "format", "\"data\"", "has no effect with a template: remove it");
    } else {
        mistakes.check(options.min_interval_secs.is_none(), "min_interval_secs", "set", without_template);
        mistakes.check(options.dashboard_url.is_none(), "dashboard_url", "set", without_template);
        mistakes.check(options.escape == Default::default(), "escape", "set", without_template);
    }
    if let Some((key, template)) = options.template()
        && let Err(error) = MessageTemplate::new(template).and_then(|template| template.check())
    {
        mistakes.add(key, None, &error.to_string());
    }
}
