//! Pictures beside options: uploaded by an editor, drawn anew by us, kept in the database, served by us alone.
//!
//! What an editor uploads is cut down to what makes the picture, decoded within bounds, one at a time, and encoded again: whatever else the file held (a camera's place and
//! owner, a script, another file) is gone. The name is a hash of the bytes, so an answer may be cached for ever.

mod extras;
pub mod http;
mod redraw;
pub mod store;

pub use redraw::{Redrawn, redraw};

/// The largest file an editor may upload, in bytes.
pub const LARGEST_UPLOAD: usize = 8 * 1024 * 1024;
/// Where pictures are served.
pub const FOLDER: &str = "/media/";
