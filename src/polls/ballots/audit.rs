//! A periodic recount that compares the tally with the ballots and logs an error if they differ.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{DbErr, FromQueryResult};
use tokio::time::Instant;

use super::counts::counted;
use super::details_store::{Details, Scope, differences};
use crate::db::{Db, find_all, find_values};
use crate::polls::answer::Choice;
use crate::polls::definition;
use crate::polls::model::{Poll, PollState, Tier};
use crate::types::{OptionId, PollId};

/// A difference between the tally and the ballots it should equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub option: OptionId,
    /// `None`: a ranking or words, with all tiers together.
    pub tier: Option<i16>,
    pub tallied: i64,
    pub counted: i64,
}

/// Recounts the ballots of a poll, sealed or not, and compares them with the tallies; empty if they agree. Reads every
/// ballot, from one snapshot, so the poll may be answered meanwhile.
pub async fn audit(db: &Db, poll: &Poll) -> Result<Vec<Difference>, DbErr> {
    recount(db, poll.id).await
}

/// How many ballots of a tier say the same, or how many answers are tallied for an option.
#[derive(FromQueryResult)]
struct Number {
    choices: Option<Vec<u8>>,
    option_id: Option<OptionId>,
    tier: i16,
    n: i64,
}

async fn recount(db: &Db, poll: PollId) -> Result<Vec<Difference>, DbErr> {
    let _turn = db.scan().await;
    let moment = db.snapshot().await?;
    // Reads the poll again from this snapshot: if it has been sealed since, its ballots are elsewhere.
    let Some(poll) = &definition::by_id_in(&moment, poll).await? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT choices, CAST(NULL AS BIGINT) AS option_id, tier, COUNT(*) AS n FROM ballot \
               WHERE poll_id = $1 AND removed IS NULL GROUP BY choices, tier \
               UNION ALL SELECT choices, NULL, tier, n FROM sealed_ballot WHERE poll_id = $2 AND set_aside = 0 \
               UNION ALL SELECT NULL, option_id, tier, CAST(SUM(n) AS BIGINT) FROM tally \
               WHERE poll_id = $3 GROUP BY option_id, tier";
    let rows: Vec<Number> = find_all(
        &moment,
        sql,
        [poll.id.into(), poll.id.into(), poll.id.into()],
    )
    .await?;
    // The tallied and the counted number, by option and tier.
    let mut numbers: BTreeMap<(OptionId, Option<i16>), (i64, i64)> = BTreeMap::new();
    let mut details = Details::default();
    for Number {
        choices,
        option_id,
        tier,
        n,
    } in rows
    {
        if let Some(choices) = choices {
            for option in counted(&choices) {
                numbers.entry((option, Some(tier))).or_default().1 += n;
            }
            if poll.has_details() {
                let tier = Tier::from_code(tier);
                details.add(poll, tier, &Choice::from_stored(&choices), n);
            }
        }
        if let Some(option) = option_id {
            numbers.entry((option, Some(tier))).or_default().0 += n;
        }
    }
    let details = BTreeMap::from([(0, details)]);
    let scope = match poll.sealed_at {
        None => Scope::Together,
        Some(_) => Scope::Rankings,
    };
    let further = differences(&moment, poll.id, &details, scope).await?;
    moment.rollback().await?;
    let further = further
        .into_iter()
        .map(|(option, tallied, counted)| ((option, None), (tallied, counted)));
    Ok(numbers
        .into_iter()
        .chain(further)
        .filter(|(_, (tallied, counted))| tallied != counted)
        .map(|((option, tier), (tallied, counted))| Difference {
            option,
            tier,
            tallied,
            counted,
        })
        .collect())
}

/// The results of the recounts so far, in this process.
#[derive(Debug, Default)]
pub struct Audits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The last poll that was recounted; the next recount continues after it.
    after: i64,
    /// Polls whose tally differs.
    wrong: BTreeMap<PollId, Vec<Difference>>,
    rest_until: Option<Instant>,
}

/// How long one run of recounts may take. It is followed by a rest of twenty times its duration.
const LOOK: Duration = Duration::from_millis(500);
const REST: u32 = 20;

impl Audits {
    /// Recounts the next polls, as many as fit into one run, and starts over after the last.
    pub async fn tick(&self, db: &Db) -> Result<(), DbErr> {
        let began = Instant::now();
        let (after, rest_until) = {
            let state = self.state();
            (state.after, state.rest_until)
        };
        if rest_until.is_some_and(|until| began < until) {
            return Ok(());
        }
        let sql = "SELECT id FROM poll WHERE id > $1 AND state <> $2 ORDER BY id LIMIT 200";
        let values = [after.into(), PollState::Draft.code().into()];
        let next: Vec<PollId> = find_values(db.read(), sql, values).await?;
        if next.is_empty() {
            self.state().after = 0;
            return Ok(());
        }
        for poll in next {
            // Set before the recount: a poll that cannot be read must not keep the others from being recounted.
            self.state().after = poll.0;
            self.note(poll, recount(db, poll).await?);
            if began.elapsed() > LOOK {
                break;
            }
        }
        self.state().rest_until = Some(Instant::now() + began.elapsed() * REST);
        Ok(())
    }

    /// The differences found in a poll by the last recount.
    pub fn differences(&self, poll: PollId) -> Vec<Difference> {
        self.state().wrong.get(&poll).cloned().unwrap_or_default()
    }

    /// The polls in whose tally the last recount found a difference.
    pub fn wrong(&self) -> Vec<PollId> {
        self.state().wrong.keys().copied().collect()
    }

    fn note(&self, poll: PollId, found: Vec<Difference>) {
        let mut state = self.state();
        if found.is_empty() {
            state.wrong.remove(&poll);
        } else if let Some(first) = found.first().cloned()
            && state.wrong.insert(poll, found).is_none()
        {
            // Logged once only: every later recount finds the same.
            tracing::error!(
                poll = poll.0,
                option = first.option.0,
                tallied = first.tallied,
                counted = first.counted,
                "the tally of a poll does not match its ballots; `canvass verify poll` shows the differences"
            );
        }
        metrics::gauge!("canvass_polls_with_wrong_tally").set(state.wrong.len() as f64);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
