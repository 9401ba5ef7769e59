//! What the watch is told about a request.

use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::browser::{Browser, Showed};
use super::push::Said;
use super::signs::Trace;
use super::watch::Watch;
use crate::app::App;
use crate::polls::ballots::{Answer, Outcome, Slip};
use crate::polls::mail::Looks;
use crate::polls::model::Poll;
use crate::types::{IssueId, ReaderId, UnixMillis};
use crate::web::{Client, origin};

/// The headers in which every browser describes itself with every request.
static SHAPE: [HeaderName; 6] = [
    USER_AGENT,
    ACCEPT_LANGUAGE,
    ACCEPT_ENCODING,
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-platform"),
    HeaderName::from_static("sec-ch-ua-mobile"),
];

/// Tells the watch that somebody opened the poll or started to answer it.
pub fn opened(app: &App, poll: &Poll, client: &Client) {
    let now = app.clock.now();
    let network = app.polls.networks.hash(&client.network(), now);
    app.polls.watch.opened(poll.id, network, now);
}

/// How a browser's answer came.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// When the request came.
    at: UnixMillis,
    shape: [u8; 8],
    puzzled: bool,
    /// Milliseconds of work. An `i32`, because this struct is kept small: each answer carries one.
    worked: Option<i32>,
    bad_proof: bool,
    /// It came from another site's page, so that we cannot see whether it was opened there.
    elsewhere: bool,
}

/// Who is told about an answer once it is in the box: see [`tell`].
#[derive(Debug, Clone, Copy)]
pub enum Witness {
    /// The watch: an anonymous browser answered.
    Browser(Manner),
    /// The looks at the mail to this reader, which led to an answer.
    Mail(ReaderId),
}

/// What the watch is told about a request with an answer. `from` is the page it came from, as the request says: a
/// program can say anything.
pub fn manner(
    app: &App,
    browser: &Browser,
    from: origin::From,
    headers: &HeaderMap,
    now: UnixMillis,
) -> Manner {
    let described = SHAPE
        .iter()
        .map(|name| headers.get(name).map(HeaderValue::as_bytes));
    Manner {
        at: now,
        shape: app.polls.watch.shape(described),
        puzzled: app.config.polls.proof_work > 0,
        worked: match browser.showed {
            Showed::Work { posed_at } => {
                Some(i32::try_from(now.0 - posed_at.0).unwrap_or(i32::MAX))
            }
            _ => None,
        },
        bad_proof: matches!(browser.showed, Showed::Bad(_)),
        elsewhere: from == origin::From::Embedder,
    }
}

/// Reports a committed group. Called in the task that commits, so that the answer of a client that
/// disconnects is reported as well.
pub fn tell(watch: &Watch, looks: &Looks, group: &[Slip], outcomes: &[Outcome]) {
    for (slip, outcome) in group.iter().zip(outcomes) {
        let Slip::Answer(answer) = slip else {
            continue;
        };
        match (answer.witness, outcome) {
            (
                Some(Witness::Browser(manner)),
                Outcome::Counted | Outcome::Changed | Outcome::Same,
            ) => {
                let poll = answer.poll.id;
                match (trace(answer, manner), outcome) {
                    (Some(trace), Outcome::Counted) => watch.cast(poll, trace),
                    (Some(trace), Outcome::Changed) => watch.change(poll, trace),
                    (Some(trace), _) => watch.repeat(poll, trace),
                    (None, _) => {}
                }
            }
            (Some(Witness::Mail(reader)), Outcome::Counted | Outcome::Changed | Outcome::Same) => {
                let issue = answer.issue.unwrap_or(IssueId(0));
                looks.answered((issue, reader), answer.poll.id);
            }
            _ => {}
        }
    }
}

/// `None`: it came from no network.
fn trace(answer: &Answer, manner: Manner) -> Option<Trace> {
    Some(Trace {
        at: manner.at,
        voter: answer.voter,
        network: answer.network?,
        shape: manner.shape,
        puzzled: manner.puzzled,
        worked: manner.worked.map(i64::from),
        bad_proof: manner.bad_proof,
        opened: (!manner.elsewhere).then_some(false),
        said: Said::of(&answer.poll, answer.choice.options()),
        taken: false,
    })
}
