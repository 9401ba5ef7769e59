//! A raw message as its recipient sees it.

use mail_parser::{Address, Message, MessageParser, PartType};
use serde::Serialize;

use crate::types::UnixMillis;

/// A decoded message. Unlike [`View`](crate::mailer::mime::View), which previews our own mails, it distinguishes
/// missing parts from empty ones, because a missing part should be visible here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The sender, `Name <address>`.
    pub from: String,
    /// All recipients in the header.
    pub to: String,
    /// The Reply-To address, if there is one.
    pub reply_to: String,
    /// The subject.
    pub subject: String,
    /// The header `Date`, if it can be parsed.
    pub date: Option<UnixMillis>,
    /// The HTML part, if there is one.
    pub html: Option<String>,
    /// The text part, if there is one.
    pub text: Option<String>,
    /// The URLs of `List-Unsubscribe`, in its order.
    pub unsubscribe: Vec<String>,
    /// Whether `List-Unsubscribe-Post` promises that one POST is enough (RFC 8058).
    pub one_click: bool,
}

impl Letter {
    /// Parses a raw message; `None` if it has no sender, recipient or subject, and so is not a mail.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let message = MessageParser::default().parse(raw)?;
        let is_mail =
            message.from().is_some() || message.to().is_some() || message.subject().is_some();
        is_mail.then(|| Self {
            from: written(message.from()),
            to: written(message.to()),
            reply_to: written(message.reply_to()),
            subject: message.subject().unwrap_or_default().to_owned(),
            date: message
                .date()
                .filter(|date| date.is_valid())
                .map(|date| UnixMillis(date.to_timestamp().saturating_mul(1_000))),
            html: message.html_bodies().find_map(|part| match &part.body {
                PartType::Html(html) => Some(html.to_string()),
                _ => None,
            }),
            text: message.text_bodies().find_map(|part| match &part.body {
                PartType::Text(text) => Some(text.to_string()),
                _ => None,
            }),
            unsubscribe: in_angles(raw_header(&message, "List-Unsubscribe")),
            one_click: raw_header(&message, "List-Unsubscribe-Post")
                .trim()
                .eq_ignore_ascii_case("List-Unsubscribe=One-Click"),
        })
    }
}

fn raw_header<'a>(message: &'a Message<'_>, name: &'static str) -> &'a str {
    message.header_raw(name).unwrap_or_default()
}

/// `Name <address>, address`.
fn written(list: Option<&Address<'_>>) -> String {
    let one = |a: &mail_parser::Addr<'_>| match (a.name(), a.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    };
    let all: Vec<String> = list.into_iter().flat_map(Address::iter).map(one).collect();
    all.join(", ")
}

/// The texts between `<` and `>`, without the blanks that folding inserts.
fn in_angles(value: &str) -> Vec<String> {
    value
        .split('<')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('>')?.0))
        .map(|url| url.split_whitespace().collect())
        .collect()
}

/// The raw header of a message: everything before the first empty line.
#[must_use]
pub fn header(raw: &[u8]) -> &[u8] {
    let blank = |end: &[u8]| raw.windows(end.len()).position(|w| w == end);
    let end = match (blank(b"\r\n\r\n"), blank(b"\n\n")) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b).unwrap_or(raw.len()),
    };
    &raw[..end]
}

/// A piece of a text: plain text or a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// The piece as in the text.
    pub text: String,
    /// Whether it is a link.
    pub link: bool,
}

/// Splits a text at its URLs, which mail clients turn into links. Joined together, the pieces are the text.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut words = String::new();
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"');
    for word in text.split_inclusive(ends) {
        let start = ["https://", "http://"].iter().find_map(|s| word.find(s));
        let Some(start) = start else {
            words.push_str(word);
            continue;
        };
        // A bracket or full stop after a URL belongs to the sentence.
        let address = word[start..].trim_end_matches(|c: char| {
            ends(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '\'')
        });
        words.push_str(&word[..start]);
        let rest = &word[start + address.len()..];
        for (text, link) in [
            (std::mem::take(&mut words), false),
            (address.to_owned(), true),
        ] {
            if !text.is_empty() {
                pieces.push(Piece { text, link });
            }
        }
        words.push_str(rest);
    }
    if !words.is_empty() {
        pieces.push(Piece {
            text: words,
            link: false,
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAIL: &str = "From: \"The Daily\" <news@example.org>\r\nTo: A <a@example.org>, b@example.org\r\n\
        Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n\
        List-Unsubscribe: <https://x.example/u/1>,\r\n <mailto:u@example.org>\r\n\
        List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nWords\r\n\
        --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Words</p>\r\n--b--\r\n";

    #[test]
    fn a_mail_is_taken_apart() {
        let letter = Letter::parse(MAIL.as_bytes()).expect("a mail");
        assert_eq!(letter.from, "The Daily <news@example.org>");
        assert_eq!(letter.to, "A <a@example.org>, b@example.org");
        assert_eq!(letter.subject, "Gr\u{fc}\u{df}e");
        assert_eq!(letter.date, Some(UnixMillis(1_772_442_000_000)));
        assert_eq!(letter.html.as_deref().map(str::trim), Some("<p>Words</p>"));
        assert_eq!(letter.text.as_deref().map(str::trim), Some("Words"));
        assert_eq!(
            letter.unsubscribe,
            ["https://x.example/u/1", "mailto:u@example.org"]
        );
        assert!(letter.one_click);
    }

    #[test]
    fn a_part_that_is_missing_is_not_invented() {
        let letter = Letter::parse(b"Subject: x\r\n\r\nWords").expect("a mail");
        assert_eq!((letter.html, letter.text.as_deref()), (None, Some("Words")));
        let html = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>Words";
        let letter = Letter::parse(html).expect("a mail");
        assert_eq!(
            (letter.html.as_deref(), letter.text),
            (Some("<p>Words"), None)
        );
    }

    #[test]
    fn the_header_ends_at_the_first_empty_line() {
        assert_eq!(header(b"A: b\r\n\r\nc\n\nd"), b"A: b");
        assert_eq!(header(b"A: b\n\nc\r\n\r\nd"), b"A: b");
        assert_eq!(header(b"A: b"), b"A: b");
    }

    #[test]
    fn addresses_in_a_text_become_links() {
        let found = |text: &str| -> Vec<String> {
            let pieces = pieces(text).into_iter();
            pieces.filter(|p| p.link).map(|p| p.text).collect()
        };
        assert_eq!(
            found("See (https://a.example/b?c=d).\r\nOr"),
            ["https://a.example/b?c=d"]
        );
        assert_eq!(found("<http://a.example/>, x"), ["http://a.example/"]);
        assert_eq!(found("nothing here: javascript:alert(1)"), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(raw: Vec<u8>) {
            let _ = Letter::parse(&raw);
            let _ = header(&raw);
        }

        #[test]
        fn no_broken_mail_panics(cut in 0..MAIL.len(), at in 0..MAIL.len(), byte: u8) {
            let mut raw = MAIL.as_bytes().to_vec();
            raw[at] = byte;
            let _ = Letter::parse(&raw[cut..]);
            raw.truncate(cut);
            let _ = Letter::parse(&raw);
        }

        #[test]
        fn the_pieces_are_the_text(text in "[ a<>.\n]*(https?://[a-z.]*[ .)>]*)*.*") {
            let joined: String = pieces(&text).into_iter().map(|p| p.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
