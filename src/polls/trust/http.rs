//! `GET /p/{poll}/proof`: a puzzle for a browser whose reader has started to answer. Nothing is stored.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;

use super::proof::{bond, pose};
use crate::app::App;
use crate::polls::asking::{allow_embedding, public_poll};
use crate::polls::model::Phase;
use crate::polls::voter::marker;
use crate::web::{Client, Problem};

/// By how much the work is multiplied while answers from the same network are being set aside.
const HARDER: u64 = 8;

/// What another site's page says about the marker it keeps: see [`bond`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    r#for: String,
}

/// Issues a puzzle. 204 if there is none to solve: the poll is not open, or proof of work is disabled.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn puzzle(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(wanted): Query<Wanted>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let now = app.clock.now();
    let network = app.polls.networks.hash(&client.network(), now);
    app.polls.watch.opened(poll.id, network, now);
    // Proof of work is harder for networks whose answers are being set aside.
    let harder = app.polls.watch.is_suspect(poll.id, network);
    let work = app.config.polls.proof_work * if harder { HARDER } else { 1 };
    let is_open = matches!(poll.phase(now), Phase::Open { .. });
    let mut response = if work == 0 || !is_open {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let bound = match marker(&app, &headers) {
            Some(marker) => bond(&poll, &marker),
            // 56 bits in hexadecimal; anything else counts as no marker.
            None => i64::from_str_radix(&wanted.r#for, 16)
                .ok()
                .filter(|_| wanted.r#for.len() == 14)
                .map_or(0, |bond| bond.max(1)),
        };
        axum::Json(pose(&app.keys, &app.random, &poll, bound, work, now)).into_response()
    };
    let out = response.headers_mut();
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(VARY, HeaderValue::from_static("Cookie"));
    allow_embedding(&app, &headers, &mut response);
    Ok(response)
}
