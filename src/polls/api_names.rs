//! The words scripts use for what an editor decides about a poll.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Tier, Visibility};

/// When the public sees results.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultsFor {
    #[default]
    Always,
    AfterVoting,
    AfterClose,
    Never,
}

impl From<ResultsFor> for Visibility {
    fn from(named: ResultsFor) -> Self {
        match named {
            ResultsFor::Always => Self::Always,
            ResultsFor::AfterVoting => Self::AfterVoting,
            ResultsFor::AfterClose => Self::AfterClose,
            ResultsFor::Never => Self::Never,
        }
    }
}

/// Whose answers make the result.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeadlineTier {
    /// Everybody's.
    #[default]
    All,
    /// Browsers that solved a proof of work, and better.
    Worked,
    /// Confirmed subscribers, and better.
    Subscriber,
    /// Readers who are signed in.
    SignedIn,
}

impl From<HeadlineTier> for Tier {
    fn from(named: HeadlineTier) -> Self {
        match named {
            HeadlineTier::All => Self::Anonymous,
            HeadlineTier::Worked => Self::Worked,
            HeadlineTier::Subscriber => Self::Subscriber,
            HeadlineTier::SignedIn => Self::SignedIn,
        }
    }
}
