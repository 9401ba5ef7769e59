//! Answering: from what a page, a mail's link or a script sent to a ballot in the box, or the reason why there is none.
//!
//! - `sent`: the fields of an answer, not yet judged. Pure.
//! - `choice`: what a ballot says, judged against its poll. Pure.
//! - `cast`: the one use case behind all ways to answer.
//! - `refusals`: what was not counted, by reason and hour.
//!
//! States of an answer: sent → chosen → cast → counted, or refused with a reason.
//! Promises: what is said to be counted is durable; what is no answer to the poll goes nowhere near its counters; what is refused is
//! written down, so that nothing is blocked in silence; an edit that comes in between costs nobody the answer.

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
