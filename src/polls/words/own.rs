//! A reader's own words beside "Other": what may be written, and which texts count as equal. Pure.

use aws_lc_rs::digest;
use unicode_normalization::UnicodeNormalization;

/// The most characters a reader may write.
pub const MAX_WORDS_CHARS: usize = 120;

/// Why words are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotWords {
    /// Longer than [`MAX_WORDS_CHARS`].
    TooLong,
    /// A control character, or one that changes the direction of the following text.
    Unprintable,
}

/// The words as stored in a ballot: in NFC, with white space collapsed; empty if nothing was written.
///
/// # Errors
/// The words cannot be stored in a ballot.
pub fn cleaned(written: &str) -> Result<String, NotWords> {
    // Checked first, to bound the work: a normalised text is at most a few times longer.
    if written.len() > 16 * MAX_WORDS_CHARS {
        return Err(NotWords::TooLong);
    }
    let text: String = written.nfc().collect();
    if text.trim().chars().any(is_unprintable) {
        return Err(NotWords::Unprintable);
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > MAX_WORDS_CHARS {
        return Err(NotWords::TooLong);
    }
    Ok(text)
}

/// The canonical form of equal words: without compatibility forms and case.
fn folded(text: &str) -> String {
    let compatible: String = text.nfkc().collect();
    // Upper and then lower case, so that "ß" and "SS", and "ς" and "σ", are the same.
    let lower = compatible.to_uppercase().to_lowercase();
    lower
        .nfkc()
        .collect::<String>()
        .replace('ς', "σ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The key under which equal words are counted: short, however long the text.
pub fn words_key(text: &str) -> [u8; 16] {
    let hash = digest::digest(&digest::SHA256, folded(text).as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash.as_ref()[..16]);
    key
}

fn is_unprintable(c: char) -> bool {
    // The embeddings and overrides of bidirectional text (UAX #9, 2.1 and 2.2) would reverse the text after them.
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_normalised_and_bounded() {
        assert_eq!(
            cleaned("  The   Pira\u{0301}tes "),
            Ok("The Pir\u{e1}tes".into())
        );
        assert_eq!(cleaned(""), Ok(String::new()));
        assert_eq!(cleaned(&"ä".repeat(120)), Ok("ä".repeat(120)));
        assert_eq!(cleaned(&"ä".repeat(121)), Err(NotWords::TooLong));
        assert_eq!(cleaned(&"x".repeat(1_000_000)), Err(NotWords::TooLong));
        for odd in [
            "a\0b",
            "a\nb",
            "a\u{1b}[31mb",
            "a\u{202e}b",
            "\u{2066}a",
            "a\u{7f}b",
        ] {
            assert_eq!(cleaned(odd), Err(NotWords::Unprintable), "{odd:?}");
        }
        // Treated as data, not markup: kept as it is, and escaped where it is shown.
        assert_eq!(cleaned("<b>x</b>"), Ok("<b>x</b>".into()));
    }

    #[test]
    fn case_and_width_make_no_difference() {
        for (one, other) in [
            ("The Greens", "the GREENS"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ＡＢＣ", "abc"),
            ("ﬁsh", "FISH"),
        ] {
            assert_eq!(folded(one), folded(other));
            assert_eq!(words_key(one), words_key(other));
        }
        assert_ne!(folded("a b"), folded("ab"));
    }

    proptest! {
        #[test]
        fn what_is_taken_is_clean_and_stays_so(written in "\\PC{0,40}|.{0,40}") {
            if let Ok(text) = cleaned(&written) {
                prop_assert!(text.chars().count() <= MAX_WORDS_CHARS);
                prop_assert!(!text.chars().any(char::is_control));
                let again = cleaned(&text);
                prop_assert_eq!(again.as_deref(), Ok(text.as_str()));
            }
        }
    }
}
