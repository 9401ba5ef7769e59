//! Writing header fields, safe against injection by their values.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The column at which a header line is folded: lines with encoded words have at most 76 characters (RFC 2047 §2),
/// others 78.
const FOLD_AT: usize = 76;
/// Octets of text in one encoded word: 60 base64 characters and the delimiters stay within RFC 2047's 75.
const WORD_OCTETS: usize = 45;

/// Appends `name: value` as unstructured text, encoded and folded if needed.
pub(super) fn unstructured(out: &mut String, name: &str, value: &str) {
    let value = one_line(value);
    out.push_str(name);
    out.push(':');
    let mut column = name.len() + 1;
    if plain(&value) {
        for word in value.split(' ') {
            fold(out, &mut column, word);
        }
    } else {
        for word in encoded_words(&value, column) {
            fold(out, &mut column, &word);
        }
    }
    out.push_str("\r\n");
}

/// Appends `name: value` on one line, for values that we build ourselves (URLs, dates, identifiers).
pub(super) fn verbatim(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str(": ");
    out.push_str(&one_line(value));
    out.push_str("\r\n");
}

/// Appends `name: Display Name <address>`.
pub(super) fn mailbox(out: &mut String, name: &str, display: &str, address: &str) {
    let address = format!("<{}>", one_line(address));
    let display = one_line(display);
    out.push_str(name);
    out.push(':');
    let mut column = name.len() + 1;
    if display.is_empty() {
        out.push(' ');
        out.push_str(address.trim_matches(['<', '>']));
    } else {
        for word in phrase(&display, column) {
            fold(out, &mut column, &word);
        }
        fold(out, &mut column, &address);
    }
    out.push_str("\r\n");
}

/// Appends `name: Display Name <id>`, the form of List-Id.
pub(super) fn phrase_and_id(out: &mut String, name: &str, display: &str, id: &str) {
    let mut column = name.len() + 1;
    out.push_str(name);
    out.push(':');
    let display = one_line(display);
    if !display.is_empty() {
        for word in phrase(&display, column) {
            fold(out, &mut column, &word);
        }
    }
    fold(out, &mut column, &format!("<{}>", one_line(id)));
    out.push_str("\r\n");
}

/// Replaces line ends and other control characters with spaces, so that a value is a single line.
pub(super) fn one_line(value: &str) -> String {
    let value: String = value
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    value.trim().to_owned()
}

fn plain(value: &str) -> bool {
    value.is_ascii()
        && !value.contains("=?")
        // White space at a fold may be lost.
        && !value.contains("   ")
        && value.split(' ').all(|word| word.len() < FOLD_AT - 20)
}

/// A display name: atoms, a quoted string, or encoded words (RFC 5322 §3.2.5, RFC 2047 §5).
fn phrase(display: &str, column: usize) -> Vec<String> {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    if !plain(display) {
        return encoded_words(display, column);
    }
    if display
        .split(' ')
        .all(|word| !word.is_empty() && word.chars().all(atom))
    {
        return display.split(' ').map(str::to_owned).collect();
    }
    let mut quoted = String::from("\"");
    for c in display.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    if quoted.len() > FOLD_AT - 20 {
        // A quoted string is one word, which cannot be folded.
        return encoded_words(display, column);
    }
    vec![quoted]
}

/// Encoded words of at most 75 characters, split at character boundaries. The first one fits into the rest of its line.
fn encoded_words(value: &str, column: usize) -> Vec<String> {
    let frame = " =?UTF-8?B??=".len();
    let mut room = FOLD_AT.saturating_sub(column + frame) / 4 * 3;
    let mut words = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let mut end = rest.len().min(room.clamp(6, WORD_OCTETS));
        room = WORD_OCTETS;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        words.push(format!("=?UTF-8?B?{}?=", STANDARD.encode(piece)));
        rest = after;
    }
    words
}

/// Appends a space and `word`, on a new line if this one is full.
fn fold(out: &mut String, column: &mut usize, word: &str) {
    // Never fold before the first word: some mail clients treat a header that begins with a fold as empty.
    let line = out.rsplit('\n').next().unwrap_or_default();
    let first = !line.contains(' ');
    if !first && !word.is_empty() && *column + 1 + word.len() > FOLD_AT {
        out.push_str("\r\n");
        *column = 0;
    }
    out.push(' ');
    out.push_str(word);
    *column += 1 + word.len();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subject(value: &str) -> String {
        let mut out = String::new();
        unstructured(&mut out, "Subject", value);
        out
    }

    #[test]
    fn values_cannot_add_a_header() {
        let out = subject("Hello\r\nBcc: everyone@example.org\0");
        assert_eq!(out, "Subject: Hello  Bcc: everyone@example.org\r\n");
    }

    #[test]
    fn names_are_atoms_quoted_or_encoded() {
        for (display, expected) in [
            ("The Daily", "From: The Daily <a@b.c>\r\n"),
            ("", "From: a@b.c\r\n"),
            (
                "Smith, J. \"Jo\"",
                "From: \"Smith, J. \\\"Jo\\\"\" <a@b.c>\r\n",
            ),
            ("Zürich", "From: =?UTF-8?B?WsO8cmljaA==?= <a@b.c>\r\n"),
        ] {
            let mut out = String::new();
            mailbox(&mut out, "From", display, "a@b.c");
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn a_word_that_ends_with_a_colon_does_not_keep_a_line_from_folding() {
        let out = subject(&"Attention: ".repeat(20));
        assert!(out.split("\r\n").all(|line| line.len() <= 76), "{out}");
    }

    #[test]
    fn a_folded_line_is_never_blank() {
        let out = subject(&"word  ".repeat(60));
        assert!(out.split("\r\n").all(|line| line.len() <= 998));
        assert!(
            !out.trim_end()
                .split("\r\n")
                .any(|line| line.trim().is_empty()),
            "{out}"
        );
    }

    proptest! {
        #[test]
        fn any_subject_is_short_ascii_lines_and_reads_back(value in "\\PC{0,200}") {
            let out = subject(&value);
            prop_assert!(out.is_ascii());
            prop_assert!(out.trim_end().split("\r\n").all(|line| line.len() <= 76));
            prop_assert!(out.trim_end_matches("\r\n").split("\r\n").skip(1).all(|line| line.starts_with(' ') && !line.trim().is_empty()));
            let message = format!("{out}\r\nx");
            let parsed = mail_parser::MessageParser::default().parse(message.as_bytes()).unwrap();
            let squeeze = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeeze(parsed.subject().unwrap_or("")), squeeze(&value));
        }
    }
}
