//! A reader's name, validated on input.

/// The longest name, in characters: long enough for any person's name, short enough for a greeting line.
const LONGEST_NAME: usize = 100;

/// A name for the greeting of a mail: one line, no control characters, 1 to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderName(String);

/// Why a text is not a name. The message is for the person who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameRefused {
    #[error("The name is longer than 100 characters.")]
    TooLong,
    #[error("The name has a character that cannot be printed.")]
    Character,
}

impl ReaderName {
    /// The name in `text`, with each run of white space and line ends reduced to a space; `None` if nothing is left.
    ///
    /// # Errors
    /// [`NameRefused`] if it is too long or contains characters that a name must not have.
    pub fn parse(text: &str) -> Result<Option<Self>, NameRefused> {
        // Check before allocating anything.
        if text.len() > 16 * LONGEST_NAME {
            return Err(NameRefused::TooLong);
        }
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if name
            .chars()
            .any(|c| c.is_control() || is_invisible_order(c))
        {
            return Err(NameRefused::Character);
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(NameRefused::TooLong);
        }
        Ok((!name.is_empty()).then_some(Self(name)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an owned text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Embeddings and overrides of the writing direction, which can make a line read as something else (Unicode TR 36).
fn is_invisible_order(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_line() {
        let name =
            ReaderName::parse("  Anna \t Maria\r\nØrsted ").map(|n| n.map(ReaderName::into_string));
        assert_eq!(name, Ok(Some("Anna Maria Ørsted".to_owned())));
        assert_eq!(ReaderName::parse(" \n "), Ok(None));
        assert_eq!(ReaderName::parse(""), Ok(None));
    }

    #[test]
    fn what_cannot_be_printed_or_is_too_long_is_refused() {
        assert_eq!(ReaderName::parse("An\0na"), Err(NameRefused::Character));
        assert_eq!(
            ReaderName::parse("\u{202e}annA"),
            Err(NameRefused::Character)
        );
        assert_eq!(
            ReaderName::parse(&"é".repeat(101)),
            Err(NameRefused::TooLong)
        );
        assert!(ReaderName::parse(&"é".repeat(100)).is_ok());
        assert_eq!(
            ReaderName::parse(&" ".repeat(1_000_000)),
            Err(NameRefused::TooLong)
        );
    }
}
