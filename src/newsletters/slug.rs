//! The name of a newsletter in links: lower-case ASCII words joined by hyphens.

use std::fmt;

/// The maximum length of a slug, in characters.
const LONGEST_SLUG: usize = 64;

/// A validated slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slug(String);

/// The text is not a slug. The message is for the editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Use lower-case letters a–z, digits and single hyphens between them, at most 64 in all, like evening-brief."
)]
pub struct SlugRefused;

impl Slug {
    /// Parses a slug, without any normalisation.
    ///
    /// # Errors
    /// [`SlugRefused`] if the text is not a slug.
    pub fn parse(text: &str) -> Result<Self, SlugRefused> {
        let words_are_good = text.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        if text.len() <= LONGEST_SLUG && words_are_good {
            Ok(Self(text.to_owned()))
        } else {
            Err(SlugRefused)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_joined_by_hyphens_and_nothing_else() {
        for good in ["a", "premium", "evening-brief-2", "2026"] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-",
            "a--b",
            "-a",
            "a-",
            "A",
            "ä",
            "a b",
            "a/b",
            "..",
            "a\n",
            "a\0",
            &"x".repeat(65),
        ] {
            assert_eq!(Slug::parse(bad), Err(SlugRefused), "{bad}");
        }
    }
}
