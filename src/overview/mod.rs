//! The first page after signing in: what is left to do before the first issue, which issues are being sent, need an
//! editor and come next, then the numbers of the day.
//!
//! A list of steps leads from a fresh installation to the first sent issue. Each step is done according to the
//! database, not because somebody dismissed it; when all are done, the list disappears.
//!
//! `page` puts together `steps`, `issues` and the numbers of `store`; `counted`: the number of readers, cached.

mod counted;
mod issues;
mod page;
mod steps;
mod store;

use axum::Router;
use axum::routing::get;

use crate::app::App;
use crate::web::pages::Templates;

pub use counted::Counted;

/// The page.
pub const PAGES: Templates = &[("overview", include_str!("pages/overview.hbs"))];

/// `/admin`
pub fn routes() -> Router<App> {
    Router::new().route("/admin", get(page::show))
}
