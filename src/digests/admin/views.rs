//! What several of the pages show in the same way.

use serde_json::{Value, json};

use super::super::content::advice::{Advice, Weight};
use super::super::edition;
use super::super::model::Issue;
use super::super::prepare::Prepared;
use crate::newsletters::Newsletter;
use crate::scheduler::Zone;

/// The views of a mail: name in addresses, label.
pub(super) const VIEWS: &[(&str, &str)] = &[
    ("desktop", "Desktop"),
    ("phone", "Phone"),
    ("dark", "Dark"),
    ("text", "Plain text"),
];

/// The view with that name, or else the first.
pub(super) fn view_of(name: &str) -> &'static str {
    VIEWS
        .iter()
        .find(|(view, _)| *view == name)
        .map_or("desktop", |(view, _)| view)
}

/// The newsletter's own zone.
pub(super) fn zone_of(newsletter: &Newsletter) -> Zone {
    Zone::parse(&newsletter.time_zone).unwrap_or_else(|_| Zone::utc())
}

/// The data of a newsletter that pages show.
pub(super) fn newsletter(newsletter: &Newsletter) -> Value {
    json!({ "name": newsletter.name, "slug": newsletter.slug, "from_name": newsletter.from_name })
}

/// `Linden Post <brief@lindenpost.example>`.
pub(super) fn sender(newsletter: &Newsletter) -> String {
    format!("{} <{}>", newsletter.from_name, newsletter.from_address)
}

/// The advice in the form that the list shows.
pub(super) fn advice(advice: &[Advice]) -> Vec<Value> {
    advice
        .iter()
        .map(|advice| {
            let tone = match advice.weight {
                Weight::Blocks => "is-bad",
                Weight::Warns => "is-wait",
                Weight::Hints => "is-neutral",
            };
            json!({ "tone": tone, "text": advice.text })
        })
        .collect()
}

/// The HTML size, which Gmail limits, and the size of the whole mail.
pub(super) fn weight(prepared: &Prepared) -> String {
    let size = prepared.compiled.size;
    format!(
        "{} kB of HTML; Gmail shows up to 102. The whole mail is {} kB.",
        size.html.div_ceil(1000),
        size.whole.div_ceil(1000)
    )
}

/// The subject as mail programs show it.
pub(super) fn subject(issue: &Issue) -> String {
    let subject = edition::subject(&issue.content);
    if subject.is_empty() {
        issue.title().to_owned()
    } else {
        subject
    }
}
