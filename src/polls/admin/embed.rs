//! `GET /admin/polls/{slug}/embed`: what to paste into an article, and how it will look there.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use serde::Deserialize;
use serde_json::json;

use super::tabs::poll_of;
use crate::admin::Editor;
use crate::app::App;
use crate::polls::embed::{self, paste};
use crate::polls::model::{PollState, phase};
use crate::web::Problem;

/// No script runs and no form is submitted: an editor who tries the preview does not vote.
const PREVIEW_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'self'; sandbox";

/// The height of the lines above and below the poll in a preview, in CSS pixels.
const AROUND: u32 = 100;

/// The look of the page around the poll.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Look {
    look: String,
}

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let (state, badge) = super::badge(phase(
        poll.state,
        poll.opens_at,
        poll.closes_at,
        app.clock.now(),
    ));
    let sites = &app.config.http.embed_origins;
    let page = json!({
        "frame": editor.frame(),
        "slug": poll.slug, "question": poll.headline(), "state": state, "badge": badge,
        "draft": poll.state == PollState::Draft,
        "every_site": sites.iter().any(|site| site == "*"),
        "sites": sites,
        "origin": app.config.origin(),
        "words": paste::WORDS,
        "height": embed::height_of_pasted(&poll) + AROUND,
        "wide_height": embed::height_of_pasted_wide(&poll) + AROUND,
        "frame_height": embed::height(&poll),
        "paste": paste::snippets(&app, &poll).await?,
    });
    app.pages.render("polls/admin_embed", &page)
}

/// `GET /admin/polls/{slug}/embed/preview`: a stand-in for another site's page with the form in it, shown in a frame.
pub async fn preview(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Look>,
    _: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let scheme = if asked.look == "dark" {
        "dark"
    } else {
        "light"
    };
    let snippets = paste::snippets(&app, &poll).await?;
    let page = json!({
        "scheme": scheme,
        "title": poll.headline(),
        "form": snippets.form,
        "sheet": snippets.sheet,
        "accent": snippets.accent,
    });
    let mut response = app.pages.render("polls/embed_preview", &page)?;
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PREVIEW_POLICY),
    );
    Ok(response)
}
