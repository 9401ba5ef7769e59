//! Reads the ledger, the readers' rows and the suppressions for a batch, and sorts its readers accordingly (`decide`).

use std::collections::{HashMap, HashSet};

use super::decide::{Decision, InLedger, Rules, Standing};
use super::{Holding, Settled, Work};
use crate::{
    app::App,
    db::{self, DbErr},
    mailer::mailing::states::DeliveryState,
    types::{IssueId, NewsletterId, ReaderId, SubscriptionState, UnixMillis},
};
use sea_orm::{ConnectionTrait, FromQueryResult};

impl Holding {
    /// Sorts the batch's readers into those who are sent the mail and those who are not, by [`Rules::decide`].
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
        let begun = first_attempts(app.db.read(), self.issue, &ledger).await?;
        let rules = Rules {
            attempt: self.attempt,
            expires: self.expires,
            retries: app.config.mail.retries(),
            in_doubt: app.config.mail.in_doubt,
            now,
        };
        for &reader in readers {
            let entry = ledger.get(&reader).copied();
            let standing = people.get(&reader).map(|person| person.standing);
            match rules.decide(entry, begun.get(&reader).copied(), standing) {
                Decision::NotOurs => {}
                Decision::Deferred => self.deferred.push(reader),
                Decision::Settle(state, reason) => self.settled.push(Settled {
                    reader,
                    was_deferred: entry.is_some_and(InLedger::was_deferred),
                    state,
                    reason,
                }),
                Decision::Send { expires, crashes } => {
                    // A reader without a row is not mailed.
                    let Some(person) = people.remove(&reader) else {
                        continue;
                    };
                    self.work.push(Work {
                        reader,
                        address: person.address,
                        group: app.mailer.domains.of(&person.key),
                        key: person.key,
                        name: person.name,
                        was_deferred: entry.is_some_and(InLedger::was_deferred),
                        before: entry.and_then(InLedger::deferred),
                        in_doubt: entry.and_then(InLedger::doubt).is_some(),
                        expires,
                        crashes,
                    });
                }
            }
        }
        self.turn_round();
        Ok(())
    }

    /// Rotates the order after a crash: a recipient that upsets the relay must not come first each time.
    fn turn_round(&mut self) {
        if self.fence > 1 && !self.work.is_empty() {
            let by = usize::try_from(self.fence * 7_919).unwrap_or(0) % self.work.len();
            self.work.rotate_left(by);
            // A recipient on which a process crashed comes last, so that another crash costs the others nothing.
            self.work.sort_by_key(|work| work.crashes);
        }
    }
}

pub(in crate::mailer::mailing) async fn in_ledger<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, InLedger>, DbErr> {
    let list = db::in_list(readers.len(), 1);
    let ids = readers.iter().map(|r| r.0.into());
    #[derive(FromQueryResult)]
    struct Row {
        reader_id: ReaderId,
        state: i16,
        reason: i16,
        attempt: i64,
        code: i16,
        at_ms: UnixMillis,
    }
    let rows: Vec<Row> = db::find_all(
        db,
        format!("SELECT reader_id, state, reason, attempt, code, at_ms FROM delivery WHERE issue_id = $1 AND reader_id IN {list}"),
        std::iter::once(issue.0.into()).chain(ids),
    )
    .await?;
    let entry = |row: Row| {
        let entry = InLedger {
            state: DeliveryState::of(row.state)?,
            reason: row.reason,
            attempt: row.attempt,
            code: row.code,
            at: row.at_ms,
        };
        Some((row.reader_id, entry))
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

/// The time of the first attempt to which a server replied, for the recipients that may be retried.
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
    #[derive(FromQueryResult)]
    struct Row {
        reader_id: ReaderId,
        begun_ms: UnixMillis,
    }
    let rows: Vec<Row> = db::find_all(
        db,
        format!(
            "SELECT reader_id, MIN(at_ms) AS begun_ms FROM delivery_attempt WHERE issue_id = $1 AND reader_id IN {list} GROUP BY reader_id"
        ),
        std::iter::once(issue.0.into()).chain(again.into_iter().map(Into::into)),
    )
    .await?;
    let begun = |row: Row| (row.reader_id, row.begun_ms);
    Ok(rows.into_iter().map(begun).collect())
}

struct Person {
    address: String,
    key: String,
    name: String,
    standing: Standing,
}

async fn people(
    app: &App,
    newsletter: NewsletterId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, Person>, DbErr> {
    let list = db::in_list(readers.len(), 1);
    let ids = readers.iter().map(|r| r.0.into());
    #[derive(FromQueryResult)]
    struct Row {
        id: ReaderId,
        email: String,
        email_key: String,
        name: String,
        erased: bool,
        state: Option<i16>,
    }
    // Not a join: with 10,000 subscriptions PostgreSQL reads all of them to join them with a batch.
    let rows: Vec<Row> = db::find_all(
        app.db.read(),
        format!(
            "SELECT r.id, r.email, r.email_key, r.name, r.erased_ms IS NOT NULL AS erased,
               (SELECT s.state FROM subscription s WHERE s.newsletter_id = $1 AND s.reader_id = r.id) AS state
             FROM reader r WHERE r.id IN {list}"
        ),
        std::iter::once(newsletter.0.into()).chain(ids),
    )
    .await?;
    let mut people = HashMap::with_capacity(rows.len());
    let mut hashes = HashMap::with_capacity(rows.len());
    for row in rows {
        hashes.insert(row.id, app.keys.address_hash(&row.email_key));
        let person = Person {
            address: row.email,
            key: row.email_key,
            name: row.name,
            standing: Standing {
                erased: row.erased,
                suppressed: false,
                subscription: row.state.and_then(SubscriptionState::from_code),
            },
        };
        people.insert(row.id, person);
    }
    let suppressed = suppressed(app, &hashes).await?;
    for (reader, person) in &mut people {
        person.standing.suppressed = hashes
            .get(reader)
            .is_some_and(|hash| suppressed.contains(&hash[..]));
    }
    Ok(people)
}

async fn suppressed(
    app: &App,
    addresses: &HashMap<ReaderId, [u8; 32]>,
) -> Result<HashSet<Vec<u8>>, DbErr> {
    if addresses.is_empty() {
        return Ok(HashSet::new());
    }
    let list = db::in_list(addresses.len(), 0);
    let hashes = addresses.values().map(|hash| hash.to_vec().into());
    let sql = format!("SELECT address_hash FROM suppression WHERE address_hash IN {list}");
    db::find_values(app.db.read(), sql, hashes).await
}
