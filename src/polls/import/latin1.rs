//! MySQL's latin1, which is Windows-1252, and UTF-8 that was mistaken for it. Pure.

/// The letters of the bytes 0x80 to 0x9f. Where Windows-1252 has none, the control character, like MySQL.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes as UTF-8, or else as latin1.
pub fn decoded(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let letter = |b: u8| match b {
            0x80..=0x9f => HIGH[usize::from(b - 0x80)],
            b => char::from(b),
        };
        error.into_bytes().into_iter().map(letter).collect()
    })
}

/// The byte of a letter in latin1, if it has one.
fn byte(letter: char) -> Option<u8> {
    if let Some(at) = HIGH.iter().position(|high| *high == letter) {
        return u8::try_from(at + 0x80).ok();
    }
    u8::try_from(u32::from(letter)).ok()
}

/// Marks that follow a letter in any text.
const AFTER_A_LETTER: &str = "\u{a0}»«‘’“”–—…•®™©°¹²³€";

/// Repairs UTF-8 that was stored as latin1: `DÃ©jÃ\u{a0}` becomes `Déjà`. Old sites did so for years, some of them
/// twice over. Any other text is returned unchanged: if it is valid UTF-8 by chance, as `CAFÉ®` is, its letters do not
/// look like mangled ones ([`is_mangled`]).
pub fn as_meant(text: &str) -> String {
    let mut meant = text.to_owned();
    for _ in 0..2 {
        let bytes: Option<Vec<u8>> = meant.chars().map(byte).collect();
        match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(once) if once != meant && is_mangled(&meant, &once) => meant = once,
            _ => break,
        }
    }
    meant
}

/// Whether `text` has a letter that only mangling explains, if it may have been `meant`: one that all texts of Western
/// or Cyrillic languages get by it, one in upper case after one in lower case, or one before a mark that follows no
/// letter.
fn is_mangled(text: &str, meant: &str) -> bool {
    let (mut rest, mut before) = (text.chars(), ' ');
    meant.chars().any(|letter| {
        let mut bytes = rest.by_ref().take(letter.len_utf8());
        let first = bytes.next().unwrap_or_default();
        // Counted, so that each of them is taken.
        let unusual = bytes.filter(|mark| !AFTER_A_LETTER.contains(*mark)).count();
        let told = !letter.is_ascii()
            && ("ÂÃâÐÑ".contains(first)
                || (before.is_lowercase() && first.is_uppercase())
                || unusual > 0);
        before = letter;
        told
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mangled(text: &str) -> String {
        let letter = |b: &u8| match b {
            0x80..=0x9f => HIGH[usize::from(b - 0x80)],
            b => char::from(*b),
        };
        text.as_bytes().iter().map(letter).collect()
    }

    #[test]
    fn what_was_meant_is_read_and_what_is_right_stays() {
        for text in [
            "Déjà vu — “so”",
            "Größe",
            "Да",
            "投票",
            "plain",
            "€ 5",
            "naïve café",
            // The first byte of its capital with a tilde is that letter in latin1.
            "NÃO",
        ] {
            assert_eq!(as_meant(text), text, "right as it is");
            assert_eq!(as_meant(&mangled(text)), text);
            assert_eq!(as_meant(&mangled(&mangled(text))), text);
        }
    }

    #[test]
    fn a_text_that_is_valid_by_chance_stays() {
        for text in [
            "POUR LA LIBERTÉ\u{a0}?",
            "CAFÉ®",
            "Spaß”",
            "la liberté\u{a0}»",
            "HYVÄ…",
            "à\u{a0}« gauche",
        ] {
            assert_eq!(as_meant(text), text);
        }
        for text in ["dąb", "Miło", "środa", "Ναι", "是", "Այո", "👍"] {
            assert_eq!(as_meant(&mangled(text)), text);
        }
    }

    proptest! {
        #[test]
        fn whatever_was_mangled_once_is_read(text in "[ -~¡-ÿа-яА-Я€“”–]{0,40}") {
            // A text that already looks mangled cannot be distinguished from one that was mangled.
            prop_assume!(as_meant(&text) == text);
            prop_assert_eq!(as_meant(&mangled(&text)), text);
        }
    }
}
