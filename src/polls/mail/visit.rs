//! Decides which requests for the links of a mail came from a scanner. Pure.
//!
//! All consecutive looks at the links of one mail to one reader form a visit. Programs give themselves away: they
//! send HEAD requests, open the invisible link, open all answers to a question within a minute, or two answers
//! within a second. Looks with one of these marks count as a scanner's, all others as those of somebody who has
//! seen the question. This serves only the editor's statistics: a press that passes its own checks counts
//! whatever was seen before.

use std::time::Duration;

use crate::types::{PollId, UnixMillis};

/// How close looks must be to be judged together: a scanner opens the links of a mail within a minute.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Two different links sooner than this are not a person's: nobody goes back to the mail so fast.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A reader who has looked and not answered for this long counts as having seen the question.
pub(super) const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// A visit keeps only its first looks; further ones add no information.
const KEPT: usize = 24;

/// The link that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The invisible link, in a mail whose first poll is this.
    Canary(PollId),
    /// The link to an option; `of` is the number of such links in the mail.
    Option { poll: PollId, key: i64, of: usize },
    /// The link to the whole question.
    Whole(PollId),
}

impl Target {
    fn poll(self) -> PollId {
        match self {
            Self::Canary(poll) | Self::Whole(poll) | Self::Option { poll, .. } => poll,
        }
    }
}

/// One look at one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub at: UnixMillis,
    pub target: Target,
    /// Only distinguishes clients; has no other meaning.
    pub client: u64,
    /// It was a HEAD request, which browsers do not send.
    pub head: bool,
}

/// What a visit adds to the numbers of a poll.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub seen: bool,
    pub scanner: bool,
}

/// The looks at the links of one mail to one reader.
#[derive(Debug, Default)]
pub(super) struct Visit {
    looks: Vec<Look>,
    /// Polls that were answered: their looks led to a vote, which is counted with the votes.
    answered: Vec<PollId>,
}

impl Visit {
    pub(super) fn add(&mut self, look: Look) {
        if self.looks.len() < KEPT {
            self.looks.push(look);
        } else if let Some(last) = self.looks.last_mut() {
            last.at = look.at;
        }
    }

    pub(super) fn answered(&mut self, poll: PollId) {
        if !self.answered.contains(&poll) {
            self.answered.push(poll);
        }
    }

    /// Whether the visit is over at `now`: a minute after the last look of a scanner, half an
    /// hour after anybody else's.
    pub(super) fn is_over(&self, now: UnixMillis) -> bool {
        let Some(last) = self.looks.iter().map(|look| look.at).max() else {
            return true;
        };
        let quiet = now.since(last);
        quiet > PATIENCE || (quiet > WINDOW && self.marks().iter().all(|scanner| *scanner))
    }

    /// What to count: for each poll that was looked at, at most once as seen and once as scanned.
    pub(super) fn outcomes(&self) -> Vec<(PollId, Outcome)> {
        let mut outcomes: Vec<(PollId, Outcome)> = Vec::new();
        for (look, scanner) in self.looks.iter().zip(self.marks()) {
            let poll = look.target.poll();
            if !scanner && self.answered.contains(&poll) {
                continue;
            }
            let at = match outcomes.iter().position(|(known, _)| *known == poll) {
                Some(at) => at,
                None => {
                    outcomes.push((poll, Outcome::default()));
                    outcomes.len() - 1
                }
            };
            outcomes[at].1.scanner |= scanner;
            outcomes[at].1.seen |= !scanner;
        }
        outcomes
    }

    /// For each look, whether it was a scanner's.
    fn marks(&self) -> Vec<bool> {
        let near = |one: &Look, other: &Look, span| apart(one.at, other.at) <= span;
        // The invisible link, and all answers opened within a minute, mark everybody in that minute, since scanners use
        // many addresses. HEAD requests and haste mark a single client.
        self.looks
            .iter()
            .map(|look| {
                let others = || self.looks.iter().filter(|other| near(look, other, WINDOW));
                others().any(|other| matches!(other.target, Target::Canary(_)))
                    || others().any(|other| other.client == look.client && other.head)
                    || others().any(|other| other.client == look.client && self.hasty(other))
                    || self.all_options(look)
            })
            .collect()
    }

    /// Whether the same client opened another answer to the same question within a second.
    fn hasty(&self, look: &Look) -> bool {
        let Target::Option { poll, key, .. } = look.target else {
            return false;
        };
        self.looks.iter().any(|other| {
            other.client == look.client
                && apart(other.at, look.at) < AT_ONCE
                && matches!(other.target, Target::Option { poll: p, key: k, .. } if p == poll && k != key)
        })
    }

    /// Whether every answer to its question was opened within a minute that includes this look.
    fn all_options(&self, look: &Look) -> bool {
        let Target::Option { poll, of, .. } = look.target else {
            return false;
        };
        of > 1
            && self.looks.iter().any(|first| {
                let mut keys: Vec<i64> = self
                    .looks
                    .iter()
                    .filter(|l| l.at >= first.at && apart(l.at, first.at) <= WINDOW)
                    .filter_map(|l| match l.target {
                        Target::Option { poll: p, key, .. } if p == poll => Some(key),
                        _ => None,
                    })
                    .collect();
                keys.sort_unstable();
                keys.dedup();
                keys.len() >= of && look.at >= first.at && apart(look.at, first.at) <= WINDOW
            })
    }
}

fn apart(one: UnixMillis, other: UnixMillis) -> Duration {
    if one < other {
        other.since(one)
    } else {
        one.since(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: PollId = PollId(7);
    const SCANNED: Outcome = Outcome {
        seen: false,
        scanner: true,
    };
    const SEEN: Outcome = Outcome {
        seen: true,
        scanner: false,
    };
    const BOTH: Outcome = Outcome {
        seen: true,
        scanner: true,
    };

    /// A look `after` so many milliseconds, by a client, at option `key` of three; key 0 is the canary.
    fn look(after: i64, client: u64, key: i64) -> Look {
        Look {
            at: UnixMillis(1_000_000 + after),
            target: match key {
                0 => Target::Canary(POLL),
                key => Target::Option {
                    poll: POLL,
                    key,
                    of: 3,
                },
            },
            client,
            head: false,
        }
    }

    fn outcome(looks: &[Look]) -> Option<Outcome> {
        let mut visit = Visit::default();
        looks.iter().for_each(|look| visit.add(*look));
        visit.outcomes().first().map(|(_, outcome)| *outcome)
    }

    #[test]
    fn programs_give_themselves_away() {
        let head = |after, client, key| Look {
            head: true,
            ..look(after, client, key)
        };
        for (name, looks, expected) in [
            ("one look", vec![look(0, 1, 2)], SEEN),
            ("the canary", vec![look(0, 1, 0)], SCANNED),
            (
                "the first link and no more",
                vec![look(0, 1, 0), look(50, 1, 3)],
                SCANNED,
            ),
            ("HEAD", vec![head(0, 1, 2)], SCANNED),
            (
                "HEAD, then GET by the same",
                vec![head(0, 1, 2), look(20, 1, 2)],
                SCANNED,
            ),
            (
                "HEAD by one, GET by another",
                vec![head(0, 1, 2), look(20, 2, 2)],
                BOTH,
            ),
            (
                "all answers within a minute, from three addresses",
                vec![look(0, 1, 1), look(20_000, 2, 2), look(60_000, 3, 3)],
                SCANNED,
            ),
            (
                "all answers, slowly",
                vec![look(0, 1, 1), look(20_000, 1, 2), look(60_001, 1, 3)],
                SEEN,
            ),
            (
                "two of three at once",
                vec![look(0, 1, 1), look(400, 1, 2)],
                SCANNED,
            ),
            (
                "a second thought",
                vec![look(0, 1, 1), look(4_000, 1, 2)],
                SEEN,
            ),
            (
                "the same link twice",
                vec![look(0, 1, 1), look(100, 1, 1)],
                SEEN,
            ),
            (
                "two readers of one mail at once",
                vec![look(0, 1, 1), look(400, 2, 2)],
                SEEN,
            ),
            (
                "a scanner, and later a reader",
                vec![look(0, 1, 0), look(10, 1, 1), look(90_000, 2, 2)],
                BOTH,
            ),
            (
                "the canary in the minute after",
                vec![look(0, 1, 1), look(50_000, 2, 0)],
                SCANNED,
            ),
        ] {
            assert_eq!(outcome(&looks), Some(expected), "{name}");
        }
    }

    #[test]
    fn who_answers_is_not_also_counted_as_having_seen() {
        let mut visit = Visit::default();
        visit.add(look(0, 2, 1));
        visit.answered(POLL);
        assert_eq!(visit.outcomes(), []);
        visit.add(look(70_000, 1, 0));
        assert_eq!(visit.outcomes(), [(POLL, SCANNED)], "a scanner stays one");
    }

    #[test]
    fn a_scanner_is_waited_for_a_minute_a_reader_half_an_hour() {
        let after = |ms: i64| UnixMillis(1_000_000 + ms);
        let mut scanner = Visit::default();
        scanner.add(look(0, 1, 0));
        assert!(!scanner.is_over(after(60_000)));
        assert!(scanner.is_over(after(60_001)));
        let mut reader = Visit::default();
        reader.add(look(0, 1, 1));
        assert!(!reader.is_over(after(1_800_000)));
        assert!(reader.is_over(after(1_800_001)));
        assert!(Visit::default().is_over(after(0)));
    }

    #[test]
    fn a_visit_stays_small() {
        let mut visit = Visit::default();
        for i in 0..1_000 {
            visit.add(look(i, 1, 1 + i % 3));
        }
        assert_eq!(visit.looks.len(), KEPT);
        assert_eq!(visit.outcomes(), [(POLL, SCANNED)]);
    }
}
