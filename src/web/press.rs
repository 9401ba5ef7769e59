//! A button that only a person presses.
//!
//! Mail scanners open links in a browser, submit the forms they find and click on what looks like a button, all by script. Where
//! scripts run, `gesture.js` marks the form of such a page as untouched, and takes the mark away with the first event that a
//! person caused (browsers say so, and no script can claim it). A form that comes back with the mark is shown
//! once more, with a box to tick for whoever presses buttons by a program of their own. Without scripts there is no mark: a
//! browser that runs none is not led by one. Neither is a program that posts by itself, which is nobody's browser.

use super::{Problem, RawForm};

/// What is said to whoever did not touch the page.
pub const AGAIN: &str = "It looks as if a program had pressed the button. If it was you, tick the box below and press it again.";

/// Whether a person sent the form, as far as it says.
///
/// # Errors
/// A 400 for repeated fields.
pub fn is_by_a_person(form: &RawForm) -> Result<bool, Problem> {
    Ok(form.one("untouched")?.is_none() || form.one("person")?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mark_alone_is_a_program() {
        for (body, person) in [
            ("", true),
            ("option=1", true),
            ("untouched=1", false),
            ("option=1&untouched=1", false),
            ("untouched=1&person=1", true),
        ] {
            let form = RawForm::parse(body.as_bytes()).expect("a form");
            assert_eq!(is_by_a_person(&form).expect("read"), person, "{body}");
        }
    }
}
