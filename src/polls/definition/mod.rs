//! The definition of a poll, from what an editor or a script wrote to what readers are shown.
//!
//! - `written`: a poll as it was written; `check`: what has to be corrected before it can be stored. Both pure.
//! - `slug`: slugs, the names of polls in links. Pure.
//! - `define`: creates polls, replaces drafts, publishes, closes and changes times.
//! - `delete`: deletes a draft. `store`: reads polls; `book`: caches those in use.
//!
//! States of a definition: written → checked → stored as a draft (which may be replaced) → published (only its state,
//! its times and the visibility of its results can change). Promises: whatever is stored has been checked; each edit
//! increments the revision, which the ballot box compares at the commit; no two polls have the same slug.

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
pub use check::{MAX_OPTIONS, MAX_QUESTIONS, MAX_TEXT_CHARS, is_line, is_path, over};
pub use define::{
    Retimed, Stored, create, free_slug, replace_draft, retime, revised_draft, set_state,
    untouched_drafts,
};
pub use delete::delete_draft;
pub use slug::{is_slug, slug_of};
pub use store::{Headline, by_id, by_id_in, by_slug, headlines, list};
pub use written::{Definition, Fault, OptionText, QuestionText, ScaleText};
