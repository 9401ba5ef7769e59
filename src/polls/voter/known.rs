//! Readers that a browser is known to be, beyond its marker: so that one reader has one ballot, whichever way it comes.
//!
//! Known is who is signed in, and who has answered this poll by the link in a mail, in this browser. A browser that answered first
//! and turns out to be a reader's hands its ballot over ([`take_over`]). A reader who left an address beside an answer may, when
//! confirming it on whatever device, say that the answer is theirs ([`answer_token`], [`count_as_readers`]).

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::key::Voter;
use super::marker::{is_marker, marker};
use crate::app::App;
use crate::db::{Db, DbErr, fetch_all};
use crate::polls::ballots::{Receiver, hand_over, has_own};
use crate::polls::definition;
use crate::polls::linked;
use crate::polls::model::{Phase, Poll};
use crate::subscriptions;
use crate::types::varint::{pack, unpack};
use crate::types::{Keys, PollId, Purpose, ReaderId, UnixMillis};
use crate::web::cookies::{self, SameSite};

/// What a browser is told whose ballot has become a reader's, and that is not known to be this reader's.
pub const HANDED_OVER: &str = "Your answer counts already, as that of a confirmed subscriber. You can change it in the browser in which you \
     confirmed your address, or by a link in the mail.";

/// How the name of a cookie by which a browser is known for one poll begins.
const COOKIE: &str = "canvass_ballot_";

/// The length of a marker.
const MARKER_BYTES: usize = 22;

/// As long as browsers keep a cookie.
const KEEP: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The reader this browser is known to be for `poll`, as a voter.
///
/// # Errors
/// What the database said.
pub async fn reader(app: &App, poll: &Poll, headers: &HeaderMap) -> Result<Option<Voter>, DbErr> {
    let by_mail = || {
        let sealed = cookies::get(headers, &cookie(poll), app.config.is_https())?;
        let [of, reader] = unpack(&app.keys.open(Purpose::Ballot, &sealed).ok()?)?;
        (PollId(of) == poll.id).then_some(Voter::Subscriber(ReaderId(reader)))
    };
    let signed_in = subscriptions::signed_in(app, headers).map(Voter::SignedIn);
    let Some(voter) = signed_in.or_else(by_mail) else {
        return Ok(None);
    };
    let exists = match voter {
        Voter::SignedIn(reader) | Voter::Subscriber(reader) => is_reader(&app.db, reader).await?,
        _ => false,
    };
    Ok(exists.then_some(voter))
}

/// Whether a reader with this id exists and has not been erased: a personal link of somebody else counts for nobody.
///
/// # Errors
/// What the database said.
pub async fn is_reader(db: &Db, reader: ReaderId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM reader WHERE id = $1 AND erased_ms IS NULL";
    Ok(!fetch_all(db.read(), sql, [reader.into()]).await?.is_empty())
}

/// The `Set-Cookie` by which a browser knows whose link it answered `poll` with.
pub fn remember(
    app: &App,
    poll: &Poll,
    reader: ReaderId,
) -> Option<(http::HeaderName, HeaderValue)> {
    let sealed = app
        .keys
        .seal(Purpose::Ballot, &pack(&[poll.id.0, reader.0]));
    let https = app.config.is_https();
    let set = cookies::set(&cookie(poll), &sealed, KEEP, SameSite::Lax, https)?;
    Some((SET_COOKIE, set))
}

/// Where a person goes who is not the reader that this browser is known as.
pub fn not_me(poll: &Poll) -> String {
    format!("/not-me?poll={}", poll.slug)
}

/// The `Set-Cookie` values after which the browser that sent these headers is known by no mail's link. Its marker stays: it says nothing
/// about who this is.
pub fn forget(app: &App, headers: &HeaderMap) -> Vec<HeaderValue> {
    let https = app.config.is_https();
    cookies::names(headers, COOKIE, https)
        .iter()
        .filter_map(|name| cookies::set(name, "", Duration::ZERO, SameSite::Lax, https))
        .collect()
}

/// One for each poll: a link that was forwarded tells nothing about who answers the next one.
fn cookie(poll: &Poll) -> String {
    format!("{COOKIE}{}", poll.slug)
}

/// Hands over what the browser that sent these headers has answered, to the reader it is known to be now.
///
/// # Errors
/// What the database said; then nothing was handed over.
pub async fn take_over(
    app: &App,
    poll: &Poll,
    headers: &HeaderMap,
    voter: &Voter,
) -> Result<(), DbErr> {
    if let Some(marker) = marker(app, headers) {
        hand_over_of(app, poll, marker, voter, None).await?;
    }
    Ok(())
}

async fn hand_over_of(
    app: &App,
    poll: &Poll,
    marker: String,
    voter: &Voter,
    agreed: Option<UnixMillis>,
) -> Result<bool, DbErr> {
    let Some(reader) = linked::reader_of(voter) else {
        return Ok(false);
    };
    let browser = Voter::Browser(marker).key(poll);
    if !has_own(&app.db, poll.id, browser).await? {
        return Ok(false);
    }
    let receiver = Receiver {
        reader,
        voter: voter.key(poll),
        tier: voter.tier(),
        agreed,
    };
    let done = hand_over(&app.db, &app.clock, app.slot, poll.id, browser, receiver).await?;
    if done {
        app.polls.live.touch(std::iter::once(poll.id));
    }
    Ok(done)
}

/// For the link that confirms an address left beside an answer: names the answer by the browser's marker, which without the poll's
/// secret leads to no ballot. `agreed`: when the reader agreed that it is joined to that address; nothing else keeps this until then.
pub fn answer_token(keys: &Keys, poll: &Poll, marker: &str, agreed: Option<UnixMillis>) -> String {
    let mut payload = poll.id.0.to_be_bytes().to_vec();
    payload.extend(marker.as_bytes());
    if let Some(at) = agreed {
        payload.extend(at.0.to_be_bytes());
    }
    keys.seal(Purpose::Answer, &payload)
}

/// What a token of [`answer_token`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    poll: PollId,
    marker: String,
    agreed: Option<UnixMillis>,
}

fn open(keys: &Keys, token: &str) -> Option<Named> {
    let payload = keys.open(Purpose::Answer, token).ok()?;
    let (poll, rest) = payload.split_first_chunk::<8>()?;
    let (marker, agreed) = rest.split_at_checked(MARKER_BYTES)?;
    let agreed = match agreed {
        [] => None,
        at => Some(UnixMillis(i64::from_be_bytes(at.try_into().ok()?))),
    };
    let marker = String::from_utf8(marker.to_vec()).ok()?;
    is_marker(&marker).then_some(Named {
        poll: PollId(i64::from_be_bytes(*poll)),
        marker,
        agreed,
    })
}

/// An answer that waits for its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub poll: PollId,
    pub slug: String,
    /// What was asked.
    pub question: String,
    /// What was agreed to beside the answer: that it is joined to the address.
    pub linking: Option<String>,
}

impl Waiting {
    fn of(poll: Poll, agreed: bool) -> Self {
        Self {
            poll: poll.id,
            question: poll.headline().to_owned(),
            slug: poll.slug,
            linking: poll.linking.filter(|_| agreed).map(|words| words.text),
        }
    }
}

/// The poll of an answer that can still become its reader's; `None` for a token that is not ours, and once the poll is closed.
///
/// # Errors
/// What the database said.
pub async fn waiting(app: &App, token: &str) -> Result<Option<Waiting>, DbErr> {
    let poll = open_poll(app, token).await?;
    Ok(poll.map(|(poll, named)| Waiting::of(poll, named.agreed.is_some())))
}

async fn open_poll(app: &App, token: &str) -> Result<Option<(Poll, Named)>, DbErr> {
    let Some(named) = open(&app.keys, token) else {
        return Ok(None);
    };
    let poll = definition::by_id(&app.db, named.poll).await?;
    let now = app.clock.now();
    Ok(poll
        .filter(|poll| matches!(poll.phase(now), Phase::Open { .. }))
        .map(|poll| (poll, named)))
}

/// The answer behind `token` is the reader's from now on, and joined to their address if it was agreed to beside it and they agree now: `link`. `None`
/// when there is no such answer, or it was theirs before.
///
/// # Errors
/// What the database said; then nothing has changed.
pub async fn count_as_readers(
    app: &App,
    token: &str,
    reader: ReaderId,
    link: bool,
) -> Result<Option<Waiting>, DbErr> {
    let Some((poll, named)) = open_poll(app, token).await? else {
        return Ok(None);
    };
    // What was ticked beside the answer was ticked by whoever gave it; agreed is who owns the address, and now.
    let agreed = named.agreed.filter(|_| link).map(|_| app.clock.now());
    let voter = Voter::Subscriber(reader);
    let done = hand_over_of(app, &poll, named.marker, &voter, agreed).await?;
    Ok(done.then(|| Waiting::of(poll, agreed.is_some())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;
    use crate::types::Secret;

    #[test]
    fn a_token_names_one_answer_and_no_other_token_does() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let poll = example::single(&["Yes", "No"]);
        let marker = "abcdefghijklmnopqrstuv";
        for agreed in [None, Some(UnixMillis(1_700_000_000_000))] {
            let named = Named {
                poll: poll.id,
                marker: marker.to_owned(),
                agreed,
            };
            let token = answer_token(&keys, &poll, marker, agreed);
            assert_eq!(open(&keys, &token), Some(named));
        }
        let cut = keys.seal(Purpose::Answer, b"12345678abcdefghijklmnopqrstuvwxy");
        assert_eq!(open(&keys, &cut), None);
        let ballot = keys.seal(Purpose::Ballot, &pack(&[poll.id.0, 7]));
        assert_eq!(open(&keys, &ballot), None);
        let odd = keys.seal(Purpose::Answer, b"1234567 and no marker at all");
        assert_eq!(open(&keys, &odd), None);
        assert_eq!(open(&keys, &keys.seal(Purpose::Answer, b"short")), None);
    }
}
