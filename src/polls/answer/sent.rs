//! What a reader's form, a mail's page or a script sent as an answer, not yet validated.

use crate::web::RawForm;

/// The fields of an answer. Options are named by their key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The ticked options in the order they arrived; in a ranked question the first is the first choice.
    pub(in crate::polls) options: Vec<String>,
    /// An option and the rank it was given, for options with a rank.
    pub(in crate::polls) ranks: Vec<(String, String)>,
    /// An option and what was written beside it, for fields that are not empty.
    pub(in crate::polls) words: Vec<(String, String)>,
    /// The consent box of a linked poll, as sent.
    pub(in crate::polls) link: Option<String>,
}

impl Sent {
    /// Reads the fields of a form: `option`, repeated, or `option.1`, `option.2` when a form has several questions;
    /// `rank.KEY` with a number; `words.KEY` with the reader's own words; `link`, see `polls::linked`.
    pub fn of(form: &RawForm) -> Self {
        let mut sent = Self::default();
        for (name, value) in form.fields() {
            if name == "option" || name.starts_with("option.") {
                sent.options.push(value.to_owned());
            } else if let Some(key) = name.strip_prefix("rank.") {
                if !value.is_empty() {
                    sent.ranks.push((key.to_owned(), value.to_owned()));
                }
            } else if name == "link" {
                sent.link = Some(value.to_owned());
            } else if let Some(key) = name.strip_prefix("words.")
                && !value.trim().is_empty()
            {
                sent.words.push((key.to_owned(), value.to_owned()));
            }
        }
        sent
    }

    /// Only options, as a link or a script names them.
    pub fn options<S: Into<String>>(options: impl IntoIterator<Item = S>) -> Self {
        Self {
            options: options.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The same with the reader's own words beside an option.
    #[must_use]
    pub fn with_words(mut self, option: impl Into<String>, words: impl Into<String>) -> Self {
        self.words.push((option.into(), words.into()));
        self
    }

    /// Whether this option was ticked.
    pub fn ticks(&self, key: i64) -> bool {
        self.options.iter().any(|sent| *sent == key.to_string())
    }

    /// The rank chosen for this option, as sent.
    pub fn rank(&self, key: i64) -> Option<&str> {
        find(&self.ranks, key)
    }

    /// What was written beside this option, as sent.
    pub fn words(&self, key: i64) -> Option<&str> {
        find(&self.words, key)
    }
}

fn find(fields: &[(String, String)], key: i64) -> Option<&str> {
    let key = key.to_string();
    fields
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_by_its_fields() {
        let form = RawForm::parse(
            b"option=2&option.3=7&rank.1=2&rank.2=&words.7=+a+b+&words.8=++&email=x&optional=1",
        )
        .expect("a form");
        let sent = Sent::of(&form);
        assert!(sent.ticks(2) && sent.ticks(7) && !sent.ticks(1));
        assert_eq!((sent.rank(1), sent.rank(2)), (Some("2"), None));
        assert_eq!((sent.words(7), sent.words(8)), (Some(" a b "), None));
    }
}
