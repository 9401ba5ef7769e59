//! Reads the totals from the tally, never by counting ballots.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DbErr, Value};

use super::note::Answered;
use crate::db::{Db, fetch_all};
use crate::polls::ballots::details_store::{Approved, Ranking, approved, rankings};
use crate::polls::model::{Place, Poll, Tier};
use crate::types::{OptionId, UnixMillis};

/// The row of the tally that counts voters instead of an option.
pub const VOTERS: OptionId = OptionId(0);

/// The totals of a poll, read from the tally.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answers by option and tier.
    options: HashMap<OptionId, BTreeMap<Tier, i64>>,
    /// When and where readers answered; `None` while nobody has.
    pub answered: Option<Answered>,
    /// Ballots by the place of their first cast.
    pub places: Vec<(Place, i64)>,
    /// Ballots that are set aside: how many, and the editors' reason; empty while a burst waits for a decision.
    pub left_out: Vec<(i64, String)>,
    /// Ballots by ranking, of the ranked questions.
    pub rankings: Vec<Ranking>,
    /// Readers' own words that editors approved.
    pub words: Vec<Approved>,
}

impl Totals {
    /// Answers for `option` in `tier` and better.
    pub fn option(&self, option: OptionId, tier: Tier) -> i64 {
        self.options
            .get(&option)
            .map_or(0, |tiers| tiers.range(tier..).map(|(_, n)| n).sum())
    }

    /// Voters of `tier` and better.
    pub fn voters(&self, tier: Tier) -> i64 {
        self.option(VOTERS, tier)
    }

    /// Answers for `option` in exactly `tier`.
    pub fn option_of(&self, option: OptionId, tier: Tier) -> i64 {
        self.options
            .get(&option)
            .and_then(|tiers| tiers.get(&tier))
            .copied()
            .unwrap_or(0)
    }

    /// Voters of exactly `tier`.
    pub fn voters_of(&self, tier: Tier) -> i64 {
        self.option_of(VOTERS, tier)
    }
}

/// Reads the totals of a poll.
pub async fn totals(db: &Db, poll: &Poll) -> Result<Totals, DbErr> {
    let sql = "SELECT option_id, tier, CAST(SUM(n) AS BIGINT) AS n FROM tally WHERE poll_id = $1 GROUP BY option_id, tier";
    let mut totals = Totals {
        rankings: rankings(db, poll).await?,
        words: approved(db, poll).await?,
        ..Totals::default()
    };
    for row in fetch_all(db.read(), sql, [Value::from(poll.id)]).await? {
        let tier = Tier::from_code(row.try_get("", "tier")?);
        totals
            .options
            .entry(row.try_get("", "option_id")?)
            .or_default()
            .insert(tier, row.try_get("", "n")?);
    }
    let sql = "SELECT source, CAST(SUM(n) AS BIGINT) AS n, MIN(first_ms) AS first_ms, MAX(last_ms) AS last_ms \
               FROM poll_source WHERE poll_id = $1 GROUP BY source ORDER BY source";
    let (mut first, mut last) = (UnixMillis(i64::MAX), UnixMillis(i64::MIN));
    for row in fetch_all(db.read(), sql, [Value::from(poll.id)]).await? {
        totals.places.push((
            Place::from_code(row.try_get("", "source")?),
            row.try_get("", "n")?,
        ));
        first = first.min(row.try_get("", "first_ms")?);
        last = last.max(row.try_get("", "last_ms")?);
    }
    // Bursts have the reason that an editor gave for the whole burst; undecided ones are a single line. Ballots that
    // were handed over count again.
    let sql = "SELECT CASE WHEN burst.number IS NULL THEN 1 ELSE 0 END AS own, COALESCE(burst.reason, r.reason) AS reason, \
               CAST(SUM(r.ballots - COALESCE(r.gone, 0)) AS BIGINT) AS n FROM ballot_removal r \
               LEFT JOIN (SELECT l.number, b.reason FROM poll_burst b JOIN poll_burst_removal l ON l.burst_id = b.id WHERE b.poll_id = $1) AS burst \
               ON burst.number = r.number WHERE r.poll_id = $2 AND r.undone_ms IS NULL \
               GROUP BY 1, 2 HAVING SUM(r.ballots - COALESCE(r.gone, 0)) > 0 ORDER BY 1, 2";
    let both = [Value::from(poll.id), Value::from(poll.id)];
    for row in fetch_all(db.read(), sql, both).await? {
        totals
            .left_out
            .push((row.try_get("", "n")?, row.try_get("", "reason")?));
    }
    let voters = totals.voters(Tier::Anonymous);
    if voters > 0 {
        let places = totals.places.iter().map(|(place, _)| *place).collect();
        totals.answered = Some(Answered {
            voters,
            first,
            last,
            places,
        });
    }
    Ok(totals)
}
