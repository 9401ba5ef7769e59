//! The preview of a poll on other sites when somebody shares it: a picture, a short text, and data for machines.
//!
//! The picture is drawn on the server, from what the public may see of the poll. While its results are hidden, or
//! depend on the reader, it shows only the question. It is drawn at most once in ten seconds for each poll, one picture
//! at a time, and its tag is a hash of its content.
//!
//! `sketch`: what the picture says. `draw`: draws it; `pictures`: a cache of it. `facts`: data for machines.
//! `http`: the handler.

mod draw;
mod facts;
mod http;
mod pictures;
mod sketch;

pub use facts::{Shared, json_ld};
pub use http::picture;
pub use pictures::Pictures;
