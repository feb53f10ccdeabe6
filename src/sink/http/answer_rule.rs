//! Which answers with status 2xx are a success. Many chat tools answer 200 with an error code in the body. Some use one status, such
//! as 400, for a wrong message and for too many messages.

use serde::Deserialize;

/// `answer`: the values that a member of the body, or the whole body, has after a success and after a failure.
///
/// Every other value is doubtful: it mostly means a wrong URL or token, which every event gets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// A JSON pointer to the member, such as `/errcode`. Unset means the whole body as text, without white space at its ends.
    #[serde(default)]
    pub member: Option<String>,
    /// The values after which the receiver has the event.
    pub delivered: Vec<AnswerValue>,
    /// The values that ask for fewer requests, or for another try later.
    #[serde(default)]
    pub retry: Vec<AnswerValue>,
    /// The values after which the event becomes a dead letter.
    #[serde(default)]
    pub rejected: Vec<AnswerValue>,
}

/// A value in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AnswerValue {
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
}

/// The meaning of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has the event.
    Delivered,
    /// The receiver asks for another try later. With the part of the body that says so.
    Retry(String),
    /// The receiver refuses the event for good.
    Rejected,
    /// No value of the rule.
    Unknown,
}

impl AnswerRule {
    /// Returns the broken rule and its key within `answer`.
    pub(super) fn mistake(&self) -> Option<(&'static str, &'static str)> {
        match &self.member {
            Some(member) if !member.starts_with('/') => {
                Some(("answer.member", "must be a JSON pointer, such as \"/errcode\""))
            }
            _ if self.delivered.is_empty() => {
                Some(("answer.delivered", "must have a value, because only a known answer is a success"))
            }
            _ => None,
        }
    }

    /// Judges the body of an answer.
    pub(super) fn verdict(&self, body: &str) -> Verdict {
        let value = match &self.member {
            None => Some(serde_json::Value::from(body.trim())),
            Some(member) => {
                serde_json::from_str::<serde_json::Value>(body).ok().and_then(|value| value.pointer(member).cloned())
            }
        };
        let Some(value) = value else { return Verdict::Unknown };
        let has = |values: &[AnswerValue]| values.iter().any(|one| one.is(&value));
        match () {
            () if has(&self.delivered) => Verdict::Delivered,
            () if has(&self.retry) => match &self.member {
                Some(member) => Verdict::Retry(format!("{member} {value}")),
                None => Verdict::Retry(value.to_string()),
            },
            () if has(&self.rejected) => Verdict::Rejected,
            () => Verdict::Unknown,
        }
    }
}

impl Verdict {
    /// Whether the rule names this failure. It then means the same with any status.
    pub(super) fn is_of_failure(&self) -> bool {
        matches!(self, Verdict::Retry(_) | Verdict::Rejected)
    }
}

impl AnswerValue {
    fn is(&self, value: &serde_json::Value) -> bool {
        match self {
            AnswerValue::Integer(number) => value.as_i64() == Some(*number),
            AnswerValue::Text(text) => value.as_str() == Some(text),
            AnswerValue::Bool(bool) => value.as_bool() == Some(*bool),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_values_are_a_success() {
        let text = "member = '/errcode'\ndelivered = [0]\nretry = [-1, 45009]\nrejected = [40058, 'no']";
        let rule: AnswerRule = toml::from_str(text).unwrap();
        for (body, verdict) in [
            (r#"{"errcode":0,"errmsg":"ok"}"#, Verdict::Delivered),
            (r#"{"errcode":45009}"#, Verdict::Retry("/errcode 45009".to_owned())),
            (r#"{"errcode":-1}"#, Verdict::Retry("/errcode -1".to_owned())),
            (r#"{"errcode":40058}"#, Verdict::Rejected),
            (r#"{"errcode":"no"}"#, Verdict::Rejected),
            (r#"{"errcode":"0"}"#, Verdict::Unknown),
            (r#"{"errcode":93000}"#, Verdict::Unknown),
            (r#"{"errcode":null}"#, Verdict::Unknown),
            (r#"{"code":0}"#, Verdict::Unknown),
            (r#"[{"errcode":0}]"#, Verdict::Unknown),
            ("<html>login</html>", Verdict::Unknown),
            ("", Verdict::Unknown),
        ] {
            assert_eq!(rule.verdict(body), verdict, "{body}");
        }
        let whole: AnswerRule = toml::from_str("delivered = ['ok']\nretry = ['busy']").unwrap();
        let verdicts = [" ok\n", "okay", "busy", ""].map(|body| whole.verdict(body));
        let expected = [Verdict::Delivered, Verdict::Unknown, Verdict::Retry("\"busy\"".to_owned()), Verdict::Unknown];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn rules_without_a_success_are_mistakes() {
        for (text, key) in [
            ("delivered = ['ok']", None),
            ("member = 'errcode'\ndelivered = [0]", Some("answer.member")),
            ("member = '/errcode'\ndelivered = []", Some("answer.delivered")),
        ] {
            let rule: AnswerRule = toml::from_str(text).unwrap();
            assert_eq!(rule.mistake().map(|(key, _)| key), key, "{text}");
        }
    }
}
