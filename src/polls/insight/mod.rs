//! What editors see of a poll beyond its result: turnout, the steps from a view to a subscription, two questions side
//! by side, weighted shares. None of it is public.
//!
//! Turnout and steps are counters. Hours change in the commit of the ballot; views are counted in memory, as an access
//! log would, without cookie or address, and stored by a tick. `answers` groups the ballots of a poll by what they say.
//! Apart from the audit it is the only thing that reads ballots; its counts are shared by all viewers, and made again
//! only after enough new answers.
//!
//! `turnout`, `compare` and `weigh` are pure.
//!
//! `steps`, `store`: the counters. `kept_store`: counts that editors have seen.

pub mod answers;
pub mod compare;
mod kept_store;
pub mod steps;
pub mod store;
pub mod turnout;
pub mod weigh;

pub use answers::{Answers, NotCounted};
pub use kept_store::withhold;
pub use steps::{Step, Views, flush};
pub use store::count_step;
