//! Newsletters: what readers subscribe to and issues are sent from.
//!
//! A newsletter has a slug for links, a sender, a postal address (the law of many countries asks for one in every mail), a time
//! zone in which its times are read, an accent colour, and the text readers consent to.
//!
//! - A slug never changes: it stands in mails that were sent.
//! - A changed consent text is a new version: what somebody agreed to is never edited.
//! - The accent can be read: 4.5 to 1 on white, checked at the door.

mod colour;
mod model;
mod slug;
mod store;

pub use colour::Colour;
pub use model::{ConsentText, Draft, FieldErrors, Newsletter, Typed};
pub use slug::{Slug, SlugRefused};
pub use store::{Created, all, by_id, by_slug, consent_versions, create, current_consent, save};
