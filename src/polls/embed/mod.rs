//! Polls in other pages: one markup, used in three ways.
//!
//! 1. A plain form ([`paste`]). It needs no script, no style and no fresh page, so it works in a feed reader and in a
//!    page that has been cached for a month.
//! 2. `<canvass-poll>` around that form, with one style sheet before it and one module after it (`poll.css`,
//!    `poll.js`). The form is there at once. The module replaces it with the result, and draws the poll
//!    itself if there is no form.
//! 3. An iframe ([`frame`]), written by hand or by a consumer of oEmbed ([`oembed`]).
//!
//! Promises: nothing is inline, nothing shifts, no third party is contacted. Measured in `tests/browser_embeds*.rs`.
//!
//! `data`: a poll for the module; `files`: what other sites load; `height`: how high the frame will be.

mod data;
mod files;
mod frame;
mod height;
pub mod oembed;
pub mod paste;

pub use data::data;
pub use files::{frame_script, module, sheet};
pub use frame::page;
pub use height::{height, height_of_pasted, height_of_pasted_wide};
