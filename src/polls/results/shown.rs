//! The numbers of a poll as they may be shown: the same on the page, over the API, in an embed and live.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::kinds::{self, OwnWords, Runoff};
use super::note::{Facts, note};
use super::shares::{Share, grouped, shares};
use super::store::Totals;
use crate::polls::model::{Kind, Picture, Poll, Question, Tier};
use crate::polls::sample::{Estimate, estimate, range, range_of_mean, share_range};
use crate::types::OptionId;

/// The results of a poll.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollResults)]
pub struct Results {
    /// The number of readers counted here: of the headline tier and better.
    pub voters: i64,
    pub questions: Vec<QuestionResult>,
    /// Who answered, when and where, and that it is not a sample.
    pub note: String,
    /// The values in the note, for pages in another language. Absent for a sample, and before the first answer that is
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Facts>,
    /// Further remarks about the tiers.
    pub asides: Vec<String>,
    /// For a poll that asks a random sample: its size, how many answered, and how precise the result is.
    /// Only then is there a margin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Estimate>,
}

/// The results of a question.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct QuestionResult {
    /// Position in the poll, from 1.
    pub key: i64,
    pub text: String,
    /// Whether readers could choose several options: then shares are percentages of readers.
    pub several: bool,
    /// In a ranked question, the rows are first choices.
    pub kind: Kind,
    /// What the rows do not say: a rating's mean, the outcome of a run-off.
    pub summary: Option<String>,
    /// What the percentages are of, or what the rows are, if that does not go without saying.
    pub hint: Option<&'static str>,
    /// For a ranked question.
    pub runoff: Option<Runoff>,
    /// Whether there are enough answers for percentages.
    pub shares: bool,
    pub rows: Vec<Row>,
}

/// The results of an option.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Row {
    pub key: i64,
    pub label: String,
    pub votes: i64,
    /// The picture beside the option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<Thumbnail>,
    /// `votes`, formatted: `12,480`.
    pub count: String,
    /// `34%` or `34.1%`; absent under 30 answers.
    pub share: Option<String>,
    /// For a sample: the range of the share among everybody on the list, formatted: `31 to 43%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// The bar's length in per cent.
    pub width: f64,
    /// Whether the reader who asks chose it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// For "Other": the words that readers wrote and editors approved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<OwnWords>,
    /// The number of other ballots for "Other", formatted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unshown: Option<String>,
}

/// An option's picture beside its result.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PollThumbnail)]
pub struct Thumbnail {
    /// The URL of the picture on this site.
    pub path: String,
    /// The alternative text.
    pub alt: String,
    pub width: Option<i64>,
    pub height: Option<i64>,
}

impl Thumbnail {
    fn of(picture: &Picture) -> Self {
        Self {
            path: picture.path.clone(),
            alt: picture.alt.clone(),
            width: picture.size.map(|(width, _)| width),
            height: picture.size.map(|(_, height)| height),
        }
    }
}

impl Results {
    /// The results as a reader with the ballot `own` sees them.
    pub fn of(poll: &Poll, totals: &Totals, own: &[OptionId]) -> Self {
        let tier = poll.headline_tier;
        let voters = totals.voters(tier);
        let questions = poll
            .questions
            .iter()
            .map(|question| question_result(poll, question, totals, tier, own))
            .collect();
        let zone = TimeZone::get(&poll.time_zone).unwrap_or(TimeZone::UTC);
        let sampled = poll
            .sample()
            .map(|sample| (sample, estimate(sample, voters)));
        let mut facts = None;
        let note = match &totals.answered {
            answered if let Some((sample, found)) = &sampled => {
                found.note(sample, answered.as_ref(), &zone)
            }
            Some(answered) if voters > 0 => {
                let mut answered = answered.clone();
                answered.all = voters == answered.voters;
                answered.voters = voters;
                facts = Some(Facts::of(&answered, &zone));
                note(&answered, &zone)
            }
            Some(answered) if answered.voters > 0 => {
                "None of those who answered is counted here yet.".to_owned()
            }
            _ => "Nobody has answered yet.".to_owned(),
        };
        Self {
            voters,
            questions,
            note,
            answered: facts,
            asides: asides(totals, tier)
                .into_iter()
                .chain(left_out(&totals.left_out))
                .collect(),
            sample: sampled.map(|(_, found)| found),
        }
    }

    /// The keys of the options that are marked as the reader's.
    pub fn own(&self) -> impl Iterator<Item = i64> {
        let rows = self.questions.iter().flat_map(|question| &question.rows);
        rows.filter(|row| row.own).map(|row| row.key)
    }
}

/// The results of a question among readers of `tier` and better, with the choices `own` marked.
pub fn question_result(
    poll: &Poll,
    question: &Question,
    totals: &Totals,
    tier: Tier,
    own: &[OptionId],
) -> QuestionResult {
    let voters = totals.voters(tier);
    let population = poll.sample().map(|sample| sample.population);
    // A retired option is shown as long as somebody has chosen it.
    let options: Vec<_> = question
        .options
        .iter()
        .filter(|o| !o.retired || totals.option(o.id, tier) > 0)
        .collect();
    let mine = marked(question, own);
    let (runoff, counted) = kinds::runoff(question, totals, tier).unzip();
    let counts: Vec<i64> = match &counted {
        Some(counted) => kinds::first_choices(counted, &options),
        None => options.iter().map(|o| totals.option(o.id, tier)).collect(),
    };
    let exclusive = question.is_single() || counted.is_some();
    // If one answer excludes the others, shares are among the readers who answered this
    // question, which may be optional.
    let of = if exclusive {
        counts.iter().sum()
    } else {
        voters
    };
    let shown = shares(&counts, of, exclusive);
    let rows = options
        .iter()
        .zip(&counts)
        .enumerate()
        .map(|(i, (option, &votes))| {
            let share = shown.as_ref().and_then(|shares| shares.get(i));
            let range = population.and_then(|population| range(votes, of, population));
            let (words, unshown) = kinds::own_words(option, totals, tier);
            Row {
                key: option.key,
                label: question.shown_label(option),
                picture: option.picture.as_ref().map(Thumbnail::of),
                votes,
                count: grouped(votes),
                share: share.map(|share: &Share| share.text()),
                range: range.map(|found| share_range(&found, of)),
                width: width(votes, of),
                own: mine.contains(&option.id),
                unshown: (!words.is_empty() && unshown > 0).then(|| grouped(unshown)),
                words,
            }
        })
        .collect();
    let all: Vec<i64> = question
        .options
        .iter()
        .map(|o| totals.option(o.id, tier))
        .collect();
    QuestionResult {
        key: question.key,
        text: question.text.clone(),
        several: question.kind == Kind::Several,
        kind: question.kind,
        summary: kinds::summary(question, &all, counted.as_ref())
            .map(|said| said + &mean_range(question, &all, population)),
        hint: hint(question, shown.is_some(), runoff.as_ref()),
        runoff,
        shares: shown.is_some(),
        rows,
    }
}

fn hint(question: &Question, shares: bool, runoff: Option<&Runoff>) -> Option<&'static str> {
    match (question.kind, shares) {
        (Kind::Several, false) => Some("Readers could choose several answers."),
        (Kind::Several, true) => {
            Some("Readers could choose several answers; percentages are of all who answered.")
        }
        _ => runoff
            .filter(|runoff| runoff.rounds.len() > 1)
            .map(|_| "These are the first choices, before the rounds."),
    }
}

/// The options of a question that the reader chose. The rows of a ranked question are first choices, so only the
/// reader's first choice is marked.
fn marked(question: &Question, own: &[OptionId]) -> Vec<OptionId> {
    let most = match question.kind {
        Kind::Ranked => 1,
        _ => own.len(),
    };
    let own = own.iter().copied().filter(|id| question.has(*id));
    own.take(most).collect()
}

/// The addition to the mean of a rating in a sample.
fn mean_range(question: &Question, counts: &[i64], population: Option<i64>) -> String {
    match (&question.scale, population) {
        (Some(scale), Some(population)) if question.kind == Kind::Rating => {
            range_of_mean(scale.from, counts, population).map_or_else(String::new, |range| {
                format!(" Among all subscribers, it is likely to be {range}.")
            })
        }
        _ => String::new(),
    }
}

/// Per cent with one decimal, the length of the bar.
fn width(votes: i64, of: i64) -> f64 {
    if of <= 0 {
        0.0
    } else {
        (votes as f64 * 1_000.0 / of as f64).round() / 10.0
    }
}

/// The public notes about answers that were left out of the count.
pub fn left_out(parts: &[(i64, String)]) -> impl Iterator<Item = String> {
    parts.iter().map(|(n, reason)| {
        let count = grouped(*n);
        match (*n, reason.is_empty()) {
            (1, true) => "1 more answer has been set aside because it looks like one of many from the same person or program. An editor is checking it.".to_owned(),
            (_, true) => format!(
                "{count} more answers have been set aside because they look as if they came from one person or program. An editor is checking them."
            ),
            (1, false) => format!("1 answer was left out by the editors: {reason}"),
            (_, false) => format!("{count} answers were left out by the editors: {reason}"),
        }
    })
}

fn asides(totals: &Totals, headline: Tier) -> Vec<String> {
    let all = totals.voters(Tier::Anonymous);
    let subscribers = totals.voters(Tier::Subscriber);
    let others = |known: &str| {
        let readers = if all == 1 { "reader" } else { "readers" };
        format!(
            "In all, {} {readers} answered; only {known} are counted here.",
            grouped(all)
        )
    };
    let partly = all > totals.voters(headline);
    match headline {
        Tier::Anonymous if subscribers > 0 => {
            vec![match subscribers {
                1 => "1 of them is a confirmed subscriber.".to_owned(),
                n => format!("{} of them are confirmed subscribers.", grouped(n)),
            }]
        }
        Tier::Anonymous => Vec::new(),
        Tier::Worked if partly => vec![others(
            "those whose browser solved a small puzzle, and confirmed subscribers,",
        )],
        Tier::Subscriber if partly => {
            vec![others("confirmed subscribers")]
        }
        Tier::SignedIn if partly => vec![others("those who were signed in as subscribers")],
        _ => Vec::new(),
    }
}
