//! Writes text from outside so that a chat tool shows it, and finds no mention, link or tag in it.

use std::borrow::Cow;

use serde::Deserialize;

/// `escape`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    /// Text stays as it is.
    #[default]
    None,
    /// `&`, `<` and `>` become entities. Slack and HTML read them back.
    Html,
    /// A backslash goes before each ASCII punctuation mark. Markdown removes it.
    Markdown,
    /// The characters of tags, mentions and URLs become full-width ones, for tools that know no escape.
    Plain,
}

impl Escape {
    /// Returns the text as a message holds it.
    pub(super) fn text(self, text: &str) -> Cow<'_, str> {
        let replaced = match self {
            Escape::None => return Cow::Borrowed(text),
            Escape::Html => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            Escape::Markdown => text.chars().fold(String::with_capacity(2 * text.len()), |mut escaped, character| {
                if character.is_ascii_punctuation() {
                    escaped.push('\\');
                }
                escaped.push(character);
                escaped
            }),
            Escape::Plain => text.replace("://", "：//").chars().map(full_width).collect(),
        };
        Cow::Owned(replaced)
    }
}

fn full_width(character: char) -> char {
    match character {
        '<' => '＜',
        '>' => '＞',
        '@' => '＠',
        '&' => '＆',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<!channel> @all [a](https://e.example) <a href='b'>&";

    #[test]
    fn markup_is_only_text() {
        for (escape, expected) in [
            (Escape::None, HOSTILE),
            (Escape::Html, "&lt;!channel&gt; @all [a](https://e.example) &lt;a href='b'&gt;&amp;"),
            (Escape::Markdown, r"\<\!channel\> \@all \[a\]\(https\:\/\/e\.example\) \<a href\=\'b\'\>\&"),
            (Escape::Plain, "＜!channel＞ ＠all [a](https：//e.example) ＜a href='b'＞＆"),
        ] {
            assert_eq!(escape.text(HOSTILE), expected);
            assert_eq!(escape.text("房间 1"), "房间 1");
        }
    }
}
