//! Messages as bytes.
//!
//! A [`Draft`] is the content of a mail: subject, sender, headers, an HTML and a text body with open [`Slots`].
//! [`Edition::compile`] encodes it once; [`Edition::fill`] puts one recipient's values into the slots, at about the
//! cost of copying it. Single mails are made in the same way, with one recipient.
//!
//! Promises: CRLF everywhere; no bare CR, LF or NUL; no line over 998 octets (quoted-printable: 76); no header
//! injection; multipart/alternative with the text first; `List-Unsubscribe` on one line, with the https link and, if a
//! bounce domain is configured, a `mailto:` that is the mail's own return path.
//!
//! `draft`, `slots`, `choices`: what goes in. `edition`: compiles and fills in, with `header`, `quoted_printable`
//! and `message_id`. `view`: a message as a mail program shows it.

mod choices;
mod draft;
mod edition;
mod header;
mod message_id;
mod quoted_printable;
mod slots;
mod view;

pub use choices::Choices;
pub use draft::{Draft, ListHeaders, Mailbox};
pub use edition::{Edition, Sending};
pub use message_id::message_id;
pub use slots::{Recipient, Slot, Slots};
pub use view::View;
