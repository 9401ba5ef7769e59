//! The editors' pages about readers: finding one among a million, what they agreed to, what was mailed, and stopping
//! mail.
//!
//! The list uses keyset pagination, not offsets, so that the thousandth page costs as much as the first. Without a
//! search it shows the newest readers first; a search matches the prefix of the address and sorts by it.
//!
//! `list`, with its SQL in `list_store`; `reader`: one of them.

mod list;
mod list_store;
mod reader;

use axum::Router;
use axum::routing::{get, post};

use super::model::State;
use crate::app::App;
use crate::web::pages::Templates;

/// The pages of this folder.
pub const PAGES: Templates = &[
    ("readers/list", include_str!("../pages/admin_readers.hbs")),
    ("readers/reader", include_str!("../pages/admin_reader.hbs")),
];

/// Everything below `/admin/readers`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/readers", get(list::show).post(list::allow))
        .route("/admin/readers/{id}", get(reader::show))
        .route("/admin/readers/{id}/stop", post(reader::stop))
        .route("/admin/readers/{id}/erase", post(reader::erase))
}

/// The states by their name in URLs, with their word and badge.
const STATES: [(&str, State, &str, &str); 5] = [
    ("active", State::Active, "Active", "is-good"),
    ("left", State::Left, "Left", "is-neutral"),
    ("removed", State::Removed, "Removed", "is-wait"),
    ("bounced", State::Bounced, "Bounced", "is-bad"),
    ("complained", State::Complained, "Complained", "is-bad"),
];

/// The word and the badge of a stored state.
fn state_words(code: i16) -> (&'static str, &'static str) {
    let known = STATES.iter().find(|(_, state, ..)| state.code() == code);
    known.map_or(("Unknown", "is-bad"), |(_, _, word, badge)| (*word, *badge))
}
