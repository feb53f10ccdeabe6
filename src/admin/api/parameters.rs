//! The parameters that several routes share.

use serde::Deserialize;

use super::query::values;
use crate::admin::problem::Problem;
use crate::callback::{DomainPattern, NamePattern, StreamSelection};
use crate::moment::{self, TimeRange};

/// Only these streams. Each parameter that is given must match.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamParameters {
    /// A push domain, or `*.example.com` for every name below it. Case does not matter. Repeat the parameter for several
    /// domains.
    #[serde(deserialize_with = "values")]
    #[param(value_type = Vec<String>, required = false, example = json!(["*.example.com"]), max_items = 50)]
    domain: Vec<DomainPattern>,
    /// A stream name. Each `*` in it stands for any number of characters. Repeat the parameter for several names.
    #[serde(deserialize_with = "values")]
    #[param(value_type = Vec<String>, required = false, example = json!(["room-*"]), max_items = 50)]
    stream: Vec<NamePattern>,
    /// A whole app name. Repeat the parameter for several names.
    #[param(required = false, example = json!(["live"]), max_items = 50)]
    app_name: Vec<String>,
}

impl StreamParameters {
    /// Returns the selection that these parameters stand for.
    pub(super) fn selection(self) -> StreamSelection {
        StreamSelection { domains: self.domain, names: self.stream, apps: self.app_name, key: None }
    }
}

/// Only items of this time. Which of an item's times counts depends on the list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct TimeParameters {
    /// At this moment or later: RFC 3339, a date, Unix seconds, or a span back from now.
    #[param(value_type = String, required = false, example = "2h")]
    pub(super) since: Option<String>,
    /// Before this moment, in the same forms.
    #[param(value_type = String, required = false, example = "2026-05-01T12:00:00Z")]
    pub(super) until: Option<String>,
}

impl TimeParameters {
    /// Returns the time between both moments. `now_ms` is the current time in Unix ms.
    pub(super) fn range(&self, now_ms: i64) -> Result<TimeRange, Problem> {
        let since_ms = url_moment("since", self.since.as_deref(), now_ms)?;
        let until_ms = url_moment("until", self.until.as_deref(), now_ms)?;
        not_empty(TimeRange { since_ms, until_ms })
    }
}

/// The copy of an answer that a client has.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header that `etag` reads")]
pub(super) struct KnownCopy {
    /// The `ETag` of the copy that you have. If it is still valid, the answer is 304 without a body.
    #[param(required = false, rename = "If-None-Match")]
    if_none_match: String,
}

/// Reads a moment of a query as Unix ms.
pub(super) fn url_moment(name: &str, text: Option<&str>, now_ms: i64) -> Result<Option<i64>, Problem> {
    let moment = text.map(|text| {
        moment::parse(text, now_ms).map_err(|error| match text.contains(' ') {
            true => Problem::parameter(name, format!("{error}; in a URL, write `+` as `%2B`")),
            false => Problem::parameter(name, error),
        })
    });
    moment.transpose()
}

/// Refuses a range that can't hold anything.
pub(super) fn not_empty(range: TimeRange) -> Result<TimeRange, Problem> {
    match range {
        TimeRange { since_ms: Some(since_ms), until_ms: Some(until_ms) } if since_ms >= until_ms => {
            Err(Problem::parameter("until", "must be after `since`"))
        }
        _ => Ok(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::query::Query;

    #[test]
    fn wrong_time_is_named() {
        let read = |query: &str| {
            let query = Query::<(TimeParameters,)>::read("", query).unwrap();
            query.parameters.0.range(0).map_err(|problem| serde_json::to_value(&problem).unwrap()["detail"].to_string())
        };
        assert_eq!(read("until=1&since=0"), Ok(TimeRange { since_ms: Some(0), until_ms: Some(1000) }));
        for (query, expected) in [
            ("since=yesterday", "`since`: give RFC 3339"),
            ("until=1777636800000", "`until`: too far ahead"),
            ("since=2026-05-01T12:00:00+02:00", "in a URL, write `+` as `%2B`"),
            ("since=2026-05-02&until=2026-05-01", "`until`: must be after `since`"),
            ("since=2026-05-01&until=2026-05-01", "`until`: must be after `since`"),
            ("since=%E2%80%AEa", "`since`: give RFC 3339"),
        ] {
            let detail = read(query).unwrap_err();
            assert!(detail.contains(expected), "{query}: {detail}");
        }
    }
}
