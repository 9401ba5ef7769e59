//! The table `bounce`: what was said about an address, by a mail that came back or by a relay at once. One rule decides
//! for both when it is enough to end the reader's subscriptions.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::Value;

use super::{ROWS, end};
use crate::{
    db::{self, DbErr, WriteTxn},
    mailer::{
        fate::Words,
        mailing::states::{DeliveryState, Reason},
        reply::{Bounce, Phase, Reply, Verdict, decide},
    },
    types::{IssueId, ReaderId, UnixMillis},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The window in which soft bounces are counted.
const WINDOW: Duration = Duration::from_secs(14 * 24 * 3_600);
/// A mail that was sent more recently than this may still bounce, so it does not count as arrived yet.
const SETTLES: Duration = DAY;

/// The kind of a report which does not say that the mail did not arrive.
const UNAUTHENTICATED: i16 = 10;

/// From this many refusals of an issue on, and from this share of its mails in percent, they have a common cause.
const MANY: i64 = 10;
const SHARE: i64 = 25;

/// A bounce that ends subscriptions only together with others. The numbers are those of `bounce.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weak {
    /// There is no such domain, as far as that server could tell.
    NoDomain = 2,
    /// The address may work on another day.
    Soft = 3,
}

impl Weak {
    /// What a relay's refusal of a recipient was, if it was no hard bounce.
    pub(super) fn of(words: &Words) -> Self {
        let reply = Reply::new(u16::try_from(words.code).unwrap_or(0), &words.text);
        // A missing domain is recognised in the same way in every phase.
        match decide(Phase::Dot, &reply) {
            Verdict::FailRecipient(Bounce::NoDomain) => Self::NoDomain,
            _ => Self::Soft,
        }
    }

    /// So many issues must have bounced like this.
    fn needed(self) -> i64 {
        match self {
            Self::NoDomain => 2,
            Self::Soft => 5,
        }
    }

    /// The first of them must be at least this old. In one outage of DNS or of a provider, several issues may bounce.
    fn lasts(self) -> Duration {
        match self {
            Self::NoDomain => DAY,
            Self::Soft => 7 * DAY,
        }
    }

    /// Bounces before this time do not count, whatever arrived since.
    fn since(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::NoDomain => UnixMillis(0),
            Self::Soft => now - WINDOW,
        }
    }

    /// Why the subscriptions end.
    pub(in crate::mailer::mailing) fn why(self) -> &'static str {
        match self {
            Self::NoDomain => "the domain does not exist",
            Self::Soft => "it bounced for a week or longer",
        }
    }
}

/// A bounce of one mail.
#[derive(Clone, Debug)]
pub struct Noted {
    /// The issue.
    pub issue: IssueId,
    /// The recipient.
    pub reader: ReaderId,
    /// As in the column `kind`; see the migration.
    pub kind: i16,
    /// The enhanced status code, or empty.
    pub status: String,
}

/// Records bounces, and returns how many of them were not recorded before.
///
/// # Errors
/// On a database error.
pub async fn note(txn: &WriteTxn, bounces: &[Noted], now: UnixMillis) -> Result<u64, DbErr> {
    if bounces.is_empty() {
        return Ok(0);
    }
    let list = db::values_list(bounces.len(), 5, 0);
    let values = bounces.iter().flat_map(|bounce| {
        let values: [Value; 5] = [
            bounce.reader.into(),
            bounce.issue.into(),
            bounce.kind.into(),
            bounce.status.clone().into(),
            now.into(),
        ];
        values
    });
    let sql = format!(
        "INSERT INTO bounce (reader_id, issue_id, kind, status, at_ms) VALUES {list} ON CONFLICT DO NOTHING"
    );
    Ok(db::run(&**txn, sql, values).await?.rows_affected())
}

/// Why a reader's subscriptions end by bounces of this kind: enough issues bounced, over a long enough time, and no mail
/// arrived in between. `None`: not yet. An issue that a relay refused for many does not count, because the cause is not
/// the readers': one that refuses everybody in words that nobody knows must not cost a whole list its subscriptions.
///
/// # Errors
/// On a database error.
pub async fn enough(
    txn: &WriteTxn,
    reader: ReaderId,
    weak: Weak,
    now: UnixMillis,
) -> Result<Option<&'static str>, DbErr> {
    let arrived = last_arrival(txn, reader, now - SETTLES).await?;
    let since = arrived.max(weak.since(now));
    let (sent, failed) = (DeliveryState::Sent.code(), DeliveryState::Failed.code());
    let refused = format!(
        "SUM(CASE WHEN t.state = {failed} AND t.reason = {} THEN t.n ELSE 0 END)",
        Reason::Refused.code()
    );
    let sql = format!(
        "SELECT COUNT(*) FROM bounce b WHERE b.reader_id = $1 AND b.kind = $2 AND b.at_ms >= $3
           AND NOT EXISTS (SELECT 1 FROM issue_tally t WHERE t.issue_id = b.issue_id AND t.state IN ({sent}, {failed})
             GROUP BY t.issue_id HAVING {refused} >= {MANY} AND {refused} * 100 >= SUM(t.n) * {SHARE})
         GROUP BY b.reader_id HAVING COUNT(*) >= {needed} AND MIN(b.at_ms) <= $4",
        needed = weak.needed()
    );
    let values: [Value; 4] = [
        reader.into(),
        (weak as i16).into(),
        since.into(),
        (now - weak.lasts()).into(),
    ];
    let issues: Option<i64> = db::find_value(&**txn, sql, values).await?;
    Ok(issues.map(|_| weak.why()))
}

/// Those of these readers for whom enough issues bounced since that time.
async fn bounced(
    txn: &WriteTxn,
    readers: &[ReaderId],
    weak: Weak,
    since: UnixMillis,
) -> Result<Vec<ReaderId>, DbErr> {
    let sql = format!(
        "SELECT reader_id FROM bounce WHERE kind = $1 AND at_ms >= $2 AND reader_id IN {}
         GROUP BY reader_id HAVING COUNT(*) >= {}",
        db::in_list(readers.len(), 2),
        weak.needed()
    );
    let values: [Value; 2] = [(weak as i16).into(), since.into()];
    let readers = readers.iter().map(|reader| Value::from(*reader));
    db::find_values(&**txn, sql, values.into_iter().chain(readers)).await
}

/// Like [`enough`], for those of many readers for whom it may be: most have no earlier bounce, and cost no query.
async fn enough_among(
    txn: &WriteTxn,
    readers: &[ReaderId],
    weak: Weak,
    now: UnixMillis,
) -> Result<Vec<(ReaderId, &'static str)>, DbErr> {
    let mut over = Vec::new();
    if readers.is_empty() {
        return Ok(over);
    }
    for reader in bounced(txn, readers, weak, weak.since(now)).await? {
        if let Some(why) = enough(txn, reader, weak, now).await? {
            over.push((reader, why));
        }
    }
    Ok(over)
}

/// When the last mail before `until` was sent to the reader that did not bounce; the beginning of time if there is
/// none. A mail that was refused at first and accepted later did not bounce.
async fn last_arrival(
    txn: &WriteTxn,
    reader: ReaderId,
    until: UnixMillis,
) -> Result<UnixMillis, DbErr> {
    let sql = format!(
        "SELECT COALESCE(MAX(d.at_ms), 0) FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.reader_id = $1
         WHERE d.state = {} AND d.at_ms < $2
           AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.kind <> {UNAUTHENTICATED}
             AND b.reader_id = d.reader_id AND b.issue_id = d.issue_id AND b.at_ms >= d.at_ms)",
        DeliveryState::Sent.code()
    );
    let last = db::find_value(&**txn, sql, [reader.into(), until.into()]).await?;
    Ok(last.unwrap_or(UnixMillis(0)))
}

/// Records bounces of one kind, and ends the subscriptions of those readers for whom they are enough.
pub(super) async fn settle(
    txn: &WriteTxn,
    weak: Weak,
    bounced: &[(Noted, &[u8])],
    now: UnixMillis,
) -> Result<(), DbErr> {
    for chunk in bounced.chunks(ROWS) {
        let noted: Vec<Noted> = chunk.iter().map(|(noted, _)| noted.clone()).collect();
        note(txn, &noted, now).await?;
        let readers: Vec<ReaderId> = noted.iter().map(|noted| noted.reader).collect();
        let over = enough_among(txn, &readers, weak, now).await?;
        let over: BTreeMap<ReaderId, &str> = over.into_iter().collect();
        for (noted, hash) in chunk {
            if let Some(why) = over.get(&noted.reader) {
                end(txn, &[(hash, noted.reader)], why, now).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_mailbox_or_its_domain() {
        for (code, text, expected) in [
            (552, "5.2.2 mailbox full", Weak::Soft),
            (550, "5.2.1 mailbox disabled", Weak::Soft),
            (550, "5.4.4 no route to host", Weak::Soft),
            (550, "5.1.2 host unknown", Weak::NoDomain),
            (
                550,
                "5.4.4 the domain example.net does not exist",
                Weak::NoDomain,
            ),
        ] {
            let words = Words {
                code,
                text: text.to_owned(),
                ..Words::default()
            };
            assert_eq!(Weak::of(&words), expected, "{text}");
        }
    }
}
