//! One connection, driven phase by phase.

use std::{borrow::Cow, time::Duration};

use futures::FutureExt as _;
use lettre::transport::smtp::{client::AsyncSmtpConnection, response::Response};
use tokio::time::{Instant, timeout};

use super::{
    channel::Heard,
    envelope::Envelope,
    framed::Framed,
    refusal::{Outcome, Refusal, RefusalKind},
    relay::{Patience, Recycle, Relay},
    step::{StepError, closing, farewell, refusal, reply_of, settled, step, unless_gone},
};
use crate::mailer::reply::Phase;

mod greeted;

pub use greeted::Greeted;

/// A connection after `EHLO` and, if configured, `AUTH`.
pub struct Session {
    connection: AsyncSmtpConnection,
    heard: Heard,
    patience: Patience,
    recycle: Recycle,
    pipelining: bool,
    smtputf8: bool,
    eight_bit: bool,
    dsn: bool,
    /// The server's limit on the size of messages, if it states one.
    size: Option<usize>,
    opened: Instant,
    mails: u32,
    refusals: u32,
    usable: bool,
    /// The mail that was opened together with the end of the previous one; the replies have not been read yet.
    ahead: Option<Envelope>,
}

impl Session {
    /// Connects, sets up TLS, says `EHLO` and logs in.
    ///
    /// # Errors
    /// The phase that failed and the server's reply. No mail was sent.
    pub async fn connect(relay: &Relay) -> Result<Self, Refusal> {
        Greeted::by(relay).await?.log_in(relay).await
    }

    /// Whether the mail with this envelope may be sent over this connection.
    #[must_use]
    pub fn takes(&self, envelope: &Envelope) -> bool {
        match &self.ahead {
            Some(ahead) => ahead == envelope,
            None => self.usable && self.fresh(),
        }
    }

    /// Whether the server has said something since the last mail: mostly that it closes an idle connection. It would be
    /// taken for the reply to the next command, so the connection cannot be used any more.
    pub fn was_left(&mut self) -> bool {
        if self.ahead.is_some() {
            return false;
        }
        self.heard.forget();
        let at_once = self.connection.read_response().now_or_never();
        let left = at_once.is_some() || self.heard.goes_on_after(0);
        self.usable &= !left;
        left
    }

    fn fresh(&self) -> bool {
        self.mails < self.recycle.mails
            && self.refusals < self.recycle.refusals
            && self.opened.elapsed() < self.recycle.age
    }

    /// Sends `MAIL`, `RCPT` and `DATA`, in one packet if the server offers PIPELINING (RFC 2920).
    ///
    /// # Errors
    /// The mail was not accepted; [`Session::takes`] says whether the connection can still be used.
    pub async fn open(&mut self, envelope: &Envelope) -> Result<Ready<'_>, Refusal> {
        if envelope.needs_smtputf8() && !self.smtputf8 {
            return Err(Refusal::unusable(
                Phase::Mail,
                "the relay does not speak SMTPUTF8",
            ));
        }
        if let Some(limit) = self.too_small_for(envelope) {
            return Err(Refusal {
                phase: Phase::Mail,
                kind: RefusalKind::TooLarge {
                    octets: envelope.octets(),
                    limit,
                },
            });
        }
        // Unusable until this is over: if the caller drops the future, replies and commands are out of step.
        self.usable = false;
        let result = if let Some(ahead) = self.ahead.take() {
            if ahead != *envelope {
                return Err(Refusal {
                    phase: Phase::Mail,
                    kind: RefusalKind::Lost(
                        "another mail was opened on this connection".to_owned(),
                    ),
                });
            }
            let first = self.connection.read_response();
            let first = step(&self.heard, 1, self.patience.command, first).await;
            self.hear_opening(first, 1).await
        } else if self.pipelining {
            self.open_pipelined(envelope).await
        } else {
            self.open_stepwise(envelope).await
        };
        match result {
            Ok(()) => Ok(Ready { session: self }),
            Err(refusal) => {
                let used = self.mails > 0 || self.refusals > 0;
                self.refusals += 1;
                match farewell(&refusal).filter(|_| used) {
                    Some(closed) => {
                        self.usable = false;
                        Err(closed)
                    }
                    None => Err(refusal),
                }
            }
        }
    }

    /// The server's size limit, if the mail exceeds it.
    fn too_small_for(&self, envelope: &Envelope) -> Option<usize> {
        self.size
            .filter(|limit| *limit > 0 && envelope.octets() > *limit)
    }

    /// The commands that open a mail, for one packet.
    fn opening(&self, envelope: &Envelope) -> String {
        format!("{}{}DATA\r\n", self.mail(envelope), self.rcpt(envelope))
    }

    async fn open_pipelined(&mut self, envelope: &Envelope) -> Result<(), Refusal> {
        self.heard.forget();
        let commands = self.opening(envelope);
        let first = self.connection.command(commands);
        let first = step(&self.heard, 0, self.patience.command, first).await;
        self.hear_opening(first, 0).await
    }

    /// Reads the replies to `RCPT` and `DATA`. `mail` is the reply before them, number `index` since the replies were
    /// last forgotten.
    async fn hear_opening(
        &mut self,
        mail: Result<Response, StepError>,
        index: usize,
    ) -> Result<(), Refusal> {
        let patience = self.patience;
        let mail = settled(Phase::Mail, mail)?;
        let second = self.connection.read_response();
        let second = step(&self.heard, index + 1, patience.command, second).await;
        let Some(rcpt) = unless_gone(Phase::Rcpt, second, &mail)? else {
            return mail;
        };
        let opened = mail.and(rcpt);
        let third = self.connection.read_response();
        let third = step(&self.heard, index + 2, patience.data, third).await;
        let Some(data) = unless_gone(Phase::Data, third, &opened)? else {
            return opened;
        };
        match (opened, data) {
            (Ok(()), Ok(())) => self.in_turn(index + 3),
            (Err(refusal), Ok(())) => {
                self.in_turn(index + 3)?;
                // RFC 2920 §3.1: DATA was accepted without a recipient; end it with an empty message.
                self.heard.forget();
                let dot = self.connection.command(".\r\n");
                let ended = step(&self.heard, 0, patience.data, dot).await;
                let ended = matches!(ended, Ok(_) | Err(StepError::Refused(_)));
                self.usable = ended && !closing(&refusal) && !self.heard.goes_on_after(1);
                Err(refusal)
            }
            (Err(refusal), Err(_)) | (Ok(()), Err(refusal)) => {
                self.reset(&refusal, index + 3).await;
                Err(refusal)
            }
        }
    }

    async fn open_stepwise(&mut self, envelope: &Envelope) -> Result<(), Refusal> {
        let patience = self.patience;
        let commands = [
            (Phase::Mail, self.mail(envelope), patience.command),
            (Phase::Rcpt, self.rcpt(envelope), patience.command),
            (Phase::Data, "DATA\r\n".to_owned(), patience.data),
        ];
        for (phase, command, limit) in commands {
            self.heard.forget();
            let reply = self.connection.command(command);
            if let Err(refusal) = settled(phase, step(&self.heard, 0, limit, reply).await)? {
                self.reset(&refusal, 1).await;
                return Err(refusal);
            }
        }
        self.in_turn(1)
    }

    /// After a surplus reply, the next one would be taken for the reply to the message.
    fn in_turn(&self, replies: usize) -> Result<(), Refusal> {
        if self.heard.goes_on_after(replies) {
            let why = "the server spoke out of turn".to_owned();
            return Err(refusal(Phase::Data, StepError::Lost(why)));
        }
        Ok(())
    }

    /// Aborts a half-open transaction, so that the next `MAIL` is not nested in it. After a surplus reply, beyond the
    /// first `replies`, the connection is given up.
    async fn reset(&mut self, refusal: &Refusal, replies: usize) {
        if closing(refusal) || self.heard.goes_on_after(replies) {
            return;
        }
        self.heard.forget();
        let reset = self.connection.command("RSET\r\n");
        let reset = step(&self.heard, 0, self.patience.command, reset).await;
        self.usable = reset.is_ok() && !self.heard.goes_on_after(1);
    }

    /// Sends `QUIT` with a short time-out, and ignores errors.
    pub async fn quit(mut self) {
        if self.usable {
            let _ = timeout(Duration::from_secs(1), self.connection.quit()).await;
        }
    }

    fn mail(&self, envelope: &Envelope) -> String {
        let parameters = match (envelope.needs_smtputf8(), self.eight_bit) {
            (false, _) => "",
            (true, false) => " SMTPUTF8",
            (true, true) => " SMTPUTF8 BODY=8BITMIME",
        };
        let wishes = if self.dsn {
            envelope.mail_wishes()
        } else {
            String::new()
        };
        let size = match (self.size, envelope.octets()) {
            (None, _) | (_, 0) => String::new(),
            (Some(_), octets) => format!(" SIZE={octets}"),
        };
        format!(
            "MAIL FROM:<{}>{parameters}{size}{wishes}\r\n",
            envelope.from()
        )
    }

    fn rcpt(&self, envelope: &Envelope) -> String {
        let wishes = if self.dsn {
            envelope.rcpt_wishes()
        } else {
            String::new()
        };
        format!("RCPT TO:<{}>{wishes}\r\n", envelope.to())
    }
}

/// A session whose server said `354` and waits for the message.
///
/// Dropping it without [`Ready::finish`] makes the connection unusable, since `DATA` cannot be undone.
pub struct Ready<'s> {
    session: &'s mut Session,
}

impl Ready<'_> {
    /// Sends the message and the final dot, and waits for the reply.
    ///
    /// If the server offers PIPELINING, `next` is opened in the same packet, as RFC 2920 §3.1 allows: a mail then costs
    /// one round trip instead of two. [`Session::open`] with the same envelope reads the replies; until then the
    /// connection cannot be used for anything else.
    ///
    /// `message` must have CRLF line ends only; dot-stuffing is done here.
    pub async fn finish(self, message: &[u8], next: Option<&Envelope>) -> Outcome {
        let session = self.session;
        session.heard.forget();
        session.mails += 1;
        let next = next.filter(|next| session.goes_on_with(next));
        // It is text, and checking that is quicker than looking for what is to be replaced.
        let message = match std::str::from_utf8(message) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(message),
        };
        let framed = Framed::new(&message, next.map(|next| session.opening(next)));
        session.heard.message_begins(framed.octets());
        let sending = session.connection.command(framed);
        let verdict = step(&session.heard, 0, session.patience.dot, sending).await;
        let outcome = match verdict {
            Err(StepError::Lost(why)) => session.cut_off(why).await,
            verdict => session.settle(verdict),
        };
        if next.is_some() && std::mem::take(&mut session.usable) {
            // The replies to it are still unread.
            session.ahead = next.cloned();
        }
        outcome
    }
}

impl Session {
    fn goes_on_with(&self, next: &Envelope) -> bool {
        let fits = self.too_small_for(next).is_none();
        self.pipelining && self.fresh() && fits && (self.smtputf8 || !next.needs_smtputf8())
    }

    /// Derives the outcome from the reply to the final dot.
    fn settle(&mut self, verdict: Result<Response, StepError>) -> Outcome {
        match verdict {
            Ok(response) if u16::from(response.code()) / 100 == 2 => {
                self.usable = true;
                self.refusals = 0;
                Outcome::Accepted(reply_of(&response, &self.heard))
            }
            Ok(response) => Outcome::InDoubt(format!("unexpected reply {}", response.code())),
            Err(StepError::Refused(reply)) => {
                self.usable = reply.code != 421;
                self.refusals += 1;
                Outcome::Refused(reply)
            }
            Err(StepError::Unreadable(Some(reply))) if reply.code >= 400 => Outcome::Refused(reply),
            Err(StepError::Unreadable(_)) => {
                Outcome::InDoubt("the server's reply is not SMTP".to_owned())
            }
            Err(StepError::Lost(why)) => Outcome::InDoubt(why),
        }
    }

    /// The outcome of a message during which the connection was lost. A server that refuses it in the middle says so
    /// before it closes the connection, and one that accepts it may say so late. Over TLS the final dot counts as
    /// written when it is encrypted; it may not have been sent.
    async fn cut_off(&mut self, why: String) -> Outcome {
        let doubtful = self.heard.dot_written();
        let said = self.connection.read_response();
        let said = step(&self.heard, 0, self.patience.last_words, said).await;
        match said.map_err(|error| refusal(Phase::Dot, error).kind) {
            // Replies come in order, so it is the one to the dot, if the server can have read that.
            Ok(reply) if self.heard.dot_sent() && u16::from(reply.code()) / 100 == 2 => {
                Outcome::Accepted(reply_of(&reply, &self.heard))
            }
            // A 421 may be about the connection: the server may have accepted the message before.
            Err(RefusalKind::Refused(reply)) if reply.code != 421 || !doubtful => {
                Outcome::Refused(reply)
            }
            Err(_) if !doubtful => Outcome::NotSent(why),
            _ => Outcome::InDoubt(why),
        }
    }
}

fn unreadable() -> Refusal {
    Refusal::unusable(Phase::Hello, "the server's reply cannot be read")
}

#[cfg(test)]
mod tests;
