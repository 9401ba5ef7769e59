//! The editors' pages of issues: list, composer, confirmation before sending, progress.
//!
//! - `list`, `new`, `compose`, `preview`: finding, beginning, writing and seeing an issue. `show`: the page that
//!   fits its state.
//! - `outbound`: the last page before it goes out, and that of a scheduled one. `ask`: confirmations before
//!   something is lost.
//! - `progress`: the page of an issue that is being sent, with `headline`, `obstacle` and `pace` for its words, and
//!   `answers` for its polls. `steer`: pause, resume, cancel.
//! - `recipients`: who got it, with `attempts` and `standing` for the words. `resend`, `settle`: orders about those
//!   that failed or are in doubt; `again`: what the two share.
//! - `views`: what several of the pages show in the same way.

mod again;
mod answers;
mod ask;
mod attempts;
mod compose;
mod headline;
mod list;
mod new;
mod obstacle;
mod outbound;
mod pace;
mod preview;
mod progress;
mod recipients;
mod resend;
mod settle;
mod show;
mod standing;
mod steer;
mod views;

use axum::Router;
use axum::routing::{get, post};

use super::model::{BODY_MAX, Issue};
use super::prepare::PrepareError;
use super::store;
use crate::app::App;
use crate::types::IssueId;
use crate::web::Problem;
use crate::web::pages::Templates;

/// The pages of this feature.
pub const PAGES: Templates = &[
    ("digests/list", include_str!("../pages/admin_issues.hbs")),
    ("digests/new", include_str!("../pages/admin_issue_new.hbs")),
    (
        "digests/edit",
        include_str!("../pages/admin_issue_edit.hbs"),
    ),
    (
        "digests/conflict",
        include_str!("../pages/admin_issue_conflict.hbs"),
    ),
    (
        "digests/send",
        include_str!("../pages/admin_issue_send.hbs"),
    ),
    (
        "digests/fixed",
        include_str!("../pages/admin_issue_fixed.hbs"),
    ),
    (
        "digests/waiting",
        include_str!("../pages/admin_issue_waiting.hbs"),
    ),
    (
        "digests/progress",
        include_str!("../pages/admin_issue_progress.hbs"),
    ),
    (
        "digests/recipients",
        include_str!("../pages/admin_issue_recipients.hbs"),
    ),
    (
        "digests/recipient",
        include_str!("../pages/admin_issue_recipient.hbs"),
    ),
    (
        "digests/resend",
        include_str!("../pages/admin_issue_resend.hbs"),
    ),
    (
        "digests/settle",
        include_str!("../pages/admin_issue_settle.hbs"),
    ),
    ("digests/archive", include_str!("../pages/archive.hbs")),
    (
        "digests/archive_issue",
        include_str!("../pages/archive_issue.hbs"),
    ),
];

/// The most bytes in a form of [`composer_routes`]: browsers send each byte of a letter beyond ASCII as three.
pub const COMPOSER_BYTES: usize = (3 * BODY_MAX).next_multiple_of(1024) + 16 * 1024;

/// The routes that take the whole text of an issue, with a limit of their own: see [`COMPOSER_BYTES`].
pub fn composer_routes() -> Router<App> {
    Router::new()
        .route("/admin/issues/{id}", get(show::show).post(compose::save))
        .route("/admin/issues/{id}/autosave", post(compose::autosave))
}

/// The other routes under `/admin/issues`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/issues", get(list::show).post(new::create))
        .route("/admin/issues/new", get(new::show))
        .route("/admin/issues/{id}/preview", get(preview::show))
        .route("/admin/issues/{id}/delete", post(ask::delete))
        .route(
            "/admin/issues/{id}/send",
            get(outbound::ask).post(outbound::send),
        )
        .route("/admin/issues/{id}/schedule", post(outbound::schedule))
        .route("/admin/issues/{id}/unschedule", post(outbound::unschedule))
        .route("/admin/issues/{id}/pause", post(steer::pause))
        .route("/admin/issues/{id}/resume", post(steer::resume))
        .route(
            "/admin/issues/{id}/cancel",
            get(ask::cancel).post(steer::cancel),
        )
        .route(
            "/admin/issues/{id}/resend",
            get(resend::ask_resend).post(resend::resend),
        )
        .route(
            "/admin/issues/{id}/settle",
            get(settle::ask_settle).post(settle::settle),
        )
        .route("/admin/issues/{id}/live", get(progress::live))
        .route("/admin/issues/{id}/recipients", get(recipients::list))
        .route("/admin/issues/{id}/recipients.csv", get(recipients::file))
        .route(
            "/admin/issues/{id}/recipients/{reader}",
            get(recipients::one),
        )
}

/// The issue with the id in the address. An id that is not a number is not found, like one that does not exist.
async fn find(app: &App, id: &str) -> Result<Issue, Problem> {
    by_id(app, IssueId(id.parse().map_err(|_| Problem::not_found())?)).await
}

/// The issue with that key, as it is now.
async fn by_id(app: &App, id: IssueId) -> Result<Issue, Problem> {
    store::find(app.db.read(), id)
        .await?
        .ok_or_else(Problem::not_found)
}

/// A failed preparation as a problem: an editor's text cannot cause one.
fn prepared<T>(result: Result<T, PrepareError>) -> Result<T, Problem> {
    result.map_err(|error| match error {
        PrepareError::Db(error) => error.into(),
        error => Problem::internal(&error),
    })
}
