//! A poll to take away: as CSV files and as one JSON document, each with a dictionary of what its fields mean.
//!
//! Everything in it is a count. A ballot is never a line: beside the tier and the hour, one line is enough to find the reader who is known to have answered
//! then, and two exports that differ by one line even more so. There is no column for readers, voter keys, networks or exact times because
//! there is nothing of the kind to fill it from; questions are put together only in tables whose small cells are hidden for good.

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
