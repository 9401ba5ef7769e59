//! Newsletters: what readers subscribe to and issues are sent from.
//!
//! A newsletter has a slug for links, a sender, a postal address (the law of many countries requires one in every
//! mail), a time zone in which its times are read, the language it is written in, an accent colour, and the text that
//! readers consent to.
//!
//! - A slug never changes, because mails that were sent contain it.
//! - A changed consent text is a new version: a text that somebody agreed to is never edited.
//! - The accent is readable: 4.5 to 1 on white, validated on input; dark mails and pages have a lighter one, and light
//!   pages a darker one if it is too pale for their tinted grounds. It colours links and buttons in the newsletter's
//!   mails and on the pages about it.
//!
//! `model`, `colour`, `language`, `slug`: the settings, validated. Pure. `store`: the tables. `admin`: the pages of
//! the settings; `api`: scripts. `front`, `accent`: the front page, and the style sheet of an accent.

mod accent;
mod admin;
mod api;
mod colour;
mod front;
mod language;
mod model;
mod slug;
mod store;

use axum::Router;
use axum::routing::{get, post};

pub use api::Document as ApiDocument;
pub use colour::Colour;
pub use model::{ConsentText, Draft, FieldErrors, Newsletter, Typed};
pub use slug::{Slug, SlugRefused};
pub use store::{Created, all, by_id, by_slug, create, current_consent, home_zone, save};

use crate::app::App;
use crate::web::pages::Templates;

/// The front page and the settings.
pub const PAGES: Templates = &[
    ("newsletters/front", include_str!("pages/front.hbs")),
    ("newsletters/settings", include_str!("pages/settings.hbs")),
    (
        "newsletters/form",
        include_str!("pages/newsletter_form.hbs"),
    ),
];

/// The front page, the settings and the newsletters in them.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(front::show))
        .route("/accent/{colour}", get(accent::sheet))
        .route("/admin/settings", get(admin::settings))
        .route("/admin/newsletters", post(admin::create))
        .route("/admin/newsletters/new", get(admin::show_new))
        .route(
            "/admin/newsletters/{slug}",
            get(admin::show_edit).post(admin::save),
        )
}

/// The routes below `/api/v1`.
pub fn api_routes() -> Router<App> {
    Router::new().route("/newsletters", post(api::create))
}
