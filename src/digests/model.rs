//! The model of an issue and its rules. Pure.

use super::content::NESTING_MAX;
use crate::db::entities::issue;
use crate::polls::SampleRound;
use crate::scheduler::Zone;
use crate::types::{IssueId, NewsletterId, PollId, UnixMillis, link_words};

/// An issue: one mail to the readers of one newsletter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its key.
    pub id: IssueId,
    /// The newsletter whose readers get it.
    pub newsletter: NewsletterId,
    /// Its name in the archive's links; final once it is handed over.
    pub slug: String,
    /// What the editor wrote.
    pub content: Content,
    /// Its state.
    pub state: IssueState,
    /// Which readers get it, if not all readers of the newsletter.
    pub sample: Option<ForSample>,
    /// Incremented by every change; a change names the revision that it is based on.
    pub revision: i64,
    /// When it was first saved.
    pub created: UnixMillis,
    /// When it was last changed.
    pub updated: UnixMillis,
}

/// A mail to the sample that a poll asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForSample {
    /// The poll.
    pub poll: PollId,
    /// Which of the drawn readers get it.
    pub round: SampleRound,
}

/// What the editor wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The subject, a single line.
    pub subject: String,
    /// The line that inboxes show beside the subject; if empty, the first words of the body are used.
    pub preheader: String,
    /// Markdown.
    pub body: String,
}

/// The state of an issue. After the handover, the mailing has its own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueState {
    /// Being written.
    Draft,
    /// Waiting for its time.
    Scheduled(Slot),
    /// Its time has come, but a person has to decide.
    Held {
        /// When it should have gone out.
        slot: Slot,
        /// Why it was not sent, in a sentence.
        reason: String,
    },
    /// Frozen and handed to the mailer at this time.
    Handed(UnixMillis),
}

/// When an issue goes out: the instant, and what the editor entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The instant.
    pub at: UnixMillis,
    /// The wall time and zone; `None` for "now", which is only the undo delay away.
    pub local: Option<(String, Zone)>,
}

impl Slot {
    /// The wall time and zone that were chosen, if they are still to come at `now`.
    pub(super) fn ahead(&self, now: UnixMillis) -> Option<&(String, Zone)> {
        self.local.as_ref().filter(|_| self.at > now)
    }
}

/// The longest body, in bytes: several times what a mail may have.
pub const BODY_MAX: usize = 200_000;
/// The longest subject, in characters.
pub const SUBJECT_MAX: usize = 200;
/// The longest preview text, in characters.
pub const PREHEADER_MAX: usize = 300;

/// Why a text cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    /// Over [`SUBJECT_MAX`], or with a line break or control character.
    #[error("The subject must be one line of at most {SUBJECT_MAX} characters.")]
    Subject,
    /// Over [`PREHEADER_MAX`], or with a line break or control character.
    #[error("The preview text must be one line of at most {PREHEADER_MAX} characters.")]
    Preheader,
    /// Over [`BODY_MAX`].
    #[error("The text is longer than {} kB.", BODY_MAX / 1000)]
    Body,
    /// More than [`NESTING_MAX`] nested elements.
    #[error(
        "The text is nested more than {NESTING_MAX} levels deep. Remove quotations, lists or HTML tags that are inside one another, and close those that are open."
    )]
    Nesting,
}

impl BadContent {
    /// The form field it is about.
    pub fn field(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Preheader => "preheader",
            Self::Body | Self::Nesting => "body",
        }
    }
}

impl Content {
    /// Checks what can be stored. A draft may be incomplete, so empty fields are fine. The nesting depth of the
    /// body is not checked here: see [`checked`](super::write::checked).
    ///
    /// # Errors
    /// The first field that cannot be stored.
    pub fn new(subject: &str, preheader: &str, body: &str) -> Result<Self, BadContent> {
        let line = |text: &str, most: usize| {
            let text = text.trim();
            let fits = text.chars().count() <= most && !text.chars().any(char::is_control);
            fits.then(|| text.to_owned())
        };
        if body.len() > BODY_MAX {
            return Err(BadContent::Body);
        }
        Ok(Self {
            subject: line(subject, SUBJECT_MAX).ok_or(BadContent::Subject)?,
            preheader: line(preheader, PREHEADER_MAX).ok_or(BadContent::Preheader)?,
            // Normalise line ends, so that the stored text compares equal to the typed one.
            body: body.replace("\r\n", "\n").replace(['\r', '\0'], "\n"),
        })
    }
}

impl Issue {
    /// Whether its text can be changed.
    pub fn is_draft(&self) -> bool {
        self.state == IssueState::Draft
    }

    /// When it goes out as far as known at `now`: at its time if that is to come, otherwise at once.
    pub fn goes_out(&self, now: UnixMillis) -> UnixMillis {
        match &self.state {
            IssueState::Scheduled(slot) | IssueState::Held { slot, .. } => now.max(slot.at),
            IssueState::Draft | IssueState::Handed(_) => now,
        }
    }

    /// The subject, or a substitute for lists if there is none yet.
    pub fn title(&self) -> &str {
        if self.content.subject.is_empty() {
            "(no subject yet)"
        } else {
            &self.content.subject
        }
    }
}

impl IssueState {
    pub(super) const DRAFT: i16 = 0;
    pub(super) const SCHEDULED: i16 = 1;
    pub(super) const HELD: i16 = 2;
    pub(super) const HANDED: i16 = 3;
}

impl From<issue::Model> for Issue {
    fn from(row: issue::Model) -> Self {
        let slot = Slot {
            at: row.scheduled_ms.unwrap_or(row.updated_ms),
            local: row
                .scheduled_local
                .zip(row.time_zone)
                .map(|(local, zone)| (local, Zone::parse(&zone).unwrap_or_else(|_| Zone::utc()))),
        };
        let state = match row.state {
            IssueState::SCHEDULED => IssueState::Scheduled(slot),
            IssueState::HELD => IssueState::Held {
                slot,
                reason: row.held_reason,
            },
            IssueState::HANDED => IssueState::Handed(row.handed_ms.unwrap_or(row.updated_ms)),
            _ => IssueState::Draft,
        };
        Self {
            id: row.id,
            newsletter: row.newsletter_id,
            slug: row.slug,
            content: Content {
                subject: row.subject,
                preheader: row.preheader,
                body: row.body,
            },
            state,
            sample: row
                .sample_poll_id
                .zip(SampleRound::from_code(row.sample_round))
                .map(|(poll, round)| ForSample { poll, round }),
            revision: row.revision,
            created: row.created_ms,
            updated: row.updated_ms,
        }
    }
}

/// The name of a handed-over issue in links: its local date and the words of its subject, so that a link tells
/// where it leads. `nonce` distinguishes two issues of the same day and subject.
pub fn public_slug(subject: &str, local_date: &str, nonce: Option<u32>) -> String {
    let words = link_words(subject);
    let hyphen = if words.is_empty() { "" } else { "-" };
    let nonce = nonce.map(|n| format!("-{n}")).unwrap_or_default();
    format!("{local_date}{hyphen}{words}{nonce}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines_and_sizes_have_ends() {
        assert!(Content::new(&"é".repeat(200), "", "").is_ok());
        assert_eq!(
            Content::new(&"é".repeat(201), "", ""),
            Err(BadContent::Subject)
        );
        for bad in ["a\nBcc: b@example.org", "a\rb", "a\0b", "a\tb\u{7f}"] {
            assert_eq!(
                Content::new(bad, "", ""),
                Err(BadContent::Subject),
                "{bad:?}"
            );
            assert_eq!(
                Content::new("", bad, ""),
                Err(BadContent::Preheader),
                "{bad:?}"
            );
        }
        assert_eq!(
            Content::new("", "", &"a".repeat(BODY_MAX + 1)),
            Err(BadContent::Body)
        );
        assert_eq!(
            Content::new(" a ", "", "a\r\nb\rc\0").unwrap().body,
            "a\nb\nc\n"
        );
    }

    #[test]
    fn links_tell_what_they_lead_to() {
        assert_eq!(
            public_slug("Größe: does it count?", "2026-11-23", None),
            "2026-11-23-grosse-does-it-count"
        );
        assert_eq!(
            public_slug("選挙", "2026-11-23", Some(2)),
            "2026-11-23-xuan-ju-2"
        );
        assert_eq!(public_slug("…", "2026-11-23", Some(2)), "2026-11-23-2");
        assert!(public_slug(&"word ".repeat(60), "2026-11-23", None).len() <= 72);
    }
}
