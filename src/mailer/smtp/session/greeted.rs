//! A connection before its login.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use lettre::transport::smtp::{client::AsyncSmtpConnection, extension::ClientId};
use tokio::time::Instant;

use super::super::{
    channel::{Channel, Heard},
    login,
    opening::open,
    refusal::Refusal,
    relay::Relay,
    step::{offers, offers_blank, refusal, size_limit, step},
};
use super::{Session, unreadable};
use crate::mailer::reply::Phase;

/// A connection after `EHLO` and before `AUTH`.
pub struct Greeted {
    connection: AsyncSmtpConnection,
    heard: Heard,
    /// The server's reply to `EHLO`.
    said: String,
}

impl Greeted {
    /// Connects, sets up TLS and says `EHLO`.
    ///
    /// # Errors
    /// The phase that failed and the server's reply.
    pub async fn by(relay: &Relay) -> Result<Self, Refusal> {
        guarded(Self::begin(relay)).await
    }

    async fn begin(relay: &Relay) -> Result<Self, Refusal> {
        let heard = Heard::default();
        let channel = open(relay, heard.clone()).await?;
        Self::over(channel, heard, relay).await
    }

    pub(super) async fn over(
        channel: Channel,
        heard: Heard,
        relay: &Relay,
    ) -> Result<Self, Refusal> {
        let hello = ClientId::Domain(relay.hello.clone());
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(channel), &hello);
        let greeted = step(&heard, 0, relay.patience.greeting, greeting).await;
        let connection = match greeted {
            Ok(connection) => connection,
            Err(_) if offers_blank(&heard.text()) => return Err(unreadable()),
            Err(error) => return Err(refusal(Phase::Hello, error)),
        };
        Ok(Self {
            connection,
            said: heard.text(),
            heard,
        })
    }

    /// Logs in, if the relay has credentials.
    ///
    /// # Errors
    /// The phase that failed and the server's reply. No mail was sent.
    pub async fn log_in(self, relay: &Relay) -> Result<Session, Refusal> {
        guarded(self.session(relay)).await
    }

    async fn session(self, relay: &Relay) -> Result<Session, Refusal> {
        let Self {
            mut connection,
            heard,
            said,
        } = self;
        login::log_in(&mut connection, &heard, relay, &said).await?;
        Ok(Session {
            pipelining: offers(&said, "PIPELINING"),
            dsn: offers(&said, "DSN"),
            size: size_limit(&said),
            smtputf8: offers(&said, "SMTPUTF8"),
            eight_bit: offers(&said, "8BITMIME"),
            connection,
            heard,
            patience: relay.patience,
            recycle: relay.recycle,
            opened: Instant::now(),
            mails: 0,
            refusals: 0,
            usable: true,
            ahead: None,
        })
    }
}

/// lettre could panic at a reply. That would be the relay's fault, and must not be taken for a fault at the mail that
/// waits for the connection.
async fn guarded<T>(talk: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let talked = AssertUnwindSafe(talk).catch_unwind().await;
    talked.unwrap_or_else(|_| Err(unreadable()))
}
