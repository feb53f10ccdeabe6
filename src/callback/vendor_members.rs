//! The members that the vendor's callbacks have.
//!
//! Source: the samples of the vendor's pages, one for each event type, which `tests/fixtures` holds.

use super::name_start::name_start;

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

/// For each slot, which is a byte, one more than the place of a name, or 0. A name whose slot is taken has the next free one.
static TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut place = 0;
    while place < NAMES.len() {
        let mut slot = first_slot(name_start(NAMES[place]), NAMES[place]);
        while table[slot as usize] != 0 {
            slot = slot.wrapping_add(1);
        }
        place += 1;
        table[slot as usize] = place as u8;
    }
    table
};

/// Returns the slot at which the search for a name begins.
const fn first_slot(start: u64, name: &str) -> u8 {
    // The high bits of a product depend on all bits of its factors. The factor is 2^64 divided by the golden ratio.
    ((start ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Returns whether callbacks of a known type have a member of this name, given its [`name_start`].
pub(super) fn is_vendor_member(start: u64, name: &str) -> bool {
    let mut slot = first_slot(start, name);
    loop {
        match TABLE[usize::from(slot)] {
            0 => return false,
            place if NAMES[usize::from(place) - 1] == name => return true,
            _ => slot = slot.wrapping_add(1),
        }
    }
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
                assert!(is_vendor_member(name_start(name), name), "{}: {name}", path.display());
            }
        }
    }

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "ap", "appi", "APPID", "stream_ix", "event_timf", "begin_timf", "video_urlx"] {
            assert!(!is_vendor_member(name_start(name), name), "{name}");
        }
    }

    #[test]
    fn every_name_is_found() {
        assert!(NAMES.is_sorted() && NAMES.iter().all(|name| is_vendor_member(name_start(name), name)));
        // The values of the vendor's members are not judged by their names.
        assert!(!NAMES.iter().any(|name| name.eq_ignore_ascii_case("sign") || name.eq_ignore_ascii_case("t")));
    }

    #[test]
    fn every_member_of_the_catalogue_is_known() {
        for known in KnownType::all() {
            let names = [known.names.domain, known.names.app_name, Some(known.names.stream), known.names.sequence];
            for name in names.into_iter().flatten().chain(known.time.map(|time| time.name)) {
                assert!(is_vendor_member(name_start(name), name), "{}: {name}", known.name);
            }
        }
    }
}
