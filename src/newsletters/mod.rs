//! Newsletters: what readers subscribe to and issues are sent from.
//!
//! A newsletter has a slug for links, a sender, a postal address (the law of many countries asks for one in every mail), a time
//! zone in which its times are read, an accent colour, and the text readers consent to. A changed consent text is a new
//! version: what somebody agreed to is never edited.

mod colour;
mod slug;

pub use colour::Colour;
pub use slug::{Slug, SlugRefused};
