//! Writes the line of an event, and reads its head. The line is one CloudEvents 1.0 JSON object, the same for every sink, the API
//! and the journal.
//!
//! Lines are stored for years, so the form of a line must never change.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use super::event_id::EventId;
use super::json;
use super::members;
use super::parse::Callback;
use super::partition_key::encode_part;
use super::redact::Redactor;
use super::stream_members::{self, StreamPlaces, StreamValues};
use super::time_text::{self, Fraction};

/// The places of the parts of a line that are read again, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The partition key, without its quotes.
    pub(super) partition_key: Range<u32>,
    /// The sequence, a JSON string with its quotes. `None` if the callback has none.
    pub(super) sequence: Option<Range<u32>>,
    /// The members of a push or stop, from the start of `data`: so they stay right if `verified` changes. `None` if their places
    /// are not known, as in a line that was read back.
    pub(super) stream: Option<StreamPlaces>,
}

/// What follows the partition key in a line.
const VERIFIED: &str = r#"","verified":true,"#;
const UNVERIFIED: &str = r#"","verified":false,"#;

/// How many bytes the time of receipt takes in a line, with its name, for the years 0 to 9999.
const RECEIVED_BYTES: usize = r#""receivedtime":"2018-12-17T07:14:33.120Z""#.len();

/// Writes the line of a callback that was received at `received_ms` (Unix ms).
pub(super) fn write(
    callback: &Callback<'_>,
    id: EventId,
    verified: bool,
    received_ms: i64,
    redactor: &Redactor,
) -> (String, Places) {
    let event_type = callback.event_type;
    let redacted = members::redacted(&callback.members, &redactor.of_callback(callback.sign.digest()));
    let domain = members::domain(&redacted, event_type).unwrap_or_default();
    let app_name = members::app_name(&redacted, event_type).unwrap_or_default();
    let stream = members::stream(&redacted, event_type);

    // Enough for most lines, so that they are allocated once.
    let size = redacted.iter().map(|member| member.name.len() + member.value.len() + 4).sum::<usize>();
    let mut line = String::with_capacity(size + 512);
    line.push_str(r#"{"specversion":"1.0","id":""#);
    id.write(&mut line);
    line.push_str(r#"","source":"/tencent-css/"#);
    encode_part(&mut line, &members::text(&redacted, "appid").unwrap_or_default());
    line.push('/');
    let domain_start = line.len();
    encode_part(&mut line, &domain);
    line.push('/');
    encode_part(&mut line, &app_name);
    let domain_and_app_name = domain_start..line.len();
    let _ = write!(line, r#"","type":"{}""#, event_type.cloud_event_type());
    if let Some(stream) = &stream {
        line.push_str(r#","subject":"#);
        json::write_string(&mut line, &attribute(stream));
    }
    if let Some(time_ms) = callback.event_time_ms {
        line.push_str(r#","time":""#);
        time_text::write(&mut line, time_ms, Fraction::Needed);
        line.push('"');
    }
    line.push_str(r#","datacontenttype":"application/json""#);
    let sequence = members::text(&redacted, "sequence").map(|sequence| {
        line.push_str(r#","pushsequence":"#);
        let start = line.len();
        json::write_string(&mut line, &attribute(&sequence));
        start as u32..line.len() as u32
    });
    line.push_str(r#","partitionkey":""#);
    let start = line.len();
    line.extend_from_within(domain_and_app_name);
    line.push('/');
    encode_part(&mut line, stream.as_deref().unwrap_or_default());
    let partition_key = start as u32..line.len() as u32;
    line.push_str(if verified { VERIFIED } else { UNVERIFIED });
    line.push_str(r#""receivedtime":""#);
    time_text::write(&mut line, received_ms, Fraction::Milliseconds);
    line.push_str(r#"","data":"#);
    members::write_object(&mut line, &redacted, callback.is_plain);
    line.push('}');
    if callback.is_plain {
        let stream = event_type.is_push_or_stop().then(|| StreamPlaces::of(&redacted));
        // Only an escape can stand for invalid Unicode.
        return (line, Places { partition_key, sequence, stream });
    }
    // The places stay right, because the length does.
    let line = match json::valid_unicode(&line) {
        Cow::Borrowed(_) => line,
        Cow::Owned(valid) => valid,
    };
    (line, Places { partition_key, sequence, stream: None })
}

/// Returns whether a line says that its event is verified.
pub(super) fn is_verified(line: &str, places: &Places) -> bool {
    line[places.partition_key.end as usize..].starts_with(VERIFIED)
}

/// Returns the line with the other value of `verified`: true instead of false if `verified`, or the reverse. All places stay right.
/// `None` if the line has another value.
pub(super) fn with_verified(line: &str, places: &Places, verified: bool) -> Option<String> {
    let (from, to) = if verified { (UNVERIFIED, VERIFIED) } else { (VERIFIED, UNVERIFIED) };
    let (head, rest) = line.split_at(places.partition_key.end as usize);
    Some([head, to, rest.strip_prefix(from)?].concat())
}

/// Returns the text of an attribute with U+FFFD in place of the characters that CloudEvents forbids there: control characters and
/// noncharacters.
pub(super) fn attribute(text: &str) -> Cow<'_, str> {
    if json::is_plain(text) {
        return Cow::Borrowed(text);
    }
    let is_noncharacter = |character: char| {
        let number = u32::from(character);
        matches!(number, 0xfdd0..=0xfdef) || number & 0xfffe == 0xfffe
    };
    let is_forbidden = |character: char| character.is_control() || is_noncharacter(character);
    if !text.contains(is_forbidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(is_forbidden, "\u{fffd}"))
}

/// Returns a stored line as [`write()`] writes it today: earlier versions kept invalid Unicode and control characters. `None` if
/// the text is not the line of an event.
pub(super) fn renewed(line: &str) -> Option<(Cow<'_, str>, Places)> {
    let mut line = json::valid_unicode(line);
    let mut head = head(&line)?;
    for find in [|head: &Head| head.subject.clone(), |head: &Head| head.places.sequence.clone()] {
        let Some(value) = find(&head) else { continue };
        let value = value.start as usize..value.end as usize;
        let text = json::string(&line[value.clone()])?;
        if let Cow::Owned(valid) = attribute(&text) {
            let mut written = String::new();
            json::write_string(&mut written, &valid);
            line.to_mut().replace_range(value, &written);
            head = self::head(&line)?;
        }
    }
    Some((line, head.places))
}

/// The parts of a stored line that precede `data`.
struct Head {
    places: Places,
    /// The subject, a JSON string with its quotes. `None` if the line has none.
    subject: Option<Range<u32>>,
}

/// Finds the parts of a stored line. `None` if the text is not the line of an event.
fn head(line: &str) -> Option<Head> {
    // Every consumer reads each record. serde would read `data` too, which takes four times as long. This loop works because all
    // members up to the partition key are strings.
    let (mut subject, mut sequence) = (None, None);
    let mut position = 0;
    loop {
        let name = string_at(line, position + 1)?;
        let value = string_at(line, name.end as usize + 1)?;
        position = value.end as usize;
        match &line[name.start as usize..name.end as usize] {
            r#""subject""# => subject = Some(value),
            r#""pushsequence""# => sequence = Some(value),
            r#""partitionkey""# => {
                let partition_key = value.start + 1..value.end - 1;
                return Some(Head { places: Places { partition_key, sequence, stream: None }, subject });
            }
            _ => {}
        }
    }
}

/// Returns the members of `data` in a stored line: each name, and its value as JSON text. `None` if the text is not the line of an
/// event. The members end where the line is damaged.
pub(super) fn data_members<'l>(
    line: &'l str,
    places: &Places,
) -> Option<impl Iterator<Item = (&'l str, &'l str)> + use<'l>> {
    let mut rest = line.get(data_start(line, places)? + 1..)?;
    Some(std::iter::from_fn(move || {
        let name_end = string_end(rest.as_bytes(), 0)?;
        // Names are written without needless escapes, so their text can be compared as it is.
        let name = rest.get(1..name_end - 1)?;
        let value = rest.get(name_end + 1..)?;
        let (value, after) = value.split_at_checked(value_end(value.as_bytes())?)?;
        // The next name follows a comma.
        rest = after.get(1..)?;
        Some((name, value))
    }))
}

/// Returns the members of a push or stop that livehook reads again. `None` if the text is not the line of an event.
pub(super) fn stream_values<'l>(line: &'l str, places: &Places) -> Option<StreamValues<'l>> {
    match &places.stream {
        Some(stream) => Some(stream.values(line.get(data_start(line, places)?..)?)),
        None => Some(stream_members::find(data_members(line, places)?)),
    }
}

/// Returns the object `data` of a stored line as JSON text. `None` if the text is not the line of an event.
pub(super) fn data<'l>(line: &'l str, places: &Places) -> Option<&'l str> {
    // `data` is the last member.
    line.get(data_start(line, places)?..)?.strip_suffix('}')
}

/// Returns where the object `data` starts.
fn data_start(line: &str, places: &Places) -> Option<usize> {
    const DATA: &str = r#","data":"#;
    // Between the partition key and `data` there is only livehook's own text, and nearly always it has the same length.
    let after_key = places.partition_key.end as usize;
    let usual = after_key + VERIFIED.len() + RECEIVED_BYTES;
    let found = match line.get(usual..) {
        Some(rest) if rest.starts_with(DATA) => usual,
        _ => after_key + line.get(after_key..)?.find(DATA)?,
    };
    let start = found + DATA.len();
    line.get(start..)?.starts_with('{').then_some(start)
}

/// Returns the length of the compact JSON value at the start of a text, within an object.
fn value_end(text: &[u8]) -> Option<usize> {
    let mut level = 0usize;
    let mut position = 0;
    loop {
        match text.get(position)? {
            b',' | b'}' if level == 0 => return Some(position),
            b'"' => {
                position = string_end(text, position)?;
                continue;
            }
            b'[' | b'{' => level += 1,
            b']' | b'}' => level = level.checked_sub(1)?,
            _ => {}
        }
        position += 1;
    }
}

/// Returns the place of the JSON string that starts at `start`, with its quotes.
fn string_at(line: &str, start: usize) -> Option<Range<u32>> {
    let end = string_end(line.as_bytes(), start)?;
    Some(start as u32..u32::try_from(end).ok()?)
}

/// Returns the end of the JSON string that starts at `start`, after its quote.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let inner = text.get(start..)?.strip_prefix(b"\"")?;
    let mut length = 0;
    loop {
        length += json::unescaped_length(&inner[length..]);
        match inner.get(length)? {
            b'"' => return Some(start + 1 + length + 1),
            // The escaped character may be a quote, which does not end the string.
            _ => length = (length + 2).min(inner.len()),
        }
    }
}
