//! The language of a newsletter, as a BCP 47 tag: so that screen readers pronounce it correctly, and mail clients do
//! not offer to translate it. It applies to what an editor wrote; our own words beside it are English and marked as
//! such.

/// The suggestions of the form; any other tag is accepted as well.
pub const OFFERED: &[(&str, &str)] = &[
    ("ar", "Arabic"),
    ("bg", "Bulgarian"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("et", "Estonian"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hr", "Croatian"),
    ("hu", "Hungarian"),
    ("it", "Italian"),
    ("lt", "Lithuanian"),
    ("lv", "Latvian"),
    ("nb", "Norwegian"),
    ("nl", "Dutch"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("sk", "Slovak"),
    ("sl", "Slovenian"),
    ("sr", "Serbian"),
    ("sv", "Swedish"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
];

const EXPECTED: &str = "Give the language as a short tag, such as en, de or pt-BR.";

/// Parses a well-formed tag (RFC 5646 §2.1: language, script, region, variants) and normalises its case (§2.1.1). An
/// empty text means English.
///
/// # Errors
/// If the tag is malformed; a sentence for the editor.
pub fn parse(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok("en".to_owned());
    }
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    if !(2..=3).contains(&first.len()) || !first.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(EXPECTED);
    }
    let mut tag = first.to_ascii_lowercase();
    for part in parts {
        if !(2..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(EXPECTED);
        }
        let letters = part.bytes().all(|b| b.is_ascii_alphabetic());
        tag.push('-');
        tag.push_str(&match part.len() {
            2 => part.to_ascii_uppercase(),
            4 if letters => part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase(),
            _ => part.to_ascii_lowercase(),
        });
    }
    if tag.len() > 35 {
        Err(EXPECTED)
    } else {
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_in_any_spelling_and_stored_in_one() {
        for (typed, stored) in [
            ("", "en"),
            (" DE ", "de"),
            ("pt-br", "pt-BR"),
            ("SR-latn-rs", "sr-Latn-RS"),
            ("de-CH-1996", "de-CH-1996"),
            ("ast", "ast"),
            ("es-419", "es-419"),
        ] {
            assert_eq!(parse(typed).as_deref(), Ok(stored));
        }
        for wrong in [
            "German", "d", "de_DE", "de-", "-de", "de-\"x", "é", "de DE", "en-x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_offered_is_taken_as_it_stands() {
        for (tag, _) in OFFERED {
            assert_eq!(parse(tag).as_deref(), Ok(*tag));
        }
    }
}
