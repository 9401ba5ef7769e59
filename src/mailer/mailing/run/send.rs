//! One mail: over which relay, up to its `354`, the intent, the message, and what became of it.

use tokio::time::Instant;

use super::super::control;
use super::super::lease::{Holding, Work};
use super::super::ledger::{Answer, Intent};
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
    },
};

/// Outcomes that no intent has carried away are written after so many.
const FLUSH: usize = 50;
/// Or after so many addresses that do not exist: too many of them stop the issue.
const FLUSH_BOUNCES: usize = 5;

/// What came of trying a mail over one relay after another.
struct Tried {
    /// The last word on it, or why it was left.
    end: Result<Fate, Stop>,
    /// The intent is on disk.
    intended: bool,
    /// The relays that do not take it from us.
    refused_by: Vec<usize>,
    /// What the last relay said that wants a rest.
    rested: Option<Words>,
}

impl Lane<'_> {
    /// Sends one mail and notes its outcome. Returns whether it was taken.
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
                self.left(holding, work, tried.rested);
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
                    untried: line.has_others(&tried.refused_by),
                    intended,
                };
                self.refused(line, holding, work, refused).await
            }
            Ok(fate) => self.ended(holding, work, fate).await,
        }
    }

    /// Tries a mail until one relay has the last word on it.
    async fn try_relays(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        mail: &Mail<'_>,
        mut chosen: Option<Way>,
        mut next: Option<&mut Mail<'_>>,
    ) -> Tried {
        let (mut intended, mut lost, mut rested) = (false, false, None);
        // The relays that do not take it from us, and what the last of them said.
        let (mut refused_by, mut refused) = (Vec::new(), None);
        let end = loop {
            let early = chosen.take();
            let way = match early.filter(|way| line.is_connected(*way)) {
                Some(way) => Ok(Some(way)),
                None => {
                    // The mail before went another way, and the place at this relay is gone.
                    line.forgo(early);
                    let clock = &self.app.clock;
                    let stale = || holding.is_stale(clock.now());
                    line.choose(mail.key(), mail.kind(), &refused_by, stale)
                        .await
                }
            };
            let way = match way {
                Ok(Some(way)) => way,
                Ok(None) if refused.is_some() && !self.is_over(holding) => {
                    break refused.take().ok_or(Stop::Release);
                }
                Ok(None) => break Err(Stop::Release),
                Err(error) => {
                    tracing::error!(%error, "a relay's count of the day could not be read");
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
            line.note(way, &fate);
            match fate {
                // Most likely a connection that had grown old: once more, over a new one.
                Fate::Lost(_) if !lost => lost = true,
                // Another relay may have time.
                Fate::RelayRests(words) => rested = Some(words),
                // Another relay may think better of us, or take more.
                fate @ (Fate::Never(Reason::Ours, _) | Fate::TooLarge(_)) => {
                    refused_by.push(way.relay);
                    let blamed = matches!(refused, Some(Fate::Never(..)));
                    if !blamed || matches!(fate, Fate::Never(..)) {
                        refused = Some(fate);
                    }
                    if !line.has_others(&refused_by) {
                        break refused.take().ok_or(Stop::Release);
                    }
                }
                fate => break Ok(fate),
            }
        };
        Tried {
            end,
            intended,
            refused_by,
            rested,
        }
    }

    /// It is given back after its intent, before its message. An intent without an outcome would be in doubt; this one is not.
    fn left(&mut self, holding: &Holding, work: &Work, rested: Option<Words>) {
        if !self.take_back(holding, work) {
            let words = rested.unwrap_or_else(|| Words {
                text: "given back before the message was sent".to_owned(),
                ..Words::default()
            });
            self.later(holding, work, words, Waiting::Bulk);
        }
    }

    /// Its provider takes nothing now: it waits with the provider's others, without an attempt spent.
    fn put_aside(&mut self, holding: &Holding, work: &Work, words: Words, intended: bool) {
        let (now, random) = (Instant::now(), &self.app.random);
        let until = work.group.throttled(now, random, &words.told());
        // Nobody is put aside for ever: once the issue's time is over, a provider's patience costs an attempt like any other delay.
        let late = holding.is_late(self.app.clock.now());
        if !late && (!intended || self.take_back(holding, work)) {
            self.at = At::Nobody;
            self.aside.add(&work.group, work.reader, until);
        } else {
            self.later(holding, work, words, Waiting::Bulk);
        }
    }

    /// Notes the last word on a mail. Returns whether it was taken.
    async fn ended(&mut self, holding: &Holding, work: &Work, fate: Fate) -> Result<bool, Stop> {
        let sent = fate == Fate::Sent;
        self.note(holding, work, fate);
        broken::breaks(work, "after the outcome");
        let bounces = self.pending.iter().filter(|row| row.suppress.is_some());
        if self.pending.len() >= FLUSH || bounces.count() >= FLUSH_BOUNCES {
            self.write(holding, None, None).await?;
            // Refusals before the intent do not ask the ledger, and it may have paused the issue because of them.
            let going_on = control::is_sending(self.app, holding.issue).await;
            if !going_on.unwrap_or(true) {
                return Err(Stop::Release);
            }
        }
        Ok(sent)
    }

    /// One try over one relay.
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
            // Nothing was handed over: whoever has the batch next begins with this recipient.
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
            // This process stood still for longer than its lease. Whether somebody else has the batch, the fence will say.
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
