//! Polls on the editors' side: the list, making and editing, opening and closing, the result while it comes in.
//!
//! A draft can be changed in every part. Once a poll was opened, readers have seen its question: only its times and who sees the
//! result can be changed then.

mod form;
mod list;
mod list_store;
mod result;
mod write;

use axum::Router;
use axum::routing::{get, post};

use super::model::{Phase, Poll, PollState, phase};
use crate::app::App;
use crate::types::UnixMillis;
use crate::web::pages::Templates;

/// The pages of this folder.
pub const PAGES: Templates = &[
    ("polls/admin_list", include_str!("../pages/admin_polls.hbs")),
    (
        "polls/admin_form",
        include_str!("../pages/admin_poll_form.hbs"),
    ),
    (
        "polls/admin_result",
        include_str!("../pages/admin_poll.hbs"),
    ),
];

/// Everything below `/admin/polls`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/polls", get(list::show).post(write::create))
        .route("/admin/polls/new", get(write::show_new))
        .route("/admin/polls/{slug}", get(result::show))
        .route(
            "/admin/polls/{slug}/edit",
            get(write::show_edit).post(write::save),
        )
        .route("/admin/polls/{slug}/publish", post(write::publish))
        .route("/admin/polls/{slug}/close", post(write::close))
        .route("/admin/polls/{slug}/reopen", post(write::reopen))
}

/// A poll's state in a word, and the badge it wears.
fn badge(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Hidden => ("Draft", "is-neutral"),
        Phase::NotYetOpen { .. } => ("Not yet open", "is-wait"),
        Phase::Open { .. } => ("Open", "is-live"),
        Phase::Closed { .. } => ("Closed", "is-good"),
    }
}

/// What an editor may do with a poll now: the last part of the address, the words of the button.
fn acts(poll: &Poll, now: UnixMillis) -> Vec<(&'static str, &'static str)> {
    match (
        poll.state,
        phase(poll.state, poll.opens_at, poll.closes_at, now),
    ) {
        (PollState::Draft, _) => vec![("publish", "Open the poll")],
        (_, Phase::NotYetOpen { .. } | Phase::Open { .. }) => vec![("close", "Close now")],
        // After its closing time only a later one opens it again.
        (PollState::Closed, _) if poll.closes_at.is_none_or(|at| at > now) => {
            vec![("reopen", "Open again")]
        }
        _ => vec![],
    }
}
