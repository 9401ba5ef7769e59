//! The built-in mailbox: with `mail.transport = mailbox`, mails stay in the table `captured_mail` and are read
//! here, as a mail client would show them. It is for demonstrations, development and tests.
//!
//! States: a mail is captured, and deleted when the mailbox is emptied. Nothing else changes it, least of all reading
//! it. Promises:
//! - Without that transport none of these URLs exists.
//! - A mail's HTML is untrusted: it is shown in a frame without scripts, forms and origin, and loads nothing from other
//!   hosts unless asked to.
//! - Bytes that cannot be parsed as a mail are shown as they are.
//!
//! URLs contain the plain id: anybody who may open the mailbox may read all of it, so a sealed id would hide nothing.
//!
//! `letter` (parsing a mail) and `inert` (making its HTML harmless) are pure; `store` reads and empties the table;
//! `http` shows it.

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

/// `/mailbox`; no routes with any other transport.
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
