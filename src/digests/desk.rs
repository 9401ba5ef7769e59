//! The issues that editors should know of first: those that need somebody, those on their way, and what comes next.
//!
//! Read by the overview, also while a million mails go out: few rows, each found by its state or its age, and the mailer's counts of a few
//! dozen issues.

use std::time::Duration;

use super::list_store::{self, Row};
use super::state::State;
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::{self, Trouble};
use crate::polls;
use crate::types::{IssueId, UnixMillis};

/// Issues that are held, on their way or came to an end last: so many of each are looked at.
const LOOKED_AT: i64 = 20;
/// Scheduled issues shown.
const SCHEDULED: i64 = 5;
/// Drafts shown.
const DRAFTS: i64 = 3;
/// So long after an issue went out somebody may still want to send it again to those it failed for: a week.
const AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What the overview shows of issues.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    /// What waits for a person: first what is held up, then what came to an end, each with the newest first.
    pub needs: Vec<Need>,
    /// Being sent or ended: their numbers still change, so nothing is to be decided yet.
    pub on_way: Vec<Line>,
    /// The issue that came to its end last, by when it went out.
    pub last: Option<Last>,
    /// Scheduled, the next first; then drafts, the last one written first.
    pub next: Vec<Line>,
}

/// An issue that waits for a person.
#[derive(Clone, Debug)]
pub struct Need {
    /// Which, with its time and its numbers.
    pub line: Line,
    /// What holds it up, if something does.
    pub stopped: Option<Stopped>,
    /// It failed for so many readers who can be sent to again.
    pub failed: i64,
}

/// What holds an issue up until somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its time came, and it was not sent.
    Held,
    /// Nothing goes out until somebody resumes it.
    Paused,
}

/// An issue that went out, and what came of it.
#[derive(Clone, Debug)]
pub struct Last {
    /// Which, with its time and its numbers.
    pub line: Line,
    /// Answers that its mails brought to the polls they ask; `None` where they brought none.
    pub answers: Option<i64>,
}

/// An issue in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// Which issue.
    pub issue: IssueId,
    /// Its subject.
    pub subject: String,
    /// Words, and the class of a badge.
    pub state: (&'static str, &'static str),
    /// What the time is: "goes out", "saved".
    pub when_label: &'static str,
    /// The time that matters in its state.
    pub when: UnixMillis,
    /// The newsletter's zone.
    pub time_zone: String,
    /// Readers, once they are frozen.
    pub audience: Option<i64>,
    /// Of them taken by the relay.
    pub sent: i64,
    /// Of them those who may or may not have got it.
    pub in_doubt: i64,
}

/// Reads it.
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

/// Answers first given by a link in this issue's mails, in all its polls.
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

/// What one issue waits for, if for anything. `since`: who went out earlier is not sent again.
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
