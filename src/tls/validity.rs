//! Reads from when to when a certificate is valid. The TLS library checks these times and doesn't show them.
//!
//! The layout is X.509's (RFC 5280), in DER. Only the elements before the validity are passed over.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// When a certificate is valid, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before_secs: i64,
    pub(super) not_after_secs: i64,
}

impl Validity {
    /// Reads it from a certificate in DER; `None` if that has another layout.
    pub(super) fn of(certificate: &[u8]) -> Option<Validity> {
        let mut signed = Elements(Elements(certificate).expect(SEQUENCE)?);
        let mut fields = Elements(signed.expect(SEQUENCE)?);
        if fields.0.first() == Some(&VERSION) {
            fields.next()?;
        }
        // Before it are the serial number, the algorithm and the issuer.
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        fields.expect(SEQUENCE)?;
        let mut times = Elements(fields.expect(SEQUENCE)?);
        Some(Validity { not_before_secs: time_secs(times.next()?)?, not_after_secs: time_secs(times.next()?)? })
    }
}

/// The elements of a DER sequence that are left.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Takes the next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // The low bits count the bytes of the length.
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// Takes the next element, if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

/// Reads a time such as `261127034500Z`, or with four digits for the year.
fn time_secs((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let full = match tag {
        // Two digits are a year from 1950 to 2049.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificates::listed;
    use crate::tls::testing::Wanted;

    #[test]
    fn validity_is_read() {
        // From 2050 on, the time has four digits for the year.
        for not_after_secs in [1_700_086_400, 4_000_000_000] {
            let pair = Wanted::of("a.example.com").valid(1_700_000_000, not_after_secs).self_signed();
            let validity = Validity::of(&listed(pair.certificate.as_bytes()).unwrap()[0]).unwrap();
            assert_eq!(validity, Validity { not_before_secs: 1_700_000_000, not_after_secs });
        }
    }

    #[test]
    fn other_layouts_have_no_validity() {
        let pair = Wanted::of("a.example.com").self_signed();
        let whole = listed(pair.certificate.as_bytes()).unwrap()[0].to_vec();
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length}");
        }
        for hostile in [&b"\x30\x80"[..], b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00", b"hello"] {
            assert_eq!(Validity::of(hostile), None, "{hostile:?}");
        }
    }
}
