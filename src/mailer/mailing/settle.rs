//! What a person orders to be sent again, or settles: those that failed, and those of whom nobody knows.
//!
//! An order is one transaction under the mailing's row. Each recipient leaves its state by a conditional update and comes into
//! a new batch in the same commit, so of two people who press at once each recipient follows one. The new attempt number lies
//! above that of the batch the recipient came from: where that one is still open, it leaves the recipient alone. Whether
//! somebody may still be mailed is looked at when it is sent, as always.

use sea_orm::Value;

use super::ledger::Tally;
use super::orders::{self, By, OrderKind};
use super::readers::batch_size;
use super::recipients::by_reason_index;
use super::states::{DeliveryState, MailingState, Reason};
use crate::types::reader_list::packed;
use crate::{
    app::App,
    db::{self, Backend, Db, DbErr, WriteTxn},
    types::{IssueId, ReaderId, SubscriptionState},
};

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// So many recipients; 0: somebody was first, or there were none.
    Done(i64),
    /// Not in this state.
    NotNow(MailingState),
    /// There is no such mailing.
    Unknown,
}

/// What is to become of a recipient in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it again, with the same Message-ID.
    Resend,
    /// Take it as handed over.
    Accept,
}

/// Which recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which<'r> {
    /// All of them.
    All,
    /// These, as far as they are in that state.
    These(&'r [ReaderId]),
}

/// Recipients in one statement, at most.
const AT_ONCE: usize = 500;

/// Sends to those again that failed for these reasons, and to nobody else. A finished mailing is being sent again then; what comes
/// has the time of a new issue.
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

/// How many of those whose address did not exist have subscribed anew since. The others would be skipped: their subscriptions ended
/// with the bounce.
pub async fn bounced_and_back(db: &Db, issue: IssueId) -> Result<i64, DbErr> {
    // From the few who have the reason to their subscriptions, and not the other way.
    let sql = format!(
        "SELECT COUNT(*) FROM delivery d {} CROSS JOIN subscription s WHERE d.issue_id = $1 AND d.reason <> 0 AND d.reason = $2 \
         AND d.state = $3 AND s.newsletter_id = (SELECT newsletter_id FROM issue WHERE id = $1) AND s.reader_id = d.reader_id \
         AND s.state = {}",
        by_reason_index(db.backend()),
        SubscriptionState::Active.code()
    );
    let values: [Value; 3] = [
        issue.0.into(),
        Reason::BadAddress.code().into(),
        DeliveryState::Failed.code().into(),
    ];
    let row = db::fetch_one(db.read(), sql, values).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// Settles recipients in doubt. Those that are to be sent to again get the same Message-ID, so that a mailbox can tell that it is one
/// mail.
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
    // What was cancelled is not sent again, but what is known of it can still be said.
    if verdict == Verdict::Resend && !takes_more(state) {
        return Ok(Ordered::NotNow(state));
    }
    let (to, kind) = match verdict {
        Verdict::Resend => (None, OrderKind::SettleResend),
        Verdict::Accept => (
            Some((DeliveryState::Sent, Reason::None)),
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

/// Holds the mailing's row until the commit: orders come one after the other, and none beside the end of a mailing.
pub(super) async fn lock(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
) -> Result<Option<MailingState>, DbErr> {
    let lock = match app.db.backend() {
        Backend::Postgres => "FOR UPDATE",
        Backend::Sqlite => "",
    };
    let row = db::fetch_one(
        &**txn,
        format!("SELECT state FROM mailing WHERE issue_id = $1 {lock}"),
        [issue.0.into()],
    )
    .await?;
    row.map(|row| Ok(MailingState::of(row.try_get_by_index(0)?)))
        .transpose()
}

/// Recipients on their way from one state to another.
struct Moving<'a> {
    app: &'a App,
    txn: &'a WriteTxn,
    issue: IssueId,
    by: &'a By,
    from: DeliveryState,
    /// Only those with one of these reasons; empty: all.
    reasons: &'a [Reason],
    /// A final state, or none: to be sent again.
    to: Option<(DeliveryState, Reason)>,
}

impl Moving<'_> {
    /// Moves them, a batch at a time; returns how many.
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
                tally.moved(self.issue, (self.from, one.reason), self.leads_to());
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

    /// What the ledger says of them afterwards. The earlier mail of whoever is in doubt may have arrived, whatever becomes of the next one.
    fn leads_to(&self) -> (DeliveryState, Reason) {
        self.to.unwrap_or(match self.from {
            DeliveryState::Unknown => (DeliveryState::Deferred, Reason::InDoubt),
            _ => (DeliveryState::Deferred, Reason::Again),
        })
    }

    /// About how many: what the batches' size goes by.
    async fn expected(&self, which: Which<'_>) -> Result<usize, DbErr> {
        if let Which::These(readers) = which {
            return Ok(readers.len());
        }
        let row = db::fetch_one(
            &**self.txn,
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM issue_tally WHERE issue_id = $1 AND state = $2",
            [self.issue.0.into(), self.from.code().into()],
        )
        .await?;
        let n: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
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
            // As the lists do: each reason in the order of its index, which holds only the few that have one.
            Which::All => {
                let hint = by_reason_index(self.app.db.backend());
                let of = |reason: &Reason| {
                    let code = reason.code();
                    format!(
                        "SELECT * FROM (SELECT reader_id, reason, attempt FROM delivery {hint} WHERE issue_id = $1 AND reason <> 0 \
                         AND reason = {code} AND state = $2 AND reader_id > $3 ORDER BY reader_id LIMIT {size}) AS part{code}"
                    )
                };
                let parts: Vec<String> = reasons.iter().map(of).collect();
                format!("SELECT * FROM ({}) AS found", parts.join(" UNION ALL "))
            }
        };
        let sql = format!("{sql} ORDER BY reader_id LIMIT {size}");
        let rows = db::fetch_all(&**self.txn, sql, values).await?;
        rows.iter()
            .map(|row| {
                Ok(Found {
                    reader: ReaderId(row.try_get_by_index(0)?),
                    reason: Reason::of(row.try_get_by_index(1)?),
                    attempt: row.try_get_by_index(2)?,
                })
            })
            .collect()
    }

    /// What was found is in its state as long as the mailing's row is held: nobody else takes a recipient out of a final one.
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

    /// A batch of exactly those.
    async fn batch(&self, found: &[Found]) -> Result<(), DbErr> {
        let readers: Vec<ReaderId> = found.iter().map(|one| one.reader).collect();
        let ends = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
        // One for the order, which left the number in the ledger, one for the attempt.
        let attempt = found.iter().map(|one| one.attempt).max().unwrap_or(0) + 2;
        db::run(
            &**self.txn,
            "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, attempt, not_before_ms)
             VALUES ($1, $2, $3, $4, 0, $5, $6)",
            [
                self.issue.0.into(),
                ends(readers.first()).into(),
                ends(readers.last()).into(),
                packed(&readers).into(),
                attempt.into(),
                self.by.now.0.into(),
            ],
        )
        .await
        .map(drop)
    }

    /// The mailing has something to do again, and time for it.
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

/// A recipient in the state it is taken from.
struct Found {
    reader: ReaderId,
    reason: Reason,
    attempt: i64,
}
