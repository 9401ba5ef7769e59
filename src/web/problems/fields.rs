//! The list of field errors above a form.

use serde::Serialize;
use serde_json::{Value, json};

/// A `field` and its `message` for each error, in the order of `fields`; errors of other fields come last.
#[must_use]
pub fn in_order<Name: AsRef<str>, Message: Serialize>(
    errors: impl IntoIterator<Item = (Name, Message)>,
    fields: &[impl AsRef<str>],
) -> Vec<Value> {
    let place = |field: &str| fields.iter().position(|known| known.as_ref() == field);
    let mut found: Vec<_> = errors.into_iter().collect();
    found.sort_by_key(|(field, _)| place(field.as_ref()).unwrap_or(usize::MAX));
    found
        .into_iter()
        .map(|(field, message)| json!({ "field": field.as_ref(), "message": message }))
        .collect()
}

/// The same for fields that are already in order, leaving out those without an error.
#[must_use]
pub fn of_those_wrong<'e>(
    fields: impl IntoIterator<Item = (&'static str, &'e Option<String>)>,
) -> Vec<Value> {
    let wrong = fields
        .into_iter()
        .filter_map(|(field, error)| error.as_ref().map(|message| (field, message)));
    in_order(wrong, &[""; 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stand_in_the_order_of_their_fields() {
        let errors = [("other", "c"), ("size", "b"), ("name", "a")];
        let listed = in_order(errors, &["name", "size"]);
        let fields: Vec<_> = listed.iter().map(|one| &one["field"]).collect();
        assert_eq!(fields, ["name", "size", "other"]);
        assert_eq!(listed[0]["message"], "a");
    }

    #[test]
    fn a_field_that_is_right_is_not_listed() {
        let wrong = Some("Write an address.".to_owned());
        assert_eq!(
            of_those_wrong([("name", &None), ("email", &wrong)]),
            [json!({ "field": "email", "message": "Write an address." })]
        );
    }
}
