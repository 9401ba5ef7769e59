//! The numbers of answers from mails: counted, seen but not cast, scanned. By poll and issue, without any reader.

use sea_orm::{DbErr, FromQueryResult, Value};

use super::looks::Counts;
use crate::app::App;
use crate::db::{Db, find_all, find_one, find_value, run, values_list};
use crate::newsletters::{self, Newsletter};
use crate::polls::model::Poll;
use crate::types::{IssueId, PollId};

/// The outcomes of the links to a poll in mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct Numbers {
    /// Ballots first cast by such a link.
    pub counted: i64,
    /// Visits by readers who looked and did not answer.
    pub seen: i64,
    /// Visits by programs.
    pub scanner: i64,
}

const SUMS: &str = "CAST(COALESCE(SUM(counted), 0) AS BIGINT) AS counted, CAST(COALESCE(SUM(seen), 0) AS BIGINT) AS seen, \
     CAST(COALESCE(SUM(scanner), 0) AS BIGINT) AS scanner";

/// The newsletter of the issue that the mail belongs to; without an issue, the one offered beside the poll.
pub async fn newsletter_of(
    db: &Db,
    issue: Option<IssueId>,
    poll: &Poll,
) -> Result<Option<Newsletter>, DbErr> {
    let of_mail = match issue {
        Some(issue) => {
            let sql = "SELECT newsletter_id FROM issue WHERE id = $1";
            find_value(db.read(), sql, [issue.into()]).await?
        }
        None => None,
    };
    match of_mail.or(poll.newsletter) {
        Some(id) => newsletters::by_id(db.read(), id).await,
        None => Ok(None),
    }
}

/// The numbers of a poll, summed over all issues that contained it.
pub async fn of_poll(db: &Db, poll: PollId) -> Result<Numbers, DbErr> {
    let sql = format!("SELECT {SUMS} FROM mail_vote WHERE poll_id = $1");
    let numbers = find_one(db.read(), sql, [poll.into()]).await?;
    Ok(numbers.unwrap_or_default())
}

/// The numbers of the polls in an issue; polls without any are left out.
pub async fn of_issue(db: &Db, issue: IssueId) -> Result<Vec<(PollId, Numbers)>, DbErr> {
    let sql = format!(
        "SELECT poll_id, {SUMS} FROM mail_vote WHERE issue_id = $1 GROUP BY poll_id ORDER BY poll_id"
    );
    #[derive(FromQueryResult)]
    struct Row {
        poll_id: PollId,
        #[sea_orm(nested)]
        numbers: Numbers,
    }
    let rows: Vec<Row> = find_all(db.read(), sql, [issue.into()]).await?;
    let numbers = |row: Row| (row.poll_id, row.numbers);
    Ok(rows.into_iter().map(numbers).collect())
}

/// Adds the visits that are over.
///
/// # Errors
/// A database error; nothing was added.
pub(super) async fn add(app: &App, counts: &Counts) -> Result<(), DbErr> {
    let txn = app.db.write_txn("looks").await?;
    // In groups: with five values a row, far below the parameter limits of both databases.
    for chunk in counts.iter().collect::<Vec<_>>().chunks(1_000) {
        let sql = format!(
            "INSERT INTO mail_vote (poll_id, issue_id, slot, seen, scanner) VALUES {} \
             ON CONFLICT (poll_id, issue_id, slot) DO UPDATE SET \
             seen = mail_vote.seen + excluded.seen, scanner = mail_vote.scanner + excluded.scanner",
            values_list(chunk.len(), 5, 0)
        );
        let values = chunk
            .iter()
            .flat_map(|((poll, issue), (seen, scanner))| -> [Value; 5] {
                [
                    (*poll).into(),
                    (*issue).into(),
                    app.slot.into(),
                    (*seen).into(),
                    (*scanner).into(),
                ]
            });
        run(&*txn, sql, values).await?;
    }
    txn.commit().await
}
