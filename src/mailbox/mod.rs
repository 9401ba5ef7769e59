//! The built-in mailbox: what would have been mailed, as its recipient would see it.
//!
//! Only with `mail.transport = "mailbox"`: for demonstrations, for trying things out, and for tests. The list shows the
//! newest mails first; a mail opens as HTML, text, headers or source. Its HTML comes from a route of its own, with a policy
//! that runs nothing, in a sandboxed frame whose links open in the whole window: a confirmation can be followed to its end.
//!
//! Promise: nobody sees this page on a server that sends real mail.

mod http;
mod store;

pub use http::routes;

use crate::web::pages::Templates;

/// The pages.
pub const PAGES: Templates = &[
    ("mailbox/list", include_str!("pages/list.hbs")),
    ("mailbox/mail", include_str!("pages/mail.hbs")),
];
