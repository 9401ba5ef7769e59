//! A question as the form shows it: the context of `pages/question.hbs`.

use serde::Serialize;

use crate::polls::answer::{Choice, Sent};
use crate::polls::model::{Kind, Order, PollOption, Question, Role, Scale};
use crate::polls::words::MAX_WORDS_CHARS;

/// A question in the form.
#[derive(Debug, Clone, Serialize)]
pub struct QuestionView {
    pub key: i64,
    pub text: String,
    /// The heading level of the question on the poll's own page: `h1` for the first, `h2` for the others.
    pub heading: &'static str,
    pub required: bool,
    /// Whether it is marked as required. If only one question is asked, that goes without saying.
    pub star: bool,
    pub hint: Option<String>,
    pub error: Option<String>,
    /// `single`, `several`, `rating` or `ranked`.
    pub kind: &'static str,
    /// `radio` or `checkbox`. In a ranked question, every option has a list of ranks instead.
    pub input: &'static str,
    pub name: String,
    /// Whether the browser itself may enforce an answer.
    pub native_required: bool,
    pub max: i64,
    pub ranked: bool,
    /// At least one option has a picture.
    pub pictured: bool,
    /// For a rating.
    pub scale: Option<ScaleView>,
    /// Whether each reader sees the options in an order of their own.
    pub random: bool,
    pub options: Vec<OptionView>,
}

/// The ends of a rating's scale.
#[derive(Debug, Clone, Serialize)]
pub struct ScaleView {
    pub low: String,
    pub high: String,
    /// The number of points, by which the style sheet lays them out.
    pub points: usize,
    /// The meaning of both ends in one line above the points, used where a phone shows them in two rows: below them,
    /// the text of the lowest point would be under a point in the middle.
    pub line: Option<String>,
}

/// An option in the form.
#[derive(Debug, Clone, Serialize)]
pub struct OptionView {
    pub key: i64,
    pub label: String,
    pub checked: bool,
    /// Whether its place differs from reader to reader.
    pub moves: bool,
    /// For a ranked question: the ranks to choose from, with the chosen one marked.
    pub ranks: Vec<RankView>,
    /// For "Other": the field for the reader's own words.
    pub words: Option<WordsView>,
    pub picture: Option<PictureView>,
}

/// Points of a rating that a phone shows in one row.
const POINTS_IN_A_ROW: usize = 7;

/// `0 = Very badly, 10 = Very well`; an end without a text is left out.
fn ends(points: &[&PollOption], scale: &Scale) -> String {
    let end = |point: Option<&&PollOption>, words: &str| {
        let point = point.filter(|_| !words.is_empty())?;
        Some(format!("{} = {words}", point.label))
    };
    let both = [
        end(points.first(), &scale.low),
        end(points.last(), &scale.high),
    ];
    both.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A rank that an option can be given.
#[derive(Debug, Clone, Serialize)]
pub struct RankView {
    pub rank: i64,
    pub chosen: bool,
}

/// The field for a reader's own words.
#[derive(Debug, Clone, Serialize)]
pub struct WordsView {
    pub value: String,
    pub max: usize,
}

/// A picture beside an option.
#[derive(Debug, Clone, Serialize)]
pub struct PictureView {
    pub path: String,
    pub alt: String,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

impl QuestionView {
    /// The unanswered question, with its options as the editor wrote them. `several`: the form has
    /// other questions as well.
    pub fn of(question: &Question, several: bool) -> Self {
        let single = question.is_single();
        let ranked = question.kind == Kind::Ranked;
        let offered: Vec<&PollOption> = question.options.iter().filter(|o| !o.retired).collect();
        Self {
            key: question.key,
            text: question.text.clone(),
            heading: "h2",
            required: question.required,
            star: question.required && several,
            hint: hint(question, offered.len()),
            error: None,
            kind: question.kind.name(),
            input: if single { "radio" } else { "checkbox" },
            name: if several {
                format!("option.{}", question.key)
            } else {
                "option".to_owned()
            },
            // A reader who writes an answer of their own need not tick its option, so the
            // browser must not insist on it.
            native_required: single
                && question.required
                && offered.iter().all(|o| o.role != Role::Words),
            max: question.max_choices,
            ranked,
            pictured: offered.iter().any(|o| o.picture.is_some()),
            scale: question.scale.as_ref().map(|scale| ScaleView {
                low: scale.low.clone(),
                high: scale.high.clone(),
                points: offered.len(),
                line: (offered.len() > POINTS_IN_A_ROW)
                    .then(|| ends(&offered, scale))
                    .filter(|line| !line.is_empty()),
            }),
            random: question.order == Order::Random,
            options: offered
                .into_iter()
                .map(|option| option_view(option, question))
                .collect(),
        }
    }

    /// The name of its first input.
    pub fn first_input(&self) -> String {
        match self.options.first().filter(|_| self.ranked) {
            Some(option) => format!("rank.{}", option.key),
            None => self.name.clone(),
        }
    }

    /// Fills in what was sent.
    pub fn refill(&mut self, sent: &Sent) {
        // A mail's link names one option: in a ranking, that is the first choice.
        let only_ticked = self.ranked && sent.ranks.is_empty();
        for option in &mut self.options {
            option.checked = sent.ticks(option.key);
            let place = sent
                .options
                .iter()
                .position(|key| *key == option.key.to_string());
            for rank in &mut option.ranks {
                rank.chosen = match sent.rank(option.key) {
                    Some(sent) => sent == rank.rank.to_string(),
                    None => only_ticked && place.is_some_and(|at| at + 1 == rank.rank as usize),
                };
            }
            if let (Some(words), Some(sent)) = (&mut option.words, sent.words(option.key)) {
                words.value = sent.chars().take(2 * MAX_WORDS_CHARS).collect();
            }
        }
    }

    /// Fills in what a ballot says.
    pub fn fill_in(&mut self, question: &Question, own: &Choice) {
        let of_this = own.options().iter().filter(|id| question.has(**id));
        for (place, id) in of_this.enumerate() {
            let key = question.options.iter().find(|o| o.id == *id).map(|o| o.key);
            let Some(option) = self.options.iter_mut().find(|o| Some(o.key) == key) else {
                continue;
            };
            option.checked = true;
            for rank in &mut option.ranks {
                rank.chosen = rank.rank as usize == place + 1;
            }
            let words = own.words().iter().find(|words| words.option == *id);
            if let (Some(field), Some(words)) = (&mut option.words, words) {
                field.value = words.text.clone();
            }
        }
    }
}

fn option_view(option: &PollOption, question: &Question) -> OptionView {
    let depth = match question.kind {
        Kind::Ranked => question.max_choices,
        _ => 0,
    };
    OptionView {
        key: option.key,
        label: option.label.clone(),
        checked: false,
        moves: question.order == Order::Random && option.role == Role::Plain,
        ranks: (1..=depth)
            .map(|rank| RankView {
                rank,
                chosen: false,
            })
            .collect(),
        words: (option.role == Role::Words).then(|| WordsView {
            value: String::new(),
            max: MAX_WORDS_CHARS,
        }),
        picture: option.picture.as_ref().map(|picture| PictureView {
            path: picture.path.clone(),
            alt: picture.alt.clone(),
            width: picture.size.map(|(width, _)| width),
            height: picture.size.map(|(_, height)| height),
        }),
    }
}

fn hint(question: &Question, offered: usize) -> Option<String> {
    let (min, max) = (question.min_choices, question.max_choices);
    match question.kind {
        Kind::Single | Kind::Rating => None,
        Kind::Ranked => {
            let all = i64::try_from(offered).unwrap_or(i64::MAX);
            let mut hint =
                "Give your first choice rank 1, your second rank 2, and so on.".to_owned();
            if min == max {
                hint.push_str(&format!(" Rank {max}."));
            } else if min > 1 {
                hint.push_str(&format!(" Rank {min} to {max}."));
            } else if max < all {
                hint.push_str(&format!(" Rank up to {max}, as many as you like."));
            } else {
                hint.push_str(" Rank as many as you like.");
            }
            Some(hint)
        }
        Kind::Several if min == max => Some(format!("Choose {max}.")),
        Kind::Several if min <= 1 => Some(format!("Choose up to {max}.")),
        Kind::Several => Some(format!("Choose {min} to {max}.")),
    }
}

/// Whether the question is more than our script can draw from the labels alone.
pub fn needs_a_page(question: &Question) -> bool {
    question.kind == Kind::Ranked
        || question
            .options
            .iter()
            .any(|o| !o.retired && (o.role == Role::Words || o.picture.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;

    fn chosen(view: &QuestionView) -> Vec<Option<i64>> {
        let rank = |o: &OptionView| o.ranks.iter().find(|r| r.chosen).map(|r| r.rank);
        view.options.iter().map(rank).collect()
    }

    #[test]
    fn a_ranking_is_shown_again_as_it_was_given() {
        let poll = example::ranked(&["a", "b", "c"], 1, 3);
        let mut view = QuestionView::of(&poll.questions[0], false);
        let choice = Choice::read(&poll, &Sent::options(["3", "1"])).expect("an answer");
        view.fill_in(&poll.questions[0], &choice);
        assert_eq!(chosen(&view), [Some(2), None, Some(1)]);
        // A mail's link names the first choice.
        view.refill(&Sent::options(["2"]));
        assert_eq!(chosen(&view), [None, Some(1), None]);
        assert!(
            view.hint
                .is_some_and(|hint| hint.contains("as many as you like"))
        );
    }

    #[test]
    fn words_are_kept_and_need_no_tick() {
        let mut poll = example::single(&["a", "Other"]);
        poll.questions[0].options[1].role = Role::Words;
        let mut view = QuestionView::of(&poll.questions[0], false);
        assert!(!view.native_required);
        assert!(needs_a_page(&poll.questions[0]));
        view.refill(&Sent::options(["1"]).with_words("2", "both"));
        assert!(view.options[0].checked);
        assert_eq!(
            view.options[1].words.as_ref().map(|w| w.value.as_str()),
            Some("both")
        );
    }
}
