//! The marker that identifies a browser that has answered: its format and its cookie.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::SET_COOKIE;

use crate::app::App;
use crate::types::{PollId, UnixMillis};
use crate::web::cookies::{self, SameSite};

/// The cookie that holds a voter's marker. Set only when the reader votes.
const MARKER: &str = "canvass_voter";
/// As long as browsers keep a cookie.
const KEEP_MARKER: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The marker sent by the browser, if it has voted here before.
pub fn marker(app: &App, headers: &HeaderMap) -> Option<String> {
    cookies::get(headers, MARKER, app.config.is_https()).filter(|text| is_marker(text))
}

/// Sets the marker. Over TLS it also works for a form on another site's page; it is a first-party cookie
/// once the form leads here.
pub fn remember(app: &App, response: &mut Response, marker: &str) {
    if let Some(cookie) = cookies::set(
        MARKER,
        marker,
        KEEP_MARKER,
        SameSite::None,
        app.config.is_https(),
    ) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// The first bytes of a marker identify the poll for which it was made, the next ones the time; the
/// other 80 bits are random.
pub(super) type Part = [u8; 3];

/// The prefix of the markers made for a poll.
fn mark(poll: PollId) -> Part {
    let mut hash = Context::new(&SHA256);
    hash.update(b"canvass marker\0");
    hash.update(&poll.0.to_be_bytes());
    let mut out = [0; 3];
    out.copy_from_slice(&hash.finish().as_ref()[..3]);
    out
}

/// The same as a number, for pages of other sites, which make their markers themselves.
pub fn mark_number(poll: PollId) -> u32 {
    let [a, b, c] = mark(poll);
    u32::from_be_bytes([0, a, b, c])
}

/// A marker for a browser that answers `poll` for the first time now. `chance`: 128 random bits, of which 80 are used.
pub fn new_marker(poll: PollId, now: UnixMillis, chance: [u8; 16]) -> String {
    let mut marker = chance;
    marker[..3].copy_from_slice(&mark(poll));
    // In steps of 8 ms, in which there are about as many ballots as in one commit. It wraps around after 37 hours,
    // which only affects the place in the table.
    marker[3..6].copy_from_slice(&(now.0 / 8).to_be_bytes()[5..]);
    URL_SAFE_NO_PAD.encode(marker)
}

/// The time part of the marker, if it was made for this poll.
pub(super) fn born_in(poll: PollId, marker: &str) -> Option<Part> {
    let mut bytes = [0; 6];
    URL_SAFE_NO_PAD
        .decode_slice(marker.get(..8)?, &mut bytes)
        .ok()?;
    let [a, b, c, moment @ ..] = bytes;
    ([a, b, c] == mark(poll)).then_some(moment)
}

/// Whether `text` has the format of our markers: 22 characters of base64url, 128 bits.
pub fn is_marker(text: &str) -> bool {
    text.len() == 22
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::{Poll, example};
    use crate::polls::voter::Voter;
    use crate::types::Random;

    /// A page makes the marker itself until our cookie takes over, in one of two scripts that cannot load each other.
    /// Both keep it under the same name, so that a form and an element on the same page belong to the same voter.
    #[test]
    fn both_scripts_make_and_keep_it_alike() {
        let scripts = [
            include_str!("../embed/poll.js"),
            include_str!("../../web/assets/proof.js"),
        ];
        let made = scripts.map(|script| {
            let (_, made) = script.split_once("function fresh(poll) {").expect("it");
            made.split_once("\n}\n").expect("its end").0
        });
        assert!(made[0].contains("Date.now() / 8") && made[0].contains("poll >> 16"));
        assert_eq!(made[0], made[1]);
        for script in scripts {
            assert_eq!(script.matches("Item(\"canvass-marker\"").count(), 2);
        }
    }

    #[test]
    fn those_who_first_answer_together_stand_together_and_in_no_other_poll() {
        let (one, mut other) = (example::single(&["a", "b"]), example::single(&["a", "b"]));
        other.id = PollId(one.id.0 + 1);
        let random = Random::seeded(4);
        let now = UnixMillis(1_800_000_000_000);
        let voters: Vec<Voter> = (0..3)
            .map(|_| new_marker(one.id, now, random.bytes()))
            .inspect(|marker| assert!(is_marker(marker)))
            .map(Voter::Browser)
            .collect();
        let begins = |poll: &Poll| -> std::collections::BTreeSet<Vec<u8>> {
            let keys = voters.iter().map(|voter| voter.key(poll));
            keys.map(|key| key[..3].to_vec()).collect()
        };
        assert_eq!(begins(&one).len(), 1);
        assert_eq!(
            begins(&other).len(),
            3,
            "the moment stands in one poll alone"
        );
        let later = new_marker(one.id, UnixMillis(now.0 + 8), random.bytes());
        assert!(Voter::Browser(later).key(&one) > voters[0].key(&one));
    }
}
