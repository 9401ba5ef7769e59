//! The state of an issue combined with that of its mailing, for the editors' list and for scripts.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::IssueState;
use crate::admin::show;
use crate::mailer::mailing::MailingState;

/// The state of an issue, including its mailing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IssueState)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being written.
    Draft,
    /// It waits for its time.
    Scheduled,
    /// It was due and cannot or should not go out by itself: a person decides.
    Held,
    /// Its readers are being frozen, or its mails are on their way.
    Sending,
    /// Its mails wait until somebody resumes it.
    Paused,
    /// It was ended; what has not left is being written off.
    Cancelling,
    /// Nothing more is sent by itself.
    Finished,
    /// As finished, but it was ended before all its mails had left.
    Cancelled,
}

impl State {
    /// The combined state of an issue and its mailing; the latter exists once it was handed over.
    #[must_use]
    pub fn of(issue: &IssueState, mailing: Option<MailingState>) -> Self {
        match (issue, mailing) {
            (IssueState::Draft, _) => Self::Draft,
            (IssueState::Scheduled(_), _) => Self::Scheduled,
            (IssueState::Held { .. }, _) => Self::Held,
            (IssueState::Handed(_), Some(mailing)) => mailing.into(),
            (IssueState::Handed(_), None) => Self::Sending,
        }
    }

    /// The state in words and the CSS class of its badge. `trouble` is the number of readers whose mail failed or
    /// is in doubt; a finished issue with some is not green.
    #[must_use]
    pub fn shown(self, trouble: i64) -> (&'static str, &'static str) {
        let mailing = match self {
            Self::Draft => return ("Draft", "is-neutral"),
            Self::Scheduled => return ("Scheduled", "is-live"),
            Self::Held => return ("Held", "is-wait"),
            Self::Sending => MailingState::Sending,
            Self::Paused => MailingState::Paused,
            Self::Cancelling => MailingState::Cancelling,
            Self::Finished => MailingState::Finished,
            Self::Cancelled => MailingState::Cancelled,
        };
        show::mailing(mailing, trouble)
    }

    /// What the time in a list row stands for.
    pub(super) fn when(self) -> &'static str {
        match self {
            Self::Draft => "Saved",
            Self::Scheduled => "Goes out",
            Self::Held => "Was to go out",
            // Whether any mail has gone out is what the other columns say.
            _ => "Handed to the mailer",
        }
    }
}

impl From<MailingState> for State {
    fn from(mailing: MailingState) -> Self {
        match mailing {
            MailingState::Preparing | MailingState::Sending => Self::Sending,
            MailingState::Paused => Self::Paused,
            MailingState::Cancelling => Self::Cancelling,
            MailingState::Finished => Self::Finished,
            MailingState::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn the_document_names_the_states_that_scripts_are_told() {
        let all = [
            State::Draft,
            State::Scheduled,
            State::Held,
            State::Sending,
            State::Paused,
            State::Cancelling,
            State::Finished,
            State::Cancelled,
        ];
        assert_eq!(json!(State::schema())["enum"], json!(all));
    }

    #[test]
    fn an_issue_that_is_with_the_mailer_stands_where_its_mailing_does() {
        for mailing in [
            MailingState::Sending,
            MailingState::Paused,
            MailingState::Cancelling,
            MailingState::Finished,
            MailingState::Cancelled,
        ] {
            assert_eq!(json!(State::from(mailing)), json!(mailing));
        }
        // To an observer, freezing the audience is part of sending.
        assert_eq!(State::from(MailingState::Preparing), State::Sending);
        assert_eq!(State::of(&IssueState::Draft, None), State::Draft);
    }

    #[test]
    fn an_issue_of_which_nothing_has_gone_out_does_not_say_that_it_did() {
        for state in [State::Sending, State::Paused, State::Cancelled] {
            assert_eq!(state.when(), "Handed to the mailer");
        }
    }

    #[test]
    fn what_is_finished_is_green_only_where_all_of_it_went_out() {
        assert_eq!(State::Finished.shown(0), ("Finished", "is-good"));
        assert_eq!(State::Finished.shown(1), ("Finished", "is-wait"));
    }
}
