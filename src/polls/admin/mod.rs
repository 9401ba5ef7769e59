//! The editors' pages about polls: the list, creating and editing, opening and closing, and the result as it comes in.
//!
//! A draft can be changed in every part. Once a poll has been opened, readers have seen its questions, so only its
//! times and the visibility of its result can change.
//!
//! - `list`, with its SQL in `list_store`. `tabs`: the pages about one poll.
//! - `form_page`, `form`, `questions`, `question_moves`, `moment`: the form. `write`, `delete`: what it does.
//!   `pictures`, `sample`, `sample_form`: what belongs to a draft as well.
//! - `result`, `turnout`, `compare`, `weigh`: the numbers. `words`, `bursts`, `removals`: decisions about answers.
//!   `linked`, `export`, `embed`: taking something elsewhere.

mod bursts;
mod compare;
mod delete;
mod embed;
mod export;
mod form;
mod form_page;
mod linked;
mod list;
mod list_store;
mod moment;
mod pictures;
mod question_moves;
mod questions;
mod removals;
mod result;
mod sample;
mod sample_form;
mod tabs;
mod turnout;
mod weigh;
mod words;
mod write;

use axum::Router;
use axum::routing::{get, post};

use serde_json::{Value, json};

use super::model::{Phase, Poll, PollState, Role, phase};
use crate::admin::show;
use crate::app::App;
use crate::db::DbErr;
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
        "polls/admin_words",
        include_str!("../pages/admin_words.hbs"),
    ),
    (
        "polls/admin_pictures",
        include_str!("../pages/admin_pictures.hbs"),
    ),
    (
        "polls/admin_bursts",
        include_str!("../pages/admin_bursts.hbs"),
    ),
    (
        "polls/admin_removals",
        include_str!("../pages/admin_removals.hbs"),
    ),
    (
        "polls/admin_result",
        include_str!("../pages/admin_poll.hbs"),
    ),
    ("polls/admin_tabs", include_str!("../pages/admin_tabs.hbs")),
    (
        "polls/admin_turnout",
        include_str!("../pages/admin_turnout.hbs"),
    ),
    (
        "polls/admin_compare",
        include_str!("../pages/admin_compare.hbs"),
    ),
    (
        "polls/admin_export",
        include_str!("../pages/admin_export.hbs"),
    ),
    (
        "polls/admin_weigh",
        include_str!("../pages/admin_weigh.hbs"),
    ),
    (
        "polls/admin_sample",
        include_str!("../pages/admin_sample.hbs"),
    ),
    (
        "polls/admin_sample_new",
        include_str!("../pages/admin_sample_new.hbs"),
    ),
    (
        "polls/admin_linked",
        include_str!("../pages/admin_linked.hbs"),
    ),
    ("polls/admin_mail", include_str!("../pages/admin_mail.hbs")),
    (
        "polls/admin_embed",
        include_str!("../pages/admin_embed.hbs"),
    ),
    (
        "polls/embed_preview",
        include_str!("../pages/embed_preview.hbs"),
    ),
];

/// Everything below `/admin/polls`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/polls", get(list::show).post(write::create))
        .route("/admin/polls/new", get(write::show_new))
        .route("/admin/polls/{slug}", get(result::show))
        .route("/admin/polls/{slug}/turnout", get(turnout::show))
        .route("/admin/polls/{slug}/compare", get(compare::show))
        .route("/admin/polls/{slug}/weigh", get(weigh::show))
        .route(
            "/admin/polls/{slug}/sample",
            get(sample::show).post(sample_form::draw),
        )
        .route("/admin/polls/{slug}/sample/mail", post(sample::write))
        .route("/admin/polls/{slug}/sample/check", get(sample::check))
        .route("/admin/polls/{slug}/linked", get(linked::show))
        .route("/admin/polls/{slug}/linked/issue", post(linked::write))
        .route("/admin/polls/{slug}/linked/export", post(linked::export))
        .route("/admin/polls/{slug}/export", get(export::show))
        .route(
            "/admin/polls/{slug}/export/{file}",
            get(super::export::http::download),
        )
        .route(
            "/admin/polls/{slug}/edit",
            get(write::show_edit).post(write::save),
        )
        .route("/admin/polls/{slug}/preview", get(form_page::show_preview))
        .route(
            "/admin/polls/{slug}/words",
            get(words::show).post(words::decide),
        )
        .route("/admin/polls/{slug}/embed", get(embed::show))
        .route("/admin/polls/{slug}/embed/preview", get(embed::preview))
        .route(
            "/admin/polls/{slug}/bursts",
            get(bursts::show).post(bursts::decide),
        )
        .route(
            "/admin/polls/{slug}/removals",
            get(removals::show).post(removals::decide),
        )
        .route("/admin/polls/{slug}/publish", post(write::publish))
        .route("/admin/polls/{slug}/close", post(write::close))
        .route("/admin/polls/{slug}/reopen", post(write::reopen))
        .route("/admin/polls/{slug}/delete", post(delete::delete))
}

/// The routes that accept file uploads.
pub fn upload_routes() -> Router<App> {
    Router::new().route(
        "/admin/polls/{slug}/pictures",
        get(pictures::show).post(pictures::place),
    )
}

/// Further pages of a poll: readers' own words, and the pictures while it is a draft.
async fn pages_of(app: &App, poll: &Poll) -> Result<Vec<Value>, DbErr> {
    let mut pages = Vec::new();
    if poll.options().any(|option| option.role == Role::Words) {
        let [waiting, ..] = super::words::numbers(&app.db, poll.id).await?;
        let waiting = match waiting {
            0 => String::new(),
            n => format!(" ({} waiting)", show::count(n)),
        };
        pages.push(json!({ "href": format!("/admin/polls/{}/words", poll.slug), "label": format!("Readers\u{2019} own words{waiting}") }));
    }
    if poll.state != PollState::Draft {
        pages.push(
            json!({ "href": format!("/admin/polls/{}/removals", poll.slug), "label": "Leave answers out" }),
        );
    }
    let pictured = poll.options().any(|option| option.picture.is_some());
    if poll.state == PollState::Draft || pictured {
        pages.push(
            json!({ "href": format!("/admin/polls/{}/pictures", poll.slug), "label": "Pictures" }),
        );
    }
    Ok(pages)
}

/// The label of a poll's state, and the style of its badge.
fn badge(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Hidden => ("Draft", "is-neutral"),
        Phase::NotYetOpen { .. } => ("Not yet open", "is-wait"),
        Phase::Open { .. } => ("Open", "is-live"),
        Phase::Closed { .. } => ("Closed", "is-good"),
    }
}

/// What an editor may do with a poll now: the last segment of the URL, and the label of the button.
fn acts(poll: &Poll, now: UnixMillis) -> Vec<(&'static str, &'static str)> {
    if poll.sealed_at.is_some() {
        return vec![];
    }
    match (
        poll.state,
        phase(poll.state, poll.opens_at, poll.closes_at, now),
    ) {
        (PollState::Draft, _) => vec![("publish", "Open the poll")],
        // To open it earlier, editors change its times in its form.
        (_, Phase::NotYetOpen { .. }) => vec![("close", "Do not open it")],
        (_, Phase::Open { .. }) => vec![("close", "Close now")],
        // After its closing time it can only be reopened by moving that time.
        (PollState::Closed, _) if poll.closes_at.is_none_or(|at| at > now) => {
            vec![("reopen", "Open again")]
        }
        _ => vec![],
    }
}
