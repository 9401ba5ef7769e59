//! Validates a definition, and lists what has to be corrected before it can be stored.

use super::slug;
use super::written::{Definition, Fault, QuestionText, ScaleText};
use crate::polls::linked;
use crate::polls::model::{Kind, MAX_RANKED_OPTIONS, deepest_ranking};
use crate::types::UnixMillis;

/// The limits: questions in a poll, options in a question and in all of them, and characters of a text.
pub const MAX_QUESTIONS: usize = 20;
pub const MAX_OPTIONS: usize = 50;
pub const MAX_OPTIONS_IN_ALL: usize = 200;
pub const MAX_TEXT_CHARS: usize = 300;
/// The highest point of a scale.
const HIGHEST_POINT: i64 = 10;

impl Definition {
    /// Trims every text and returns the faults; if there are none, the definition can be stored.
    pub fn check(&mut self) -> Vec<Fault> {
        for text in [
            &mut self.slug,
            &mut self.title,
            &mut self.intro,
            &mut self.time_zone,
        ] {
            trim(text);
        }
        self.linking.iter_mut().for_each(trim);
        for question in &mut self.questions {
            question.tidy();
        }
        if self.title.is_empty() {
            self.title = self
                .questions
                .first()
                .map(|q| q.text.clone())
                .unwrap_or_default();
        }
        let mut faults = Faults::default();
        if !slug::is_slug(&self.slug) {
            faults.add("slug", "Use 1 to 80 lower-case letters, digits and hyphens");
        } else if slug::is_taken(&self.slug) {
            faults.add("slug", "Choose another name: this one is Canvass’s own");
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            faults.add("time_zone", "Use a name such as Europe/Berlin");
        }
        if let (Some(opens), Some(closes)) = (self.opens_at, self.closes_at)
            && closes <= opens
        {
            faults.add("closes_at", "The poll must close after it opens");
        }
        if too_long(&self.title) || too_long(&self.intro) {
            faults.add("title", "Use at most 300 characters");
        }
        if let Some(why) = self.linking.as_deref().and_then(linked::fault) {
            faults.add("link_words", why);
        }
        if self.questions.is_empty() || self.questions.len() > MAX_QUESTIONS {
            faults.add("question", "Ask at least one question and at most 20");
        }
        let options: usize = self.questions.iter().map(|q| q.rows().count()).sum();
        if options > MAX_OPTIONS_IN_ALL {
            faults.add(
                "options",
                "Offer at most 200 answers in all questions together",
            );
        }
        for (place, question) in self.questions.iter().enumerate() {
            faults.question = Some(place);
            question.check(&mut faults);
        }
        faults.found
    }
}

/// Why a poll that closes at `closes_at` cannot be published at `now`; `None`: it can. Drafts and imported polls may
/// have any close.
pub fn over(closes_at: Option<UnixMillis>, now: UnixMillis) -> Option<Fault> {
    closes_at.filter(|at| *at <= now).map(|_| Fault {
        field: "closes_at",
        message: "This closing time has passed, so nobody could answer. Choose a later one"
            .to_owned(),
        question: None,
    })
}

impl QuestionText {
    fn tidy(&mut self) {
        trim(&mut self.text);
        for option in &mut self.options {
            trim(&mut option.label);
            if let Some(picture) = &mut option.picture {
                trim(&mut picture.path);
                trim(&mut picture.alt);
            }
        }
        for label in [&mut self.other, &mut self.none] {
            label.iter_mut().for_each(trim);
            *label = label.take().filter(|label| !label.is_empty());
        }
        self.options.retain(|option| !option.label.is_empty());
        match self.kind {
            Kind::Single if self.max_choices > 1 => self.kind = Kind::Several,
            Kind::Ranked if self.max_choices == 0 => {
                self.max_choices = deepest_ranking(self.options.len());
            }
            Kind::Rating => {
                (self.min_choices, self.max_choices) = (1, 1);
                let scale = self.scale.as_mut().filter(|scale| scale.is_whole());
                self.options = scale.map_or_else(Vec::new, |scale| {
                    trim(&mut scale.low);
                    trim(&mut scale.high);
                    (scale.from..=scale.to)
                        .map(|n| n.to_string().into())
                        .collect()
                });
            }
            _ => {}
        }
        if self.kind != Kind::Rating {
            self.scale = None;
        }
    }

    fn check(&self, faults: &mut Faults) {
        if self.text.is_empty() || !is_line(&self.text) {
            faults.add(
                "question",
                "Write the question in one line, at most 300 characters",
            );
        }
        if self.kind == Kind::Rating {
            match &self.scale {
                Some(scale) if !scale.is_whole() => {
                    faults.add(
                        "scale",
                        "Let the scale begin at 0 or 1 and end at 10 at most",
                    );
                }
                Some(scale) if is_line(&scale.low) && is_line(&scale.high) => {}
                Some(_) => faults.add(
                    "scale",
                    "Write the words at the ends in one line, at most 300 characters",
                ),
                None => faults.add("scale", "Say where the scale begins and ends"),
            }
        } else {
            self.check_options(faults);
        }
        if matches!(self.kind, Kind::Rating | Kind::Ranked)
            && (self.other.is_some() || self.none.is_some())
        {
            faults.add(
                "other",
                "Only a question whose answers are chosen can offer \u{201c}Other\u{201d} or \u{201c}None\u{201d}",
            );
        }
    }

    fn check_options(&self, faults: &mut Faults) {
        let labels: Vec<&str> = self.rows().map(|(label, ..)| label).collect();
        let options = self.options.len();
        if labels.len() < 2 || labels.len() > MAX_OPTIONS {
            faults.add("options", "Offer at least two answers and at most 50");
        } else if self.kind == Kind::Ranked && options > MAX_RANKED_OPTIONS {
            faults.add("options", "Let readers rank at most 12 answers");
        }
        if !labels.iter().all(|label| is_line(label)) {
            faults.add(
                "options",
                "Write each answer in one line, at most 300 characters",
            );
        }
        if (1..labels.len()).any(|i| labels[..i].contains(&labels[i])) {
            faults.add("options", "Two answers are the same");
        }
        let pictures = self.options.iter().filter_map(|o| o.picture.as_ref());
        for picture in pictures {
            if !is_path(&picture.path) {
                faults.add(
                    "pictures",
                    "Give the picture’s path on this site, such as /media/tram.jpg",
                );
            } else if picture.alt.is_empty() || !is_line(&picture.alt) {
                faults.add("pictures", "Say in one line what each picture shows");
            }
        }
        let most = match self.kind {
            Kind::Ranked => deepest_ranking(options),
            // "None of these" excludes all other options.
            _ => i64::try_from(labels.len() - usize::from(self.none.is_some())).unwrap_or(i64::MAX),
        };
        let least = if self.kind == Kind::Ranked { 2 } else { 1 };
        if self.kind == Kind::Ranked && options >= 2 && !(2..=most).contains(&self.max_choices) {
            faults.add(
                "max_choices",
                &format!("With this many answers let readers give 2 to {most} ranks"),
            );
        } else if self.min_choices < 1
            || self.max_choices < self.min_choices
            || self.max_choices > most.max(least)
        {
            faults.add(
                "max_choices",
                "Choose limits between 1 and the number of answers",
            );
        }
    }
}

impl ScaleText {
    fn is_whole(&self) -> bool {
        (0..=1).contains(&self.from) && self.from < self.to && self.to <= HIGHEST_POINT
    }
}

#[derive(Default)]
struct Faults {
    found: Vec<Fault>,
    question: Option<usize>,
}

impl Faults {
    fn add(&mut self, field: &'static str, message: &str) {
        self.found.push(Fault {
            field,
            message: message.to_owned(),
            question: self.question,
        });
    }
}

/// Whether the text is an absolute path on this site, one that no browser takes for the address of another site.
pub fn is_path(path: &str) -> bool {
    path.len() <= MAX_TEXT_CHARS
        && path.starts_with('/')
        && !path.starts_with("//")
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-~%@+=&?,".contains(&b))
}

fn trim(text: &mut String) {
    *text = text.trim().to_owned();
}

/// Whether the text is one line of at most [`MAX_TEXT_CHARS`] characters.
pub fn is_line(text: &str) -> bool {
    !too_long(text) && !text.chars().any(char::is_control)
}

fn too_long(text: &str) -> bool {
    text.chars().count() > MAX_TEXT_CHARS
}
