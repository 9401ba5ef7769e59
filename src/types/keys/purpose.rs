//! The purposes of sealed tokens.

/// The purpose of a token. Add freely, but never reuse or rename one: links stay in use for years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Confirm a subscription.
    Confirm,
    /// Stop a newsletter's mails. Never expires.
    Unsubscribe,
    /// Change preferences.
    Manage,
    /// Answer a poll from a mail.
    Vote,
    /// An invisible link in a mail, which only programs follow.
    Canary,
    /// Read the premium archive.
    Archive,
    /// Erase or export one's data.
    Erase,
    /// The time at which a form was rendered.
    FormTime,
    /// A nonce in the page that a vote link opens.
    VoteNonce,
    /// An outbox payload at rest.
    Outbox,
    /// A CSRF token in editors' forms.
    Csrf,
    /// The installation's pepper at rest.
    Pepper,
    /// A position in a paged list.
    Cursor,
    /// The Return-Path of one mail.
    Bounce,
    /// A private DKIM key at rest.
    Dkim,
    /// An answer that a reader may claim once their address is confirmed.
    Answer,
    /// The reader behind a vote from a mail, in a cookie of the browser that cast it.
    Ballot,
    /// The address that was left beside an answer, in the cookie that the page after it reads.
    Typed,
    /// A puzzle given to a browser, with its solution.
    Proof,
    /// Live results for a browser that has just answered, on another site's page, where it sends no cookie.
    Live,
}

impl Purpose {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Live as usize + 1;

    /// The label for key derivation and associated data.
    pub(super) fn label(self) -> &'static [u8] {
        match self {
            Self::Confirm => b"confirm",
            Self::Unsubscribe => b"unsubscribe",
            Self::Manage => b"manage",
            Self::Vote => b"vote",
            Self::Canary => b"canary",
            Self::Archive => b"archive",
            Self::Erase => b"erase",
            Self::FormTime => b"form-time",
            Self::VoteNonce => b"vote-nonce",
            Self::Outbox => b"outbox",
            Self::Csrf => b"csrf",
            Self::Pepper => b"pepper",
            Self::Cursor => b"cursor",
            Self::Bounce => b"bounce",
            Self::Dkim => b"dkim",
            Self::Live => b"live",
            Self::Proof => b"proof",
            Self::Answer => b"answer",
            Self::Ballot => b"ballot",
            Self::Typed => b"typed",
        }
    }
}
