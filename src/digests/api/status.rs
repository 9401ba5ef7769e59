//! The status of an issue as scripts see it.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::content::advice::CLIPPED_AT;
use super::super::model::{Issue, IssueState};
use super::super::state::State;
use crate::mailer::mailing::{self, Progress};

/// Where an issue stands. The counts always add up: audience = queued + sent + deferred + failed + unknown + skipped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    id: i64,
    pub(super) state: State,
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
    /// For good: `refused` by the receiving side, refused because of us (`ours`), deferred until the issue was too old (`expired`), an address
    /// that does not exist (`bad_address`), or faults of this program (`internal`).
    pub(super) failed: i64,
    /// In doubt: the connection was lost after the final dot, or crashes came between. Held for a person.
    pub(super) unknown: i64,
    /// Not attempted, because since it was frozen they `left`, were `removed` by an editor, `bounced`, `complained`, were `suppressed` or
    /// `erased`, or because the issue was `cancelled`.
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
