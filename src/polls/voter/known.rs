//! Readers that a browser is known to belong to, beyond its marker, so that one reader has one
//! ballot, whichever way it comes.
//!
//! A browser is known if its reader is signed in, or has answered this poll in it by the link in a mail. If a browser
//! answers anonymously first and turns out to be a reader's, its ballot is handed over ([`take_over`]). A reader who
//! left an address beside an answer may claim the answer when confirming the address, on any device
//! ([`answer_token`], [`count_as_readers`]).

use std::time::Duration;

use http::header::{self, SET_COOKIE};
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

/// Shown to a browser whose ballot has become a reader's, if it is not known to be this reader's.
pub const HANDED_OVER: &str = "Your answer counts already, as that of a confirmed subscriber. You can change it in the browser in which you \
     confirmed your address, or by a link in the mail.";

/// The prefix of the cookies by which a browser is known for one poll.
const COOKIE: &str = "canvass_ballot_";

/// The length of a marker.
const MARKER_BYTES: usize = 22;

/// As long as browsers keep a cookie.
const KEEP: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The reader to whom this browser is known to belong for `poll`, as a voter.
pub async fn reader(app: &App, poll: &Poll, headers: &HeaderMap) -> Result<Option<Voter>, DbErr> {
    if !headers.contains_key(header::COOKIE) {
        return Ok(None);
    }
    let by_mail = || by_mail(app, poll, headers).map(Voter::Subscriber);
    let signed_in = subscriptions::signed_in(app, headers).map(Voter::SignedIn);
    let Some(voter) = signed_in.or_else(by_mail) else {
        return Ok(None);
    };
    let exists = match voter {
        Voter::SignedIn(reader) | Voter::Subscriber(reader) => {
            Box::pin(is_reader(&app.db, reader)).await?
        }
        _ => false,
    };
    Ok(exists.then_some(voter))
}

/// Whether this browser is known to be `reader`'s for `poll`, so that it may show what the reader answered.
pub fn is_known_as(app: &App, poll: &Poll, headers: &HeaderMap, reader: ReaderId) -> bool {
    subscriptions::signed_in(app, headers) == Some(reader)
        || by_mail(app, poll, headers) == Some(reader)
}

/// The reader by whose link this browser answered `poll`.
fn by_mail(app: &App, poll: &Poll, headers: &HeaderMap) -> Option<ReaderId> {
    let sealed = cookies::get(headers, &cookie(poll), app.config.is_https())?;
    let [of, reader] = unpack(&app.keys.open(Purpose::Ballot, &sealed).ok()?)?;
    (PollId(of) == poll.id).then_some(ReaderId(reader))
}

/// Whether a reader with this id exists and has not been erased; otherwise a personal link counts for nobody.
pub async fn is_reader(db: &Db, reader: ReaderId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM reader WHERE id = $1 AND erased_ms IS NULL";
    Ok(!fetch_all(db.read(), sql, [reader.into()]).await?.is_empty())
}

/// The `Set-Cookie` header that remembers by whose link a browser answered `poll`.
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

/// Where somebody can say that they are not the reader this browser is known as.
pub fn not_me(poll: &Poll) -> String {
    format!("/not-me?poll={}", poll.slug)
}

/// The `Set-Cookie` values that make the browser forget all mail links. Its marker stays, since it
/// does not say who anybody is.
pub fn forget(app: &App, headers: &HeaderMap) -> Vec<HeaderValue> {
    let https = app.config.is_https();
    cookies::names(headers, COOKIE, https)
        .iter()
        .filter_map(|name| cookies::set(name, "", Duration::ZERO, SameSite::Lax, https))
        .collect()
}

/// One cookie for each poll: a link that was forwarded must not identify who answers the next poll.
fn cookie(poll: &Poll) -> String {
    format!("{COOKIE}{}", poll.slug)
}

/// Hands the ballot of the browser that sent these headers over to the reader to whom it is now known to belong.
///
/// # Errors
/// A database error; nothing was handed over.
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

/// A token for the link that confirms an address left beside an answer. It names the answer by the browser's marker,
/// which leads to no ballot without the poll's secret. `agreed` is when the reader agreed to have the answer joined to
/// that address; until the confirmation it is stored only in this token.
pub fn answer_token(keys: &Keys, poll: &Poll, marker: &str, agreed: Option<UnixMillis>) -> String {
    let mut payload = poll.id.0.to_be_bytes().to_vec();
    payload.extend(marker.as_bytes());
    if let Some(at) = agreed {
        payload.extend(at.0.to_be_bytes());
    }
    keys.seal(Purpose::Answer, &payload)
}

/// The content of a token made by [`answer_token`].
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

/// An answer that can still be claimed by its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub poll: PollId,
    pub slug: String,
    /// The poll's question.
    pub question: String,
    /// The consent text, if it was agreed to beside the answer.
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

/// The poll of an answer that can still become its reader's; `None` for an invalid token, and once the poll is closed.
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

/// Makes the answer named by `token` the reader's. It is joined to their address if that was agreed to beside the
/// answer and `link` says that they agree now. `None` if there is no such answer, or if it was already theirs.
///
/// # Errors
/// A database error; nothing has changed.
pub async fn count_as_readers(
    app: &App,
    token: &str,
    reader: ReaderId,
    link: bool,
) -> Result<Option<Waiting>, DbErr> {
    let Some((poll, named)) = open_poll(app, token).await? else {
        return Ok(None);
    };
    // The box beside the answer was ticked by whoever answered; the consent is that of the address's owner, given now.
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
