//! Readers' own words beside "Other".
//!
//! `own`: what may be written, and which texts count as equal. Pure. `store`: the words as editors see
//! them, and their rulings.
//!
//! States of words: pending (only editors see them) → shown, as they were written or as an editor spelled them, or
//! hidden; and back. Promises: nothing that a reader wrote is shown before an editor has approved it; equal words are
//! ruled on together and counted as one; each ruling is an entry in the log (`ballots::ruled`).

mod own;
mod store;

pub use own::{MAX_WORDS_CHARS, NotWords, cleaned, words_key};
pub use store::{PAGE, Ruling, Wording, list, numbers, rule, shown_texts, waiting};
