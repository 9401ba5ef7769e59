//! A poll as an editor or a script wrote it: checked by [`Definition::check`], stored by [`super::create`]. Pure.

use crate::polls::model::{
    Kind, LinkWords, Order, Picture, Poll, PollOption, PollSecret, PollState, Question, Role,
    Scale, Tier, Visibility,
};
use crate::polls::sample::Sampling;
use crate::types::{NewsletterId, OptionId, PollId, UnixMillis};

/// A poll as it was written, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Part of its URL: `/p/{slug}`.
    pub slug: String,
    /// The name that editors see; empty: the first question.
    pub title: String,
    pub intro: String,
    pub visibility: Visibility,
    pub headline_tier: Tier,
    pub newsletter: Option<NewsletterId>,
    /// The consent text under which answers may be linked; `None`: the poll is secret. Fixed once it is published.
    pub linking: Option<String>,
    pub opens_at: Option<UnixMillis>,
    pub closes_at: Option<UnixMillis>,
    pub time_zone: String,
    pub questions: Vec<QuestionText>,
}

/// A question as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionText {
    pub text: String,
    pub required: bool,
    /// [`Kind::Single`] with a `max_choices` above 1 becomes [`Kind::Several`].
    pub kind: Kind,
    pub min_choices: i64,
    /// In a ranked question, 0 stands for as many as possible.
    pub max_choices: i64,
    pub order: Order,
    /// For a rating, whose options are generated from it.
    pub scale: Option<ScaleText>,
    pub options: Vec<OptionText>,
    /// The label of an option with a field for the reader's own words; it comes after the others.
    pub other: Option<String>,
    /// The label of an option that excludes the others; it comes last.
    pub none: Option<String>,
}

/// An option as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionText {
    pub label: String,
    pub picture: Option<Picture>,
}

/// A rating's scale as it was written: its ends, and the words beside them, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleText {
    pub from: i64,
    pub to: i64,
    pub low: String,
    pub high: String,
}

/// Something to correct, by the field it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub field: &'static str,
    pub message: String,
    /// The index of the question it is about, from 0.
    pub question: Option<usize>,
}

impl Default for QuestionText {
    fn default() -> Self {
        Self {
            text: String::new(),
            required: true,
            kind: Kind::Single,
            min_choices: 1,
            max_choices: 1,
            order: Order::Fixed,
            scale: None,
            options: Vec::new(),
            other: None,
            none: None,
        }
    }
}

impl<S: Into<String>> From<S> for OptionText {
    fn from(label: S) -> Self {
        Self {
            label: label.into(),
            picture: None,
        }
    }
}

impl Definition {
    /// A poll that is open to everybody at once, until somebody closes it, and whose results everybody sees.
    pub fn new(slug: impl Into<String>, questions: Vec<QuestionText>) -> Self {
        Self {
            slug: slug.into(),
            title: String::new(),
            intro: String::new(),
            visibility: Visibility::Always,
            headline_tier: Tier::Anonymous,
            newsletter: None,
            linking: None,
            opens_at: None,
            closes_at: None,
            time_zone: "UTC".to_owned(),
            questions,
        }
    }

    /// The definition that would create `poll` again: the same questions, with the options that are still offered.
    pub fn of(poll: &Poll) -> Self {
        let question = |question: &Question| {
            let offered = || question.options.iter().filter(|option| !option.retired);
            let labelled = |role: Role| {
                let option = offered().find(|option| option.role == role)?;
                Some(option.label.clone())
            };
            let plain = offered().filter(|option| option.role == Role::Plain);
            let scale = question.scale.as_ref().map(|scale| ScaleText {
                from: scale.from,
                to: question
                    .point(question.options.len().saturating_sub(1))
                    .unwrap_or(scale.from),
                low: scale.low.clone(),
                high: scale.high.clone(),
            });
            QuestionText {
                text: question.text.clone(),
                required: question.required,
                kind: question.kind,
                min_choices: question.min_choices,
                max_choices: question.max_choices,
                order: question.order,
                scale,
                options: plain
                    .map(|option| OptionText {
                        label: option.label.clone(),
                        picture: option.picture.clone(),
                    })
                    .collect(),
                other: labelled(Role::Words),
                none: labelled(Role::Apart),
            }
        };
        Self {
            slug: poll.slug.clone(),
            title: poll.title.clone(),
            intro: poll.intro.clone(),
            visibility: poll.visibility,
            headline_tier: poll.headline_tier,
            newsletter: poll.newsletter,
            linking: poll.linking.as_ref().map(|words| words.text.clone()),
            opens_at: poll.opens_at,
            closes_at: poll.closes_at,
            time_zone: poll.time_zone.clone(),
            questions: poll.questions.iter().map(question).collect(),
        }
    }

    /// The poll this would become, for a preview; its ids are meaningless.
    pub fn sketch(&self) -> Poll {
        let mut key = 0;
        let questions = (1_i64..).zip(&self.questions).map(|(place, question)| {
            let options = question.rows().map(|(label, role, picture)| {
                key += 1;
                PollOption {
                    id: OptionId(key),
                    key,
                    label: label.to_owned(),
                    role,
                    picture: picture.cloned(),
                    retired: false,
                }
            });
            Question {
                key: place,
                text: question.text.clone(),
                required: question.required,
                kind: question.kind,
                min_choices: question.min_choices,
                max_choices: question.max_choices,
                order: question.order,
                scale: question.scale.as_ref().map(|scale| Scale {
                    from: scale.from,
                    low: scale.low.clone(),
                    high: scale.high.clone(),
                }),
                options: options.collect(),
            }
        });
        Poll {
            id: PollId(0),
            slug: self.slug.clone(),
            title: self.title.clone(),
            intro: self.intro.clone(),
            questions: questions.collect(),
            state: PollState::Draft,
            opens_at: self.opens_at,
            closes_at: self.closes_at,
            seen_closed: None,
            sealed_at: None,
            visibility: self.visibility,
            headline_tier: self.headline_tier,
            newsletter: self.newsletter,
            linking: self
                .linking
                .clone()
                .map(|text| LinkWords { version: 0, text }),
            sampling: Sampling::Open,
            time_zone: self.time_zone.clone(),
            secret: PollSecret::new(Vec::new()),
            revision: 0,
        }
    }
}

impl QuestionText {
    /// Every option in the order it is stored, with its role and its picture.
    pub fn rows(&self) -> impl Iterator<Item = (&str, Role, Option<&Picture>)> {
        let other = self
            .other
            .iter()
            .map(|label| (label.as_str(), Role::Words, None));
        let none = self
            .none
            .iter()
            .map(|label| (label.as_str(), Role::Apart, None));
        self.options
            .iter()
            .map(|o| (o.label.as_str(), Role::Plain, o.picture.as_ref()))
            .chain(other)
            .chain(none)
    }
}
