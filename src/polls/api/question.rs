//! A question as a script writes it, and the options and scale in it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::polls::definition::{OptionText, QuestionText, ScaleText};
use crate::polls::model::{Kind, Order, Picture};

/// A question of a poll to create.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuestion {
    pub question: String,
    #[serde(default)]
    pub options: Vec<NewOption>,
    /// Default: `single`, or `several` if `max_choices` is above 1.
    #[serde(default)]
    pub kind: Option<Kind>,
    #[serde(default)]
    pub min_choices: Option<i64>,
    #[serde(default)]
    pub max_choices: Option<i64>,
    #[serde(default)]
    pub scale: Option<NewScale>,
    #[serde(default)]
    pub order: OptionOrder,
    #[serde(default)]
    pub other: Option<String>,
    #[serde(default)]
    pub none: Option<String>,
    /// Whether readers may skip it.
    #[serde(default)]
    pub optional: bool,
}

/// The order in which readers see the options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptionOrder {
    #[default]
    Fixed,
    /// A different order for each reader.
    Random,
}

/// An option: its label, or its label with a picture.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NewOption {
    Label(String),
    Pictured(PicturedOption),
}

/// An option with a picture.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PicturedOption {
    pub label: String,
    /// A path on this site.
    pub picture: String,
    /// The alternative text of the picture.
    pub alt: String,
}

/// The scale of a rating.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScale {
    /// 0 or 1.
    pub from: i64,
    /// At most 10.
    pub to: i64,
    /// Words beside the lowest point.
    #[serde(default)]
    pub low: String,
    /// Words beside the highest point.
    #[serde(default)]
    pub high: String,
}

impl From<&NewQuestion> for QuestionText {
    fn from(new: &NewQuestion) -> Self {
        let kind = new.kind.unwrap_or_default();
        Self {
            text: new.question.clone(),
            required: !new.optional,
            kind,
            min_choices: new.min_choices.unwrap_or(1),
            max_choices: new.max_choices.unwrap_or(match kind {
                Kind::Ranked => 0,
                _ => 1,
            }),
            order: match new.order {
                OptionOrder::Fixed => Order::Fixed,
                OptionOrder::Random => Order::Random,
            },
            scale: new.scale.as_ref().map(|scale| ScaleText {
                from: scale.from,
                to: scale.to,
                low: scale.low.clone(),
                high: scale.high.clone(),
            }),
            options: new.options.iter().map(OptionText::from).collect(),
            other: new.other.clone(),
            none: new.none.clone(),
        }
    }
}

impl From<&NewOption> for OptionText {
    fn from(new: &NewOption) -> Self {
        match new {
            NewOption::Label(label) => Self::from(label.as_str()),
            NewOption::Pictured(new) => Self {
                label: new.label.clone(),
                picture: Some(Picture {
                    path: new.picture.clone(),
                    alt: new.alt.clone(),
                    size: None,
                }),
            },
        }
    }
}
