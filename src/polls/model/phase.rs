//! An editor's decisions about a poll, and what may be done with it and seen of it at a given time.

use serde::Serialize;
use utoipa::ToSchema;

use crate::types::UnixMillis;

/// An editor's decision about the poll. Whether it can be answered also depends on its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollState {
    Draft,
    Published,
    Closed,
}

/// When the public sees results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Always,
    AfterVoting,
    AfterClose,
    Never,
}

/// What may be done with a poll at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A draft, which does not exist for the public.
    Hidden,
    NotYetOpen {
        opens_at: UnixMillis,
    },
    Open {
        closes_at: Option<UnixMillis>,
    },
    /// `at` is unknown if an editor closed a poll that had no closing time.
    Closed {
        at: Option<UnixMillis>,
    },
}

/// The phase of a poll with these times at `now`: see [`super::Poll::phase`].
pub fn phase(
    state: PollState,
    opens_at: Option<UnixMillis>,
    closes_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Phase {
    match state {
        PollState::Draft => Phase::Hidden,
        PollState::Closed => Phase::Closed {
            at: closes_at.filter(|&at| at <= now),
        },
        PollState::Published => match (opens_at, closes_at) {
            (_, Some(at)) if at <= now => Phase::Closed { at: Some(at) },
            (Some(opens_at), _) if now < opens_at => Phase::NotYetOpen { opens_at },
            (_, closes_at) => Phase::Open { closes_at },
        },
    }
}

impl PollState {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Published,
            2 => Self::Closed,
            _ => Self::Draft,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Draft => 0,
            Self::Published => 1,
            Self::Closed => 2,
        }
    }
}

impl Visibility {
    pub fn from_code(code: i16) -> Self {
        match code {
            0 => Self::Always,
            1 => Self::AfterVoting,
            2 => Self::AfterClose,
            _ => Self::Never,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Always => 0,
            Self::AfterVoting => 1,
            Self::AfterClose => 2,
            Self::Never => 3,
        }
    }
}
