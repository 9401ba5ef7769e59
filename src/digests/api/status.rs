//! What a script is told about an issue.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::content::advice::CLIPPED_AT;
use super::super::model::{Issue, IssueState};
use crate::mailer::mailing::{self, MailingState, Progress};

/// Where an issue stands. The counts always add up: audience = queued + sent + deferred + failed + unknown + skipped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    id: i64,
    /// draft, scheduled, held, sending, paused, cancelling, finished or cancelled.
    pub(super) state: &'static str,
    subject: String,
    pub(super) counts: Counts,
    /// Why it is held or paused; empty otherwise.
    reason: String,
    /// Of an issue for a segment: who answered what.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    /// How large its mails are; only before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Size>,
}

/// The size of a mail when everything is in it, in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Size {
    /// The HTML with its links, before its transfer encoding.
    html_bytes: usize,
    /// The whole message with headers and signatures.
    mail_bytes: usize,
    /// Whether Gmail hides the end of it: beyond 102 kB of HTML.
    clipped_by_gmail: bool,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Counts {
    /// Readers at the moment the issue was frozen.
    pub(super) audience: i64,
    /// Not attempted yet.
    pub(super) queued: i64,
    /// Taken by the relay; not "delivered", which nobody knows.
    pub(super) sent: i64,
    /// Refused for now; tried again later.
    pub(super) deferred: i64,
    /// Refused for good.
    pub(super) failed: i64,
    /// In doubt after a crash, held for a person.
    pub(super) unknown: i64,
    /// Left, bounced, complained or was suppressed since it was frozen.
    pub(super) skipped: i64,
}

impl Status {
    pub(super) fn of(issue: &Issue) -> Self {
        let (state, reason) = match &issue.state {
            IssueState::Draft => ("draft", ""),
            IssueState::Scheduled(_) => ("scheduled", ""),
            IssueState::Held { reason, .. } => ("held", reason.as_str()),
            IssueState::Handed(_) => ("sending", ""),
        };
        Self {
            id: issue.id.0,
            state,
            subject: issue.content.subject.clone(),
            counts: Counts::default(),
            reason: reason.to_owned(),
            segment: None,
            size: None,
        }
    }

    pub(super) fn whom(self, segment: Option<String>) -> Self {
        Self { segment, ..self }
    }

    pub(super) fn sized(self, size: mailing::Size) -> Self {
        Self {
            size: Some(Size {
                html_bytes: size.html,
                mail_bytes: size.whole,
                clipped_by_gmail: size.html > CLIPPED_AT,
            }),
            ..self
        }
    }

    /// While the audience is being frozen nobody has counted it yet: so many readers subscribe now.
    pub(super) fn freezing(self, readers: i64) -> Self {
        let counts = Counts {
            audience: readers,
            queued: readers,
            ..self.counts
        };
        Self { counts, ..self }
    }

    pub(super) fn with(self, progress: Option<Progress>) -> Self {
        let Some(progress) = progress else {
            return self;
        };
        Self {
            state: state_name(progress.state),
            counts: Counts {
                audience: progress.counts.audience,
                queued: progress.counts.queued,
                sent: progress.counts.sent,
                deferred: progress.counts.deferred,
                failed: progress.counts.failed,
                unknown: progress.counts.unknown,
                skipped: progress.counts.skipped,
            },
            reason: progress.reason,
            ..self
        }
    }
}

fn state_name(state: MailingState) -> &'static str {
    match state {
        MailingState::Preparing | MailingState::Sending => "sending",
        MailingState::Paused => "paused",
        MailingState::Cancelling => "cancelling",
        MailingState::Finished => "finished",
        MailingState::Cancelled => "cancelled",
    }
}
