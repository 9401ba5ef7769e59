//! The editors' part: sign-in, accounts, and the frame around every editors' page.
//!
//! The operator invites editors (`canvass admin add`); they choose a password by a one-time link and sign in with
//! it. A session is a random token in a cookie, stored hashed. It ends at sign-out, after a week, and with every
//! change of the password. Handlers of other features take an [`Editor`] (GET) or an [`EditorForm`] (POST: the
//! sender is signed in, the form came from our own page and carries the CSRF token of this session), and render
//! into the partial `admin`: `{{#> admin title="…" nav="polls"}}…{{/admin}}`, with [`Editor::frame`] as `frame` and
//! `{{> csrf}}` in every form.
//!
//! Invariants: an unknown editor and a wrong password get the same response after the same work; attempts are
//! limited by account and by network; closing an account signs it out at once; GET changes nothing; a form from
//! another site or another session has no effect.
//!
//! - `sign_in`, `session`, `editor`: who sends a request. `invite`, `set_password`: how somebody becomes an editor.
//!   `password`, `password_hash`: what a password may be, and how it is kept. `store`: the tables.
//! - `mail_queue`, with `mail_queue_store` and `mail_relays`: what the mailer does now. `show`: numbers, times and
//!   states in words.

mod editor;
mod invite;
mod mail_queue;
mod mail_queue_store;
mod mail_relays;
mod password;
mod password_hash;
mod session;
mod set_password;
pub mod show;
mod sign_in;
mod store;

use axum::Router;
use axum::routing::{get, post};

pub use editor::{Done, Editor, EditorForm, EditorUpload, Frame};
pub use invite::{LINK_LIFETIME, close, invite};
pub use password_hash::PasswordHasher;
pub use store::{Listed, list, lock};

use crate::app::App;
use crate::web::pages::Templates;

/// The frame, its partials, and the pages of this folder.
pub const PAGES: Templates = &[
    ("admin", include_str!("pages/admin.hbs")),
    ("admin_nav", include_str!("pages/admin_nav.hbs")),
    ("admin_who", include_str!("pages/admin_who.hbs")),
    ("csrf", include_str!("pages/csrf.hbs")),
    ("time", include_str!("pages/time.hbs")),
    ("door", include_str!("pages/door.hbs")),
    ("error_summary", include_str!("pages/error_summary.hbs")),
    ("field_text", include_str!("pages/field_text.hbs")),
    ("field_area", include_str!("pages/field_area.hbs")),
    ("admin/ask", include_str!("pages/ask.hbs")),
    ("admin/mail_queue", include_str!("pages/mail_queue.hbs")),
    ("admin/sign_in", include_str!("pages/sign_in.hbs")),
    ("admin/set_password", include_str!("pages/set_password.hbs")),
    (
        "admin/change_password",
        include_str!("pages/change_password.hbs"),
    ),
    ("admin/invite_gone", include_str!("pages/invite_gone.hbs")),
];

/// Signing in and out, and passwords.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/admin/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/admin/mail", get(mail_queue::show).post(mail_queue::order))
        .route("/admin/sign-out", post(sign_in::sign_out))
        .route(
            "/admin/set-password/{token}",
            get(set_password::show).post(set_password::set),
        )
        .route(
            "/admin/password",
            get(set_password::show_change).post(set_password::change),
        )
}
