//! A poll as the API describes it.

use serde::Serialize;
use utoipa::ToSchema;

use super::names::Linking;
use crate::app::App;
use crate::polls::model::{Kind, Poll, PollState};

/// A poll and its current state.
#[derive(Debug, Serialize, ToSchema)]
pub struct PollView {
    pub slug: String,
    pub title: String,
    /// Where readers answer.
    pub url: String,
    pub state: PollState,
    /// Whether answers may be linked to the addresses of readers who agree.
    pub linking: Linking,
    /// The consent text that readers agree to; `null`: the poll is secret.
    pub link_words: Option<String>,
    pub questions: Vec<PollQuestionView>,
}

/// A question of a poll.
#[derive(Debug, Serialize, ToSchema)]
pub struct PollQuestionView {
    pub key: i64,
    pub question: String,
    pub kind: Kind,
    pub options: Vec<PollOptionView>,
}

/// An option of a question; forms and ballots refer to it by its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct PollOptionView {
    pub key: i64,
    pub label: String,
}

impl PollView {
    /// The poll as scripts see it.
    pub fn of(app: &App, poll: &Poll) -> Self {
        Self {
            slug: poll.slug.clone(),
            title: poll.title.clone(),
            url: format!("{}/p/{}", app.config.origin(), poll.slug),
            state: poll.state,
            linking: match poll.linking {
                Some(_) => Linking::Linked,
                None => Linking::Secret,
            },
            link_words: poll.linking.as_ref().map(|words| words.text.clone()),
            questions: poll
                .questions
                .iter()
                .map(|question| PollQuestionView {
                    key: question.key,
                    question: question.text.clone(),
                    kind: question.kind,
                    options: question
                        .options
                        .iter()
                        .map(|option| PollOptionView {
                            key: option.key,
                            label: option.label.clone(),
                        })
                        .collect(),
                })
                .collect(),
        }
    }
}
