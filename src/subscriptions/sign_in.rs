//! Readers who are signed in to the archive: whoever confirmed an address in this browser.

use http::{HeaderMap, HeaderValue};

use super::links::{SIGNED_IN_FOR, archive_token, open_archive};
use crate::app::App;
use crate::types::ReaderId;
use crate::web::cookies::{self, SameSite};

const COOKIE: &str = "canvass_reader";

/// Who reads, if they are signed in. Whether they may read a newsletter's archive is a question to their subscription.
#[must_use]
pub fn signed_in(app: &App, headers: &HeaderMap) -> Option<ReaderId> {
    let token = cookies::get(headers, COOKIE, app.config.is_https())?;
    open_archive(&app.keys, &token, app.clock.now())
}

/// The `Set-Cookie` that signs a reader in.
#[must_use]
pub fn sign_in(app: &App, reader: ReaderId) -> Option<HeaderValue> {
    let token = archive_token(&app.keys, reader, app.clock.now());
    cookies::set(
        COOKIE,
        &token,
        SIGNED_IN_FOR,
        SameSite::Lax,
        app.config.is_https(),
    )
}
