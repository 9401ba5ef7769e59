//! The result of a poll: numbers that may be shown, and what has to be said with them.
//!
//! Everything is read from counting tables that change in the commit of the ballot they count. `shares`, `note`,
//! `shown`, `kinds`, `rating` and `runoff` are pure; `store` reads the totals; `live` and `stream` send them to
//! viewers. `page` is the result page, with the counterpart `beside` it and the text about its `secrecy`; `view` is its
//! context; `told` has the texts that readers see instead of numbers.
//!
//! States of a result: hidden, or shown to those who answered or to everybody, as the poll says → changing while the
//! poll is open → final, with a code, after the close.
//! Promises: every number is shown with its caveats; a share, a live stream or a picture shows
//! nothing that the page does not.

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
pub use store::{Totals, VOTERS, totals, totals_in};
pub use stream::stream_of;
pub use told::{BY_INVITATION, closed, hidden_reason, not_asked, not_counted, zone};
pub use view::{ResultsPage, ResultsView, said_to};
