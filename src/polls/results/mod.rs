//! What became of a poll: numbers that may be shown, and what has to be said with them.
//!
//! Everything is read from counting tables that change in the commit of the ballot they count. `shares`, `note`, `shown`, `kinds`, `rating` and
//! `runoff` are pure; `store` reads the totals; `live` and `stream` send them to whoever watches. `page` is the result page, with what stands
//! `beside` it and what is said of its `secrecy`; `view` is what it is filled with; `told` what readers are told instead of numbers.
//!
//! States of a result: hidden, or shown to those who answered or to everybody, as the poll says → moving while the poll is open → at rest,
//! with a code, after the close.
//! Promises: a number is shown with what it is worth; nobody sees more by a share, a live stream or a picture than on the page.

mod beside;
pub mod kinds;
pub mod live;
pub mod note;
mod page;
pub mod rating;
pub mod runoff;
pub mod secrecy;
pub mod shares;
pub mod shown;
pub mod store;
pub mod stream;
mod told;
mod view;

pub use beside::beside;
pub use page::{page, results_response, visible};
pub use shown::{QuestionResult, Results, Row};
pub use store::{Totals, VOTERS, totals};
pub use told::{BY_INVITATION, closed, hidden_reason, not_asked, not_counted, zone};
pub use view::{ResultsPage, ResultsView, said_to};
