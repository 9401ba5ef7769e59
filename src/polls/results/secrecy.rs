//! What readers and editors are told about a poll's secret, and the code of its count.

use serde::Serialize;
use utoipa::ToSchema;

use super::Results;
use super::note::date;
use super::told::zone;
use super::view::ResultsPage;
use crate::app::App;
use crate::db::DbErr;
use crate::polls::ballots::log::hex;
use crate::polls::ballots::record::{self, Record};
use crate::polls::model::{Phase, Poll, PollState};
use crate::types::UnixMillis;

/// Hexadecimal digits of the code on a page: 80 bits, too many for a second preimage to be found by trial.
const DIGITS: usize = 20;

/// The record of a final count, for scripts.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordView {
    /// From 1; incremented when an editor sets something aside or approves words after the close.
    pub number: i64,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub recorded_at: String,
    /// The hash whose beginning readers see. It covers the ballots, the numbers, the head, and the record before.
    pub hash: String,
    /// A hash over the ends of the log's chains.
    pub head: String,
    /// One hash over all ballots, independent of who cast them.
    pub root: String,
    /// Ballots that count.
    pub ballots: i64,
    pub set_aside: i64,
}

impl From<Record> for RecordView {
    fn from(record: Record) -> Self {
        Self {
            number: record.number,
            recorded_at: record.at.timestamp().to_string(),
            hash: hex(&record.hash),
            head: hex(&record.state.head),
            root: hex(&record.state.root),
            ballots: record.state.ballots,
            set_aside: record.state.set_aside,
        }
    }
}

/// Results, and the record of the count once the poll is closed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosedResults {
    #[serde(flatten)]
    pub results: Results,
    /// `null` until the close.
    pub record: Option<RecordView>,
    /// When the key that could join answers to readers was destroyed; RFC 3339.
    #[schema(format = DateTime)]
    pub sealed_at: Option<String>,
}

impl ClosedResults {
    /// The results with what is known about their final count.
    pub async fn of(app: &App, poll: &Poll, results: Results) -> Result<Self, DbErr> {
        Ok(Self {
            results,
            record: record_of(app, poll).await?.map(RecordView::from),
            sealed_at: poll.sealed_at.map(|at| at.timestamp().to_string()),
        })
    }
}

/// The record of a poll that is closed.
pub async fn record_of(app: &App, poll: &Poll) -> Result<Option<Record>, DbErr> {
    match poll.phase(app.clock.now()) {
        Phase::Closed { .. } => record::latest(&app.db, poll.id).await,
        _ => Ok(None),
    }
}

/// Adds to a result page what is said after the close: the code of the count, and the fate of the key.
pub async fn tell(app: &App, poll: &Poll, page: &mut ResultsPage) -> Result<(), DbErr> {
    page.secrecy = for_readers(poll, app.clock.now(), app.config.polls.seal_days);
    page.code = record_of(app, poll).await?.map(|record| code(&record));
    Ok(())
}

/// `1a2b 3c4d …`: the beginning of the record's hash, to be read out or copied.
pub fn code(record: &Record) -> String {
    let hash = hex(&record.hash);
    let groups: Vec<&str> = (0..DIGITS / 4).map(|i| &hash[i * 4..i * 4 + 4]).collect();
    groups.join(" ")
}

/// One sentence for readers, once the poll is closed.
fn for_readers(poll: &Poll, now: UnixMillis, days: u64) -> Option<String> {
    let zone = zone(poll);
    if let Some(at) = poll.sealed_at {
        return Some(format!(
            "Answers can no longer be traced to readers: the key was destroyed on {}.{}",
            date(at, &zone),
            agreed(poll)
        ));
    }
    poll.seals_at(now, days).map(|at| {
        format!(
            "The key that could be used to trace an answer to a reader will be destroyed on {}.{}",
            date(at.max(now), &zone),
            agreed(poll)
        )
    })
}

/// The addition for polls in which some readers agreed to a link.
fn agreed(poll: &Poll) -> &'static str {
    match poll.linking {
        Some(_) => " Only the answers of readers who agreed are still kept with their addresses.",
        None => "",
    }
}

/// The same for editors, at any time.
pub fn for_editors(poll: &Poll, now: UnixMillis, days: u64) -> String {
    let zone = zone(poll);
    let joined = match poll.linking {
        Some(_) => "Answers and addresses are linked only where a reader agreed to it",
        None => "Answers and addresses are not linked",
    };
    let after = match days {
        1 => "1 day".to_owned(),
        _ => format!("{days} days"),
    };
    match (poll.sealed_at, poll.seals_at(now, days)) {
        (Some(at), _) => format!(
            "The key was destroyed on {}: no answer can be linked to a reader, and the poll stays closed.{}",
            date(at, &zone),
            agreed(poll)
        ),
        (None, Some(at)) => format!(
            "{joined}. The key is destroyed on {}; until then, ballots can be set aside and the poll can be reopened.",
            date(at.max(now), &zone)
        ),
        (None, None) if poll.closes_at.is_none() && poll.state != PollState::Draft => format!(
            "{joined}. No closing time is set: the key is destroyed {after} after an editor closes the poll, and not before."
        ),
        (None, None) => format!("{joined}. The key is destroyed {after} after the close."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;

    #[test]
    fn readers_are_told_once_it_is_closed() {
        let mut poll = example::single(&["a", "b"]);
        let day = 24 * 60 * 60 * 1_000;
        poll.closes_at = Some(UnixMillis(10 * day));
        let told = |poll: &Poll, at: i64| for_readers(poll, UnixMillis(at * day), 7);
        assert_eq!(told(&poll, 9), None);
        let will = told(&poll, 11).unwrap_or_default();
        assert!(will.ends_with("be destroyed on 18 January 1970."), "{will}");
        let late = told(&poll, 20).unwrap_or_default();
        assert!(late.ends_with("on 21 January 1970."), "{late}");
        poll.sealed_at = Some(UnixMillis(20 * day));
        let was = told(&poll, 30).unwrap_or_default();
        assert!(was.ends_with("was destroyed on 21 January 1970."), "{was}");
        assert!(for_editors(&poll, UnixMillis(0), 7).contains("stays closed"));
    }

    #[test]
    fn a_poll_that_was_never_closed_is_never_sealed() {
        let mut poll = example::single(&["a", "b"]);
        assert_eq!(poll.seals_at(UnixMillis(i64::MAX), 7), None);
        for (days, words) in [(7, "7 days after an editor"), (1, "1 day after an editor")] {
            let told = for_editors(&poll, UnixMillis(0), days);
            assert!(told.contains(words), "{told}");
        }
        poll.state = crate::polls::PollState::Draft;
        poll.closes_at = Some(UnixMillis(1));
        assert_eq!(poll.seals_at(UnixMillis(i64::MAX), 7), None);
    }
}
