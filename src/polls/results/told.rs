//! What readers are told if they see no numbers, or if their answer was not counted. Pure.

use jiff::tz::TimeZone;

use super::note::date_time;
use crate::polls::model::{Phase, Poll, Visibility};

/// What readers of a poll that asks a sample are told.
pub const BY_INVITATION: &str = "This poll is for a random sample of subscribers. Everyone selected gets a personal link by email.";

/// "Closed on …", once the poll is closed.
pub fn closed(poll: &Poll, phase: Phase) -> Option<String> {
    match phase {
        Phase::Closed { at: Some(at) } => Some(format!("Closed on {}", date_time(at, &zone(poll)))),
        Phase::Closed { at: None } => Some("Closed".to_owned()),
        _ => None,
    }
}

/// Why this reader sees no numbers at the moment.
pub fn hidden_reason(poll: &Poll, phase: Phase) -> String {
    match (poll.visibility, phase) {
        (_, Phase::NotYetOpen { opens_at }) => {
            format!("This poll opens on {}.", date_time(opens_at, &zone(poll)))
        }
        (Visibility::AfterVoting, _) if poll.sample().is_some() => {
            "The results are shown to selected readers who have answered, and to everyone once the poll has closed.".to_owned()
        }
        (Visibility::AfterVoting, _) => {
            "The results are shown to readers who have answered.".to_owned()
        }
        (
            Visibility::AfterClose,
            Phase::Open {
                closes_at: Some(at),
            },
        ) => {
            format!(
                "The results will be shown once the poll has closed, on {}.",
                date_time(at, &zone(poll))
            )
        }
        (Visibility::AfterClose, _) => "The results will be shown once the poll has closed.".to_owned(),
        (_, _) => "The results of this poll are not public.".to_owned(),
    }
}

/// The time zone in which a poll's times are shown.
pub fn zone(poll: &Poll) -> TimeZone {
    TimeZone::get(&poll.time_zone).unwrap_or(TimeZone::UTC)
}

/// What a reader whose answer came while the poll was not open is told.
pub fn not_counted(poll: &Poll, phase: Phase) -> String {
    let when = match phase {
        Phase::NotYetOpen { .. } => hidden_reason(poll, phase),
        Phase::Closed { at: Some(at) } => {
            format!("The poll closed on {}.", date_time(at, &zone(poll)))
        }
        _ => "This poll is closed.".to_owned(),
    };
    format!("Your answer was not counted. {when}")
}

/// What a reader who was not drawn, or did not use the personal link, is told.
pub fn not_asked() -> String {
    format!("Your answer was not counted. {BY_INVITATION}")
}
