//! The form of a poll: what was typed, and the definition it stands for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::moment;
use super::question_moves::{Then, changed};
use super::questions::{TypedQuestion, numbered};
use crate::newsletters::Newsletter;
use crate::polls::definition::{Definition, Fault};
use crate::polls::linked::SUGGESTED;
use crate::polls::model::{Poll, Tier, Visibility};
use crate::scheduler::Zone;
use crate::types::UnixMillis;
use crate::web::{Problem, RawForm};

/// The fields with errors: the id of a field, and the message for the editor. A field that belongs to a question
/// carries its index: `options.2`.
pub type Errors = BTreeMap<String, String>;

/// What was typed, not yet validated.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Typed {
    pub intro: String,
    pub slug: String,
    pub questions: Vec<TypedQuestion>,
    pub opens: String,
    pub closes: String,
    pub time_zone: String,
    pub visibility: String,
    pub headline_tier: String,
    pub newsletter: String,
    /// `secret` or `linked`; empty when the form no longer asks.
    pub linking: String,
    pub link_words: String,
    pub revision: String,
}

/// The values of the field `visibility`, its words and its hint.
pub const VISIBILITIES: [(&str, Visibility, &str, &str); 4] = [
    (
        "always",
        Visibility::Always,
        "Everybody, at any time",
        "The numbers are shown before answering, too.",
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
        "Until then the page says when that is.",
    ),
    (
        "never",
        Visibility::Never,
        "Only editors",
        "Readers see that their answer was counted.",
    ),
];

/// The values of the field `headline_tier`, its words and its hint.
pub const HEADLINES: [(&str, Tier, &str, &str); 4] = [
    (
        "all",
        Tier::Anonymous,
        "Everybody who answers",
        "The most answers, but the easiest result to manipulate. How many of the readers are better known is shown beside the result.",
    ),
    (
        "worked",
        Tier::Worked,
        "Browsers that did a small computation",
        "Nobody notices it, but it makes sending thousands of answers expensive. Readers without JavaScript are mentioned beside the result.",
    ),
    (
        "subscriber",
        Tier::Subscriber,
        "Confirmed subscribers",
        "Only answers from a personal link in a mail. Others may answer and are mentioned beside the result.",
    ),
    (
        "signed_in",
        Tier::SignedIn,
        "Subscribers who are signed in",
        "The fewest answers: from browsers in which a confirmed subscriber is signed in. Others may answer and are mentioned beside the result.",
    ),
];

/// The values of the field `linking`, its words and its hint.
pub const LINKINGS: [(&str, &str, &str); 2] = [
    (
        "secret",
        "Secret",
        "Nobody learns who answered what, and no later decision changes that.",
    ),
    (
        "linked",
        "Linked, for readers who agree",
        "Readers whose address is known or who give it see a separate box. You can write to those who tick it according to their answers; all other answers stay secret.",
    ),
];

impl Typed {
    /// An empty form with one question.
    pub fn empty(zone: &Zone) -> Self {
        Self {
            questions: vec![TypedQuestion::empty()],
            time_zone: zone.name().to_owned(),
            visibility: "answered".into(),
            headline_tier: "all".into(),
            linking: "secret".into(),
            link_words: SUGGESTED.into(),
            ..Self::default()
        }
    }

    /// # Errors
    /// A 400 for a field that was sent twice.
    pub fn read(form: &RawForm) -> Result<Self, Problem> {
        Ok(Self {
            intro: form.text("intro")?,
            slug: form.text("slug")?,
            questions: TypedQuestion::read_all(form)?,
            opens: form.text("opens")?,
            closes: form.text("closes")?,
            time_zone: form.text("time_zone")?,
            visibility: form.text("visibility")?,
            headline_tier: form.text("headline_tier")?,
            newsletter: form.text("newsletter")?,
            linking: form.text("linking")?,
            link_words: form.text("link_words")?,
            revision: form.text("revision")?,
        })
    }

    /// A stored poll as the form shows it.
    pub fn of(poll: &Poll, newsletters: &[Newsletter]) -> Self {
        let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
        let local =
            |at: Option<UnixMillis>| at.map(|at| moment::written(at, &zone)).unwrap_or_default();
        Self {
            intro: poll.intro.clone(),
            slug: poll.slug.clone(),
            questions: numbered(poll.questions.iter().map(TypedQuestion::of).collect()),
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
            linking: if poll.linking.is_some() {
                "linked"
            } else {
                "secret"
            }
            .into(),
            link_words: poll
                .linking
                .as_ref()
                .map_or(SUGGESTED, |words| &words.text)
                .into(),
            revision: poll.revision.to_string(),
        }
    }

    /// The revision of the poll that the form was made from; one that no poll has if the form does not say it.
    pub fn based_on(&self) -> i64 {
        self.revision.parse().unwrap_or(-1)
    }

    /// The form after a button that adds, moves or removes something.
    pub fn changed(mut self, then: Then) -> Self {
        self.questions = changed(self.questions, then);
        self
    }

    /// The definition this form stands for. `stored` is the poll being edited; what the form does
    /// not ask is kept from it.
    ///
    /// # Errors
    /// All errors, by field.
    pub fn definition(
        &self,
        newsletters: &[Newsletter],
        stored: Option<&Poll>,
    ) -> Result<Definition, Errors> {
        let mut errors = Errors::new();
        let (opens_at, closes_at) = self.times(stored, &mut errors);
        let newsletter = newsletters
            .iter()
            .find(|letter| letter.slug == self.newsletter)
            .map(|letter| letter.id);
        if newsletter.is_none() && !self.newsletter.is_empty() {
            errors.insert(
                "newsletter".into(),
                "This newsletter no longer exists. Choose another.".into(),
            );
        }
        let mut definition = Definition {
            slug: if self.slug.is_empty() {
                crate::polls::definition::slug_of(
                    self.questions.first().map_or("", |q| q.text.as_str()),
                )
            } else {
                self.slug.clone()
            },
            // A title derived from the first question follows that question.
            title: stored
                .filter(|poll| poll.questions.first().is_none_or(|q| q.text != poll.title))
                .map_or_else(String::new, |poll| poll.title.clone()),
            intro: self.intro.clone(),
            visibility: self.visibility(),
            headline_tier: self.headline_tier(),
            newsletter,
            linking: (self.linking == "linked").then(|| self.link_words.clone()),
            opens_at,
            closes_at,
            time_zone: self.time_zone.clone(),
            questions: self.questions.iter().map(TypedQuestion::text).collect(),
        };
        for fault in definition.check() {
            let message = format!("{}.", fault.message);
            errors.entry(field_of(&fault)).or_insert(message);
        }
        if errors.is_empty() {
            Ok(definition)
        } else {
            Err(errors)
        }
    }

    /// Whether the form says something else about linking than `poll`. Readers were told of it
    /// when the poll was published.
    pub fn changes_linking(&self, poll: &Poll) -> bool {
        let now = Self::of(poll, &[]);
        let words = poll.linking.is_some() && !self.link_words.is_empty();
        (!self.linking.is_empty() && self.linking != now.linking)
            || (words && self.link_words != now.link_words)
    }

    /// Only the times and the visibility, for a poll whose questions readers have already seen.
    ///
    /// # Errors
    /// All errors, by field.
    pub fn timing(
        &self,
        stored: &Poll,
    ) -> Result<(Option<UnixMillis>, Option<UnixMillis>, Visibility), Errors> {
        let mut errors = Errors::new();
        let (opens, closes) = self.times(Some(stored), &mut errors);
        if let (Some(opens), Some(closes)) = (opens, closes)
            && closes <= opens
        {
            errors.insert(
                "closes".into(),
                "The poll must close after it opens.".into(),
            );
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

    /// Opening and closing time. An unchanged field keeps the stored instant, even if its local time occurs twice when
    /// the clocks are set back.
    fn times(
        &self,
        stored: Option<&Poll>,
        errors: &mut Errors,
    ) -> (Option<UnixMillis>, Option<UnixMillis>) {
        let zone = match Zone::parse(&self.time_zone) {
            Ok(zone) => zone,
            Err(unknown) => {
                errors.insert("time_zone".into(), format!("{unknown}."));
                return (None, None);
            }
        };
        let mut read = |field: &str, text: &str, stored: Option<UnixMillis>| {
            if text.is_empty() {
                return None;
            }
            if let Some(stored) = stored.filter(|at| moment::written(*at, &zone) == text) {
                return Some(stored);
            }
            let at = moment::read(text, &zone);
            if at.is_none() {
                errors.insert(
                    field.into(),
                    "Write a date and a time, such as 2026-11-23 07:00 or 2026-11-23 07:00:30."
                        .into(),
                );
            }
            at
        };
        (
            read("opens", &self.opens, stored.and_then(|p| p.opens_at)),
            read("closes", &self.closes, stored.and_then(|p| p.closes_at)),
        )
    }
}

/// The id of the field in which a fault can be corrected.
fn field_of(fault: &Fault) -> String {
    let field = match fault.field {
        "closes_at" => "closes",
        "title" => "intro",
        field => field,
    };
    match (field, fault.question) {
        ("question" | "options" | "max_choices" | "scale" | "other" | "pictures", place) => {
            format!("{field}.{}", place.unwrap_or(0) + 1)
        }
        _ => field.to_owned(),
    }
}

#[cfg(test)]
mod tests;
