//! The form of a poll: what was typed, and the definition it stands for.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::newsletters::Newsletter;
use crate::polls::define::{Definition, MAX_OPTIONS, QuestionText};
use crate::polls::model::{Poll, Tier, Visibility};
use crate::scheduler::{WallTime, Zone};
use crate::types::UnixMillis;
use crate::web::{Problem, RawForm};

/// Field name and what is wrong with it, in words for the editor.
pub type Errors = BTreeMap<&'static str, String>;

/// What was typed, unchecked.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Typed {
    pub question: String,
    pub slug: String,
    pub options: Vec<Line>,
    pub several: bool,
    pub min_choices: String,
    pub max_choices: String,
    pub opens: String,
    pub closes: String,
    pub time_zone: String,
    pub visibility: String,
    pub headline_tier: String,
    pub newsletter: String,
    pub revision: String,
}

/// An option's line, numbered from 1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    pub number: usize,
    pub label: String,
}

/// The values of the field `visibility`, its words and its hint.
pub const VISIBILITIES: [(&str, Visibility, &str, &str); 4] = [
    (
        "always",
        Visibility::Always,
        "Everybody, at any time",
        "The numbers show before answering as well.",
    ),
    (
        "answered",
        Visibility::AfterVoting,
        "Whoever has answered",
        "And everybody after the close.",
    ),
    (
        "closed",
        Visibility::AfterClose,
        "Everybody, after the close",
        "Until then the page says when.",
    ),
    (
        "never",
        Visibility::Never,
        "Only editors",
        "Readers see that their answer was counted.",
    ),
];

/// The values of the field `headline_tier`, its words and its hint.
pub const HEADLINES: [(&str, Tier, &str, &str); 3] = [
    (
        "all",
        Tier::Anonymous,
        "Everybody who answers",
        "The most answers, and the easiest to push. How many of them are known better is shown beside the result.",
    ),
    (
        "worked",
        Tier::Worked,
        "Browsers that did a small computation",
        "Nobody notices it; it makes answers in thousands dear. Readers without JavaScript are named beside the result.",
    ),
    (
        "subscriber",
        Tier::Subscriber,
        "Confirmed subscribers",
        "Only answers from a personal link in a mail. Others may answer and are named beside the result.",
    ),
];

/// What the pressed button asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Save,
    AddOption,
    RemoveOption(usize),
}

impl Then {
    /// # Errors
    /// A 400 when several buttons were pressed at once.
    pub fn read(form: &RawForm) -> Result<Self, Problem> {
        // Pressing Enter presses the first button of the form; the page puts a hidden "save" there.
        Ok(match form.one("then")? {
            Some("add") => Self::AddOption,
            Some(other) => match other.strip_prefix("remove-").and_then(|n| n.parse().ok()) {
                Some(number) => Self::RemoveOption(number),
                None => Self::Save,
            },
            None => Self::Save,
        })
    }
}

impl Typed {
    /// An empty form with two lines for options.
    pub fn empty(zone: &Zone) -> Self {
        Self {
            options: lines(["", ""].map(str::to_owned)),
            min_choices: "1".into(),
            max_choices: "2".into(),
            time_zone: zone.name().to_owned(),
            visibility: "answered".into(),
            headline_tier: "all".into(),
            ..Self::default()
        }
    }

    /// # Errors
    /// A 400 for a field that was sent twice.
    pub fn read(form: &RawForm) -> Result<Self, Problem> {
        let options = form.all("option").take(2 * MAX_OPTIONS).map(str::to_owned);
        Ok(Self {
            question: form.text("question")?,
            slug: form.text("slug")?,
            options: lines(options),
            several: form.text("kind")? == "several",
            min_choices: form.text("min_choices")?,
            max_choices: form.text("max_choices")?,
            opens: form.text("opens")?,
            closes: form.text("closes")?,
            time_zone: form.text("time_zone")?,
            visibility: form.text("visibility")?,
            headline_tier: form.text("headline_tier")?,
            newsletter: form.text("newsletter")?,
            revision: form.text("revision")?,
        })
    }

    /// A stored poll as the form shows it.
    pub fn of(poll: &Poll, newsletters: &[Newsletter]) -> Self {
        let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
        let local = |at: Option<UnixMillis>| {
            at.map(|at| WallTime::at(at.timestamp(), &zone).to_string())
                .unwrap_or_default()
        };
        let question = poll.questions.first();
        let offered = poll
            .options()
            .filter(|option| !option.retired)
            .map(|option| option.label.clone());
        Self {
            question: poll.headline().to_owned(),
            slug: poll.slug.clone(),
            options: lines(offered),
            several: question.is_some_and(|q| !q.is_single()),
            min_choices: question.map_or(1, |q| q.min_choices).to_string(),
            max_choices: question.map_or(2, |q| q.max_choices.max(2)).to_string(),
            opens: local(poll.opens_at),
            closes: local(poll.closes_at),
            time_zone: zone.name().to_owned(),
            visibility: VISIBILITIES
                .iter()
                .find(|(_, v, ..)| *v == poll.visibility)
                .map(|(name, ..)| *name)
                .unwrap_or_default()
                .into(),
            headline_tier: HEADLINES
                .iter()
                .find(|(_, tier, ..)| *tier == poll.headline_tier)
                .map(|(name, ..)| *name)
                .unwrap_or_default()
                .into(),
            newsletter: newsletters
                .iter()
                .find(|letter| Some(letter.id) == poll.newsletter)
                .map(|letter| letter.slug.clone())
                .unwrap_or_default(),
            revision: poll.revision.to_string(),
        }
    }

    /// Adds or takes away a line.
    pub fn changed(mut self, then: Then) -> Self {
        let mut labels: Vec<String> = self.options.drain(..).map(|line| line.label).collect();
        match then {
            Then::AddOption if labels.len() < MAX_OPTIONS => labels.push(String::new()),
            Then::RemoveOption(number)
                if (1..=labels.len()).contains(&number) && labels.len() > 1 =>
            {
                labels.remove(number - 1);
            }
            _ => {}
        }
        self.options = lines(labels);
        self
    }

    /// The definition this stands for.
    ///
    /// # Errors
    /// All that is wrong, by field.
    pub fn definition(&self, newsletters: &[Newsletter]) -> Result<Definition, Errors> {
        let mut errors = Errors::new();
        let (opens_at, closes_at) = self.times(&mut errors);
        let newsletter = newsletters
            .iter()
            .find(|letter| letter.slug == self.newsletter)
            .map(|letter| letter.id);
        if newsletter.is_none() && !self.newsletter.is_empty() {
            errors.insert(
                "newsletter",
                "There is no such newsletter any more. Choose another.".into(),
            );
        }
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        let (min_choices, max_choices) = if self.several {
            (number(&self.min_choices), number(&self.max_choices))
        } else {
            (1, 1)
        };
        let mut definition = Definition {
            slug: if self.slug.is_empty() {
                slug_of(&self.question)
            } else {
                self.slug.clone()
            },
            title: String::new(),
            intro: String::new(),
            visibility: self.visibility(),
            headline_tier: self.headline_tier(),
            newsletter,
            opens_at,
            closes_at,
            time_zone: self.time_zone.clone(),
            questions: vec![QuestionText {
                text: self.question.clone(),
                min_choices,
                max_choices,
                options: self
                    .options
                    .iter()
                    .map(|line| line.label.as_str().into())
                    .collect(),
                ..QuestionText::default()
            }],
        };
        for fault in definition.check() {
            let field = match fault.field {
                "closes_at" => "closes",
                "title" => "question",
                field => field,
            };
            errors.entry(field).or_insert(format!("{}.", fault.message));
        }
        if errors.is_empty() {
            Ok(definition)
        } else {
            Err(errors)
        }
    }

    /// The two times alone, of a poll whose question readers have seen.
    ///
    /// # Errors
    /// All that is wrong, by field.
    pub fn timing(&self) -> Result<(Option<UnixMillis>, Option<UnixMillis>, Visibility), Errors> {
        let mut errors = Errors::new();
        let (opens, closes) = self.times(&mut errors);
        if let (Some(opens), Some(closes)) = (opens, closes)
            && closes <= opens
        {
            errors.insert("closes", "The poll must close after it opens.".into());
        }
        if errors.is_empty() {
            Ok((opens, closes, self.visibility()))
        } else {
            Err(errors)
        }
    }

    fn visibility(&self) -> Visibility {
        let known = VISIBILITIES
            .iter()
            .find(|(name, ..)| *name == self.visibility);
        known.map_or(Visibility::AfterVoting, |(_, visibility, ..)| *visibility)
    }

    fn headline_tier(&self) -> Tier {
        let known = HEADLINES
            .iter()
            .find(|(name, ..)| *name == self.headline_tier);
        known.map_or(Tier::Anonymous, |(_, tier, ..)| *tier)
    }

    fn times(&self, errors: &mut Errors) -> (Option<UnixMillis>, Option<UnixMillis>) {
        let zone = match Zone::parse(&self.time_zone) {
            Ok(zone) => zone,
            Err(unknown) => {
                errors.insert("time_zone", format!("{unknown}."));
                return (None, None);
            }
        };
        let mut read = |field: &'static str, text: &str| {
            if text.is_empty() {
                return None;
            }
            match WallTime::parse(text).and_then(|wall| wall.resolve(&zone)) {
                Ok(resolved) => Some(UnixMillis::from(resolved.at)),
                Err(_) => {
                    errors.insert(
                        field,
                        "Write a date and a time, such as 2026-11-23 07:00.".into(),
                    );
                    None
                }
            }
        };
        (read("opens", &self.opens), read("closes", &self.closes))
    }
}

fn lines(labels: impl IntoIterator<Item = String>) -> Vec<Line> {
    labels
        .into_iter()
        .zip(1..)
        .map(|(label, number)| Line { number, label })
        .collect()
}

/// A name in links made of a question: its ASCII letters and digits, words joined by hyphens, cut at a word.
fn slug_of(question: &str) -> String {
    let mut slug = String::new();
    let plain = question.to_lowercase();
    let words = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    for word in words {
        if slug.len() + word.len() >= 60 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    if slug.is_empty() { "poll".into() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::define::OptionText;

    fn typed() -> Typed {
        Typed {
            question: "Do you trust the mainstream media?".into(),
            options: lines(["Yes", "No", ""].map(str::to_owned)),
            ..Typed::empty(&Zone::parse("Europe/Berlin").expect("a zone"))
        }
    }

    #[test]
    fn a_poll_is_named_after_its_question() {
        let definition = typed().definition(&[]).expect("whole");
        assert_eq!(definition.slug, "do-you-trust-the-mainstream-media");
        assert_eq!(
            definition.questions[0].options,
            ["Yes", "No"].map(OptionText::from)
        );
        assert_eq!(slug_of("¿Qué?"), "qu");
        assert_eq!(slug_of("谁?"), "poll");
        assert!(slug_of(&"word ".repeat(100)).len() <= 60);
    }

    #[test]
    fn lines_come_and_go() {
        let form = typed().changed(Then::AddOption);
        assert_eq!(form.options.len(), 4);
        let form = form.changed(Then::RemoveOption(1));
        assert_eq!(form.options[0].label, "No");
        assert_eq!(form.options[0].number, 1);
        assert_eq!(
            form.clone().changed(Then::RemoveOption(99)).options.len(),
            form.options.len()
        );
    }

    #[test]
    fn times_are_read_in_the_zone() {
        let form = Typed {
            opens: "2026-11-22T18:00".into(),
            closes: "2026-11-29 18:00".into(),
            ..typed()
        };
        let definition = form.definition(&[]).expect("whole");
        assert_eq!(
            definition.opens_at.map(|at| at.to_string()).as_deref(),
            Some("2026-11-22T17:00:00.000Z")
        );
        let errors = Typed {
            opens: "soon".into(),
            ..form.clone()
        }
        .definition(&[])
        .expect_err("no time");
        assert_eq!(errors.keys().copied().collect::<Vec<_>>(), ["opens"]);
        let errors = Typed {
            closes: "2026-11-22T17:59".into(),
            ..form
        }
        .timing()
        .expect_err("backwards");
        assert!(errors.contains_key("closes"));
    }

    #[test]
    fn limits_matter_only_for_several() {
        let form = Typed {
            min_choices: "x".into(),
            max_choices: "9".into(),
            ..typed()
        };
        assert!(form.definition(&[]).is_ok());
        let errors = Typed {
            several: true,
            ..form
        }
        .definition(&[])
        .expect_err("limits");
        assert!(errors.contains_key("max_choices"));
    }
}
