//! `GET /embed/p/{poll}`: the poll alone, for an iframe on a site that may embed polls.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};

use super::data::{said_without, seen};
use crate::app::App;
use crate::polls::asking::public_poll;
use crate::polls::form::{FormView, form, offer};
use crate::polls::results::{ResultsView, visible};
use crate::polls::voter::mark_number;
use crate::web::{Client, Problem, security};

/// What the embedding page says about itself: `?scheme=`.
#[derive(Debug, Default, Deserialize)]
pub struct Around {
    #[serde(default)]
    scheme: String,
}

/// The colours of the frame.
#[derive(Debug, Serialize)]
struct Scheme {
    class: &'static str,
    meta: &'static str,
}

impl Around {
    /// By default light, with an opaque background: a frame cannot see the article, and most articles are light
    /// whatever the reader prefers. With `light` or `dark` the background is transparent, so that the article's shows
    /// through; `auto` follows the reader's preference.
    fn scheme(&self) -> Scheme {
        let (class, meta) = match self.scheme.as_str() {
            "light" => ("scheme-light see-through", "light"),
            "dark" => ("scheme-dark see-through", "dark"),
            "auto" => ("", "light dark"),
            _ => ("scheme-light", "light"),
        };
        Scheme { class, meta }
    }
}

#[derive(Debug, Serialize)]
struct EmbedPage {
    scheme: Scheme,
    title: String,
    src: String,
    mark: u32,
    form: Option<FormView>,
    results: Option<ResultsView>,
    /// The language of the poll's own texts, for its results.
    lang: Option<String>,
    closed: String,
}

/// The page in the frame.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(around): Query<Around>,
    method: Method,
    client: Client,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let phase = poll.phase(app.clock.now());
    seen(&app, &poll, phase, &method, &client);
    let form = match poll.is_open_to_all(app.clock.now()) {
        true => Some(FormView {
            place: Some("embed"),
            headline: false,
            ..form(&app, &poll).await?
        }),
        false => None,
    };
    let results = visible(&app, &poll, false, None).await?;
    let lang = match &form {
        Some(form) => form.lang.clone(),
        None => offer::of(&app, &poll).await?.map(|offer| offer.language),
    };
    let page = EmbedPage {
        lang,
        scheme: around.scheme(),
        title: poll.headline().to_owned(),
        src: format!("/p/{}", poll.slug),
        mark: mark_number(poll.id),
        form,
        results: results.map(|results| ResultsView {
            results,
            headline: false,
            live: None,
        }),
        closed: said_without(&poll, phase),
    };
    let mut response = app.pages.render("polls/embed", &page)?;
    let ancestors = app.config.http.embed_origins.join(" ");
    let policy = security::POLICY.replace(
        "frame-ancestors 'none'",
        &format!("frame-ancestors 'self' {ancestors}"),
    );
    let out = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        out.insert(CONTENT_SECURITY_POLICY, policy);
    }
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    Ok(response)
}
