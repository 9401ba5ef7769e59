//! Polls: a question beside an article or in a mail, answered with one tap.
//!
//! States of a poll: draft → published (open between its two times) → closed, by its time or by hand.
//! Promises:
//! - An answer that got a 2xx or 3xx is on disk and in the tally; both change in one commit.
//! - One voter, one ballot: the primary key `(poll, voter key)` decides. A second answer changes the first
//!   while the poll is open; it never adds one.
//! - Opening and closing are exact to the millisecond, decided by the clock at the commit.
//! - GET and HEAD count nothing. Answering needs no script, no nonce in the page, no third-party cookie.
//! - No email address and no raw network address is stored with an answer.
//!
//! The domain:
//! - `model`: a poll and what it allows at a given time. Pure. `definition`: what editors and scripts write, and
//!   how it is stored and read.
//! - `voter`: who answers, as far as the ballot box needs to know. `words`: readers' own words.
//! - `linked`: answers that may be joined to an address, by consent. `sample`: asking a random
//!   sample instead of everybody.
//!
//! Input; every answer goes through `answer`, the single use case, into [`ballots`], the ballot box:
//! - `form`: on our pages; `embed`: on other sites' pages; `mail`: by a personal link; `api`: by a script.
//! - `import`: polls of other systems, directly into the ballot box.
//! - `trust`: how far an answer can be trusted. `asking`: what all handlers read from a request.
//!
//! Output:
//! - [`results`]: the public result; `share`: the preview where somebody shares it.
//! - `admin`: the editors' pages; `insight` and `statistics`: what editors see beyond the result;
//!   `export`: files to download.
//! - `pictures`: pictures beside options, re-encoded by us. `pages`: the templates.
//!
//! `station` holds what answering needs apart from the database, once per process.
//!
//! Code outside of polls uses the names exported here; the tests also use [`ballots`] and [`results`]
//! directly.

mod admin;
mod answer;
mod api;
mod asking;
pub mod ballots;
mod definition;
mod embed;
mod export;
mod form;
mod import;
mod insight;
mod linked;
mod mail;
mod model;
mod pictures;
pub mod results;
mod sample;
mod share;
mod station;
mod statistics;
mod trust;
mod voter;
mod words;

pub use admin::{PAGES as ADMIN_PAGES, routes as admin_routes};
pub use answer::{
    Answered, Choice, Reason as RefusalReason, Sent, answer, refused, stored_options,
};
pub use api::Document as ApiDocument;
pub use ballots::{adopt as adopt_ballots, verify, writers as ballot_writers};
pub use definition::{
    Definition, Headline, OptionText, QuestionText, Retimed, ScaleText, Stored, by_id, by_slug,
    create, headlines, is_slug, list, replace_draft, retime, set_state,
};
pub use form::{FormView, form_for_article};
pub use import::{
    Order as ImportOrder, Summary as ImportSummary, System as ImportSystem, run as import,
};
pub use insight::{Answers, NotCounted, Step, count_step, flush as flush_views};
pub use linked::{
    LinkedAnswer, SMALLEST as SMALLEST_SEGMENT, SUGGESTED as SUGGESTED_LINK_WORDS,
    Said as SaidAnswer, Segment, answers as linked_answers, api::named_segment, segment_in_words,
    segment_readers, store::keep_words as keep_link_words, take_back_in as take_back_links,
    take_back_poll as take_back_link,
};
pub use mail::{
    Offered, by_one_link, keep as keep_looks, mine_link, of_issue as mail_numbers,
    tick as count_looks,
};
pub use model::{
    Kind, Order, Phase, Picture, Place, Poll, PollSecret, PollState, Tier, Visibility, phase,
};
pub use sample::{
    PAUSE as REMINDER_PAUSE, Round as SampleRound, audience as sample_audience,
    draw as draw_sample, is_as_drawn as sample_is_as_drawn, store::record as sample_record,
};
pub use station::Station;
pub use trust::{PAUSE as WATCH_PAUSE, tick as watch_tick, waiting as bursts_waiting};
pub use voter::Voter;
pub use voter::known::{
    Waiting as WaitingAnswer, count_as_readers, forget as forget_reader, waiting as waiting_answer,
};
pub use words::{cleaned as cleaned_words, waiting as words_waiting};

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::db::{DbErr, Unfinished};
use crate::types::UnixMillis;
use crate::web::pages::Templates;

/// The templates of this feature.
pub const PAGES: Templates = &[
    ("polls/form", include_str!("pages/form.hbs")),
    ("polls/question", include_str!("pages/question.hbs")),
    ("polls/star", include_str!("pages/star.hbs")),
    ("polls/link_box", include_str!("pages/link_box.hbs")),
    ("polls/poll", include_str!("pages/poll.hbs")),
    ("polls/table", include_str!("pages/table.hbs")),
    ("polls/results", include_str!("pages/results.hbs")),
    ("polls/linked_note", include_str!("pages/linked_note.hbs")),
    ("polls/mail_note", include_str!("pages/mail_note.hbs")),
    ("polls/mail_vote", include_str!("pages/mail_vote.hbs")),
    ("polls/mail_mine", include_str!("pages/mail_mine.hbs")),
    ("polls/canary", include_str!("pages/canary.hbs")),
    ("polls/embed", include_str!("pages/embed.hbs")),
    ("polls/paste", include_str!("pages/paste.hbs")),
];

/// The routes of the polls' pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/p/{poll}", get(form::page).post(form::submit))
        .route("/p/{poll}/results", get(results::page))
        .route("/p/{poll}/live", get(results::stream::live))
        .route("/p/{poll}/share.png", get(share::picture))
        .route("/p/{poll}/proof", get(trust::puzzle))
        .route("/v/{token}", get(mail::page).post(mail::cast))
        .route("/v/{token}/results", get(mail::results))
        .route("/v/{token}/mine", get(mail::ask_mine).post(mail::take_mine))
        .route("/c/{token}", get(mail::canary))
        .route("/embed/poll.js", get(embed::module))
        .route("/embed/poll.css", get(embed::sheet))
        .route("/embed/frame.js", get(embed::frame_script))
        .route("/embed/p/{poll}", get(embed::page))
        .route("/embed/p/{poll}/data", get(embed::data))
        .route("/oembed", get(embed::oembed::oembed))
        .route("/media/{name}", get(pictures::http::serve))
}

/// Deletes pictures that were uploaded a day ago and are not beside any option.
pub async fn purge_pictures(app: &App) -> Result<u64, DbErr> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let before = UnixMillis(app.clock.now().0 - DAY_MS);
    pictures::store::purge(&app.db, before).await
}

/// Sees to it that polls stay closed, and since when. Called periodically, and by tests.
///
/// # Errors
/// A database error; unfinished work is done the next time.
pub async fn close_tick(app: &App) -> Result<(), DbErr> {
    ballots::watch_closes(&app.db, app.clock.now()).await?;
    match app.polls.steady.now() {
        Some(now) => ballots::set_closes_back(&app.db, now).await,
        None => Ok(()),
    }
}

/// Records the counts of closed polls, and destroys what could join the ballots of old ones to readers. Called
/// periodically, and by tests.
///
/// # Errors
/// Something was left; it is done the next time.
pub async fn seal_tick(app: &App) -> Result<(), Unfinished> {
    let now = app.clock.now();
    let days = app.config.polls.seal_days;
    app.polls.networks.forget(now);
    // Neither waits for the other: a poll that cannot be recorded must not keep keys from being destroyed.
    let recorded = ballots::record::record_closed(&app.db, now).await;
    // A clock that was set, or has just started, may be wrong, and nothing that is destroyed comes back.
    let sealed = match app.polls.steady.now() {
        Some(now) => ballots::seal::seal_due(&app.db, now, days).await,
        None => Ok(ballots::seal::Sealed::default()),
    };
    let (polls, sealed) = match sealed {
        Ok(done) if done.some_failed => (done.polls, Err(Unfinished::Logged)),
        Ok(done) => (done.polls, Ok(())),
        Err(error) => (Vec::new(), Err(error.into())),
    };
    let mut reread = Ok(());
    for poll in polls {
        reread = app
            .polls
            .book
            .reread(&poll.slug)
            .await
            .map(drop)
            .and(reread);
    }
    // Another node may have sealed one of these polls.
    app.polls.book.forget_stale();
    let scrubbed = scrub(app, now).await;
    let measured = ballots::seal::measure_overdue(&app.db, now, days).await;
    // First what nobody has logged yet.
    reread.and(scrubbed).and(measured)?;
    Unfinished::both(recorded, sealed).map(drop)
}

async fn scrub(app: &App, now: UnixMillis) -> Result<(), DbErr> {
    if !ballots::seal::scrub(&app.db, now).await? {
        tracing::info!(
            "destroyed keys of polls are still in free pages of the database files, because a reader is active; trying again"
        );
    }
    Ok(())
}

/// The most bytes in a form of [`upload_routes`]: one file and a little more.
pub const UPLOAD_BYTES: usize = pictures::LARGEST_UPLOAD + 64 * 1024;

/// The routes by which editors upload files, with a limit of their own: see [`UPLOAD_BYTES`].
pub fn upload_routes() -> Router<App> {
    admin::upload_routes()
}

/// The endpoints of polls, below `/api/v1`.
pub fn api_routes() -> Router<App> {
    Router::new()
        .route("/polls", post(api::create))
        .route("/polls/{poll}/ballots", post(api::cast))
        .route("/polls/{poll}/results", get(api::results))
        .route("/polls/{poll}/export/{file}", get(export::http::export))
        .route("/polls/{poll}/sample", get(sample::api::show))
        .route("/samples", get(sample::api::list))
        .route("/polls/{poll}/linked", get(linked::api::show))
        .route("/polls/{poll}/linked/export", post(linked::api::export))
}
