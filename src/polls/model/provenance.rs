//! Where an answer comes from: how much is known about the voter, and on which page it was given.

use serde::Serialize;
use utoipa::ToSchema;

/// How much is known about the voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// A browser, known by its marker.
    Anonymous,
    /// A browser that solved a proof of work.
    Worked,
    /// A confirmed subscriber, known by a personal link.
    Subscriber,
    /// A reader who is signed in.
    SignedIn,
}

/// Where an answer was given. Kept with the tally, so that the note can name the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = PollPlace)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    #[serde(rename = "page")]
    PollPage,
    Article,
    Embed,
    Mail,
    Api,
    /// In another poll system, from which the poll was imported.
    Elsewhere,
}

impl Tier {
    /// The name used by scripts and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Worked => "worked",
            Self::Subscriber => "subscriber",
            Self::SignedIn => "signed_in",
        }
    }

    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Worked,
            2 => Self::Subscriber,
            3 => Self::SignedIn,
            _ => Self::Anonymous,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Anonymous => 0,
            Self::Worked => 1,
            Self::Subscriber => 2,
            Self::SignedIn => 3,
        }
    }
}

impl Place {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Article,
            2 => Self::Embed,
            3 => Self::Mail,
            4 => Self::Api,
            5 => Self::Elsewhere,
            _ => Self::PollPage,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::PollPage => 0,
            Self::Article => 1,
            Self::Embed => 2,
            Self::Mail => 3,
            Self::Api => 4,
            Self::Elsewhere => 5,
        }
    }

    /// The name used in the note, after "on".
    pub fn name(self) -> &'static str {
        match self {
            Self::PollPage => "the poll’s page",
            Self::Article => "an article",
            Self::Embed => "pages that embed it",
            Self::Mail => "the newsletter",
            Self::Api => "connected services",
            Self::Elsewhere => "another poll system, from which it was imported",
        }
    }
}
