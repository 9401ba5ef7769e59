//! Signed-in readers: confirming an address signs its reader in, in that browser, until somebody there says "not me".

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::links::{SIGNED_IN_FOR, archive_token, open_archive};
use crate::app::App;
use crate::types::ReaderId;
use crate::web::cookies::{self, SameSite};

const COOKIE: &str = "canvass_reader";

/// The reader who is signed in, if there is one.
#[must_use]
pub fn signed_in(app: &App, headers: &HeaderMap) -> Option<ReaderId> {
    let token = cookies::get(headers, COOKIE, app.config.is_https())?;
    open_archive(&app.keys, &token, app.clock.now())
}

/// The `Set-Cookie` that signs a reader out.
#[must_use]
pub fn sign_out(app: &App) -> Option<HeaderValue> {
    let https = app.config.is_https();
    cookies::set(COOKIE, "", Duration::ZERO, SameSite::Lax, https)
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
