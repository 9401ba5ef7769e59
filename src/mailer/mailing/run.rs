//! One lane works through one batch.

mod ahead;
mod outcome;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::ahead::{Mail, Recipients, hand_on};
use super::control;
use super::lease::{Holding, Work};
use super::ledger::{Answer, Ending, Entry, Intent, Ledger, Row};
use super::rest::Aside;
use super::states::Reason;
use crate::{
    app::App,
    config::crash_point,
    mailer::{
        fate::{Fate, Words},
        mime::{Recipient, Sending},
        outbox,
        retry::Waiting,
        smtp::Outcome,
        status::Doing,
        stop,
        transport::{Line, Way},
    },
    types::ReaderId,
};

/// Outcomes that no intent has carried away are written after so many.
const FLUSH: usize = 50;
/// The issue pauses itself after so many refusals in a row that are about us.
const OURS: usize = 10;
/// While the database cannot be written, a lane keeps what it knows for so long: an outcome that is forgotten is a mail in doubt.
const REMEMBER: Duration = Duration::from_secs(600);
/// Between tries to write it.
const AGAIN: Duration = Duration::from_millis(500);

/// A lane keeps a batch so long before another issue can ask for it, and looks so often.
const KEEP: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);

/// How a batch ended for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer) enum Ended {
    /// All of it, or given back.
    Well,
    /// The ledger could not be written: the lease will run out.
    Badly,
}

/// Why the batch is left before its end.
enum Stop {
    /// Give the rest back.
    Release,
    /// Give the rest back, for later: its provider has no room.
    Wait(Instant),
    /// Give the rest back; the database is in trouble.
    Trouble,
    /// Somebody else holds it.
    Stale,
    /// The database refused.
    Broken,
}

/// Sends what is to send of a batch.
pub(in crate::mailer) async fn run(
    app: &App,
    ledger: &Ledger,
    line: &mut Line,
    number: usize,
    mut holding: Holding,
) -> Ended {
    let mut lane = Lane {
        app,
        ledger,
        origin: app.config.origin(),
        message: Vec::with_capacity(16 * 1024),
        pending: Vec::new(),
        again: std::mem::take(&mut holding.deferred),
        doubtful: Vec::new(),
        aside: Aside::default(),
        ours: 0,
        number,
        began: Instant::now(),
        looked: Instant::now(),
    };
    for settled in holding.settled.drain(..) {
        lane.pending.push(Row {
            reader: settled.reader,
            was_deferred: settled.was_deferred,
            state: settled.state,
            reason: settled.reason,
            words: None,
            suppress: None,
        });
    }
    let work = std::mem::take(&mut holding.work);
    let stopped = lane.work(line, &holding, &work).await.err();
    let now = app.clock.now();
    let ending = match stopped {
        Some(Stop::Stale) => return Ended::Well,
        Some(Stop::Broken) => return Ended::Badly,
        Some(Stop::Release | Stop::Trouble) => Ending::Released(now),
        Some(Stop::Wait(until)) => {
            Ending::Released(now + until.saturating_duration_since(Instant::now()))
        }
        None => lane.retries(&holding, now),
    };
    let ended = lane.write(&holding, None, Some(ending)).await;
    crash_point("after_batch_end");
    match ended {
        Ok(_) if matches!(stopped, Some(Stop::Trouble)) => Ended::Badly,
        Ok(_) | Err(Stop::Stale) => Ended::Well,
        Err(_) => Ended::Badly,
    }
}

/// What a lane has in hand while it works through a batch.
struct Lane<'a> {
    app: &'a App,
    ledger: &'a Ledger,
    origin: String,
    /// The message being sent; the same memory for every mail.
    message: Vec<u8>,
    /// Outcomes that are not on disk yet: they travel with the next intent.
    pending: Vec<Row>,
    again: Vec<ReaderId>,
    doubtful: Vec<ReaderId>,
    /// Who waits for a provider.
    aside: Aside,
    ours: usize,
    /// The lane's, for the queue page.
    number: usize,
    began: Instant,
    /// When it last looked what others do.
    looked: Instant,
}

impl Lane<'_> {
    /// Sends to all of them, or puts them aside.
    async fn work(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        work: &[Work],
    ) -> Result<(), Stop> {
        let mut recipients = Recipients::of(work);
        let mut next = None;
        loop {
            if let Err(stop) = self.look_round(line, holding).await {
                line.forgo(next.and_then(|mail: Mail<'_>| mail.way));
                return Err(stop);
            }
            let this = match next.take() {
                Some(mail) => match self.still_wanted(line, holding, mail)? {
                    Some(mail) => Some(mail),
                    None => continue,
                },
                None => recipients.next(self, holding, None)?,
            };
            let Some(mut mail) = this else {
                return Ok(());
            };
            let after = recipients.next(self, holding, Some(&mail));
            let (mut after, stop) = match after {
                Ok(after) => (after, None),
                Err(stop) => (None, Some(stop)),
            };
            let (group, began) = (&mail.work.group, Instant::now());
            group.begin(began);
            let way = mail.way.take();
            let sent = match self.deal(line, holding, &mail, way, after.as_mut()).await {
                Ok(sent) => sent,
                Err(stop) => {
                    line.forgo(after.and_then(|mail| mail.way));
                    return Err(stop);
                }
            };
            group.heard(began, Instant::now(), sent, mail.crowd(self));
            hand_on(&mut mail, after.as_mut());
            next = after;
            if let Some(stop) = stop {
                return Err(stop);
            }
        }
    }

    /// Between two mails: the process may stop, somebody may wait for a single mail, or another issue for lanes.
    async fn look_round(&mut self, line: &mut Line, holding: &Holding) -> Result<(), Stop> {
        let (app, now) = (self.app, Instant::now());
        if app.stopping.is_cancelled() {
            return Err(Stop::Release);
        }
        if app.mailer.urgent.my_turn(now) {
            let due = outbox::any_due(app).await;
            if due.is_ok_and(|due| due) {
                // Nothing of this lane is in doubt while it sends another mail.
                self.write(holding, None, None).await?;
                app.mailer.report(app, self.number, Doing::SingleMail);
                if let Err(error) = outbox::work(app, line).await {
                    tracing::error!(%error, "a lane could not look for single mails");
                }
                let issue = holding.issue;
                app.mailer.report(app, self.number, Doing::Issue { issue });
            }
        }
        if now >= self.looked + LOOK {
            self.looked = now;
            if now >= self.began + KEEP && app.mailer.turns.should_yield(holding.issue) {
                return Err(Stop::Release);
            }
        }
        Ok(())
    }

    /// Sends one mail and notes its outcome. Returns whether it was taken.
    async fn deal(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        mail: &Mail<'_>,
        mut chosen: Option<Way>,
        mut next: Option<&mut Mail<'_>>,
    ) -> Result<bool, Stop> {
        let work = mail.work;
        let (mut intended, mut lost, mut rested) = (false, false, None);
        let sent = loop {
            let early = chosen.take();
            let way = match early.filter(|way| line.is_connected(*way)) {
                Some(way) => Ok(Some(way)),
                None => {
                    // The mail before went another way, and the place at this relay is gone.
                    line.forgo(early);
                    line.choose(mail.key(), mail.kind()).await
                }
            };
            let way = match way {
                Ok(Some(way)) => way,
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
                fate => break Ok(fate),
            }
        };
        crash_point("after_reply");
        let fate = match sent {
            Ok(fate) => fate,
            Err(stop @ (Stop::Release | Stop::Trouble)) if intended => {
                // An intent without an outcome would be in doubt; this one is not.
                let words = rested.unwrap_or_else(|| Words {
                    text: "given back before the message was sent".to_owned(),
                    ..Words::default()
                });
                self.later(holding, work, words, Waiting::Bulk);
                return Err(stop);
            }
            Err(stop) => return Err(stop),
        };
        let sent = fate == Fate::Sent;
        if let Fate::ProviderRests(words) = fate {
            let (now, random) = (Instant::now(), &self.app.random);
            let until = work.group.throttled(now, random, &words.told());
            if intended {
                // An intent without an outcome would be in doubt; this one is not.
                self.later(holding, work, words, Waiting::Bulk);
            } else {
                self.aside.add(&work.group, work.reader, until);
            }
            return Ok(false);
        }
        self.note(holding, work, fate);
        if self.ours >= OURS {
            let why = "the relay refuses our mail; see the last replies";
            if let Err(error) = control::pause(self.app, holding.issue, why).await {
                tracing::error!(%error, "an issue that the relay refuses could not be paused");
            }
            return Err(Stop::Release);
        }
        if self.pending.len() >= FLUSH {
            self.write(holding, None, None).await?;
        }
        Ok(sent)
    }

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
            Answer::Written => *intended = true,
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
        edition.fill(&recipient, &sending, &mut self.message);
        self.app
            .mailer
            .sign(edition.domain(), sending.now, &mut self.message);
        let same_way = next.filter(|next| next.way == Some(way));
        let then = same_way.and_then(|next| next.envelope.as_ref());
        let outcome = tokio::select! {
            biased;
            outcome = opened.finish(envelope, &self.message, then) => outcome,
            () = stop::out_of_time(self.app) => Outcome::InDoubt(stop::UNANSWERED.to_owned()),
        };
        Ok(Fate::after_dot(&outcome))
    }

    async fn write(
        &mut self,
        holding: &Holding,
        intent: Option<Intent>,
        ending: Option<Ending>,
    ) -> Result<Answer, Stop> {
        let mut entry = Entry {
            batch: holding.batch,
            issue: holding.issue,
            fence: holding.fence,
            attempt: holding.attempt,
            rows: Arc::new(std::mem::take(&mut self.pending)),
            intent,
            ending,
        };
        let (queue, until) = (self.ledger.of(self.number), Instant::now() + REMEMBER);
        let mut dropped = false;
        loop {
            let error = match queue.submit_waiting(entry.clone()).await {
                Ok(Answer::Stale) => return Err(Stop::Stale),
                Ok(_) if dropped => return Err(Stop::Trouble),
                Ok(answer) => {
                    if !entry.rows.is_empty() {
                        crash_point("after_outcome");
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            tracing::error!(%error, "the mail ledger could not be written");
            // The relay does not wait for us at its 354; the outcomes are worth waiting for.
            dropped |= entry.intent.take().is_some();
            let nothing_to_lose = entry.rows.is_empty() && entry.ending.is_none();
            if nothing_to_lose || self.app.stopping.is_cancelled() || Instant::now() >= until {
                return Err(Stop::Broken);
            }
            sleep(AGAIN).await;
        }
    }
}
