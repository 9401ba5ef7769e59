//! Survey statistics for editors: pure functions over counts, each with the source of its rule.
//!
//! Nothing here is ever shown to readers: an open poll is no sample, and a number with an interval looks like one.
//! `interval` says how wide a draw would scatter, `weights` what weighting costs, `raking` weights to known margins or refuses,
//! `shrinkage` steadies the shares of small groups, `cells` hides what is too small to show in a table.
//!
//! Every function takes any numbers at all and answers `None` or a refusal where they mean nothing; none gives NaN.

pub mod cells;
pub mod interval;
pub mod raking;
pub mod shrinkage;
pub mod weights;

pub use cells::{Shown, protect};
pub use interval::{Interval, of_list, wilson};
pub use shrinkage::{Group, shrink};
