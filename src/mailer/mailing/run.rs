//! One lane works through one batch.
//!
//! This file: the loop over the batch, and writing to the ledger. `ahead`: the next recipients. `send`: one mail.
//! `outcome`: recording its outcome. `broken`: a panic at one mail fails that mail, never the issue. `refused`: the
//! relays refuse us, and the issue pauses itself.

mod ahead;
mod broken;
mod outcome;
mod refused;
mod send;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::ahead::{Mail, Recipients, hand_on};
use self::broken::At;
use super::lease::{Holding, Work};
use super::ledger::{Answer, Ending, Entry, Intent, Ledger, Row, TakenBack};
use super::rest::Aside;
use crate::{
    app::App,
    config::crash_point,
    mailer::{outbox, remember::Remembered, status::Doing, transport::Line},
    types::ReaderId,
};

/// How long a lane keeps a batch before it may yield to another issue, and how often it checks that.
const KEEP: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(250);

/// How a batch ended for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer) enum Ended {
    /// The batch is done, or the rest was given back.
    Well,
    /// The ledger could not be written, so the lease will run out, or there was a panic. The lane pauses before it goes
    /// on.
    Badly,
}

/// Why the batch is left before its end.
enum Stop {
    /// Give the rest back.
    Release,
    /// Give the rest back until this time: its provider has no room.
    Wait(Instant),
    /// Give the rest back, after a database error or a panic.
    Trouble,
    /// Another lane holds the batch.
    Stale,
    /// The ledger could not be written.
    Broken,
}

/// Sends the mails of a batch.
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
        origin: app.config.origin().into_owned(),
        message: Vec::with_capacity(16 * 1024),
        pending: Vec::new(),
        back: None,
        again: std::mem::take(&mut holding.deferred),
        doubtful: Vec::new(),
        aside: Aside::default(),
        number,
        began: Instant::now(),
        looked: Instant::now(),
        at: At::Nobody,
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
    let stopped = lane.work_on(line, &holding, &work).await.err();
    let now = app.clock.now();
    let ending = match stopped {
        Some(Stop::Stale) => return Ended::Well,
        Some(Stop::Broken) => return Ended::Badly,
        Some(Stop::Release | Stop::Trouble) => Ending::Released(None),
        Some(Stop::Wait(until)) => {
            Ending::Released(Some(now + until.saturating_duration_since(Instant::now())))
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

/// The state of a lane while it works through a batch.
struct Lane<'a> {
    app: &'a App,
    ledger: &'a Ledger,
    origin: String,
    /// The message being sent; the buffer is reused for every mail.
    message: Vec<u8>,
    /// Outcomes that are not on disk yet: they are written with the next intent.
    pending: Vec<Row>,
    /// The last intent, if it is to be taken back. It is written with the pending outcomes, before the next intent.
    back: Option<TakenBack>,
    again: Vec<ReaderId>,
    doubtful: Vec<ReaderId>,
    /// The recipients that wait for their provider.
    aside: Aside,
    /// The number of the lane, for the queue page.
    number: usize,
    began: Instant,
    /// When it last checked whether to yield to another issue.
    looked: Instant,
    /// The recipient it is working on.
    at: At,
}

impl Lane<'_> {
    /// Sends to each recipient or puts it aside.
    async fn work(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        work: &[Work],
    ) -> Result<(), Stop> {
        let mut recipients = Recipients::of(work);
        let mut dealt = false;
        let mut next = None;
        loop {
            self.at = At::Nobody;
            if let Err(stop) = self.look_round(line, holding, dealt).await {
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
            dealt = true;
            self.at = At::BeforeIntent(mail.work.reader);
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

    /// Checks between two mails whether the process stops, a single mail is due, another issue needs lanes, or the
    /// readers' rows are too old. Their age is not checked before the first mail (`dealt`), however long reading them
    /// took: with a slow database, batches would be read again and again and nothing sent.
    async fn look_round(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        dealt: bool,
    ) -> Result<(), Stop> {
        let (app, now) = (self.app, Instant::now());
        if app.stopping.is_cancelled() || (dealt && holding.is_stale(app.clock.now())) {
            return Err(Stop::Release);
        }
        if app.mailer.urgent.my_turn(now, app.db.bell().rung()) {
            let due = outbox::any_due(app).await;
            if due.is_ok_and(|due| due) {
                // Write the outcomes first, so that none is lost if the process ends during the single mail.
                self.write(holding, None, None).await?;
                app.mailer.report(app, self.number, Doing::SingleMail);
                if let Err(error) = outbox::work(app, line).await {
                    tracing::error!(lane = self.number, %error, "a mail lane could not send the single mails that are due");
                }
                let issue = holding.issue;
                app.mailer.report(app, self.number, Doing::Issue { issue });
            }
        }
        if now >= self.looked + LOOK {
            self.looked = now;
            if now >= self.began + KEEP && app.mailer.fair_queue.should_yield(holding.issue) {
                return Err(Stop::Release);
            }
        }
        Ok(())
    }

    /// Writes the pending outcomes, together with the intent or the ending. Retries while the database is unavailable.
    async fn write(
        &mut self,
        holding: &Holding,
        intent: Option<Intent>,
        ending: Option<Ending>,
    ) -> Result<Answer, Stop> {
        let at = std::mem::replace(&mut self.at, At::Ledger);
        let answer = self.write_entry(holding, intent, ending).await;
        self.at = at;
        answer
    }

    async fn write_entry(
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
            back: self.back.take(),
            intent,
            ending,
        };
        let mut remembered = Remembered::begin();
        let mut dropped = false;
        loop {
            match self.ledger.write(entry.clone()).await {
                Ok(Answer::Stale) => return Err(Stop::Stale),
                Ok(_) if dropped => return Err(Stop::Trouble),
                Ok(answer) => {
                    if !entry.rows.is_empty() {
                        crash_point("after_outcome");
                    }
                    return Ok(answer);
                }
                Err(_) => {}
            }
            // Once: the ledger's writer logs the cause of each failure.
            if !remembered.has_waited() {
                tracing::error!(
                    lane = self.number,
                    issue = entry.issue.0,
                    batch = entry.batch.0,
                    outcomes = entry.rows.len(),
                    "the mail ledger could not be written; the lane keeps the outcomes and tries again"
                );
            }
            // The relay will not wait for the message after its 354, so the intent is dropped; the outcomes are
            // retried.
            dropped |= entry.intent.take().is_some();
            let nothing_to_lose =
                entry.rows.is_empty() && entry.back.is_none() && entry.ending.is_none();
            if nothing_to_lose {
                return Err(Stop::Broken);
            }
            if !remembered.again(self.app).await {
                tracing::error!(
                    lane = self.number,
                    issue = entry.issue.0,
                    batch = entry.batch.0,
                    outcomes = entry.rows.len(),
                    "the mail ledger could not be written in time: mails with a lost outcome are in doubt"
                );
                return Err(Stop::Broken);
            }
        }
    }
}
