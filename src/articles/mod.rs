//! The sample article of `canvass demo`: what a poll looks like in the middle of a story.
//!
//! A publisher's articles are in the publisher's own system and embed the poll as a form, a module or an iframe.
//! This one shows newcomers the whole way from a question to a newsletter without such a system.
//!
//! It exists only where mail stays in the built-in mailbox: an installation that sends real mail has no page here.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::Method;
use serde::Serialize;

use crate::app::App;
use crate::config::Transport;
use crate::polls::{self, FormView};
use crate::web::pages::Templates;
use crate::web::{Client, Problem};

/// The templates of this feature.
pub const PAGES: Templates = &[("articles/trust", include_str!("pages/trust.hbs"))];

/// The sample article's pages.
pub fn routes() -> Router<App> {
    Router::new().route("/articles/{slug}", get(page))
}

/// The slug of the article and of the poll in it.
const SLUG: &str = "trust";

#[derive(Debug, Serialize)]
struct Article {
    title: &'static str,
    description: &'static str,
    script: &'static str,
    poll: String,
    /// The style sheet with the accent of the poll's newsletter.
    accent_sheet: Option<String>,
    /// The poll's form while it is open.
    form: Option<FormView>,
}

async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
    method: Method,
    client: Client,
) -> Result<Response, Problem> {
    if slug != SLUG || app.config.mail.transport != Transport::Mailbox {
        return Err(Problem::not_found());
    }
    let from = format!("/articles/{SLUG}");
    let form = polls::form_for_article(&app, SLUG, &from, &method, &client).await?;
    let article = Article {
        accent_sheet: form.as_ref().and_then(|form| form.accent_sheet.clone()),
        title: "Readers trust the byline they know, not the front page they see",
        description: "In a small harbour town a reading group has found out what surveys keep missing.",
        script: "/embed/poll.js",
        poll: format!("/p/{SLUG}"),
        form,
    };
    app.pages.render("articles/trust", &article)
}
