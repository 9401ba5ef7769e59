//! The progress of a mailing, in numbers that always add up.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::Serialize;

use super::bounces::REPORTED;
use super::states::{BatchState, DeliveryState, MailingState, Reason};
use crate::{
    app::App,
    db::{self, Db, DbErr},
    types::{IssueId, NewsletterId, SubscriptionState, UnixMillis, reader_list::unpacked},
};

/// The number of recipients in each state. At every instant audience = queued + sent + deferred + failed + unknown +
/// skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Readers at the cut-off.
    pub audience: i64,
    /// Not attempted yet.
    pub queued: i64,
    /// Accepted by the relay.
    pub sent: i64,
    /// To be retried.
    pub deferred: i64,
    /// Refused for good.
    pub failed: i64,
    /// In doubt and held.
    pub unknown: i64,
    /// Not to be sent.
    pub skipped: i64,
}

/// The progress of a mailing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Its state.
    pub state: MailingState,
    /// Why it is paused or cancelled, in words; empty otherwise.
    pub reason: String,
    /// The numbers.
    pub counts: Counts,
    /// Failed and skipped by reason.
    pub reasons: Vec<(DeliveryStateName, Reason, i64)>,
    /// Recipients in doubt by reason.
    pub doubts: Vec<(Reason, i64)>,
    /// Mails that came back after they had been handed over, by reason. They are still counted as sent.
    pub came_back: Vec<(Reason, i64)>,
    /// No mail is sent before this time.
    pub not_before: UnixMillis,
    /// When the first batch was leased.
    pub started: Option<UnixMillis>,
    /// When the last recipient got a final state.
    pub finished: Option<UnixMillis>,
}

/// `failed` or `skipped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStateName {
    /// Refused for good.
    Failed,
    /// Not to be sent.
    Skipped,
}

/// A mailing joined with one number of its tally, if there is any yet.
#[derive(FromQueryResult)]
struct Tallied {
    state: i16,
    reason: String,
    audience: i64,
    not_before_ms: UnixMillis,
    started_ms: Option<UnixMillis>,
    finished_ms: Option<UnixMillis>,
    recipient_state: Option<i16>,
    recipient_reason: Option<i16>,
    n: Option<i64>,
}

/// The progress of an issue; `None` if it has not been handed over. One statement, so all numbers are of one instant.
pub async fn progress(app: &App, issue: IssueId) -> Result<Option<Progress>, DbErr> {
    progress_in(app.db.read(), issue).await
}

/// Like [`progress`], as seen by a transaction that has changed something.
pub async fn progress_in<C: ConnectionTrait>(
    db: &C,
    issue: IssueId,
) -> Result<Option<Progress>, DbErr> {
    let rows: Vec<Tallied> = db::find_all(
        db,
        "SELECT m.state, m.reason, m.audience, m.not_before_ms, m.started_ms, m.finished_ms,
                t.state AS recipient_state, t.reason AS recipient_reason, CAST(SUM(t.n) AS BIGINT) AS n
         FROM mailing m LEFT JOIN issue_tally t ON t.issue_id = m.issue_id WHERE m.issue_id = $1
         GROUP BY m.state, m.reason, m.audience, m.not_before_ms, m.started_ms, m.finished_ms, t.state, t.reason
         ORDER BY t.state, t.reason",
        [issue.0.into()],
    )
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut progress = Progress {
        state: MailingState::of(first.state),
        reason: first.reason.clone(),
        counts: Counts {
            audience: first.audience,
            ..Counts::default()
        },
        reasons: Vec::new(),
        doubts: Vec::new(),
        came_back: Vec::new(),
        not_before: first.not_before_ms,
        started: first.started_ms,
        finished: first.finished_ms,
    };
    for row in &rows {
        if let (Some(state), Some(reason), Some(n)) =
            (row.recipient_state, row.recipient_reason, row.n)
        {
            let reason = Reason::of(reason);
            if state == REPORTED {
                progress.came_back.push((reason, n));
            }
            progress.add(DeliveryState::of(state), reason, n);
        }
    }
    let counts = &mut progress.counts;
    counts.queued = counts.audience
        - counts.sent
        - counts.deferred
        - counts.failed
        - counts.unknown
        - counts.skipped;
    Ok(Some(progress))
}

impl Progress {
    /// Adds `n` recipients in this state.
    fn add(&mut self, state: Option<DeliveryState>, reason: Reason, n: i64) {
        if n == 0 {
            return;
        }
        let counts = &mut self.counts;
        match state {
            Some(DeliveryState::Sent) => counts.sent += n,
            Some(DeliveryState::Deferred) => counts.deferred += n,
            Some(DeliveryState::Unknown) => {
                counts.unknown += n;
                self.doubts.push((reason, n));
            }
            Some(DeliveryState::Failed) => {
                counts.failed += n;
                self.reasons.push((DeliveryStateName::Failed, reason, n));
            }
            Some(DeliveryState::Skipped) => {
                counts.skipped += n;
                self.reasons.push((DeliveryStateName::Skipped, reason, n));
            }
            Some(DeliveryState::Intent) | None => {}
        }
    }
}

/// What may need an editor's attention in an issue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Readers in doubt.
    pub in_doubt: i64,
    /// Failed recipients, without those whose address does not exist.
    pub failed: i64,
}

/// The troubles of several issues, a few dozen at a time; an issue without any is not in the map.
pub async fn troubles<C: ConnectionTrait>(
    db: &C,
    issues: &[IssueId],
) -> Result<HashMap<IssueId, Trouble>, DbErr> {
    let mut troubles: HashMap<IssueId, Trouble> = HashMap::new();
    if issues.is_empty() {
        return Ok(troubles);
    }
    let sql = format!(
        "SELECT issue_id, state, CAST(SUM(n) AS BIGINT) AS n FROM issue_tally WHERE state IN ($1, $2) AND reason <> $3 AND issue_id IN {}
         GROUP BY issue_id, state HAVING SUM(n) > 0",
        db::in_list(issues.len(), 3)
    );
    let codes: [sea_orm::Value; 3] = [
        DeliveryState::Unknown.code().into(),
        DeliveryState::Failed.code().into(),
        Reason::BadAddress.code().into(),
    ];
    let values = codes.into_iter().chain(issues.iter().map(|id| id.0.into()));
    #[derive(FromQueryResult)]
    struct Row {
        issue_id: IssueId,
        state: i16,
        n: i64,
    }
    for row in db::find_all::<Row>(db, sql, values).await? {
        let trouble = troubles.entry(row.issue_id).or_default();
        match DeliveryState::of(row.state) {
            Some(DeliveryState::Unknown) => trouble.in_doubt = row.n,
            _ => trouble.failed = row.n,
        }
    }
    Ok(troubles)
}

/// The expected number of readers of an issue whose audience is being frozen.
pub async fn to_be_frozen(app: &App, issue: IssueId) -> Result<i64, DbErr> {
    let sql = "SELECT m.newsletter_id, o.readers FROM mailing m LEFT JOIN mailing_only o ON o.issue_id = m.issue_id WHERE m.issue_id = $1";
    #[derive(FromQueryResult)]
    struct Row {
        newsletter_id: NewsletterId,
        readers: Option<Vec<u8>>,
    }
    let Some(row) = db::find_one::<Row>(app.db.read(), sql, [issue.0.into()]).await? else {
        return Ok(0);
    };
    match row.readers {
        Some(only) => Ok(i64::try_from(unpacked(&only).len()).unwrap_or(0)),
        None => audience(app.db.read(), row.newsletter_id).await,
    }
}

/// The number of readers that an issue of this newsletter would be sent to now.
pub async fn audience<C: ConnectionTrait>(db: &C, newsletter: NewsletterId) -> Result<i64, DbErr> {
    let sql = format!(
        "SELECT COUNT(*) FROM subscription WHERE newsletter_id = $1 AND state = {}",
        SubscriptionState::Active.code()
    );
    let n = db::find_value(db, sql, [newsletter.0.into()]).await?;
    Ok(n.unwrap_or(0))
}

/// When the oldest batch that is not leased was due, among the issues being sent.
pub async fn oldest_due(db: &Db) -> Result<Option<UnixMillis>, DbErr> {
    let sql = format!(
        "SELECT MIN(b.not_before_ms) FROM mail_batch b JOIN mailing m ON m.issue_id = b.issue_id WHERE m.state = {} AND b.state = {}",
        MailingState::Sending.code(),
        BatchState::Waiting.code()
    );
    let due: Option<Option<UnixMillis>> = db::find_value(db.read(), sql, []).await?;
    Ok(due.flatten())
}
