//! Who of a batch is still to get the mail, and who is not: by the ledger, by the reader's row, and by the suppressions.

use std::collections::{HashMap, HashSet};

use super::{Holding, Settled, Work};
use crate::{
    app::App,
    config::InDoubt,
    db::{self, DbErr},
    mailer::mailing::ledger::Deferred,
    mailer::mailing::states::{DeliveryState, Reason},
    types::{IssueId, NewsletterId, ReaderId, UnixMillis},
};
use sea_orm::{ConnectionTrait, QueryResult};

/// After so many crashes on one recipient it is put aside.
const CRASHES: i16 = 3;

impl Holding {
    /// Sorts the batch's readers into those to send to and those not.
    pub(super) async fn read(
        &mut self,
        app: &App,
        newsletter: NewsletterId,
        readers: &[ReaderId],
        now: UnixMillis,
    ) -> Result<(), DbErr> {
        let ledger = if self.fence == 1 && self.attempt == 1 {
            HashMap::new()
        } else {
            in_ledger(app.db.read(), self.issue, readers).await?
        };
        let mut people = people(app, newsletter, readers).await?;
        let suppressed = suppressed(app, &people).await?;
        let begun = first_attempts(app.db.read(), self.issue, &ledger).await?;
        for &reader in readers {
            let entry = ledger.get(&reader).copied();
            if entry.is_some_and(|e| e.attempt > self.attempt) {
                // A person ordered it again while this batch was open: it lies in a batch of its own, whatever becomes of it there.
                continue;
            }
            let was_deferred = entry.is_some_and(InLedger::was_deferred);
            let in_doubt = entry.is_some_and(InLedger::in_doubt);
            let mut crashes = 0;
            let mut settled = |state, reason| {
                self.settled.push(Settled {
                    reader,
                    was_deferred,
                    state,
                    reason,
                });
            };
            match entry.map(|e| (e.state, e)) {
                None => {}
                Some((DeliveryState::Deferred, e)) if e.attempt < self.attempt => {}
                Some((DeliveryState::Deferred, _)) => {
                    self.deferred.push(reader);
                    continue;
                }
                Some((DeliveryState::Intent, e)) => {
                    // The process ended between the intent and its outcome: nobody knows.
                    crashes = e.reason + 1;
                    if app.config.mail.in_doubt == InDoubt::Hold {
                        settled(DeliveryState::Unknown, Reason::InDoubt);
                        continue;
                    }
                    if crashes >= CRASHES {
                        settled(DeliveryState::Unknown, Reason::Crashed);
                        continue;
                    }
                }
                Some(_) => continue,
            }
            // Who is not sent to again, and may have got it: that is not known, and not a failure that an order repeats.
            let mut give_up = |state, reason| {
                if in_doubt {
                    settled(DeliveryState::Unknown, Reason::InDoubt);
                } else {
                    settled(state, reason);
                }
            };
            let Some(person) = people.remove(&reader) else {
                give_up(DeliveryState::Skipped, Reason::Erased);
                continue;
            };
            if let Some(reason) = person.not_now(&suppressed) {
                give_up(DeliveryState::Skipped, reason);
                continue;
            }
            let begun = entry.map_or(now, |e| *begun.get(&reader).unwrap_or(&e.at));
            let expires = self.expires.max(begun + app.config.mail.retries());
            // Whoever was not attempted yet is attempted, however late: a limit of the day, a pause and a restored backup take their time.
            if entry.is_some() && now > expires {
                give_up(DeliveryState::Failed, Reason::Expired);
                continue;
            }
            self.work.push(Work {
                reader,
                address: person.address,
                group: app.mailer.domains.of(&person.key),
                key: person.key,
                name: person.name,
                was_deferred,
                before: entry.and_then(InLedger::deferred),
                in_doubt,
                expires,
                crashes,
            });
        }
        // A recipient that upsets the relay must not be the first each time.
        if self.fence > 1 && !self.work.is_empty() {
            let by = usize::try_from(self.fence * 7_919).unwrap_or(0) % self.work.len();
            self.work.rotate_left(by);
            // One at which a process died comes last: a crash that it causes costs the others nothing.
            self.work.sort_by_key(|work| work.crashes);
        }
        Ok(())
    }
}

/// What the ledger holds of a recipient.
#[derive(Clone, Copy)]
pub(in crate::mailer::mailing) struct InLedger {
    pub(in crate::mailer::mailing) state: DeliveryState,
    reason: i16,
    pub(in crate::mailer::mailing) attempt: i64,
    code: i16,
    at: UnixMillis,
}

impl InLedger {
    /// Whether a mail may have arrived of which nobody knows.
    pub(in crate::mailer::mailing) fn in_doubt(self) -> bool {
        match self.state {
            DeliveryState::Intent => true,
            DeliveryState::Deferred => Reason::of(self.reason) == Reason::InDoubt,
            _ => false,
        }
    }

    /// Whether the tally counts it as deferred: an intent of a later attempt still is.
    pub(in crate::mailer::mailing) fn was_deferred(self) -> bool {
        self.attempt > 1 || self.state == DeliveryState::Deferred
    }

    fn deferred(self) -> Option<Deferred> {
        (self.state == DeliveryState::Deferred).then_some(Deferred {
            attempt: self.attempt,
            reason: self.reason,
            code: self.code,
        })
    }
}

pub(in crate::mailer::mailing) async fn in_ledger<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, InLedger>, DbErr> {
    let list = db::in_list(readers.len(), 1);
    let ids = readers.iter().map(|r| r.0.into());
    let rows = db::fetch_all(
        db,
        format!("SELECT reader_id, state, reason, attempt, code, at_ms FROM delivery WHERE issue_id = $1 AND reader_id IN {list}"),
        std::iter::once(issue.0.into()).chain(ids),
    )
    .await?;
    let mut ledger = HashMap::with_capacity(rows.len());
    for row in &rows {
        if let Some(state) = DeliveryState::of(row.try_get_by_index(1)?) {
            let entry = InLedger {
                state,
                reason: row.try_get_by_index(2)?,
                attempt: row.try_get_by_index(3)?,
                code: row.try_get_by_index(4)?,
                at: UnixMillis(row.try_get_by_index(5)?),
            };
            ledger.insert(ReaderId(row.try_get_by_index(0)?), entry);
        }
    }
    Ok(ledger)
}

/// When those were attempted first that may be attempted again, as far as a server said anything then.
async fn first_attempts<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    ledger: &HashMap<ReaderId, InLedger>,
) -> Result<HashMap<ReaderId, UnixMillis>, DbErr> {
    let open = |e: &InLedger| matches!(e.state, DeliveryState::Intent | DeliveryState::Deferred);
    let again = ledger.iter().filter(|(_, e)| open(e));
    let again: Vec<i64> = again.map(|(reader, _)| reader.0).collect();
    if again.is_empty() {
        return Ok(HashMap::new());
    }
    let list = db::in_list(again.len(), 1);
    let rows = db::fetch_all(
        db,
        format!(
            "SELECT reader_id, MIN(at_ms) FROM delivery_attempt WHERE issue_id = $1 AND reader_id IN {list} GROUP BY reader_id"
        ),
        std::iter::once(issue.0.into()).chain(again.into_iter().map(Into::into)),
    )
    .await?;
    let begun = |row: &QueryResult| {
        let (reader, at) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        Ok((ReaderId(reader), UnixMillis(at)))
    };
    rows.iter().map(begun).collect()
}

struct Person {
    address: String,
    key: String,
    name: String,
    hash: [u8; 32],
    erased: bool,
    subscription: Option<i16>,
}

impl Person {
    fn not_now(&self, suppressed: &HashSet<Vec<u8>>) -> Option<Reason> {
        if self.erased {
            return Some(Reason::Erased);
        }
        if suppressed.contains(&self.hash[..]) {
            return Some(Reason::Suppressed);
        }
        match self.subscription {
            Some(1) => None,
            Some(3) => Some(Reason::Removed),
            Some(4) => Some(Reason::Bounced),
            Some(5) => Some(Reason::Complained),
            _ => Some(Reason::Left),
        }
    }
}

async fn people(
    app: &App,
    newsletter: NewsletterId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, Person>, DbErr> {
    let list = db::in_list(readers.len(), 1);
    let ids = readers.iter().map(|r| r.0.into());
    let rows = db::fetch_all(
        app.db.read(),
        format!(
            "SELECT r.id, r.email, r.email_key, r.name, CASE WHEN r.erased_ms IS NULL THEN 0 ELSE 1 END, s.state
             FROM reader r LEFT JOIN subscription s ON s.newsletter_id = $1 AND s.reader_id = r.id
             WHERE r.id IN {list}"
        ),
        std::iter::once(newsletter.0.into()).chain(ids),
    )
    .await?;
    let mut people = HashMap::with_capacity(rows.len());
    for row in &rows {
        let key: String = row.try_get_by_index(2)?;
        let person = Person {
            address: row.try_get_by_index(1)?,
            hash: app.keys.address_hash(&key),
            key,
            name: row.try_get_by_index(3)?,
            erased: row.try_get_by_index::<i32>(4)? != 0,
            subscription: row.try_get_by_index(5)?,
        };
        people.insert(ReaderId(row.try_get_by_index(0)?), person);
    }
    Ok(people)
}

async fn suppressed(
    app: &App,
    people: &HashMap<ReaderId, Person>,
) -> Result<HashSet<Vec<u8>>, DbErr> {
    if people.is_empty() {
        return Ok(HashSet::new());
    }
    let list = db::in_list(people.len(), 0);
    let hashes = people.values().map(|p| p.hash.to_vec().into());
    let sql = format!("SELECT address_hash FROM suppression WHERE address_hash IN {list}");
    let rows = db::fetch_all(app.db.read(), sql, hashes).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
