//! Asking and answering on our own pages: `/p/{poll}`, and the same form in an article.
//!
//! - `page`: the form, or what is shown while the poll is not open.
//! - `submit`: accepts an answer; `retyped`: the form again, with what was typed.
//! - `view` and `question_view`: the contexts of the form's templates; `order`: the order of options. Pure.
//! - `offer`: the newsletter offered beside the answer; `typed`: the address left for it, for the page that follows.
//!
//! States of a form: empty, or filled with the content of this browser's ballot → submitted → counted, then the result;
//! or shown again, to be corrected.
//! Promises: a GET counts nothing, and a page with nothing about the reader may be cached; answering needs no script
//! and no nonce; nothing that was typed is lost; an address left beside an answer never decides whether it counts.

pub mod offer;
mod order;
mod page;
mod question_view;
mod retyped;
mod submit;
mod typed;
mod view;

pub use order::seed_of;
pub use page::{ANSWERED_BEFORE, form, form_for_article, page};
pub use retyped::is_article;
pub use submit::submit;
pub use typed::just_typed;
pub use view::{FormPage, FormView, More, PROBLEM};
