//! `GET /p/{poll}/live`

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::polls::asking::{allow_embedding, own_choice, public_poll};
use crate::polls::model::Phase;
use crate::web::Problem;
use crate::web::held::Held;

/// Results as server-sent events, until the poll closes.
///
/// # Errors
/// 404 for an unknown poll, or for one whose results this reader may not see now.
pub async fn live(
    State(app): State<App>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let own = own_choice(&app, &poll, &headers).await?;
    if !poll.shows_results(app.clock.now(), own.is_some()) {
        return Err(Problem::not_found());
    }
    if matches!(poll.phase(app.clock.now()), Phase::Closed { .. }) {
        // Nothing will change any more: 204 tells a browser not to reconnect.
        let mut response = StatusCode::NO_CONTENT.into_response();
        allow_embedding(&app, &headers, &mut response);
        return Ok(response);
    }
    let mut response = Held::answer(app.polls.live.watch(&poll));
    allow_embedding(&app, &headers, &mut response);
    Ok(response)
}
