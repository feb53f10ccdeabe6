//! The two text formats of `/metrics`.

/// A text format that a monitoring system can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// The format of Prometheus, version 0.0.4. Every collector reads it.
    Classic,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl TextFormat {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            TextFormat::Classic => "text/plain; version=0.0.4; charset=utf-8",
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Turns a text in the format OpenMetrics into the classic format.
///
/// Samples are the same in both. The classic format knows neither the type `info` nor units nor an end mark, and it describes a
/// counter under the name of its sample, which ends in `_total`.
pub(super) fn classic(open_metrics: &str) -> String {
    let mut classic = String::with_capacity(open_metrics.len());
    // `# HELP` comes before `# TYPE`, which decides how both lines name the metric.
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text;
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|text| text.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            let help = help.strip_prefix(name).unwrap_or_default();
            classic.push_str(&format!("# HELP {name}{suffix}{help}\n# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_text_describes_its_samples() {
        let open_metrics = "# HELP build The version.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n\
            # HELP calls Calls.\n# TYPE calls counter\ncalls_total{a=\"#\"} 3\n\
            # HELP age_seconds Age.\n# TYPE age_seconds gauge\n# UNIT age_seconds seconds\nage_seconds 0.5\n\
            # HELP time_seconds Time.\n# TYPE time_seconds histogram\ntime_seconds_bucket{le=\"+Inf\"} 0\n# EOF\n";
        let expected = "# HELP build_info The version.\n# TYPE build_info gauge\nbuild_info{version=\"1\"} 1\n\
            # HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{a=\"#\"} 3\n\
            # HELP age_seconds Age.\n# TYPE age_seconds gauge\nage_seconds 0.5\n\
            # HELP time_seconds Time.\n# TYPE time_seconds histogram\ntime_seconds_bucket{le=\"+Inf\"} 0\n";
        assert_eq!(classic(open_metrics), expected);
    }
}
