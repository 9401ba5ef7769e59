//! What other sites show of a poll when somebody shares it: a picture, a few words, and data that machines read.
//!
//! The picture is drawn on the server, from what anybody may see of the poll: while its results are hidden, or differ by who asks, it shows the
//! question alone. It is drawn at most once in ten seconds for each poll, one at a time for all, and named by a hash of what is on it.

mod draw;
mod facts;
mod http;
mod pictures;
mod sketch;

pub use facts::{Shared, json_ld};
pub use http::picture;
pub use pictures::Pictures;
