//! Polls in other pages: one markup, three ways.
//!
//! 1. A plain form ([`paste`]). It needs no script, no style and no fresh page: a feed reader sends it, and so does a page
//!    that was cached for a month.
//! 2. `<canvass-poll>` around that form, with one style sheet before it and one module after it (`poll.css`, `poll.js`). The form is
//!    there at once; the module puts the result into its place, and draws the poll itself where there is no form.
//! 3. An iframe ([`frame`]), written by hand or by a consumer of oEmbed ([`oembed`]).
//!
//! Promises: nothing inline, nothing moves, nobody else is asked. Measured in `tests/browser_embeds*.rs`.

mod data;
mod files;
mod frame;
mod height;
pub mod oembed;
pub mod paste;

pub use data::data;
pub use files::{frame_script, module, sheet};
pub use frame::page;
pub use height::{height, height_of_pasted};
