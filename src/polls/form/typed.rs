//! The address left beside an answer, for the page that follows, so that a reader sees a mistyped one.
//!
//! It is kept in a sealed cookie, because an address must not be part of a URL or a log line. The page is not the
//! response to the form itself: reloading it would send the form again, and a browser without cookies would cast a second
//! ballot. Such a browser is told the same without the address.

use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use http::header::SET_COOKIE;

use crate::app::App;
use crate::polls::model::Poll;
use crate::types::{Keys, PollId, Purpose, UnixMillis};
use crate::web::cookies::{self, SameSite};

const COOKIE: &str = "canvass_typed";
/// Long enough to look at the page and to reload it.
const KEEP: Duration = Duration::from_secs(10 * 60);

/// Sets the cookie, in the same way for known and unknown addresses.
pub fn remember(app: &App, response: &mut Response, poll: &Poll, email: &str) {
    let sealed = seal(&app.keys, poll.id, app.clock.now(), email);
    let https = app.config.is_https();
    if let Some(cookie) = cookies::set(COOKIE, &sealed, KEEP, SameSite::Lax, https) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// The address that this browser left beside its answer to `poll` just now.
pub fn just_typed(app: &App, poll: &Poll, headers: &HeaderMap) -> Option<String> {
    let sealed = cookies::get(headers, COOKIE, app.config.is_https())?;
    open(&app.keys, poll.id, app.clock.now(), &sealed)
}

fn seal(keys: &Keys, poll: PollId, now: UnixMillis, email: &str) -> String {
    let mut payload = poll.0.to_be_bytes().to_vec();
    payload.extend(now.0.to_be_bytes());
    payload.extend(email.as_bytes());
    keys.seal(Purpose::Typed, &payload)
}

/// The expiry is checked here as well: a browser may keep a cookie for longer than it was told.
fn open(keys: &Keys, poll: PollId, now: UnixMillis, sealed: &str) -> Option<String> {
    let payload = keys.open(Purpose::Typed, sealed).ok()?;
    let (of, rest) = payload.split_first_chunk::<8>()?;
    let (at, email) = rest.split_first_chunk::<8>()?;
    let at = UnixMillis(i64::from_be_bytes(*at));
    let is_this = PollId(i64::from_be_bytes(*of)) == poll && now.since(at) < KEEP;
    is_this.then(|| String::from_utf8(email.to_vec()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn an_address_is_shown_for_ten_minutes_and_beside_its_own_poll_alone() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let (poll, other, now) = (PollId(7), PollId(8), UnixMillis(1_800_000_000_000));
        let sealed = seal(&keys, poll, now, "anna@example.org");
        assert!(!sealed.contains("anna"));
        let after = |poll, ms| open(&keys, poll, UnixMillis(now.0 + ms), &sealed);
        assert_eq!(after(poll, 599_999).as_deref(), Some("anna@example.org"));
        assert_eq!(after(poll, 600_000), None);
        assert_eq!(after(other, 0), None);
        let answer = keys.seal(Purpose::Answer, b"1234567812345678anna@example.org");
        assert_eq!(open(&keys, poll, now, &answer), None);
        assert_eq!(
            open(&keys, poll, now, &keys.seal(Purpose::Typed, b"short")),
            None
        );
    }
}
