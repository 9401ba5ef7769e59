//! The names that scripts use for an editor's decisions about a poll.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::polls::linked::SUGGESTED;
use crate::polls::model::{Tier, Visibility};
use crate::web::Problem;

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

impl From<Visibility> for ResultsFor {
    fn from(decided: Visibility) -> Self {
        match decided {
            Visibility::Always => Self::Always,
            Visibility::AfterVoting => Self::AfterVoting,
            Visibility::AfterClose => Self::AfterClose,
            Visibility::Never => Self::Never,
        }
    }
}

/// Whose answers count in the result.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeadlineTier {
    /// Everybody's.
    #[default]
    All,
    /// Those from browsers that solved a proof of work, and higher tiers.
    Worked,
    /// Those of confirmed subscribers, and higher tiers.
    Subscriber,
    /// Those of readers who are signed in.
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

/// Whether answers may be linked to the addresses of readers who agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Linking {
    /// Answers are not linked to addresses, and cannot be once the poll's key is destroyed.
    #[default]
    Secret,
    /// An answer is linked to the reader's address if the reader ticks a separate box.
    Linked,
}

impl Linking {
    /// The consent text of a poll to create: the given one, or the default.
    ///
    /// # Errors
    /// A 422 for a consent text on a secret poll.
    pub fn words(self, given: Option<&str>) -> Result<Option<String>, Problem> {
        match (self, given) {
            (Self::Linked, given) => Ok(Some(given.unwrap_or(SUGGESTED).to_owned())),
            (Self::Secret, None) => Ok(None),
            (Self::Secret, Some(_)) => Err(Problem::invalid(
                "link_words",
                "A secret poll has no consent text. Leave it out, or set linking to linked",
            )),
        }
    }
}
