//! The status of an issue as scripts see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::content::advice::CLIPPED_AT;
use super::super::model::{Issue, IssueState};
use super::super::state::State;
use crate::mailer::mailing::{self, Progress};

/// The status of an issue. The counts always add up: audience = queued + sent + deferred + failed + unknown + skipped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    id: i64,
    pub(super) state: State,
    subject: String,
    pub(super) counts: Counts,
    /// Why it is held or paused; empty otherwise.
    reason: String,
    /// For an issue to a segment: the poll and the options that define it.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    /// The size of its mails; only before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<Size>,
}

/// The size of a complete mail, in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Size {
    /// The HTML with its links, before transfer encoding.
    html_bytes: usize,
    /// The whole message with headers and signatures.
    mail_bytes: usize,
    /// Whether Gmail hides the end, as it does beyond 102 kB of HTML.
    clipped_by_gmail: bool,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Counts {
    /// The number of readers when the audience was frozen.
    pub(super) audience: i64,
    /// Not attempted yet.
    pub(super) queued: i64,
    /// Accepted by the relay. This does not mean "delivered", which nobody can know.
    pub(super) sent: i64,
    /// Refused for now, and retried later.
    pub(super) deferred: i64,
    /// Failed permanently: `refused` by the receiving side, refused because of us (`ours`), deferred until the issue was too old (`expired`), an
    /// address that does not exist (`bad_address`), or errors of this program (`internal`).
    pub(super) failed: i64,
    /// In doubt: the connection was lost after the final dot, or the server crashed. Held until somebody decides.
    pub(super) unknown: i64,
    /// Not attempted, because after the audience was frozen the reader `left`, was `removed` by an editor, `bounced`, `complained`, was
    /// `suppressed` or `erased`, or because the issue was `cancelled`.
    pub(super) skipped: i64,
}

impl Status {
    pub(super) fn of(issue: &Issue) -> Self {
        let reason = match &issue.state {
            IssueState::Held { reason, .. } => reason.as_str(),
            _ => "",
        };
        Self {
            id: issue.id.0,
            state: State::of(&issue.state, None),
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

    pub(super) fn now(self, state: State) -> Self {
        Self { state, ..self }
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

    /// While the audience is being frozen nothing is attempted, so all of these readers are queued.
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
            state: progress.state.into(),
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

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;
    use crate::mailer::mailing::{DeliveryState, Reason};

    #[test]
    fn the_document_names_every_reason_that_a_recipient_is_counted_for() {
        let schema = serde_json::to_value(Counts::schema()).expect("JSON");
        for (field, state) in [
            ("failed", DeliveryState::Failed),
            ("skipped", DeliveryState::Skipped),
        ] {
            let said = schema["properties"][field]["description"].as_str();
            let said = said.expect("a description");
            for reason in Reason::of_state(state).expect("reasons") {
                let name = serde_json::to_value(reason).expect("a name");
                let name = name.as_str().expect("a text");
                assert!(said.contains(&format!("`{name}`")), "{field}: {name}");
            }
        }
    }
}
