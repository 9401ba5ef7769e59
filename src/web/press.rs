//! Buttons that only a person may press.
//!
//! Mail scanners open links in a browser, submit the forms they find and click on anything that looks like a
//! button, all by script. Where scripts run, `gesture.js` marks the form of such a page as untouched, and removes
//! the mark at the first event that a person caused (browsers tell, and scripts cannot fake it). A form that
//! arrives with the mark is shown again with a checkbox, for people who press buttons by assistive software.
//! Without scripts there is no mark: a browser that runs none is not driven by one. Neither is a program that posts
//! directly, which is nobody's browser.

use super::{Problem, RawForm};

/// The message for a submission from an untouched page.
pub const AGAIN: &str = "It looks as if a program had pressed the button. If it was you, tick the box below and press it again.";

/// Whether a person sent the form, as far as the form tells.
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
