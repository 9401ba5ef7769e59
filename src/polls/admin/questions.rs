//! The questions in the form of a poll: as they were typed, and the definitions they stand for. The buttons that
//! rearrange them are in [`super::question_moves`].
//!
//! Field names carry the number of their question, from 1: `question.1`, `kind.1`, `option.1` (repeated), … Everything
//! works without a script: a button submits the form, and the response is the form with a line added, removed or moved.

use serde::Serialize;

use crate::polls::definition::{MAX_OPTIONS, MAX_QUESTIONS, OptionText, QuestionText, ScaleText};
use crate::polls::model::{Kind, Order, Picture, Question, Role};
use crate::web::{Problem, RawForm};

/// A question as it was typed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TypedQuestion {
    /// Its place, from 1.
    pub number: usize,
    pub text: String,
    /// The name of a [`Kind`].
    pub kind: String,
    pub required: bool,
    pub random: bool,
    pub min_choices: String,
    pub max_choices: String,
    pub ranks: String,
    pub min_ranks: String,
    /// `1-5`.
    pub scale: String,
    pub low: String,
    pub high: String,
    pub options: Vec<Line>,
    /// At least one line has a picture.
    pub pictured: bool,
    pub other: bool,
    pub other_label: String,
    pub none: bool,
    pub none_label: String,
}

/// An option's line, numbered from 1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    pub number: usize,
    pub label: String,
    /// The path of its picture, its alternative text and its size; empty without a picture.
    pub picture: String,
    pub alt: String,
    pub size: String,
}

impl TypedQuestion {
    /// An empty question with two lines for options.
    pub fn empty() -> Self {
        Self {
            number: 1,
            kind: Kind::Single.name().into(),
            required: true,
            min_choices: "1".into(),
            max_choices: "2".into(),
            min_ranks: "1".into(),
            scale: "1-5".into(),
            other_label: "Other".into(),
            none_label: "None of these".into(),
            options: lines(vec![Line::default(), Line::default()]),
            ..Self::default()
        }
    }

    /// All questions of a sent form.
    ///
    /// # Errors
    /// A 400 for a field that was sent twice.
    pub fn read_all(form: &RawForm) -> Result<Vec<Self>, Problem> {
        let mut questions = Vec::new();
        // Reads one more than may be stored, so that too many questions are rejected rather than dropped silently.
        for number in 1..=MAX_QUESTIONS + 1 {
            if form.all(&format!("question.{number}")).next().is_some() {
                questions.push(Self::read(form, number)?);
            }
        }
        Ok(numbered(questions))
    }

    fn read(form: &RawForm, number: usize) -> Result<Self, Problem> {
        let text = |field: &str| form.text(&format!("{field}.{number}"));
        let ticked = |field: &str| form.ticked(&format!("{field}.{number}"));
        let all = |field: &str| -> Vec<String> {
            let field = format!("{field}.{number}");
            form.all(&field)
                .take(2 * MAX_OPTIONS)
                .map(str::to_owned)
                .collect()
        };
        let (pictures, alts, sizes) = (all("picture"), all("alt"), all("size"));
        let options = all("option").into_iter().enumerate().map(|(place, label)| {
            let at = |list: &[String]| list.get(place).cloned().unwrap_or_default();
            Line {
                number: 0,
                label,
                picture: at(&pictures),
                alt: at(&alts),
                size: at(&sizes),
            }
        });
        Ok(Self {
            number,
            text: text("question")?,
            kind: text("kind")?,
            required: ticked("required")?,
            random: ticked("random")?,
            min_choices: text("min_choices")?,
            max_choices: text("max_choices")?,
            ranks: text("ranks")?,
            min_ranks: text("min_ranks")?,
            scale: text("scale")?,
            low: text("low")?,
            high: text("high")?,
            options: lines(options.collect()),
            pictured: false,
            other: ticked("other")?,
            other_label: text("other_label")?,
            none: ticked("none")?,
            none_label: text("none_label")?,
        })
    }

    /// A stored question as the form shows it.
    pub fn of(question: &Question) -> Self {
        let labelled = |role: Role| {
            question
                .options
                .iter()
                .find(|o| o.role == role)
                .map(|o| o.label.clone())
        };
        let plain = question
            .options
            .iter()
            .filter(|o| !o.retired && o.role == Role::Plain);
        let line = |option: &crate::polls::model::PollOption| {
            let picture = option.picture.clone();
            let size = picture.as_ref().and_then(|p| p.size);
            Line {
                number: 0,
                label: option.label.clone(),
                alt: picture.as_ref().map(|p| p.alt.clone()).unwrap_or_default(),
                picture: picture.map(|p| p.path).unwrap_or_default(),
                size: size.map(|(w, h)| format!("{w}x{h}")).unwrap_or_default(),
            }
        };
        let empty = Self::empty();
        let to = question.point(question.options.len().saturating_sub(1));
        Self {
            text: question.text.clone(),
            kind: question.kind.name().into(),
            required: question.required,
            random: question.order == Order::Random,
            min_choices: question.min_choices.to_string(),
            max_choices: question.max_choices.max(2).to_string(),
            ranks: match question.kind {
                Kind::Ranked => question.max_choices.to_string(),
                _ => String::new(),
            },
            min_ranks: match question.kind {
                Kind::Ranked => question.min_choices.to_string(),
                _ => empty.min_ranks,
            },
            scale: match (&question.scale, to) {
                (Some(scale), Some(to)) => format!("{}-{to}", scale.from),
                _ => empty.scale,
            },
            low: question
                .scale
                .as_ref()
                .map(|s| s.low.clone())
                .unwrap_or_default(),
            high: question
                .scale
                .as_ref()
                .map(|s| s.high.clone())
                .unwrap_or_default(),
            options: match question.kind {
                Kind::Rating => empty.options,
                _ => lines(plain.map(line).collect()),
            },
            other: labelled(Role::Words).is_some(),
            other_label: labelled(Role::Words).unwrap_or(empty.other_label),
            none: labelled(Role::Apart).is_some(),
            none_label: labelled(Role::Apart).unwrap_or(empty.none_label),
            pictured: false,
            number: 0,
        }
    }

    /// The question this stands for, not yet checked.
    pub fn text(&self) -> QuestionText {
        let kind = Kind::named(&self.kind).unwrap_or_default();
        let number = |text: &str| text.parse::<i64>().unwrap_or(-1);
        let (min_choices, max_choices) = match kind {
            Kind::Single | Kind::Rating => (1, 1),
            Kind::Several => (number(&self.min_choices), number(&self.max_choices).max(2)),
            Kind::Ranked => {
                let or = |text: &str, or: i64| if text.is_empty() { or } else { number(text) };
                (or(&self.min_ranks, 1), or(&self.ranks, 0))
            }
        };
        let scale = self.scale.split_once('-').map(|(from, to)| ScaleText {
            from: number(from),
            to: number(to),
            low: self.low.clone(),
            high: self.high.clone(),
        });
        let chosen = matches!(kind, Kind::Single | Kind::Several);
        QuestionText {
            text: self.text.clone(),
            required: self.required,
            kind,
            min_choices,
            max_choices,
            order: if self.random && kind != Kind::Rating {
                Order::Random
            } else {
                Order::Fixed
            },
            scale,
            options: self.options.iter().map(Line::text).collect(),
            // Values in a part of the form that this kind hides are ignored.
            other: (chosen && self.other).then(|| self.other_label.clone()),
            none: (chosen && self.none).then(|| self.none_label.clone()),
        }
    }
}

impl Line {
    fn text(&self) -> OptionText {
        let size = self
            .size
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        OptionText {
            label: self.label.clone(),
            picture: (!self.picture.is_empty()).then(|| Picture {
                path: self.picture.clone(),
                alt: self.alt.clone(),
                size: size.filter(|(w, h)| (1..=10_000).contains(w) && (1..=10_000).contains(h)),
            }),
        }
    }
}

/// Numbers questions and lines by their places.
pub fn numbered(mut questions: Vec<TypedQuestion>) -> Vec<TypedQuestion> {
    for (number, question) in (1..).zip(&mut questions) {
        question.number = number;
        question.pictured = question.options.iter().any(|line| !line.picture.is_empty());
    }
    questions
}

/// Numbers lines by their places.
pub fn lines(mut lines: Vec<Line>) -> Vec<Line> {
    for (number, line) in (1..).zip(&mut lines) {
        line.number = number;
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn two() -> Vec<TypedQuestion> {
        let mut questions = vec![TypedQuestion::empty(), TypedQuestion::empty()];
        questions[0].text = "First?".into();
        questions[0].options[0].label = "Yes".into();
        questions[0].options[1].label = "No".into();
        questions[1].text = "Second?".into();
        numbered(questions)
    }

    #[test]
    fn each_kind_takes_its_own_fields() {
        let mut question = two().remove(0);
        question.other = true;
        question.low = "bad".into();
        let text = question.text();
        assert_eq!(
            (text.kind, text.other.as_deref(), text.max_choices),
            (Kind::Single, Some("Other"), 1)
        );
        question.kind = "ranked".into();
        let text = question.text();
        assert_eq!(
            (text.kind, text.other, text.max_choices),
            (Kind::Ranked, None, 0)
        );
        question.kind = "rating".into();
        question.scale = "0-10".into();
        let text = question.text();
        assert_eq!(
            text.scale.map(|s| (s.from, s.to, s.low)),
            Some((0, 10, "bad".into()))
        );
        question.kind = "several".into();
        question.max_choices = "x".into();
        assert_eq!(question.text().max_choices, 2);
        question.min_choices = "x".into();
        assert_eq!(
            question.text().min_choices,
            -1,
            "what is no number is a fault"
        );
    }
}
