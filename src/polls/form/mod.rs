//! Asking and answering on our own pages: `/p/{poll}`, and the same form in an article.
//!
//! - `page`: the form, or what there is to see when the poll is not open.
//! - `submit`: takes an answer; `retyped`: the form again, with what was typed.
//! - `view` and `question_view`: what the form's templates are filled with; `order`: in which order options stand. Pure.
//! - `offer`: the newsletter promised beside the answer.
//!
//! States of a form: empty, or filled with what this browser's ballot says → sent → counted, and on to the result; or shown again, to be
//! mended.
//! Promises: a GET counts nothing and a page that holds nothing of the reader may be cached; answering needs no script and no nonce;
//! nothing that was typed gets lost; the address beside an answer never decides whether it counts.

pub mod offer;
mod order;
mod page;
mod question_view;
mod retyped;
mod submit;
mod view;

pub use order::seed_of;
pub use page::{ANSWERED_BEFORE, form, form_for_article, page};
pub use retyped::is_article;
pub use submit::submit;
pub use view::{FormPage, FormView, More, PROBLEM};
