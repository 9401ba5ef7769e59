//! Exporting a poll: as CSV files and as one JSON document, each with a dictionary of its fields.
//!
//! Everything in an export is a count. A ballot is never a line: with its tier and hour, one line would be enough to
//! find the answer of a reader who is known to have voted then, and the difference between two exports even more so.
//! There are no columns for readers, voter keys, networks or exact times, and questions are combined only in tables
//! whose small cells are always hidden.
//!
//! `document`: the data; `tiers`, `ranked`, `sampled`: parts of it. `dictionary`: what the fields mean. `lines`,
//! `sheets`: CSV. `http`: the handlers.

mod dictionary;
mod document;
pub mod http;
mod lines;
mod ranked;
mod sampled;
mod sheets;
mod tiers;

pub use dictionary::{DICTIONARY, Entry};
pub use document::Document;
pub use sheets::{FILES, file};
