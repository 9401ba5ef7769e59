//! Texts as these systems store them: with slashes before quotes, entities and tags.

use super::latin1::as_meant;
use crate::polls::definition::MAX_TEXT_CHARS;

/// One line of plain text, short enough for a question or an option.
pub fn plain(stored: &str) -> String {
    let text = decoded(&without_tags(&without_slashes(&as_meant(stored))));
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line.chars().take(MAX_TEXT_CHARS).collect()
}

/// PHP's `stripslashes`.
fn without_slashes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            letter => out.push(letter),
        }
    }
    out
}

/// Removes `<b>` but keeps `a < b`: a tag begins with a letter or a slash, and is closed.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let tag = from[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match from.find('>').filter(|_| tag) {
            Some(end) => rest = &from[end + 1..],
            None => {
                out.push('<');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

const NAMED: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("hellip", "…"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("euro", "€"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("agrave", "à"),
    ("ccedil", "ç"),
    ("ntilde", "ñ"),
];

fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let entity = from[1..]
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8);
        match entity.and_then(|(name, after)| Some((meaning(name)?, after))) {
            Some((letter, after)) => {
                out.push_str(&letter);
                rest = after;
            }
            None => {
                out.push('&');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn meaning(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).map(String::from);
    }
    let found = NAMED.iter().find(|(known, _)| *known == name)?;
    Some(found.1.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_stored_reads_as_it_was_typed() {
        for (stored, typed) in [
            (r"Don\'t you?", "Don't you?"),
            (r#"A \"good\" C:\\path"#, r#"A "good" C:\path"#),
            (
                "<b>Yes</b> &amp; no&#8217;s &#x27;t&hellip;",
                "Yes & no’s 't…",
            ),
            ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
            (" two\r\nlines&nbsp;here ", "two lines here"),
            ("&unknown; &amp;lt;", "&unknown; &lt;"),
        ] {
            assert_eq!(plain(stored), typed);
        }
    }

    #[test]
    fn what_was_stored_in_the_wrong_encoding_reads_as_it_was_typed() {
        assert_eq!(
            plain("DÃ©jÃ\u{a0} vu â€\u{201d} &quot;trÃ¨s&quot;"),
            "Déjà vu — \"très\""
        );
        assert_eq!(plain("Zürich & Genève"), "Zürich & Genève");
    }

    proptest! {
        #[test]
        fn it_is_one_line_of_bounded_length(stored in "\\PC{0,600}") {
            let line = plain(&stored);
            prop_assert!(line.chars().count() <= MAX_TEXT_CHARS);
            prop_assert!(!line.contains(['\n', '\r', '\0']));
        }
    }
}
