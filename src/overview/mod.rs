//! The first page after signing in: what is left to do before the first issue, what is on its way, what needs somebody and what comes next,
//! then the numbers of the day.
//!
//! The list leads from a fresh installation to the first sent issue. Each step is done when the database says so, not when
//! somebody clicked it away; when all are done, the list is gone.

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
