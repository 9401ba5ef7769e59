//! What was typed into a form that was not accepted, given back on the error page. Browsers keep no page of ours, so
//! after going back the form would be empty or out of date.

use serde::Serialize;

use super::Problem;
use crate::web::RawForm;
use crate::web::text::capital;

/// The fields of a form, as the error page shows them.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Kept(Vec<Field>);

#[derive(Clone, Debug, Serialize)]
struct Field {
    /// The field's name in words.
    label: String,
    text: String,
    /// The height of the text area, in lines.
    rows: usize,
}

/// Fields that nobody fills in, and secrets.
const LEFT_OUT: [&str; 8] = [
    "csrf", "revision", "shown", "sure", "then", "current", "password", "again",
];

/// The most lines of a text that are visible without scrolling.
const MOST_ROWS: usize = 16;

impl Problem {
    /// The same, with what was typed into the form, for its author to copy. Passwords are left out.
    #[must_use]
    pub fn keeping(self, form: &RawForm) -> Self {
        let typed = form
            .fields()
            .filter(|(name, text)| !LEFT_OUT.contains(name) && !text.trim().is_empty());
        let kept = Kept(typed.map(|(name, text)| field(name, text)).collect());
        Self {
            kept: Some(Box::new(kept)),
            ..self
        }
    }
}

fn field(name: &str, text: &str) -> Field {
    Field {
        label: capital(&name.replace(['.', '_', '-'], " ")),
        text: text.to_owned(),
        rows: text.lines().count().clamp(1, MOST_ROWS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_kept_and_secrets_are_not() {
        let form =
            RawForm::parse(b"csrf=x&password=y&current=z&link_words=a%0Ab&option.1=Yes&empty=+")
                .expect("valid");
        let kept = Problem::conflict("x").keeping(&form).kept;
        let kept = kept.expect("a form").0;
        let shown: Vec<_> = kept
            .iter()
            .map(|one| (one.label.as_str(), one.text.as_str(), one.rows))
            .collect();
        assert_eq!(shown, [("Link words", "a\nb", 2), ("Option 1", "Yes", 1)]);
    }
}
