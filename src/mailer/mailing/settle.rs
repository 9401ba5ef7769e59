//! Editors' orders to resend failed recipients, and to settle recipients in doubt.
//!
//! An order is one transaction that locks the mailing's row. Each recipient leaves its state by a conditional update
//! and enters a new batch in the same commit, so if two editors give orders at once, each recipient follows only one.
//! The new attempt number is higher than that of the batch that the recipient came from; if that batch is still open,
//! it leaves the recipient alone. Whether a reader may still be mailed is checked when the mail is sent, as always.

use sea_orm::{ActiveValue::Set, EntityTrait as _, FromQueryResult, Value};

use super::ledger::Tally;
use super::orders::{self, By, OrderKind};
use super::readers::batch_size;
use super::recipients::{by_reason_index, has_reason};
use super::states::{BatchState, DeliveryState, MailingState, Reason};
use crate::types::reader_list::packed;
use crate::{
    app::App,
    db::entities::mail_batch,
    db::{self, Backend, Db, DbErr, WriteTxn},
    types::{IssueId, ReaderId, SubscriptionState},
};

/// The result of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The number of recipients; 0 if there were none, or another order came first.
    Done(i64),
    /// Not possible in this state.
    NotNow(MailingState),
    /// There is no such mailing.
    Unknown,
}

/// The decision about a recipient in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it again, with the same Message-ID.
    Resend,
    /// Count it as sent.
    Accept,
}

/// The recipients that an order concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'r> {
    /// All of them.
    All,
    /// Those of these that are in the state in question.
    These(&'r [ReaderId]),
}

/// The most recipients in one statement.
const AT_ONCE: usize = 500;

/// Orders a resend to exactly the recipients that failed for these reasons. A finished mailing is *sending* again, and
/// its deferred mails have as much time as those of a new issue.
pub async fn resend_failed(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    reasons: &[Reason],
    by: &By,
) -> Result<Ordered, DbErr> {
    let Some(state) = lock(app, txn, issue).await? else {
        return Ok(Ordered::Unknown);
    };
    if !takes_more(state) {
        return Ok(Ordered::NotNow(state));
    }
    let order = Moving {
        app,
        txn,
        issue,
        by,
        from: DeliveryState::Failed,
        reasons,
        to: None,
    };
    let n = order.go(Which::All).await?;
    if n > 0 {
        txn.ring();
        let words: Vec<&str> = reasons.iter().map(|reason| reason.words()).collect();
        let words = words.join(", ");
        orders::record(txn, issue, OrderKind::Resend, by, n, &words).await?;
    }
    Ok(Ordered::Done(n))
}

/// How many of the recipients whose address did not exist have subscribed again since. A resend would skip the others,
/// because their subscriptions ended with the bounce.
pub async fn bounced_and_back(db: &Db, issue: IssueId) -> Result<i64, DbErr> {
    // Force the join order: from the few rows with the reason to their subscriptions.
    let sql = format!(
        "SELECT COUNT(*) FROM delivery d {} CROSS JOIN subscription s WHERE d.issue_id = $1 AND {} AND d.reason = $2 \
         AND d.state = $3 AND s.newsletter_id = (SELECT newsletter_id FROM issue WHERE id = $1) AND s.reader_id = d.reader_id \
         AND s.state = {}",
        by_reason_index(db.backend()),
        has_reason("d."),
        SubscriptionState::Active.code()
    );
    let values: [Value; 3] = [
        issue.0.into(),
        Reason::BadAddress.code().into(),
        DeliveryState::Failed.code().into(),
    ];
    Ok(db::find_value(db.read(), sql, values).await?.unwrap_or(0))
}

/// How many recipients are in this state for one of these reasons (empty: for any), by the counters. Whoever orders
/// something for exactly as many as a page showed asks this first, because moving them and rolling back may take long.
pub async fn tallied(
    txn: &WriteTxn,
    issue: IssueId,
    state: DeliveryState,
    reasons: &[Reason],
) -> Result<i64, DbErr> {
    let mut sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM issue_tally WHERE issue_id = $1 AND state = $2".to_owned();
    let mut values: Vec<Value> = vec![issue.0.into(), state.code().into()];
    if !reasons.is_empty() {
        sql += &format!(" AND reason IN {}", db::in_list(reasons.len(), 2));
        values.extend(reasons.iter().map(|reason| reason.code().into()));
    }
    Ok(db::find_value(&**txn, sql, values).await?.unwrap_or(0))
}

/// Settles recipients in doubt. A resend has the same Message-ID, so that mail clients can recognise a duplicate.
pub async fn settle_unknown(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    which: Which<'_>,
    verdict: Verdict,
    by: &By,
) -> Result<Ordered, DbErr> {
    let Some(state) = lock(app, txn, issue).await? else {
        return Ok(Ordered::Unknown);
    };
    // A cancelled issue is not resent, but its recipients in doubt can still be marked as sent.
    if verdict == Verdict::Resend && !takes_more(state) {
        return Ok(Ordered::NotNow(state));
    }
    let (to, kind) = match verdict {
        Verdict::Resend => (None, OrderKind::SettleResend),
        Verdict::Accept => (
            Some((DeliveryState::Sent, Reason::Accepted)),
            OrderKind::SettleAccept,
        ),
    };
    let order = Moving {
        app,
        txn,
        issue,
        by,
        from: DeliveryState::Unknown,
        reasons: &[],
        to,
    };
    let n = match which {
        Which::All => order.go(which).await?,
        Which::These(readers) => {
            let mut n = 0;
            for part in readers.chunks(AT_ONCE) {
                n += order.go(Which::These(part)).await?;
            }
            n
        }
    };
    if n > 0 {
        txn.ring();
        orders::record(txn, issue, kind, by, n, "").await?;
    }
    Ok(Ordered::Done(n))
}

fn takes_more(state: MailingState) -> bool {
    matches!(
        state,
        MailingState::Sending | MailingState::Paused | MailingState::Finished
    )
}

/// Locks the mailing's row until the commit, so that orders are serialised with each other and with the end of a
/// mailing.
pub(super) async fn lock(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
) -> Result<Option<MailingState>, DbErr> {
    let lock = match app.db.backend() {
        Backend::Postgres => "FOR UPDATE",
        Backend::Sqlite => "",
    };
    let state = db::find_value(
        &**txn,
        format!("SELECT state FROM mailing WHERE issue_id = $1 {lock}"),
        [issue.0.into()],
    )
    .await?;
    Ok(state.map(MailingState::of))
}

/// A move of recipients from one state to another.
struct Moving<'a> {
    app: &'a App,
    txn: &'a WriteTxn,
    issue: IssueId,
    by: &'a By,
    from: DeliveryState,
    /// Only those with one of these reasons; empty: all.
    reasons: &'a [Reason],
    /// The final state; `None`: to be sent again.
    to: Option<(DeliveryState, Reason)>,
}

impl Moving<'_> {
    /// Moves the recipients, a batch at a time, and returns their number.
    async fn go(&self, which: Which<'_>) -> Result<i64, DbErr> {
        let lanes = usize::try_from(self.app.config.mail.connections).unwrap_or(1);
        let size = batch_size(self.expected(which).await?, lanes);
        let mut tally = Tally::default();
        let (mut after, mut n) = (ReaderId(0), 0);
        loop {
            let found = self.next(which, after, size).await?;
            let Some(last) = found.last() else {
                break;
            };
            after = last.reader;
            self.update(&found).await?;
            if self.to.is_none() {
                self.batch(&found).await?;
            }
            for one in &found {
                tally.moved(
                    self.issue,
                    (self.from, Reason::of(one.reason)),
                    self.leads_to(),
                );
            }
            n += i64::try_from(found.len()).unwrap_or(0);
        }
        if n > 0 {
            tally.write(self.txn, self.app.slot).await?;
            if self.to.is_none() {
                self.reopen().await?;
            }
        }
        Ok(n)
    }

    /// Their state in the ledger afterwards. Recipients in doubt stay so, because the earlier mail may have arrived.
    fn leads_to(&self) -> (DeliveryState, Reason) {
        self.to.unwrap_or(match self.from {
            DeliveryState::Unknown => (DeliveryState::Deferred, Reason::InDoubt),
            _ => (DeliveryState::Deferred, Reason::Again),
        })
    }

    /// An estimate of their number, from which the size of the batches is derived.
    async fn expected(&self, which: Which<'_>) -> Result<usize, DbErr> {
        if let Which::These(readers) = which {
            return Ok(readers.len());
        }
        let n = tallied(self.txn, self.issue, self.from, self.reasons).await?;
        Ok(usize::try_from(n).unwrap_or(0))
    }

    async fn next(
        &self,
        which: Which<'_>,
        after: ReaderId,
        size: usize,
    ) -> Result<Vec<Found>, DbErr> {
        let reasons = match self.reasons {
            [] => Reason::of_state(self.from).unwrap_or_default(),
            reasons => reasons,
        };
        let mut values: Vec<Value> =
            vec![self.issue.0.into(), self.from.code().into(), after.0.into()];
        let sql = match which {
            Which::These([]) => return Ok(Vec::new()),
            Which::These(readers) => {
                let among = db::in_list(readers.len(), values.len());
                values.extend(readers.iter().map(|r| Value::from(r.0)));
                let codes: Vec<String> = reasons.iter().map(|r| r.code().to_string()).collect();
                format!(
                    "SELECT reader_id, reason, attempt FROM delivery WHERE issue_id = $1 AND state = $2 AND reader_id > $3 \
                     AND reader_id IN {among} AND reason IN ({})",
                    codes.join(", ")
                )
            }
            // Like the lists: each reason in the order of the partial index, which holds only the few rows that have
            // one.
            Which::All => {
                let (hint, has_one) = (by_reason_index(self.app.db.backend()), has_reason(""));
                let of = |reason: &Reason| {
                    let code = reason.code();
                    format!(
                        "SELECT * FROM (SELECT reader_id, reason, attempt FROM delivery {hint} WHERE issue_id = $1 AND {has_one} \
                         AND reason = {code} AND state = $2 AND reader_id > $3 ORDER BY reader_id LIMIT {size}) AS part{code}"
                    )
                };
                let parts: Vec<String> = reasons.iter().map(of).collect();
                format!("SELECT * FROM ({}) AS found", parts.join(" UNION ALL "))
            }
        };
        let sql = format!("{sql} ORDER BY reader_id LIMIT {size}");
        db::find_all(&**self.txn, sql, values).await
    }

    /// Writes the new state. The recipients found cannot have left their old state: while the mailing's row is locked,
    /// nobody else takes a recipient out of a final state.
    async fn update(&self, found: &[Found]) -> Result<(), DbErr> {
        let (state, reason) = self.leads_to();
        let more = i64::from(self.to.is_none());
        let list = db::in_list(found.len(), 6);
        let values: [Value; 6] = [
            self.issue.0.into(),
            self.from.code().into(),
            state.code().into(),
            reason.code().into(),
            more.into(),
            self.by.now.0.into(),
        ];
        let readers = found.iter().map(|one| Value::from(one.reader.0));
        let done = db::run(
            &**self.txn,
            format!(
                "UPDATE delivery SET state = $3, reason = $4, attempt = attempt + $5, at_ms = $6
                 WHERE issue_id = $1 AND state = $2 AND reader_id IN {list}"
            ),
            values.into_iter().chain(readers),
        )
        .await?;
        if usize::try_from(done.rows_affected()) == Ok(found.len()) {
            Ok(())
        } else {
            Err(DbErr::RecordNotUpdated)
        }
    }

    /// Writes a batch of exactly these recipients.
    async fn batch(&self, found: &[Found]) -> Result<(), DbErr> {
        let readers: Vec<ReaderId> = found.iter().map(|one| one.reader).collect();
        let ends = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
        // One for the order, whose number is in the ledger now, and one for the new attempt.
        let attempt = found.iter().map(|one| one.attempt).max().unwrap_or(0) + 2;
        let batch = mail_batch::ActiveModel {
            issue_id: Set(self.issue),
            lo: Set(ends(readers.first())),
            hi: Set(ends(readers.last())),
            readers: Set(packed(&readers)),
            state: Set(BatchState::Waiting.code()),
            attempt: Set(attempt),
            not_before_ms: Set(self.by.now),
            ..Default::default()
        };
        mail_batch::Entity::insert(batch)
            .exec_without_returning(&**self.txn)
            .await
            .map(drop)
    }

    /// Sets the mailing to *sending* again, with a new expiry.
    async fn reopen(&self) -> Result<(), DbErr> {
        let expires = self.by.now + self.app.config.mail.retries();
        db::run(
            &**self.txn,
            "UPDATE mailing SET state = CASE WHEN state = $2 THEN $3 ELSE state END, finished_ms = NULL,
               expires_ms = CASE WHEN expires_ms < $4 THEN $4 ELSE expires_ms END WHERE issue_id = $1",
            [
                self.issue.0.into(),
                MailingState::Finished.code().into(),
                MailingState::Sending.code().into(),
                expires.0.into(),
            ],
        )
        .await
        .map(drop)
    }
}

/// A recipient in its old state.
#[derive(FromQueryResult)]
struct Found {
    #[sea_orm(from_alias = "reader_id")]
    reader: ReaderId,
    /// The code of a [`Reason`].
    reason: i16,
    attempt: i64,
}
