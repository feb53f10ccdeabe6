//! The members that the vendor's callbacks have.
//!
//! Source: the samples of the vendor's pages, one for each event type, which `tests/fixtures` holds.

/// Their names, sorted by their bytes.
const NAMES: [&str; 91] = [
    "HitFlag",
    "Score",
    "abnormal_event",
    "app",
    "appid",
    "appname",
    "asr_text",
    "begin_time",
    "bizid",
    "callback_event",
    "callback_ext",
    "callback_url",
    "channelId",
    "channel_id",
    "class",
    "create_time",
    "data",
    "data_time",
    "detail",
    "domain",
    "duration",
    "end_time",
    "end_time_usec",
    "errcode",
    "errmsg",
    "event_msg",
    "event_name",
    "event_time",
    "event_type",
    "exception",
    "exception_level",
    "file_format",
    "file_id",
    "file_size",
    "function",
    "height",
    "idc_id",
    "img",
    "input_id",
    "interface",
    "items",
    "key_points",
    "key_words",
    "label",
    "labelResults",
    "language_results",
    "libResults",
    "media_start_time",
    "moan_results",
    "msg",
    "node",
    "objectResults",
    "ocrResults",
    "path",
    "pic_full_url",
    "pic_url",
    "pipeline",
    "product_name",
    "push_duration",
    "record_bps",
    "record_detail",
    "record_event",
    "record_file_id",
    "report_interval",
    "request_id",
    "score",
    "screenshotTime",
    "sendTime",
    "seq",
    "sequence",
    "session_id",
    "set_id",
    "source_urls",
    "start_time",
    "start_time_usec",
    "streamId",
    "stream_id",
    "stream_param",
    "subLabel",
    "suggestion",
    "summary",
    "task_id",
    "text_results",
    "timeout",
    "timestamp",
    "title",
    "to_url",
    "type",
    "user_ip",
    "video_url",
    "width",
];

/// Returns whether callbacks of a known type have a member of this name.
pub(super) fn is_vendor_member(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::KnownType;

    #[test]
    fn every_member_of_a_sample_is_known() {
        for file in std::fs::read_dir("tests/fixtures").unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let Ok(serde_json::Value::Object(members)) = serde_json::from_str(&text) else { continue };
            for name in members.keys().filter(|name| !matches!(name.as_str(), "t" | "sign")) {
                assert!(is_vendor_member(name), "{}: {name}", path.display());
            }
        }
    }

    #[test]
    fn every_member_of_the_catalogue_is_known() {
        for known in KnownType::all() {
            let names = [known.names.domain, known.names.app_name, Some(known.names.stream), known.names.sequence];
            for name in names.into_iter().flatten().chain(known.time.map(|time| time.name)) {
                assert!(is_vendor_member(name), "{}: {name}", known.name);
            }
        }
    }
}
