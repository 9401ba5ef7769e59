//! A server's reply, taken apart.

use std::fmt;

/// A server's reply: its code, its enhanced code if it gave one, and its text on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// `class.subject.detail` of RFC 3463.
    pub enhanced: Option<(u16, u16, u16)>,
    /// The text with its enhanced code; control characters are replaced, at most [`Reply::MAX_TEXT`] characters.
    pub text: String,
}

impl Reply {
    /// The longest text that is kept.
    pub const MAX_TEXT: usize = 400;

    /// A reply with this text. An enhanced code at the beginning of the text is recognised.
    #[must_use]
    pub fn new(code: u16, words: &str) -> Self {
        let text: String = words
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(Self::MAX_TEXT)
            .collect();
        let enhanced = text
            .split_whitespace()
            .find_map(|word| enhanced_code(word, code));
        Self {
            code,
            enhanced,
            text: text.trim().to_owned(),
        }
    }

    /// Reads the first reply in `raw`, more leniently than RFC 5321 requires.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::nth(raw, 0)
    }

    /// Reads reply number `index` from the output of a server.
    #[must_use]
    pub fn nth(raw: &str, index: usize) -> Option<Self> {
        let mut words: Vec<&str> = Vec::new();
        let mut seen = 0;
        for line in raw.lines() {
            let code = line
                .get(..3)
                .filter(|c| c.bytes().all(|b| b.is_ascii_digit()));
            let code: u16 = code?.parse().ok()?;
            words.push(line.get(4..).unwrap_or(""));
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if seen == index {
                return (200..600)
                    .contains(&code)
                    .then(|| Self::new(code, &words.join(" ")));
            }
            seen += 1;
            words.clear();
        }
        None
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

fn enhanced_code(word: &str, code: u16) -> Option<(u16, u16, u16)> {
    let word = word.trim_matches(|c: char| !c.is_ascii_digit());
    let mut parts = word.split('.');
    let mut part = || {
        parts
            .next()
            .filter(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|p| p.parse::<u16>().ok())
    };
    let found = (part()?, part()?, part()?);
    // RFC 2034 §4: the class must agree with the reply code; otherwise this is a version number or an IP address.
    (parts.next().is_none() && found.0 == code / 100).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enhanced_code_is_read_from_the_words() {
        assert_eq!(Reply::new(550, "5.1.1 x").enhanced, Some((5, 1, 1)));
        assert_eq!(Reply::new(550, "#5.1.1 x").enhanced, Some((5, 1, 1)));
        assert_eq!(Reply::new(550, "host 5.6.7.8 said no").enhanced, None);
        assert_eq!(Reply::new(450, "5.1.1 x").enhanced, None);
        assert_eq!(Reply::new(250, "Ok: queued").enhanced, None);
    }

    #[test]
    fn odd_replies_are_read_as_far_as_they_go() {
        assert_eq!(Reply::parse("571 no\r\n").map(|r| r.code), Some(571));
        assert_eq!(Reply::parse("250\r\n").map(|r| r.code), Some(250));
        assert_eq!(Reply::parse("what?\r\n"), None);
        assert_eq!(
            Reply::nth("250 a\r\n550-b\r\n550 c\r\n354 d\r\n", 1).map(|r| r.text),
            Some("b c".into())
        );
    }

    #[test]
    fn a_servers_words_cannot_break_a_line() {
        let reply = Reply::new(550, "5.1.1 no\r\nInjected: yes");
        assert!(!reply.text.contains(['\r', '\n']));
        assert_eq!(
            Reply::new(550, &"x".repeat(5000)).text.len(),
            Reply::MAX_TEXT
        );
    }
}
