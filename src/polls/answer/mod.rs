//! Answering: from what a page, a mail link or a script sent to a ballot in the box, or the reason why there is none.
//!
//! - `sent`: the fields of an answer, not yet validated. Pure.
//! - `choice`: what a ballot says, validated against its poll. Pure.
//! - `cast`: the single use case behind all ways to answer.
//! - `refusals`: counters of answers that were not counted, by reason and hour.
//!
//! States of an answer: sent → chosen → cast → counted, or refused with a reason.
//! Promises: an answer that is reported as counted is durable; input that is not a valid answer never reaches
//! the poll's counters; each refusal is recorded, so that nothing is blocked silently; an edit in between
//! costs nobody their answer.

mod cast;
mod choice;
pub mod refusals;
mod sent;

pub use cast::{
    AnswerError, Answered, answer, answer_by_script, answer_from_mail, answer_from_page,
};
pub use choice::{Choice, ChoiceError, stored_options};
pub use refusals::{Reason, refused};
pub use sent::Sent;
