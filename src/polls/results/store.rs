//! Reads the totals from the tally, never by counting ballots.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::note::Answered;
use crate::db::{Db, find_all};
use crate::polls::ballots::details_store::{Approved, Ranking, approved, rankings};
use crate::polls::model::{Place, Poll, Tier};
use crate::types::{OptionId, PollId, UnixMillis};

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
    totals_in(db.read(), poll).await
}

/// The same in a snapshot, where numbers that are shown together must agree.
pub async fn totals_in<C: ConnectionTrait>(db: &C, poll: &Poll) -> Result<Totals, DbErr> {
    let mut totals = Totals {
        rankings: rankings(db, poll).await?,
        words: approved(db, poll).await?,
        options: options(db, poll.id).await?,
        left_out: left_out(db, poll.id).await?,
        ..Totals::default()
    };
    let places = places(db, poll.id).await?;
    let answered_at = |place: &AtPlace| (Place::from_code(place.source), place.n);
    totals.places = places.iter().map(answered_at).collect();
    let voters = totals.voters(Tier::Anonymous);
    if voters > 0 {
        let (first, last) = (
            places.iter().map(|place| place.first_ms).min(),
            places.iter().map(|place| place.last_ms).max(),
        );
        totals.answered = Some(Answered {
            voters,
            all: true,
            first: first.unwrap_or(UnixMillis(i64::MAX)),
            last: last.unwrap_or(UnixMillis(i64::MIN)),
            places: totals.places.iter().map(|(place, _)| *place).collect(),
        });
    }
    Ok(totals)
}

/// Answers by option and tier.
async fn options<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
) -> Result<HashMap<OptionId, BTreeMap<Tier, i64>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        option_id: OptionId,
        tier: i16,
        n: i64,
    }
    let sql = "SELECT option_id, tier, CAST(SUM(n) AS BIGINT) AS n FROM tally WHERE poll_id = $1 GROUP BY option_id, tier";
    let mut options: HashMap<OptionId, BTreeMap<Tier, i64>> = HashMap::new();
    for row in find_all::<Row>(db, sql, [poll.into()]).await? {
        let tiers = options.entry(row.option_id).or_default();
        tiers.insert(Tier::from_code(row.tier), row.n);
    }
    Ok(options)
}

/// The ballots that were first cast at a place, where any of them still counts.
#[derive(FromQueryResult)]
struct AtPlace {
    source: i16,
    n: i64,
    first_ms: UnixMillis,
    last_ms: UnixMillis,
}

async fn places<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Vec<AtPlace>, DbErr> {
    let sql = "SELECT source, CAST(SUM(n) AS BIGINT) AS n, MIN(first_ms) AS first_ms, MAX(last_ms) AS last_ms \
               FROM poll_source WHERE poll_id = $1 GROUP BY source HAVING SUM(n) > 0 ORDER BY source";
    find_all(db, sql, [poll.into()]).await
}

/// Ballots that are set aside, by reason. Bursts have the reason that an editor gave for the whole burst; undecided ones
/// are a single line. Ballots that were handed over count again.
async fn left_out<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Vec<(i64, String)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        reason: String,
        n: i64,
    }
    let sql = "SELECT burst.number IS NULL AS own, COALESCE(burst.reason, r.reason) AS reason, \
               CAST(SUM(r.ballots - COALESCE(r.gone, 0)) AS BIGINT) AS n FROM ballot_removal r \
               LEFT JOIN (SELECT l.number, b.reason FROM poll_burst b JOIN poll_burst_removal l ON l.burst_id = b.id WHERE b.poll_id = $1) AS burst \
               ON burst.number = r.number WHERE r.poll_id = $2 AND r.undone_ms IS NULL \
               GROUP BY 1, 2 HAVING SUM(r.ballots - COALESCE(r.gone, 0)) > 0 ORDER BY 1, 2";
    let rows: Vec<Row> = find_all(db, sql, [poll.into(), poll.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.n, row.reason)).collect())
}
