//! Import of readers who opted in elsewhere, from a CSV file: `canvass import readers`.
//!
//! - [`rows`]: the columns `email`, `name`, `time_zone`, `confirmed_at`, and what each may hold.
//! - `columns`, `gone`: who may not be written to any more, as other systems' exports say it.
//! - `records`: bytes to CSV records; one broken row costs one row.
//! - `run`: file → batches of 1,000 → one transaction each; progress and report.
//! - `store`: a batch as a handful of set-based statements.
//!
//! Promises: a million rows in bounded memory; every bad row is reported with its line and reason; no good row is lost to a bad
//! neighbour. Running an import again is safe, and the way to go on after an interruption. An import never lifts a suppression and
//! never brings back a reader who has left, here or, as far as the file says it, elsewhere.

mod columns;
mod gone;
mod progress;
mod records;
mod report;
pub mod rows;
mod run;
mod store;

pub use run::{Order, Stopped, Summary, run};
pub use store::Fate;
