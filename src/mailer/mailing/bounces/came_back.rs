//! Hard bounces, complaints and refusals because of us that are reported by mail, some time after the relay has accepted
//! the mail. Behind a smarthost all of them are, and too many pause the issue like those that the relay reports itself.
//!
//! A report comes when it comes, so the limits are shares of all who were mailed so far, and not of a window. Each
//! limit pauses the issue once: whoever resumes it for the second time knows its list, and reports about mails that
//! left long ago say nothing new.

use super::{PAUSED, WINDOW, stop, totals};
use crate::{
    app::App,
    db::{self, DbErr, WriteTxn},
    mailer::mailing::states::Reason,
    types::IssueId,
};

/// What a report says about a mail that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameBack {
    /// The address does not exist.
    HardBounce,
    /// The reader reported it as spam.
    Complaint,
    /// The sender or the message was refused: a block list, a policy, a signature that fails.
    Ours,
    /// A provider could not authenticate it. It may have arrived, so this pauses nothing.
    Unauthenticated,
}

/// Reports are counted in `issue_tally` under this state, which no recipient has: the table of the reports cannot be
/// searched by issue.
pub(in crate::mailer) const REPORTED: i16 = 0;
/// All processes count in the same stripe. Each waits for the one before, so the report that reaches a limit knows it.
const SLOT: i64 = 0;

/// A limit at which an issue pauses itself once.
struct Limit {
    /// The bit of `mailing.bounce_paused` that remembers it.
    bit: i16,
    /// Fewer than this say nothing about a list, however small it is.
    fewest: i64,
    /// Per thousand of those mailed so far, or of the first [`WINDOW`] until that many were mailed.
    per_mille: i64,
}

const fn limit(bit: i16, fewest: i64, per_mille: i64) -> Limit {
    Limit {
        bit,
        fewest,
        per_mille,
    }
}

/// The same shares as for what a relay reports itself.
const HARD_BOUNCES: [Limit; 2] = [limit(PAUSED, 5, 20), limit(2, 5, 100)];
/// Providers want less than 0.1 %, and filter senders from 0.3 % on. One reader who presses the wrong button is no
/// reason to stop.
const COMPLAINTS: [Limit; 2] = [limit(4, 3, 1), limit(8, 9, 3)];
/// A few servers of companies refuse what they have a rule against. One large provider that refuses us is far more.
const OURS: [Limit; 2] = [limit(16, 10, 20), limit(32, 10, 100)];

/// Counts a report about one recipient, which must not have been counted before, and pauses an issue with too many.
/// `status` is its enhanced status code, or empty.
///
/// # Errors
/// On a database error.
pub async fn came_back(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    what: CameBack,
    status: &str,
) -> Result<(), DbErr> {
    let (reason, limits): (Reason, &[Limit]) = match what {
        CameBack::HardBounce => (Reason::BadAddress, &HARD_BOUNCES),
        CameBack::Complaint => (Reason::Complained, &COMPLAINTS),
        CameBack::Ours => (Reason::Ours, &OURS),
        CameBack::Unauthenticated => (Reason::Unauthenticated, &[]),
    };
    let reported = count(txn, issue, reason).await?;
    let Some(row) = totals(txn, issue.0).await? else {
        return Ok(());
    };
    let n = match what {
        CameBack::HardBounce => reported + row.bounces,
        _ => reported,
    };
    let Some(limit) = reached(limits, row.bounce_paused, row.audience, row.tried, n) else {
        return Ok(());
    };
    let why = words(what, n, row.tried, status);
    if stop(txn, issue, &why, limit.bit, app.clock.now()).await? {
        let status = status.to_owned();
        txn.after(move || {
            tracing::warn!(
                issue = issue.0,
                reports = n,
                tried = row.tried,
                status,
                "an issue paused itself: too many bounces, complaints or refusals came back"
            );
        });
    }
    Ok(())
}

/// Counts one more, and returns the number.
async fn count(txn: &WriteTxn, issue: IssueId, reason: Reason) -> Result<i64, DbErr> {
    let sql = format!(
        "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, {REPORTED}, $2, {SLOT}, 1)
         ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + 1
         RETURNING CAST(n AS BIGINT)"
    );
    let n = db::find_value(&**txn, sql, [issue.into(), reason.code().into()]).await?;
    Ok(n.unwrap_or(0))
}

/// The limit that `n` reports reach, while some recipients are still to be attempted.
fn reached(limits: &[Limit], paused: i16, audience: i64, tried: i64, n: i64) -> Option<&Limit> {
    let limit = limits.iter().find(|limit| paused & limit.bit == 0)?;
    let among = tried.max(audience.min(WINDOW));
    (tried < audience && n >= limit.fewest && n * 1_000 >= among * limit.per_mille).then_some(limit)
}

fn words(what: CameBack, n: i64, tried: i64, status: &str) -> String {
    match what {
        CameBack::HardBounce => format!(
            "{n} of the {tried} addresses mailed so far do not exist, as reports say that came back: the list may be old or wrong. Resuming continues with the rest."
        ),
        CameBack::Complaint => format!(
            "{n} of the {tried} readers mailed so far reported it as spam. Providers block senders with more than one in a thousand: make sure that these readers asked for this newsletter. Resuming continues with the rest."
        ),
        CameBack::Ours | CameBack::Unauthenticated => {
            let last = match status {
                "" => String::new(),
                status => format!(", the last with the code {status}"),
            };
            format!(
                "{n} of the {tried} mails so far came back because the receiving servers refuse us or this message{last}: for example a block list, or a signature that they cannot verify. The operator can find the replies in the relay’s log, and compare the signatures with canvass check dkim. Resuming continues with the rest."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_reached_once() {
        let bit = |limits: &[Limit], paused, audience, tried, n| {
            reached(limits, paused, audience, tried, n).map_or(0, |limit| limit.bit)
        };
        for (paused, audience, tried, n, expected) in [
            (0, 100_000, 500, 19, 0),
            (0, 100_000, 500, 20, 1),
            (0, 100_000, 50_000, 999, 0),
            (0, 100_000, 50_000, 1_000, 1),
            (0, 100, 50, 4, 0),
            (0, 100, 50, 5, 1),
            (0, 100, 100, 50, 0),
            (1, 100_000, 1_000, 99, 0),
            (1, 100_000, 1_000, 100, 2),
            (3, 100_000, 1_000, 900, 0),
        ] {
            let given = bit(&HARD_BOUNCES, paused, audience, tried, n);
            assert_eq!(given, expected, "{paused} {audience} {tried} {n}");
        }
        for (paused, audience, tried, n, expected) in [
            (1, 100_000, 500, 2, 0),
            (1, 100_000, 500, 3, 4),
            (0, 100_000, 10_000, 9, 0),
            (0, 100_000, 10_000, 10, 4),
            (4, 100_000, 1_000, 8, 0),
            (4, 100_000, 1_000, 9, 8),
            (12, 100_000, 1_000, 90, 0),
        ] {
            let given = bit(&COMPLAINTS, paused, audience, tried, n);
            assert_eq!(given, expected, "{paused} {audience} {tried} {n}");
        }
        for (paused, audience, tried, n, expected) in [
            (0, 100, 50, 9, 0),
            (0, 100, 50, 10, 16),
            (15, 100_000, 1_000, 19, 0),
            (15, 100_000, 1_000, 20, 16),
            (16, 100_000, 1_000, 99, 0),
            (16, 100_000, 1_000, 100, 32),
            (48, 100_000, 1_000, 900, 0),
        ] {
            let given = bit(&OURS, paused, audience, tried, n);
            assert_eq!(given, expected, "{paused} {audience} {tried} {n}");
        }
    }
}
