//! One SMTP conversation after another over a connection that lives long.
//!
//! A [`Relay`] says where the server is, how the channel is protected and how patient we are. [`Session::connect`]
//! opens a TCP stream of our own (with `TCP_NODELAY`: Nagle against delayed ACK costs 40 ms a mail), brings it under
//! TLS where that was asked for, and gives it to lettre. [`Session::open`] then goes as far as the server's `354`,
//! and [`Ready::finish`] sends the message and the final dot, so that the ledger can write its intent in between.
//!
//! Promises: TLS asked for is TLS, never clear text; every step has a time-out; a session that was interrupted,
//! timed out or answered something unreadable is never used again; only a loss after the final dot is *in doubt*.

mod channel;
mod envelope;
mod framed;
mod opening;
mod refusal;
mod relay;
mod session;
mod step;
mod url;

pub use envelope::{Envelope, Unmailable};
pub use refusal::{Outcome, Refusal, RefusalKind};
pub use relay::{Login, Patience, Recycle, Relay, Tls, trust_of_this_machine};
pub use session::{Ready, Session};
pub use url::SmtpUrlError;
