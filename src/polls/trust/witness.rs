//! What the watch is told of a request.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::HeaderMap;

use super::browser::{Browser, Showed};
use super::signs::Trace;
use crate::app::App;
use crate::polls::answer::Choice;
use crate::polls::model::Poll;
use crate::types::UnixMillis;
use crate::web::{Client, origin};

/// What every browser says of itself with every request.
const SHAPE: [&str; 6] = [
    "user-agent",
    "accept-language",
    "accept-encoding",
    "sec-ch-ua",
    "sec-ch-ua-platform",
    "sec-ch-ua-mobile",
];

/// Somebody opened the poll, or began to answer it.
pub fn opened(app: &App, poll: &Poll, client: &Client) {
    let now = app.clock.now();
    let network = app.polls.networks.hash(&client.network(), now);
    app.polls.watch.opened(poll.id, network, now);
}

/// A new ballot of this browser is in the box. `network`: as today's secret hashes it. `from`: whose page it came from; a form that was pasted
/// into another site's page is opened there, where nobody tells us.
pub fn cast(
    app: &App,
    poll: &Poll,
    browser: &Browser,
    network: [u8; 8],
    from: origin::From,
    headers: &HeaderMap,
    choice: &Choice,
) {
    let now = app.clock.now();
    let choices = choice.to_stored();
    let mut said = DefaultHasher::new();
    choices.hash(&mut said);
    let trace = Trace {
        at: now,
        voter: browser.voter().key(poll),
        network,
        shape: shape(app, headers, now),
        puzzled: app.config.polls.proof_work > 0,
        worked: match browser.showed {
            Showed::Work { posed_at } => Some(now.0 - posed_at.0),
            _ => None,
        },
        bad_proof: matches!(browser.showed, Showed::Bad(_)),
        opened: from == origin::From::Embedder,
        said: said.finish(),
        taken: false,
    };
    app.polls.watch.cast(poll.id, trace, &choices);
}

fn shape(app: &App, headers: &HeaderMap, now: UnixMillis) -> [u8; 8] {
    let mut bytes = b"browser".to_vec();
    for name in SHAPE {
        bytes.push(0);
        if let Some(value) = headers.get(name) {
            bytes.extend(value.as_bytes());
        }
    }
    app.polls.networks.hash(&bytes, now)
}
