//! Import of readers who opted in elsewhere, from a CSV file.
//!
//! - [`rows`]: the columns `email`, `name`, `time_zone`, `confirmed_at`, and what each may hold.
//! - `records`: bytes to CSV records; one broken row costs one row.
//!
//! Promises: a million rows in bounded memory; every bad row is reported with its line and reason; no good row is lost to a bad
//! neighbour.

mod records;
pub mod rows;
