//! SMTP transactions, one after another over a long-lived connection.
//!
//! A [`Relay`] says where the server is, how the channel is protected, and the time-outs. [`Session::connect`] opens a
//! TCP stream of our own (with `TCP_NODELAY`, because Nagle's algorithm with delayed ACKs costs 40 ms per mail), sets
//! up TLS if it is configured, and hands the stream to lettre. [`Session::open`] then goes as far as the server's
//! `354`, and [`Ready::finish`] sends the message and the final dot, so that the ledger can write its intent in
//! between.
//!
//! Promises: if TLS is configured, nothing is sent in clear text; every step has a time-out; a session that was
//! interrupted, timed out or got an unreadable reply is never used again; only a loss after the final dot is *in
//! doubt*.
//!
//! `url`, `relay`: where. `opening`, `channel`, `login`: the connection. `session`, `step`: the conversation.
//! `envelope`, `framed`: what is sent. `refusal`: how it may end.

mod channel;
mod envelope;
mod framed;
mod login;
mod opening;
mod refusal;
mod relay;
mod session;
mod step;
mod url;

pub use envelope::{Envelope, Unmailable};
pub use refusal::{Outcome, Refusal, RefusalKind};
pub use relay::{Login, Patience, Recycle, Relay, Tls, trust_of_this_machine};
pub use session::{Greeted, Ready, Session};
pub use url::SmtpUrlError;
