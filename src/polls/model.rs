//! What a poll is and what it allows at a given moment. Pure: `now` comes in as a value.

use std::fmt;
use std::time::Duration;

pub use super::linked::LinkWords;
pub use super::question::{Kind, Order, Picture, PollOption, Question, Role, Scale};
use super::sample::{Sample, Sampling};
use crate::types::{NewsletterId, OptionId, PollId, UnixMillis};

/// A poll as readers and the ballot box see it. Cheap to share: kept in memory behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    pub id: PollId,
    pub slug: String,
    /// What editors call it; readers see the questions.
    pub title: String,
    /// A sentence above the first question; may be empty.
    pub intro: String,
    pub state: PollState,
    /// Before this moment nobody may answer; `None`: as soon as it is published.
    pub opens_at: Option<UnixMillis>,
    /// From this moment on nobody may answer; `None`: until an editor closes it.
    pub closes_at: Option<UnixMillis>,
    /// When it was first seen closed by its time, or closed by an editor: for this poll the clock never goes back behind that.
    pub seen_closed: Option<UnixMillis>,
    /// When its secret was destroyed: no ballot can be joined to a reader any more, and it never opens again.
    pub sealed_at: Option<UnixMillis>,
    pub visibility: Visibility,
    /// The tier whose totals are named first.
    pub headline_tier: Tier,
    /// The newsletter promised beside the answer, if any.
    pub newsletter: Option<NewsletterId>,
    /// The words under which readers may let their answer join to their address; `None`: the poll is secret.
    pub linking: Option<LinkWords>,
    /// The IANA name of the zone its times are shown in.
    pub time_zone: String,
    pub secret: PollSecret,
    /// Rises with every edit.
    pub revision: i64,
    /// Whom it asks.
    pub sampling: Sampling,
    pub questions: Vec<Question>,
}

/// The key of a poll's voter keys. Empty once it was destroyed, some days after the close:
/// from then on no ballot can be joined to a reader.
#[derive(Clone, PartialEq, Eq)]
pub struct PollSecret(pub Vec<u8>);

impl fmt::Debug for PollSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollSecret")
    }
}

/// What an editor decided about the poll. Whether it can be answered also depends on its times: [`Poll::phase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollState {
    Draft,
    Published,
    Closed,
}

/// When the public sees results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Always,
    AfterVoting,
    AfterClose,
    Never,
}

/// How much is known about who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A browser, by a marker it holds.
    Anonymous,
    /// A browser that solved a proof of work.
    Worked,
    /// A confirmed subscriber, by a personal link.
    Subscriber,
    /// Signed in.
    SignedIn,
}

/// Where an answer was given. Kept with the tally, so that the note can name the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    PollPage,
    Article,
    Embed,
    Mail,
    Api,
    /// In another poll system, from which the poll was carried over.
    Elsewhere,
}

/// What may be done with a poll at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A draft: for the public it does not exist.
    Hidden,
    NotYetOpen {
        opens_at: UnixMillis,
    },
    Open {
        closes_at: Option<UnixMillis>,
    },
    /// `at` is unknown when an editor closed a poll that had no closing time.
    Closed {
        at: Option<UnixMillis>,
    },
}

/// The phase of a poll with these times at `now`: see [`Poll::phase`].
pub fn phase(
    state: PollState,
    opens_at: Option<UnixMillis>,
    closes_at: Option<UnixMillis>,
    now: UnixMillis,
) -> Phase {
    match state {
        PollState::Draft => Phase::Hidden,
        PollState::Closed => Phase::Closed {
            at: closes_at.filter(|&at| at <= now),
        },
        PollState::Published => match (opens_at, closes_at) {
            (_, Some(at)) if at <= now => Phase::Closed { at: Some(at) },
            (Some(opens_at), _) if now < opens_at => Phase::NotYetOpen { opens_at },
            (_, closes_at) => Phase::Open { closes_at },
        },
    }
}

impl Poll {
    /// The poll's phase at `now`. Open from `opens_at` (inclusive) to `closes_at` (exclusive), to the millisecond.
    pub fn phase(&self, now: UnixMillis) -> Phase {
        let now = self.seen_closed.map_or(now, |at| at.max(now));
        if self.sealed_at.is_some() {
            let at = self.closes_at.filter(|&at| at <= now);
            return Phase::Closed { at };
        }
        phase(self.state, self.opens_at, self.closes_at, now)
    }

    /// When its secret is destroyed, `days` after the close; `None` while it is not closed, and once it is destroyed.
    pub fn seals_at(&self, now: UnixMillis, days: u64) -> Option<UnixMillis> {
        let closed = matches!(self.phase(now), Phase::Closed { .. });
        let since = self.seen_closed.or(self.closes_at.filter(|&at| at <= now));
        since
            .filter(|_| closed && self.sealed_at.is_none())
            .map(|at| at + Duration::from_secs(days * 24 * 60 * 60))
    }

    /// May the public see results at `now`, given whether this reader has answered?
    pub fn shows_results(&self, now: UnixMillis, answered: bool) -> bool {
        let phase = self.phase(now);
        if matches!(phase, Phase::Hidden | Phase::NotYetOpen { .. }) {
            return false;
        }
        let closed = matches!(phase, Phase::Closed { .. });
        match self.visibility {
            Visibility::Always => true,
            Visibility::AfterVoting => answered || closed,
            Visibility::AfterClose => closed,
            Visibility::Never => false,
        }
    }

    /// The sample it asks, and nobody else; `None` where everybody may answer.
    pub fn sample(&self) -> Option<&Sample> {
        match &self.sampling {
            Sampling::Drawn(sample) => Some(sample),
            Sampling::Open | Sampling::OpenBeside(_) => None,
        }
    }

    /// Whether whoever comes by may answer at `now`.
    pub fn is_open_to_all(&self, now: UnixMillis) -> bool {
        self.sample().is_none() && matches!(self.phase(now), Phase::Open { .. })
    }

    /// The option with this key, retired or not.
    pub fn option(&self, key: i64) -> Option<&PollOption> {
        self.options().find(|o| o.key == key)
    }

    /// All options of all questions, in order.
    pub fn options(&self) -> impl Iterator<Item = &PollOption> {
        self.questions.iter().flat_map(|q| &q.options)
    }

    /// The keys of these options, in their order.
    pub fn keys(&self, options: &[OptionId]) -> Vec<i64> {
        let key = |id: &OptionId| self.options().find(|o| o.id == *id).map(|o| o.key);
        options.iter().filter_map(key).collect()
    }

    /// The labels of these options, in their order.
    pub fn labels(&self, options: &[OptionId]) -> Vec<&str> {
        let label = |id: &OptionId| self.options().find(|o| o.id == *id);
        options
            .iter()
            .filter_map(label)
            .map(|o| o.label.as_str())
            .collect()
    }

    /// The offered option a form field or script named: its key in canonical decimal form and nothing else.
    pub fn offered(&self, raw: &str) -> Option<&PollOption> {
        let key: i64 = raw
            .parse()
            .ok()
            .filter(|key: &i64| key.to_string() == raw)?;
        self.option(key).filter(|o| !o.retired)
    }

    /// Whether a ballot can say more than which options: an order, or words.
    pub fn has_details(&self) -> bool {
        self.questions
            .iter()
            .any(|question| question.kind == Kind::Ranked)
            || self.options().any(|option| option.role == Role::Words)
    }

    /// The first question: what the poll is called in a list.
    pub fn headline(&self) -> &str {
        self.questions
            .first()
            .map_or(self.title.as_str(), |q| q.text.as_str())
    }
}

impl PollState {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Published,
            2 => Self::Closed,
            _ => Self::Draft,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Draft => 0,
            Self::Published => 1,
            Self::Closed => 2,
        }
    }
}

impl Visibility {
    pub fn from_code(code: i16) -> Self {
        match code {
            0 => Self::Always,
            1 => Self::AfterVoting,
            2 => Self::AfterClose,
            _ => Self::Never,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Always => 0,
            Self::AfterVoting => 1,
            Self::AfterClose => 2,
            Self::Never => 3,
        }
    }
}

impl Tier {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Worked,
            2 => Self::Subscriber,
            3 => Self::SignedIn,
            _ => Self::Anonymous,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Anonymous => 0,
            Self::Worked => 1,
            Self::Subscriber => 2,
            Self::SignedIn => 3,
        }
    }
}

impl Place {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Article,
            2 => Self::Embed,
            3 => Self::Mail,
            4 => Self::Api,
            5 => Self::Elsewhere,
            _ => Self::PollPage,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::PollPage => 0,
            Self::Article => 1,
            Self::Embed => 2,
            Self::Mail => 3,
            Self::Api => 4,
            Self::Elsewhere => 5,
        }
    }

    /// As the note names it, after "on".
    pub fn name(self) -> &'static str {
        match self {
            Self::PollPage => "the poll's page",
            Self::Article => "an article",
            Self::Embed => "pages that carry it",
            Self::Mail => "the newsletter",
            Self::Api => "connected services",
            Self::Elsewhere => "another poll system, from which it was carried over",
        }
    }
}

/// Polls to test with.
#[cfg(test)]
pub mod sample {
    use super::*;

    pub fn ranked(labels: &[&str], min_choices: i64, max_choices: i64) -> Poll {
        let mut poll = several(labels, min_choices, max_choices);
        poll.questions[0].kind = Kind::Ranked;
        poll
    }

    pub fn single(labels: &[&str]) -> Poll {
        several(labels, 1, 1)
    }

    pub fn several(labels: &[&str], min_choices: i64, max_choices: i64) -> Poll {
        let options = (1_i64..)
            .zip(labels)
            .map(|(key, label)| PollOption {
                id: OptionId(key + 100),
                key,
                label: (*label).to_owned(),
                role: Role::Plain,
                picture: None,
                retired: false,
            })
            .collect();
        Poll {
            id: PollId(1),
            slug: "sample".to_owned(),
            title: "Sample".to_owned(),
            intro: String::new(),
            state: PollState::Published,
            opens_at: None,
            closes_at: None,
            seen_closed: None,
            sealed_at: None,
            visibility: Visibility::Always,
            headline_tier: Tier::Anonymous,
            newsletter: None,
            linking: None,
            sampling: Sampling::Open,
            time_zone: "UTC".to_owned(),
            secret: PollSecret(vec![7; 32]),
            revision: 0,
            questions: vec![Question {
                key: 1,
                text: "Sample?".to_owned(),
                required: true,
                kind: if max_choices > 1 {
                    Kind::Several
                } else {
                    Kind::Single
                },
                min_choices,
                max_choices,
                order: Order::Fixed,
                scale: None,
                options,
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_and_closes_to_the_millisecond() {
        let mut poll = sample::single(&["yes", "no"]);
        (poll.opens_at, poll.closes_at) = (Some(UnixMillis(1_000)), Some(UnixMillis(2_000)));
        assert_eq!(
            poll.phase(UnixMillis(999)),
            Phase::NotYetOpen {
                opens_at: UnixMillis(1_000)
            }
        );
        assert_eq!(
            poll.phase(UnixMillis(1_000)),
            Phase::Open {
                closes_at: Some(UnixMillis(2_000))
            }
        );
        assert_eq!(
            poll.phase(UnixMillis(1_999)),
            Phase::Open {
                closes_at: Some(UnixMillis(2_000))
            }
        );
        assert_eq!(
            poll.phase(UnixMillis(2_000)),
            Phase::Closed {
                at: Some(UnixMillis(2_000))
            }
        );
    }

    #[test]
    fn a_draft_does_not_exist_and_an_editor_can_close_early() {
        let mut poll = sample::single(&["yes", "no"]);
        poll.state = PollState::Draft;
        assert_eq!(poll.phase(UnixMillis(0)), Phase::Hidden);
        assert!(!poll.shows_results(UnixMillis(0), true));
        poll.state = PollState::Closed;
        poll.closes_at = Some(UnixMillis(5_000));
        assert_eq!(poll.phase(UnixMillis(0)), Phase::Closed { at: None });
    }

    #[test]
    fn results_show_when_the_editor_said() {
        let mut poll = sample::single(&["yes", "no"]);
        poll.closes_at = Some(UnixMillis(10));
        let seen = |poll: &Poll| {
            [(5, false), (5, true), (10, false)]
                .map(|(now, answered)| poll.shows_results(UnixMillis(now), answered))
        };
        for (visibility, expected) in [
            (Visibility::Always, [true, true, true]),
            (Visibility::AfterVoting, [false, true, true]),
            (Visibility::AfterClose, [false, false, true]),
            (Visibility::Never, [false, false, false]),
        ] {
            poll.visibility = visibility;
            assert_eq!(seen(&poll), expected, "{visibility:?}");
        }
    }

    #[test]
    fn codes_survive_the_round_trip() {
        for code in 0..6 {
            assert_eq!(Place::from_code(code).code(), code);
        }
        for code in 0..4 {
            assert_eq!(Visibility::from_code(code).code(), code);
            assert_eq!(Tier::from_code(code).code(), code);
        }
        for code in 0..3 {
            assert_eq!(PollState::from_code(code).code(), code);
        }
    }
}
