//! What editors see of a poll beyond its result: turnout, the way from a view to a subscription, two questions side by side,
//! weights. None of it is public.
//!
//! Turnout and steps are counters: hours change in the commit of the ballot; what was shown is counted in memory, as an access log would,
//! without cookie or address, and added by a tick. `answers` groups the ballots of a poll by what they say, the one thing beside the audit
//! that reads them; it is shared by all who look, and counted anew only when enough answers came in between.
//!
//! `turnout`, `compare` and `weigh` are pure.

pub mod answers;
pub mod compare;
mod kept_store;
pub mod steps;
pub mod store;
pub mod turnout;
pub mod weigh;

pub use answers::Answers;
pub use steps::{Step, Views, flush};
pub use store::count_step;
