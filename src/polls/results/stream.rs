//! `GET /p/{poll}/live`
//!
//! On another site's page the browser sends no cookie that says who answered. So a reader who sees the results only
//! because they answered gets a ticket with them: sealed, for this poll and a day. It opens the stream, which is the
//! same for every viewer, and says nothing about who got it.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::app::App;
use crate::polls::asking::{allow_embedding, own_choice, public_poll};
use crate::polls::model::{Phase, Poll};
use crate::types::varint::{pack, unpack};
use crate::types::{Keys, PollId, Purpose, UnixMillis};
use crate::web::held::Held;
use crate::web::{Client, Problem};

/// How long a browser can come back to the stream, for example after its machine slept.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// The query of the stream's URL.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ticket {
    ticket: String,
}

/// The URL of the live results below the poll's own, for a page on another site whose reader has `answered`; `None` if
/// they see no results or nothing can change any more.
pub fn stream_of(app: &App, poll: &Poll, answered: bool) -> Option<String> {
    let now = app.clock.now();
    let is_open = matches!(poll.phase(now), Phase::Open { .. });
    if !is_open || !poll.shows_results(now, answered) {
        return None;
    }
    let everybody = poll.shows_results(now, false);
    Some(match everybody {
        true => "/live".to_owned(),
        false => format!("/live?ticket={}", issue(&app.keys, poll.id, now)),
    })
}

fn issue(keys: &Keys, poll: PollId, now: UnixMillis) -> String {
    keys.seal(Purpose::Live, &pack(&[poll.0, now.0]))
}

fn is_valid(keys: &Keys, ticket: &str, poll: PollId, now: UnixMillis) -> bool {
    let given = keys.open(Purpose::Live, ticket).ok();
    given
        .and_then(|payload| unpack(&payload))
        .is_some_and(|[of, at]| of == poll.0 && now.since(UnixMillis(at)) < LASTS)
}

/// Results as server-sent events, until the poll closes.
///
/// # Errors
/// 404 for an unknown poll, or for one whose results this reader may not see now; 429 if too many are watching.
pub async fn live(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(Ticket { ticket }): Query<Ticket>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let now = app.clock.now();
    let answered = is_valid(&app.keys, &ticket, poll.id, now)
        || own_choice(&app, &poll, &headers).await?.is_some();
    if !poll.shows_results(now, answered) {
        return Err(Problem::not_found());
    }
    if matches!(poll.phase(now), Phase::Closed { .. }) {
        // Nothing will change any more: 204 tells a browser not to reconnect.
        let mut response = StatusCode::NO_CONTENT.into_response();
        allow_embedding(&app, &headers, &mut response);
        return Ok(response);
    }
    let place = app.limits.viewers.take(client.network())?;
    let mut response = Held::answer(app.polls.live.watch(&poll), place);
    allow_embedding(&app, &headers, &mut response);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn a_ticket_opens_its_own_poll_for_a_day() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let (poll, now) = (PollId(7), UnixMillis(1_800_000_000_000));
        let ticket = issue(&keys, poll, now);
        assert!(is_valid(
            &keys,
            &ticket,
            poll,
            now + (LASTS - Duration::from_millis(1))
        ));
        assert!(!is_valid(&keys, &ticket, poll, now + LASTS));
        assert!(!is_valid(&keys, &ticket, PollId(8), now));
        assert!(!is_valid(&keys, "", poll, now));
        let other = keys.seal(Purpose::VoteNonce, &pack(&[poll.0, now.0]));
        assert!(!is_valid(&keys, &other, poll, now));
    }
}
