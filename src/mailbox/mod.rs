//! The built-in mailbox: with `mail.transport = mailbox`, mails stay in the table `captured_mail` and are read
//! here, as a mail program would show them. It is for demonstrations, development and tests.
//!
//! States: a mail is captured, and gone when the mailbox is emptied. Nothing else changes it, least of all reading it.
//! Promises:
//! - Without that transport none of these addresses exists.
//! - A mail is a stranger's page: its HTML lives in a frame without scripts, forms and origin, and loads nothing from
//!   other hosts until it is asked to.
//! - What cannot be read as a mail is shown as it came.
//!
//! Addresses carry the plain id: whoever may open the mailbox may read all of it, so a sealed one would hide nothing.
//!
//! `letter` (what a mail says) and `inert` (how its HTML is tamed) are pure; `store` reads and empties the table.

mod http;
mod inert;
mod letter;
mod store;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::config::Transport;
use crate::web::pages::Templates;

/// The list, and one mail.
pub const PAGES: Templates = &[
    ("mailbox/list", include_str!("pages/list.hbs")),
    ("mailbox/mail", include_str!("pages/mail.hbs")),
];

/// `/mailbox`; nothing where mails go elsewhere.
pub fn routes(transport: Transport) -> Router<App> {
    if transport != Transport::Mailbox {
        return Router::new();
    }
    Router::new()
        .route("/mailbox", get(http::list))
        .route("/mailbox/clear", post(http::clear))
        .route("/mailbox/{id}", get(http::show))
        .route("/mailbox/{id}/html", get(http::html))
        .route("/mailbox/{id}/source", get(http::source))
}
