//! Secrets in every form and in every encoding that the redaction covers.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "5ECR37";

/// A way to write a parameter or a pair. `@@` stands for the value, already in the encoding of the text.
const FORMS: &[&str] = &[
    "txSecret=@@",
    "TXSECRET=@@",
    "txsecret=@@&a=1",
    "a=1&txSecret=@@#b",
    "a=1;txSecret=@@;b=2",
    "a=1;txSecret=@@; b=2",
    "mytxSecret=@@",
    "txSecret[]=@@",
    "txSecret[0]=@@&b",
    "txSecret[\"a\"][1]=@@",
    "a[txSecret]=@@",
    "txSecret = @@",
    "txSecret =\t@@",
    "txSecret: @@",
    "txSecret:@@",
    "TxSecret : @@\n",
    "txSecret=#@@",
    "txSecret=##@@",
    "txSecret=+@@",
    "txSecret=\u{1}@@",
    "txSecret\u{0}=\u{0}@@",
    "txSecret=\u{200b}@@",
    "txSecret==@@",
    "txSecret:=@@",
    "txSecret=>@@",
    "'txSecret' => '@@',",
    "txSecret=\"@@\"",
    "txSecret='@@'",
    "txSecret=`@@`",
    "txSecret='\"@@\"'",
    "txSecret=\"\"@@\"\"",
    "txSecret=<@@>",
    "txSecret=(@@)",
    "txSecret=[\"@@\"]",
    "txSecret={@@}",
    "txSecret=\u{201c}@@\u{201d}",
    "txSecret: Bearer @@",
    "txSecret=Basic @@&b",
    "{\"txSecret\":\"@@\"}",
    "{\"txSecret\": \" @@\", \"a\":1}",
    "{\"txSecret\":[\"@@\"]}",
    "{'txSecret': '@@', 'a': 1}",
    "{'txSecret': b'@@'}",
    "{txSecret: @@, a: 1}",
    "{\"txSecret[]\":\"@@\"}",
    "{\"a\":{\"txSecret\":{\"b\":\"@@\"}}}",
    "{\"name\":\"txSecret\",\"value\":\"@@\"}",
    "{\"value\":\"@@\",\"name\":\"txSecret\"}",
    "[{\"key\":\"a\",\"value\":\"b\"},{\"key\":\"txSecret\",\"type\":\"x}\",\"value\":\"@@\"}]",
    "{\"k\":\"txSecret\",\"v\":\"@@\"}",
    "{\"Name\": \"txSecret\", \"paramValue\": \"@@\"}",
    "[\"txSecret\",\"@@\"]",
    "[[\"a\",\"b\"],[\"txSecret\", \"@@\"]]",
    "('txSecret', '@@')",
    "name=txSecret&value=@@",
    "<param name=\"txSecret\" value=\"@@\"/>",
    "<txSecret>@@</txSecret>",
    "<name>txSecret</name><value>@@</value>",
    "`txSecret`: @@",
    "**txSecret**: @@",
    "txSecret\u{ff1a}@@",
    "rtmp://d/live/s?txTime=5f&txSecret=@@ HTTP/1.1",
    "Cookie: a=b; txSecret=@@; c=d",
    "txSecret=@@'x",
    "x='txSecret=@@'",
    "(txSecret=@@)",
    "txSecret=@@\u{0}x",
    "{\"sign\":\"@@\",\"t\":1}",
    "{\"a\":{\"Sign\":\"@@\"}}",
    "{'SIGN': '@@'}",
    "{\" sign \" : \"@@\"}",
];

/// Encodes a text by several layers, from the inside out. The first one may encode any character. The others encode no letters and
/// digits, as in practice: an encoder that did would write the digits of the escapes within as escapes, too.
fn encode_all(text: &str, layers: &[(u8, Vec<u8>)]) -> String {
    let mut encoded = text.to_owned();
    for (number, (kind, choices)) in layers.iter().enumerate() {
        encoded = encode(&encoded, *kind, choices, number == 0);
    }
    encoded
}

/// Encodes a text by one layer. `choices` decides for each character, and a layer writes the same character always in the same way.
fn encode(text: &str, kind: u8, choices: &[u8], with_letters: bool) -> String {
    let mut output = String::new();
    for character in text.chars() {
        let choice = choices[character as usize % choices.len()];
        let must = match kind {
            0 => "%&=? \"{}[]<>#+\\".contains(character) || character.is_control(),
            1 => "\"\\&".contains(character) || character.is_control(),
            _ => "&<>\"".contains(character),
        };
        let may = with_letters || !character.is_ascii_alphanumeric();
        if !must && (!may || !choice.is_multiple_of(4)) {
            output.push(character);
            continue;
        }
        let number = u32::from(character);
        match (kind, choice / 4 % 4) {
            (0, 3) if number <= 0xffff => output.push_str(&format!("%u{number:04x}")),
            (0, case) => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    output.push_str(&if case == 0 { format!("%{byte:02X}") } else { format!("%{byte:02x}") });
                }
            }
            (1, 0) if "\"\\/".contains(character) => output.extend(['\\', character]),
            (1, 3) if number <= 0xff => output.push_str(&format!("\\x{number:02x}")),
            (1, 1) if number <= 0xffff => output.push_str(&format!("\\u{number:04x}")),
            (1, _) if number <= 0xffff => output.push_str(&format!("\\u{number:04X}")),
            (1, _) => output.push(character),
            (_, 0) => output.push_str(&format!("&#{number};")),
            (_, 1) => output.push_str(&format!("&#x{number:x};")),
            (_, 2) => output.push_str(&format!("&#00{number};")),
            _ => match character {
                '&' => output.push_str("&amp;"),
                '<' => output.push_str("&lt;"),
                '>' => output.push_str("&gt;"),
                '"' => output.push_str("&quot;"),
                '=' => output.push_str("&equals;"),
                '[' => output.push_str("&lsqb;"),
                _ => output.push_str(&format!("&#X{number:X};")),
            },
        }
    }
    output
}

/// Returns whether a part of the secret is in the text, even if it is encoded.
fn shows_secret(text: &str) -> bool {
    let mut text = text.to_owned();
    for _ in 0..40 {
        if text.contains(SECRET) {
            return true;
        }
        let before = text.clone();
        // Decoding everything that can be decoded.
        for character in SECRET.chars() {
            let number = u32::from(character);
            for escape in [
                format!("%{number:02x}"),
                format!("%{number:02X}"),
                format!("%u{number:04x}"),
                format!("\\x{number:02x}"),
                format!("\\u{number:04x}"),
                format!("\\u{number:04X}"),
                format!("&#{number};"),
                format!("&#x{number:x};"),
                format!("&#X{number:X};"),
                format!("&#00{number};"),
            ] {
                text = text.replace(&escape, &character.to_string());
            }
        }
        for (escape, character) in [
            ("%25", "%"),
            ("%u0025", "%"),
            ("\\\\", "\\"),
            ("\\u005c", "\\"),
            ("\\u005C", "\\"),
            ("\\x5c", "\\"),
            ("&amp;", "&"),
            ("&#38;", "&"),
            ("&#x26;", "&"),
            ("&#X26;", "&"),
            ("&#0038;", "&"),
            ("%26", "&"),
            ("\\u0026", "&"),
            ("\\x26", "&"),
            ("%5C", "\\"),
            ("%5c", "\\"),
            ("&#92;", "\\"),
            ("&#x5c;", "\\"),
            ("&#X5C;", "\\"),
            ("&#0092;", "\\"),
            ("%u005c", "\\"),
            ("&#37;", "%"),
            ("&#x25;", "%"),
            ("&#X25;", "%"),
            ("&#0037;", "%"),
            ("\\u0025", "%"),
            ("\\x25", "%"),
            ("%u0026", "&"),
        ] {
            text = text.replace(escape, character);
        }
        if text == before {
            return false;
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn no_secret_survives_in_any_encoding(
        form in prop::sample::select(FORMS), before in "[a-z0-9 &=?,:;/{}\\[\\]'\"\\\\%]{0,10}", after in "([ &\"\\n,}'][a-z0-9 &=?,:;/{}\\[\\]'\"\\\\%]{0,10})?",
        layers in prop::collection::vec((0..3_u8, prop::collection::vec(any::<u8>(), 1..24)), 0..7),
        as_json in any::<bool>(),
    ) {
        let plain = form.replace("@@", SECRET);
        let text = if as_json { plain } else { format!("{before} {plain}{after}") };
        let encoded = encode_all(&text, &layers);
        let value = match as_json.then(|| serde_json::from_str::<serde_json::Value>(&encoded)) {
            Some(Ok(value)) => value.to_string(),
            _ => serde_json::to_string(&encoded).unwrap(),
        };
        let redacted = Redactor::default().redact(&value).into_owned();
        prop_assert!(!shows_secret(&redacted), "{}\nENC {}\nRED {}", text, encoded, redacted);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
    }
}

proptest! {
    /// Texts without a name stay, also with other parameters, pairs and encodings. Fewer than five layers hide nothing.
    #[test]
    fn other_text_is_not_destroyed(
        form in prop::sample::select(FORMS), layers in prop::collection::vec((0..3_u8, prop::collection::vec(any::<u8>(), 1..24)), 0..4),
        word in prop::sample::select(&["txTime", "code", "secret", "assign", "design", "status", "count"]),
    ) {
        let plain = form.replace("@@", "5f").to_lowercase().replace("txsecret", word);
        prop_assume!(!plain.contains("sign\"") && !plain.contains("sign'") && !plain.contains("sign \""));
        let encoded = encode_all(&plain, &layers);
        let value = serde_json::to_string(&encoded).unwrap();
        prop_assert_eq!(Redactor::default().redact(&value), value.as_str());
    }
}
