//! What is asked: a poll from what an editor or a script wrote to what readers are shown.
//!
//! - `written`: a poll as it was written; `check`: what is to mend before it can be stored. Both pure.
//! - `slug`: names in links. Pure.
//! - `define`: makes polls, replaces drafts, publishes, closes and moves times.
//! - `delete`: takes a draft away. `store`: reads polls; `book`: those in use, in memory.
//!
//! States of a definition: written → checked → stored as a draft (may be replaced) → published (only its state, its times and who
//! sees results when can change). Promises: what is stored has been checked; each edit raises the revision, which the ballot box compares
//! at the commit; two polls never have the same name in links.

mod book;
mod check;
mod define;
mod delete;
mod slug;
mod store;
#[cfg(test)]
mod tests;
mod written;

pub use book::Book;
pub use check::{MAX_OPTIONS, MAX_QUESTIONS, MAX_TEXT_CHARS, is_line, is_path};
pub use define::{Stored, create, free_slug, replace_draft, retime, set_state};
pub use delete::delete_draft;
pub use slug::{is_slug, slug_of};
pub use store::{Headline, by_id, by_id_in, by_slug, headlines, list};
pub use written::{Definition, Fault, OptionText, QuestionText, ScaleText};
