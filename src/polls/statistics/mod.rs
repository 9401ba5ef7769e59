//! Survey statistics for editors: pure functions over counts, each with the source of its method.
//!
//! None of this is ever shown to readers: an open poll is not a sample, and a number with an interval looks
//! like one. `interval` gives confidence intervals, `weights` the cost of weighting; `raking` weights to
//! known margins, or refuses to; `shrinkage` stabilizes the shares of small groups; `cells` hides what is too
//! small to be shown in a table.
//!
//! Every function accepts any numbers and returns `None` or a refusal if they make no sense; none returns NaN.

pub mod cells;
pub mod interval;
pub mod raking;
pub mod shrinkage;
pub mod weights;

pub use cells::{Shown, protect};
pub use interval::{Interval, of_list, wilson};
pub use shrinkage::{Group, shrink};
