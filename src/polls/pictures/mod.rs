//! Pictures beside options: uploaded by an editor, re-encoded by us, kept in the database, served only by us.
//!
//! An upload is stripped to what makes up the picture, decoded within bounds, one at a time, and encoded again:
//! everything else in the file (the place and owner of a camera, a script, another file) is gone. The name is a hash of
//! the bytes, so a response may be cached for ever.
//!
//! `extras` and `redraw`: the stripping and the encoding. `store`, `http`: keeping and serving.

mod extras;
pub mod http;
mod redraw;
pub mod store;

pub use redraw::{Redrawn, redraw};

/// The largest file an editor may upload, in bytes.
pub const LARGEST_UPLOAD: usize = 8 * 1024 * 1024;
/// The path under which pictures are served.
pub const FOLDER: &str = "/media/";
