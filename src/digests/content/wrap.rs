//! Line wrapping for the text part.

use super::pieces::{Pieces, placeholder_length};

/// The line width: the limit that RFC 5322 recommends, less room for two levels of quotation.
pub(super) const WIDTH: usize = 72;

/// The width of `text` for a reader without a name.
pub(super) fn width(text: &str) -> usize {
    if text.contains("{{") {
        Pieces::of_line(text).with_fallbacks().chars().count()
    } else {
        text.chars().count()
    }
}

/// Wraps `text` into lines of at most `limit` characters where possible. Line feeds are kept. A word longer than
/// the limit (an address) gets a line of its own and is never cut.
pub(super) fn fill(text: &str, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut line_width = 0;
        for word in words(paragraph) {
            let word_width = width(word);
            if !line.is_empty() && line_width + 1 + word_width > limit {
                lines.push(std::mem::take(&mut line));
                line_width = 0;
            }
            if !line.is_empty() {
                line.push(' ');
                line_width += 1;
            }
            line.push_str(word);
            line_width += word_width;
        }
        lines.push(line);
    }
    lines
}

/// Splits at spaces; a placeholder that contains spaces is part of one word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim_matches(' ');
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.find(' ').unwrap_or(rest.len());
        // Only the word itself is searched, and placeholders are short, so the time is linear.
        if let Some(start) = rest.get(..end).and_then(|word| word.find("{{"))
            && let Some(length) = rest.get(start..).and_then(placeholder_length)
        {
            let close = start + length;
            let more = rest.get(close..).unwrap_or_default();
            end = end.max(close + more.find(' ').unwrap_or(more.len()));
        }
        let (word, after) = rest.split_at(end);
        rest = after.trim_start_matches(' ');
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_longer_than_a_line_are_not_cut() {
        let address = format!("<https://example.org/{}>", "a".repeat(90));
        assert_eq!(
            fill(&format!("see {address} now"), WIDTH),
            ["see", &address, "now"]
        );
        assert_eq!(fill("a  b\nc", WIDTH), ["a b", "c"]);
    }

    #[test]
    fn a_placeholder_is_one_word() {
        assert_eq!(
            fill("aa {{name|dear reader}}, b", 8),
            ["aa", "{{name|dear reader}},", "b"]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_no_word_lost(text in "([a-zé]{1,20} ){0,40}", limit in 20usize..80) {
            let lines = fill(&text, limit);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= limit));
            let joined = lines.join(" ");
            prop_assert_eq!(joined.trim(), text.trim());
        }
    }
}
