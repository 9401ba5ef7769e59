//! What became of a poll: numbers that may be shown, and what has to be said with them.
//!
//! Everything is read from counting tables that change in the commit of the ballot they count. `shares`, `note`, `shown`, `kinds`, `rating` and
//! `runoff` are pure; `store` reads the totals; `live` and `stream` send them to whoever watches.

pub mod kinds;
pub mod live;
pub mod note;
pub mod rating;
pub mod runoff;
pub mod shares;
mod shown;
pub mod store;
pub mod stream;

pub use shown::{QuestionResult, Results, Row};
pub use store::{Totals, VOTERS, totals};
