//! The issues shown first to editors: those that need a decision, those being sent, and those that come next.
//!
//! The overview reads this even while a million mails go out, so it reads few rows, found by an index on state or
//! age, and the mailer's counts for a few dozen issues.

use std::time::Duration;

use super::list_store::{self, Row};
use super::state::State;
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::{self, Trouble};
use crate::polls;
use crate::types::{IssueId, UnixMillis};

/// How many issues are examined of those held or being sent, and of those that ended last.
const LOOKED_AT: i64 = 20;
/// The most scheduled issues shown.
const SCHEDULED: i64 = 5;
/// The most drafts shown.
const DRAFTS: i64 = 3;
/// How long after an issue was sent an editor may still want to send it again to failed recipients: a week.
const AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The issues on the overview.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// Issues that need a decision: first those that are held up, then those that ended; the newest first in each
    /// group.
    pub needs: Vec<Need>,
    /// Being sent or ending: their numbers still change, so there is nothing to decide yet.
    pub on_way: Vec<Line>,
    /// The issue that ended last, by the time it was sent.
    pub last: Option<Last>,
    /// Scheduled issues, the next one first, followed by drafts, the last edited first.
    pub next: Vec<Line>,
}

/// An issue that needs a decision.
#[derive(Clone, Debug)]
pub struct Need {
    /// The issue with its time and numbers.
    pub line: Line,
    /// What holds it up, if anything.
    pub stopped: Option<Stopped>,
    /// The number of failed recipients that can be mailed again.
    pub failed: i64,
}

/// Why an issue is held up until somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was due and not sent.
    Held,
    /// Nothing is sent until somebody resumes it.
    Paused,
}

/// An issue that was sent, and its effect.
#[derive(Clone, Debug)]
pub struct Last {
    /// The issue with its time and numbers.
    pub line: Line,
    /// Answers that its mails brought to the polls they ask; `None` if there were none.
    pub answers: Option<i64>,
}

/// An issue in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The issue's key.
    pub issue: IssueId,
    /// Its subject.
    pub subject: String,
    /// Its state in words, and the CSS class of the badge.
    pub state: (&'static str, &'static str),
    /// What the time stands for: "Goes out", "Saved".
    pub when_label: &'static str,
    /// The time that matters in its state.
    pub when: UnixMillis,
    /// The newsletter's zone.
    pub time_zone: String,
    /// The number of readers, once frozen.
    pub audience: Option<i64>,
    /// How many mails the relay has accepted.
    pub sent: i64,
    /// How many recipients are in doubt.
    pub in_doubt: i64,
}

/// Reads the overview's issues.
pub async fn desk(app: &App) -> Result<Desk, DbErr> {
    let some = async |state: &str, ascending: bool, limit: i64| {
        list_store::in_states(&app.db, state, ascending, limit).await
    };
    let moving = some("moving", false, LOOKED_AT).await?;
    let ended = some("ended", false, LOOKED_AT).await?;
    let scheduled = some("scheduled", true, SCHEDULED).await?;
    let drafts = some("draft", false, DRAFTS).await?;
    let issues: Vec<IssueId> = moving.iter().chain(&ended).map(|row| row.id).collect();
    let troubles = mailing::troubles(app.db.read(), &issues).await?;
    let since = app.clock.now() - AGAIN;
    let trouble = |row: &Row| troubles.get(&row.id).copied().unwrap_or_default();
    let rows = moving.iter().chain(&ended);
    let last = match ended.first() {
        Some(row) => Some(Last {
            line: line(row, trouble(row).in_doubt),
            answers: answers(app, row.id).await?,
        }),
        None => None,
    };
    Ok(Desk {
        last,
        needs: rows
            .filter_map(|row| need(row, trouble(row), since))
            .collect(),
        on_way: moving
            .iter()
            .filter(|row| stopped(row.state).is_none())
            .map(|row| line(row, trouble(row).in_doubt))
            .collect(),
        next: scheduled
            .iter()
            .chain(&drafts)
            .map(|row| line(row, 0))
            .collect(),
    })
}

/// Answers first given by links in this issue's mails, over all its polls.
async fn answers(app: &App, issue: IssueId) -> Result<Option<i64>, DbErr> {
    let numbers = polls::mail_numbers(&app.db, issue).await?;
    let all: i64 = numbers.iter().map(|(_, numbers)| numbers.counted).sum();
    Ok((all > 0).then_some(all))
}

fn stopped(state: State) -> Option<Stopped> {
    match state {
        State::Held => Some(Stopped::Held),
        State::Paused => Some(Stopped::Paused),
        _ => None,
    }
}

/// What an issue needs a decision on, if anything. Issues sent before `since` are no longer sent again.
fn need(row: &Row, trouble: Trouble, since: UnixMillis) -> Option<Need> {
    let stopped = stopped(row.state);
    let ended = matches!(row.state, State::Finished | State::Cancelled);
    let again = row.state == State::Finished && row.when >= since;
    let failed = if again { trouble.failed } else { 0 };
    let waits = stopped.is_some() || (ended && trouble.in_doubt > 0) || failed > 0;
    waits.then(|| Need {
        line: line(row, trouble.in_doubt),
        stopped,
        failed,
    })
}

fn line(row: &Row, in_doubt: i64) -> Line {
    Line {
        issue: row.id,
        subject: subject(row),
        state: row.state.shown(row.trouble),
        when_label: row.state.when(),
        when: row.when,
        time_zone: row.time_zone.clone(),
        audience: row.audience,
        sent: row.sent,
        in_doubt,
    }
}

fn subject(row: &Row) -> String {
    if row.subject.is_empty() {
        "(no subject yet)".to_owned()
    } else {
        row.subject.clone()
    }
}
