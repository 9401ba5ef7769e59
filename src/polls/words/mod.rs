//! Readers' own words beside "Other".
//!
//! `own`: what may be written, and what counts as the same. Pure. `store`: the words as editors see them, and what they decided.
//!
//! States of words: waiting (nobody but editors sees them) → shown, as they were written or as an editor spelled them, or hidden; and back.
//! Promises: nothing that a reader wrote shows before somebody let it stand; equal words are decided on together and counted as one;
//! the decision is an entry of the log (`ballots::ruled`).

mod own;
mod store;

pub use own::{MAX_WORDS_CHARS, NotWords, cleaned, words_key};
pub use store::{PAGE, Ruling, Wording, list, numbers, rule, shown_texts, waiting};
