//! Issues: written in Markdown, previewed, tested, scheduled, sent and monitored.
//!
//! States: draft → scheduled → handed to the mailer, whose mailing then has states of its own (sending, paused,
//! finished, cancelled). A due issue that cannot or should not go out automatically is *held*.
//!
//! Invariants:
//! - A due issue is handed over exactly once. A single conditional update decides, on any number of nodes, after
//!   any restart, and even if the clock is changed.
//! - Content and audience are frozen in the same transaction.
//! - The preview shows what is sent: one function makes both.
//! - No text is lost: a save names the revision that it is based on, and if two editors save, the second is shown
//!   both versions. A text that cannot be saved at all is given back on the error page.
//!
//! Files:
//! - `model`, `state`: an issue and its rules, and its state together with that of its mailing. Pure. `store`,
//!   `list_store`: the table `issue`.
//! - `content`: Markdown to what may be mailed; `bodies`: a cache of it. `prepare` collects what `edition`
//!   compiles.
//! - `write`, `send`, `fire`: saving drafts, handing over, and the tick for issues that are due. `test_mail`: to
//!   the editor alone.
//! - `audience`, `audience_store`: who gets an issue; `sample`, `segment`: issues for some of the readers.
//! - `admin`, `desk`: the editors' pages, and the issues shown first; `api`: scripts; `archive`: past issues on the
//!   web.

mod admin;
mod api;
mod archive;
mod audience;
mod audience_store;
mod bodies;
pub mod content;
mod desk;
mod edition;
mod fire;
mod list_store;
mod model;
mod prepare;
mod sample;
mod segment;
mod send;
mod state;
mod store;
mod test_mail;
mod write;

use axum::Router;

pub use admin::{COMPOSER_BYTES, PAGES, composer_routes};
pub use api::{Document as ApiDocument, routes as api_routes};
pub use bodies::Bodies;
pub use desk::{Desk, Last, Line, Need, Stopped, desk};
pub use fire::tick;
pub use sample::{SampleMail, ToSample, mails_to_sample, write_to_sample};
pub use segment::write_to_segment;
pub use state::State;
pub use store::{has_past_issues, hold_all};

use crate::app::App;

/// The editors' pages of issues, and the archive.
pub fn routes() -> Router<App> {
    admin::routes().merge(archive::routes())
}
