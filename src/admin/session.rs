//! Sessions: a random token in a cookie, its hash in the database.
//!
//! A session lasts a week from sign-in, regardless of activity, and ends earlier at sign-out or when the password
//! changes. The CSRF token is sealed from the session's hash, so it is invalid once the session ends.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::store;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::types::token::{random_token, token_hash};
use crate::types::{EditorId, Keys, Purpose, UnixMillis};
use crate::web::Problem;
use crate::web::cookies::{self, SameSite};

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);

const COOKIE: &str = "canvass_editor";

/// The hash of the session token that a request carries.
pub fn of_request(app: &App, headers: &HeaderMap) -> Option<Vec<u8>> {
    cookies::get(headers, COOKIE, app.config.is_https()).map(|token| token_hash(&token))
}

/// Starts a session inside `txn` and returns the token for the cookie.
pub async fn start(
    app: &App,
    txn: &WriteTxn,
    editor: EditorId,
    now: UnixMillis,
) -> Result<String, DbErr> {
    let token = random_token(&app.random);
    store::start_session(txn, editor, &token_hash(&token), now, now + LIFETIME).await?;
    Ok(token)
}

/// The cookie that carries `token`.
pub fn cookie(app: &App, token: &str) -> Result<HeaderValue, Problem> {
    cookies::set(
        COOKIE,
        token,
        LIFETIME,
        SameSite::Lax,
        app.config.is_https(),
    )
    .ok_or_else(|| Problem::internal(&"a session token cannot stand in a cookie"))
}

/// A cookie that deletes the session cookie.
pub fn no_cookie(app: &App) -> Option<HeaderValue> {
    cookies::set(
        COOKIE,
        "",
        Duration::ZERO,
        SameSite::Lax,
        app.config.is_https(),
    )
}

/// The CSRF token for every form of this session.
pub fn csrf(keys: &Keys, session: &[u8]) -> String {
    keys.seal(Purpose::Csrf, session)
}

/// Whether the CSRF token `token` belongs to this session.
pub fn csrf_matches(keys: &Keys, session: &[u8], token: &str) -> bool {
    keys.open(Purpose::Csrf, token)
        .is_ok_and(|of| of == session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn a_forms_token_is_good_for_its_own_session_only() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let (mine, theirs) = (token_hash("mine"), token_hash("theirs"));
        let token = csrf(&keys, &mine);
        assert!(csrf_matches(&keys, &mine, &token));
        assert!(!csrf_matches(&keys, &theirs, &token));
        assert!(!csrf_matches(&keys, &mine, ""));
        assert!(!csrf_matches(
            &keys,
            &mine,
            &keys.seal(Purpose::Confirm, &mine)
        ));
    }
}
