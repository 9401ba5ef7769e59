//! The machine-readable parts of a report (RFC 3464, RFC 5965), as fields.

use std::collections::BTreeMap;

use mail_parser::{Message, MimeHeaders as _};

pub(super) type Fields = BTreeMap<String, String>;

/// The fields of the first part with one of these subtypes, in groups.
pub(super) fn machine_part(message: &Message<'_>, subtypes: &[&str]) -> Option<Vec<Fields>> {
    let part = message.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| {
            let subtype = kind.subtype().unwrap_or_default();
            subtypes.iter().any(|s| s.eq_ignore_ascii_case(subtype))
        })
    })?;
    let groups = groups(&String::from_utf8_lossy(part.contents()));
    (!groups.is_empty()).then_some(groups)
}

/// `Name: value` lines, unfolded, in groups separated by empty lines.
pub(super) fn groups(text: &str) -> Vec<Fields> {
    let mut groups = vec![Fields::new()];
    let mut last = String::new();
    for line in text.lines() {
        let Some(group) = groups.last_mut() else {
            break;
        };
        if line.trim().is_empty() {
            if !group.is_empty() {
                groups.push(Fields::new());
            }
            last.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = group.get_mut(&last) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            let known = !name.contains(' ') && !group.contains_key(&last);
            if known {
                group.insert(last.clone(), value.trim().to_owned());
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The first word of the field `Action`.
pub(super) fn action(recipient: &Fields) -> String {
    let action = recipient.get("action").map_or("", String::as_str);
    let word = action.split(|c: char| !c.is_ascii_alphabetic()).next();
    word.unwrap_or_default().to_ascii_lowercase()
}

/// The code in the field `Status`, like `5.1.1`, without punctuation around it; or empty.
pub(super) fn status(recipient: &Fields) -> &str {
    let status = recipient.get("status").map_or("", String::as_str);
    let words = status.split_whitespace();
    let mut words = words.map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()));
    words.find(|word| is_status(word)).unwrap_or_default()
}

fn is_status(word: &str) -> bool {
    let mut numbers = word.split('.');
    let mut number = || {
        numbers
            .next()
            .filter(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(number(), Some("2" | "4" | "5")) && number().is_some() && number().is_some()
}

/// The reply in the field `Diagnostic-Code`: `smtp; 550 5.1.1 …`. Some servers omit the type.
pub(super) fn diagnostic(recipient: &Fields) -> &str {
    let said = recipient.get("diagnostic-code").map_or("", String::as_str);
    match said.split_once(';') {
        Some((kind, words)) if is_a_type(kind.trim()) => words.trim(),
        _ => said,
    }
}

fn is_a_type(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_');
    !word.is_empty() && word.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_servers_write_them() {
        let of = |name: &str, value: &str| Fields::from([(name.to_owned(), value.to_owned())]);
        for (value, expected) in [
            ("5.1.1", "5.1.1"),
            ("5.1.1;", "5.1.1"),
            ("(5.1.1) no such user", "5.1.1"),
            ("5.1.1 (delivery failed)", "5.1.1"),
            ("550", ""),
            ("1.2.3", ""),
            ("", ""),
        ] {
            assert_eq!(status(&of("status", value)), expected, "{value}");
        }
        for (value, expected) in [
            ("smtp; 550 no", "550 no"),
            ("smtp;550 no; really", "550 no; really"),
            ("X-Postfix; unknown user", "unknown user"),
            (
                "550 user unknown; contact postmaster",
                "550 user unknown; contact postmaster",
            ),
            ("550; user unknown", "550; user unknown"),
            ("", ""),
        ] {
            assert_eq!(
                diagnostic(&of("diagnostic-code", value)),
                expected,
                "{value}"
            );
        }
        for (value, expected) in [("failed", "failed"), ("Failed (relay)", "failed"), ("", "")] {
            assert_eq!(action(&of("action", value)), expected, "{value}");
        }
    }
}
