//! Import of readers who opted in elsewhere, from a CSV file: `canvass import readers`.
//!
//! - [`rows`]: the columns `email`, `name`, `time_zone`, `confirmed_at`, and what each may hold.
//! - `columns`, `gone`: readers who must not be mailed any more, according to other systems' exports.
//! - `records`: bytes to CSV records; a broken row costs only itself.
//! - `run`: file → batches of 1,000 → one transaction each, with `progress` and `report`.
//! - `store`: a batch as a handful of set-based statements.
//!
//! Promises: a million rows in bounded memory; every bad row is reported with its line and reason; no good row is lost
//! because of a bad neighbour. An import is idempotent: after an interruption, run it again. It never lifts a
//! suppression and never brings back a reader who has left, here or (according to the file) elsewhere.

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
