//! Sends one mail: the choice of the relay, the conversation up to its `354`, the intent, the message and the outcome.

use tokio::time::Instant;

use super::super::control;
use super::super::lease::{Holding, Work};
use super::super::ledger::{Answer, Intent, Row};
use super::super::states::Reason;
use super::ahead::Mail;
use super::broken::{self, At};
use super::refused::Refused;
use super::{Lane, Stop};
use crate::{
    config::crash_point,
    mailer::{
        fate::{Fate, Words},
        mime::{Recipient, Sending},
        retry::Waiting,
        smtp::Outcome,
        stop,
        transport::{Line, Way},
        tries::Tries,
    },
};

/// Outcomes that no intent has carried to the ledger are written once there are this many.
const FLUSH: usize = 50;
/// Or once there are this many non-existent addresses, because too many of them pause the issue.
const FLUSH_BOUNCES: usize = 5;

/// The result of trying a mail over one relay after another.
struct Tried {
    /// The final fate, or why the mail was left.
    end: Result<Fate, Stop>,
    /// The intent is on disk.
    intended: bool,
    tries: Tries,
}

impl Lane<'_> {
    /// Sends one mail and records its outcome. Returns whether it was accepted.
    pub(super) async fn deal(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        mail: &Mail<'_>,
        chosen: Option<Way>,
        next: Option<&mut Mail<'_>>,
    ) -> Result<bool, Stop> {
        let tried = self.try_relays(line, holding, mail, chosen, next).await;
        crash_point("after_reply");
        let (work, intended) = (mail.work, tried.intended);
        match tried.end {
            Err(stop @ (Stop::Release | Stop::Trouble)) if intended => {
                self.left(holding, work, tried.tries.rested);
                Err(stop)
            }
            Err(stop) => Err(stop),
            Ok(Fate::ProviderRests(words)) => {
                self.put_aside(holding, work, words, intended);
                Ok(false)
            }
            Ok(fate @ (Fate::Never(Reason::Ours, _) | Fate::TooLarge(_))) => {
                let refused = Refused {
                    fate,
                    untried: line.has_others(&tried.tries.refused_by),
                    intended,
                };
                self.refused(line, holding, work, refused).await
            }
            Ok(fate) => self.ended(holding, work, fate).await,
        }
    }

    /// Tries the relays until one gives a final answer.
    async fn try_relays(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        mail: &Mail<'_>,
        mut chosen: Option<Way>,
        mut next: Option<&mut Mail<'_>>,
    ) -> Tried {
        let (mut intended, mut tries) = (false, Tries::default());
        let end = loop {
            let early = chosen.take();
            let way = match early.filter(|way| line.is_connected(*way)) {
                Some(way) => Ok(Some(way)),
                None => {
                    // The mail before took another relay, and the lane gave up its place at this one.
                    line.forgo(early);
                    let clock = &self.app.clock;
                    let stale = || holding.is_stale(clock.now());
                    line.choose(mail.key(), mail.kind(), &tries.refused_by, stale)
                        .await
                }
            };
            let way = match way {
                Ok(Some(way)) => way,
                Ok(None) => {
                    let refusal = tries.refusal().filter(|_| !self.is_over(holding));
                    break refusal.ok_or(Stop::Release);
                }
                Err(error) => {
                    tracing::error!(
                        lane = self.number,
                        issue = holding.issue.0,
                        batch = holding.batch.0,
                        %error,
                        "a relay's daily count could not be read; the lane leaves the batch"
                    );
                    break Err(Stop::Trouble);
                }
            };
            let fate = match self
                .send(line, way, holding, mail, next.as_deref_mut(), &mut intended)
                .await
            {
                Ok(fate) => fate,
                Err(stop) => {
                    line.not_taken(way);
                    break Err(stop);
                }
            };
            if let Some(fate) = tries.end(line, way, fate) {
                break Ok(fate);
            }
        };
        Tried {
            end,
            intended,
            tries,
        }
    }

    /// Leaves a mail after its intent but before its message. Without this, the intent would leave the mail in doubt.
    fn left(&mut self, holding: &Holding, work: &Work, rested: Option<Words>) {
        if !self.take_back(holding, work) {
            let words = rested.unwrap_or_else(|| Words {
                text: "given back before the message was sent".to_owned(),
                ..Words::default()
            });
            self.later(holding, work, words, Waiting::Bulk);
        }
    }

    /// Puts a mail aside because its provider throttles us: it waits with the provider's other mails and spends no
    /// attempt.
    fn put_aside(&mut self, holding: &Holding, work: &Work, words: Words, intended: bool) {
        let (now, random) = (Instant::now(), &self.app.random);
        let until = work.group.throttled(now, random, &words.told());
        // Not for ever: once the issue has expired, throttling by the provider costs an attempt like any other delay.
        let late = holding.is_late(self.app.clock.now());
        if !late && (!intended || self.take_back(holding, work)) {
            self.at = At::Nobody;
            self.aside.add(&work.group, work.reader, until);
        } else {
            self.later(holding, work, words, Waiting::Bulk);
        }
    }

    /// Records the final fate of a mail. Returns whether it was accepted.
    async fn ended(&mut self, holding: &Holding, work: &Work, fate: Fate) -> Result<bool, Stop> {
        let sent = fate == Fate::Sent;
        self.note(holding, work, fate);
        broken::breaks(work, "after the outcome");
        let gone = |row: &&Row| row.reason == Reason::BadAddress;
        let bounces = self.pending.iter().filter(gone);
        if self.pending.len() >= FLUSH || bounces.count() >= FLUSH_BOUNCES {
            self.write(holding, None, None).await?;
            // Refusals before an intent do not go through the ledger, which may have paused the issue because of these
            // bounces.
            let going_on = control::is_sending(self.app, holding.issue).await;
            if !going_on.unwrap_or(true) {
                return Err(Stop::Release);
            }
        }
        Ok(sent)
    }

    /// One attempt over one relay.
    async fn send(
        &mut self,
        line: &mut Line,
        way: Way,
        holding: &Holding,
        mail: &Mail<'_>,
        next: Option<&mut Mail<'_>>,
        intended: &mut bool,
    ) -> Result<Fate, Stop> {
        let work = mail.work;
        let edition = &holding.edition;
        let Some(envelope) = &mail.envelope else {
            return Ok(Fate::Never(Reason::Refused, Words::default()));
        };
        broken::breaks(work, "before the intent");
        let next = next.filter(|_| line.is_connected(way)).map(|next| {
            next.choose_early(line);
            &*next
        });
        let opened = tokio::select! {
            biased;
            opened = line.open(way, envelope) => opened,
            // Nothing was handed over: the next lane that gets the batch begins with this recipient.
            () = self.app.stopping.cancelled() => return Err(Stop::Release),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Fate::refused(&refusal)),
        };
        crash_point("before_intent");
        let intent = Intent {
            reader: work.reader,
            crashes: work.crashes,
        };
        match self.write(holding, Some(intent), None).await? {
            Answer::Written => {
                *intended = true;
                self.at = At::AfterIntent(work.reader);
            }
            Answer::Halted => return Err(Stop::Release),
            Answer::Stale => return Err(Stop::Stale),
        }
        crash_point("after_intent");
        if !holding.held.good() {
            // This process was suspended for longer than its lease. The fence decides whether another lane has the
            // batch.
            return Err(Stop::Release);
        }
        let recipient = Recipient {
            reader: work.reader,
            address: &work.address,
            name: Some(work.name.as_str()).filter(|name| !name.is_empty()),
        };
        let sending = Sending {
            keys: &self.app.keys,
            public_url: &self.origin,
            now: self.app.clock.now(),
            message_id: &mail.message_id,
            mailto: mail.own.as_deref(),
        };
        broken::breaks(work, "after the intent");
        edition.fill(&recipient, &sending, &mut self.message);
        self.app
            .mailer
            .sign(edition.domain(), sending.now, &mut self.message);
        let same_way = next.filter(|next| next.way.is_some_and(|other| other.relay == way.relay));
        let then = same_way.and_then(|next| next.envelope.as_ref());
        let outcome = tokio::select! {
            biased;
            outcome = opened.finish(envelope, &self.message, then) => outcome,
            () = stop::out_of_time(self.app) => Outcome::InDoubt(stop::UNANSWERED.to_owned()),
        };
        Ok(Fate::after_dot(&outcome))
    }
}
