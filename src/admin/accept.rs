//! Reads the header `Accept` of a request for `/metrics`.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::telemetry::TextFormat;

/// Returns the text format that a client prefers. OpenMetrics needs to be named, so any client that names no known format
/// gets the classic one, which every collector reads.
///
/// For example `application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3` prefers OpenMetrics. Between
/// equal qualities the order of the header decides.
pub(super) fn text_format(headers: &HeaderMap) -> TextFormat {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<_> = values.iter().flat_map(|value| split(value, ',')).filter_map(Range::parse).collect();
    let openmetrics = ranges.iter().find(|range| range.is_openmetrics());
    let classic = best_match(&ranges);
    match (openmetrics, classic) {
        (Some(openmetrics), _) if openmetrics.quality == 0 => TextFormat::Classic,
        (Some(openmetrics), Some(classic)) if classic.quality > openmetrics.quality => TextFormat::Classic,
        // A tie. A wildcard names no preference, so only a named `text/plain` that comes first wins.
        (Some(openmetrics), Some(classic)) if classic.quality == openmetrics.quality => {
            let is_first = ranges.iter().find(|range| range.is_openmetrics() || range.is_classic());
            if is_first.is_some_and(Range::is_classic) { TextFormat::Classic } else { TextFormat::OpenMetrics }
        }
        (Some(_), _) => TextFormat::OpenMetrics,
        (None, _) => TextFormat::Classic,
    }
}

/// Returns the most specific range that the classic format matches.
fn best_match<'a>(ranges: &'a [Range<'a>]) -> Option<&'a Range<'a>> {
    let named = ranges.iter().find(|range| range.is_classic());
    let of_type = |kind: &'static str| ranges.iter().find(move |range| range.media_type.eq_ignore_ascii_case(kind));
    named.or_else(|| of_type("text/*")).or_else(|| of_type("*/*"))
}

/// One part of the header, for example `text/plain;version=0.0.4;q=0.3`.
struct Range<'a> {
    media_type: &'a str,
    version: Option<&'a str>,
    /// The parameter `q`, in thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    /// Returns `None` if its `q` is not a number from 0 to 1.
    fn parse(text: &'a str) -> Option<Range<'a>> {
        let mut parts = split(text, ';');
        let mut range = Range { media_type: parts.next()?, version: None, quality: 1000 };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => range.quality = thousandths(value)?,
                name if name.eq_ignore_ascii_case("version") => range.version = Some(value),
                _ => {}
            }
        }
        Some(range)
    }

    fn is_openmetrics(&self) -> bool {
        self.is("application/openmetrics-text", "1.0.0")
    }

    fn is_classic(&self) -> bool {
        self.is("text/plain", "0.0.4")
    }

    fn is(&self, media_type: &str, version: &str) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type) && self.version.is_none_or(|wanted| wanted == version)
    }
}

/// Splits at a separator outside of quotes, and trims the parts.
pub(super) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let parts = text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    });
    parts.map(str::trim)
}

/// Reads a quality from 0 to 1, in thousandths.
pub(super) fn thousandths(quality: &str) -> Option<u16> {
    let quality: f64 = quality.parse().ok()?;
    (0.0..=1.0).contains(&quality).then(|| (quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn format_of(accepts: &[&'static str]) -> TextFormat {
        let mut headers = HeaderMap::new();
        for accept in accepts {
            headers.append(ACCEPT, HeaderValue::from_static(accept));
        }
        text_format(&headers)
    }

    #[test]
    fn openmetrics_is_only_for_clients_that_prefer_it() {
        for accept in [
            // Prometheus 2, with OpenMetrics switched off in 2.5 to 2.22, and 3.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.1",
            "application/openmetrics-text, text/plain",
            "text/html;q=0.9, application/openmetrics-text;q=0.5, */*;q=0.5",
            "text/plain;q=0, application/openmetrics-text;q=0.001",
            "text/plain;q=0.1, text/*;q=0.9, application/openmetrics-text;q=0.5",
            "text/plain;version=1.0.0, application/openmetrics-text;q=0.2",
        ] {
            assert_eq!(format_of(&[accept]), TextFormat::OpenMetrics, "{accept}");
        }
        for accept in [
            "*/*",
            "",
            ",;=,",
            "text/plain",
            "text/plain; version=0.0.4",
            "application/json",
            "application/*",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.000, */*;q=0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;q=high",
            "application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=0.4,*/*",
            "text/plain, application/openmetrics-text",
            "text/plain;note=\", application/openmetrics-text\"",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,text/plain;version=0.0.4;q=0.3",
        ] {
            assert_eq!(format_of(&[accept]), TextFormat::Classic, "{accept}");
        }
        assert_eq!(format_of(&[]), TextFormat::Classic);
        assert_eq!(format_of(&["text/plain;q=0.5", "application/openmetrics-text"]), TextFormat::OpenMetrics);
    }
}
