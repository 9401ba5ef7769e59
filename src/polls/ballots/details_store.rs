//! Tallies of what a ballot says beyond its options: the order of a ranking, and the reader's own words.
//!
//! Written in the same commit as `tally`. Results are read from here, never by counting ballots.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use crate::db::{Batch, find_all};
use crate::polls::answer::{Choice, stored_options};
use crate::polls::model::{Kind, Poll, Role, Tier};
use crate::polls::words::{Ruling, words_key};
use crate::types::varint::pack;
use crate::types::{OptionId, PollId};

/// Poll, option, the words' key, tier.
type WordsOf = (PollId, OptionId, [u8; 16], i16);

/// The changes made by a group of ballots. Sorted, so that two nodes lock rows in the same order.
#[derive(Debug, Default)]
pub struct Details {
    rankings: BTreeMap<(PollId, i64, Vec<u8>, i16), i64>,
    words: BTreeMap<WordsOf, (i64, String)>,
}

impl Details {
    /// Adds `by` times what `choice` says; −1 takes it back.
    pub fn add(&mut self, poll: &Poll, tier: Tier, choice: &Choice, by: i64) {
        for (question, ranking) in choice.rankings(poll) {
            let ranking = pack(&ranking.iter().map(|id| id.0).collect::<Vec<_>>());
            *self
                .rankings
                .entry((poll.id, question, ranking, tier.code()))
                .or_default() += by;
        }
        for words in choice.words() {
            self.words
                .entry((poll.id, words.option, words_key(&words.text), tier.code()))
                .or_insert_with(|| (0, words.text.clone()))
                .0 += by;
        }
    }

    /// Adds the statements to the batch. `slot` is this node's stripe.
    pub fn write(&self, batch: &mut Batch, slot: &Value) {
        let rankings = self.rankings.iter().filter(|(_, n)| **n != 0);
        batch.insert(
            "ranking_tally (poll_id, question, ranking, tier, slot, n)",
            rankings.map(|((poll, question, ranking, tier), n)| {
                let (ranking, tier) = (ranking.clone().into(), (*tier).into());
                [(*poll).into(), (*question).into(), ranking, tier, slot.clone(), (*n).into()]
            }),
            "(poll_id, question, ranking, tier, slot) DO UPDATE SET n = ranking_tally.n + excluded.n",
        );
        let words = self.words.iter().filter(|(_, (n, _))| *n != 0);
        batch.insert(
            "words_tally (poll_id, option_id, words_key, tier, slot, written, n)",
            words.map(|((poll, option, key, tier), (n, written))| {
                let (key, written) = (key.to_vec().into(), written.as_str().into());
                [(*poll).into(), (*option).into(), key, (*tier).into(), slot.clone(), written, (*n).into()]
            }),
            "(poll_id, option_id, words_key, tier, slot) DO UPDATE SET n = words_tally.n + excluded.n",
        );
    }
}

/// A ranking, and how many ballots of each tier give exactly this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    /// The question's key.
    pub question: i64,
    /// Options by preference.
    pub options: Vec<OptionId>,
    pub tier: Tier,
    pub n: i64,
}

/// Words that an editor approved, and how many ballots of a tier say them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    pub option: OptionId,
    pub shown: String,
    pub tier: Tier,
    pub n: i64,
}

/// The rankings of a poll; runs no query if no question is ranked.
pub async fn rankings<C: ConnectionTrait>(db: &C, poll: &Poll) -> Result<Vec<Ranking>, DbErr> {
    if poll.questions.iter().all(|q| q.kind != Kind::Ranked) {
        return Ok(Vec::new());
    }
    let sql = "SELECT question, ranking, tier, CAST(SUM(n) AS BIGINT) AS n FROM ranking_tally WHERE poll_id = $1 \
               GROUP BY question, ranking, tier HAVING SUM(n) <> 0 ORDER BY question, ranking, tier";
    #[derive(FromQueryResult)]
    struct Row {
        question: i64,
        ranking: Vec<u8>,
        tier: i16,
        n: i64,
    }
    let rows: Vec<Row> = find_all(db, sql, [poll.id.into()]).await?;
    let ranking = |row: Row| Ranking {
        question: row.question,
        options: stored_options(&row.ranking),
        tier: Tier::from_code(row.tier),
        n: row.n,
    };
    Ok(rows.into_iter().map(ranking).collect())
}

/// The words of a poll that may be shown; runs no query if the poll has no field for words.
pub async fn approved<C: ConnectionTrait>(db: &C, poll: &Poll) -> Result<Vec<Approved>, DbErr> {
    if poll.options().all(|option| option.role != Role::Words) {
        return Ok(Vec::new());
    }
    let sql = "SELECT w.option_id, r.shown, w.tier, CAST(SUM(w.n) AS BIGINT) AS n FROM words_ruling r JOIN words_tally w \
               ON w.poll_id = r.poll_id AND w.option_id = r.option_id AND w.words_key = r.words_key \
               WHERE r.poll_id = $1 AND r.ruling = $2 GROUP BY w.option_id, r.shown, w.tier HAVING SUM(w.n) <> 0 \
               ORDER BY w.option_id, r.shown, w.tier";
    #[derive(FromQueryResult)]
    struct Row {
        option_id: OptionId,
        shown: String,
        tier: i16,
        n: i64,
    }
    let values = [poll.id.into(), Ruling::Shown.code().into()];
    let rows: Vec<Row> = find_all(db, sql, values).await?;
    let approved = |row: Row| Approved {
        option: row.option_id,
        shown: row.shown,
        tier: Tier::from_code(row.tier),
        n: row.n,
    };
    Ok(rows.into_iter().map(approved).collect())
}

/// What is compared with the tallies of rankings and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each stripe by itself.
    Slots,
    /// All stripes together.
    Together,
    /// All stripes together and no words, because the ballots of a sealed poll have none.
    Rankings,
}

/// What a number belongs to, its bytes, tier and stripe. Tiers are wide integers: somebody may have tampered with the
/// file.
type Key<Of> = (Of, Vec<u8>, i64, i64);

/// The tallied and the counted number for each key.
#[derive(Debug)]
struct Numbers<Of>(BTreeMap<Key<Of>, (i64, i64)>);

impl<Of: Ord> Numbers<Of> {
    fn tallied(&mut self, key: Key<Of>, n: i64) {
        self.0.entry(key).or_default().0 += n;
    }

    fn counted(&mut self, key: Key<Of>, n: i64) {
        self.0.entry(key).or_default().1 += n;
    }
}

impl Scope {
    fn slot(self, slot: i64) -> i64 {
        if self == Self::Slots { slot } else { 0 }
    }
}

/// Where the tallies of rankings and words differ from what was `counted`, by stripe: the option (for a ranking, its
/// first choice), the number tallied and the number counted.
pub async fn differences<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
    counted: &BTreeMap<i64, Details>,
    scope: Scope,
) -> Result<Vec<(OptionId, i64, i64)>, DbErr> {
    let rankings = numbers_of_rankings(db, poll, counted, scope).await?;
    let (words, mut differences) = numbers_of_words(db, poll, counted, scope).await?;
    for ((_, ranking, ..), (tallied, n)) in rankings.0 {
        let first = stored_options(&ranking).first().copied();
        differences.push((first.unwrap_or(OptionId(0)), tallied, n));
    }
    if scope != Scope::Rankings {
        let words = words.0.into_iter();
        differences.extend(words.map(|((option, ..), (tallied, n))| (option, tallied, n)));
    }
    differences.retain(|(_, tallied, counted)| tallied != counted);
    Ok(differences)
}

/// The numbers of rankings, by the question's key.
async fn numbers_of_rankings<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
    counted: &BTreeMap<i64, Details>,
    scope: Scope,
) -> Result<Numbers<i64>, DbErr> {
    let mut numbers = Numbers(BTreeMap::new());
    for (slot, details) in counted {
        for ((_, question, ranking, tier), n) in &details.rankings {
            let key = (
                *question,
                ranking.clone(),
                i64::from(*tier),
                scope.slot(*slot),
            );
            numbers.counted(key, *n);
        }
    }
    #[derive(FromQueryResult)]
    struct Row {
        question: i64,
        ranking: Vec<u8>,
        tier: i64,
        slot: i64,
        n: i64,
    }
    let sql = "SELECT question, ranking, CAST(tier AS BIGINT) AS tier, slot, n FROM ranking_tally WHERE poll_id = $1";
    for row in find_all::<Row>(db, sql, [poll.into()]).await? {
        let key = (row.question, row.ranking, row.tier, scope.slot(row.slot));
        numbers.tallied(key, row.n);
    }
    Ok(numbers)
}

/// The numbers of words, by the option; and the rows whose text does not match its key, as differences.
async fn numbers_of_words<C: ConnectionTrait>(
    db: &C,
    poll: PollId,
    counted: &BTreeMap<i64, Details>,
    scope: Scope,
) -> Result<(Numbers<OptionId>, Vec<(OptionId, i64, i64)>), DbErr> {
    let mut numbers = Numbers(BTreeMap::new());
    for (slot, details) in counted {
        for ((_, option, key, tier), (n, _)) in &details.words {
            let key = (*option, key.to_vec(), i64::from(*tier), scope.slot(*slot));
            numbers.counted(key, *n);
        }
    }
    #[derive(FromQueryResult)]
    struct Row {
        option_id: OptionId,
        words_key: Vec<u8>,
        tier: i64,
        slot: i64,
        written: String,
        n: i64,
    }
    let mut mismatched = Vec::new();
    let sql = "SELECT option_id, words_key, CAST(tier AS BIGINT) AS tier, slot, written, n FROM words_tally WHERE poll_id = $1";
    for row in find_all::<Row>(db, sql, [poll.into()]).await? {
        if words_key(&row.written)[..] != row.words_key[..] {
            mismatched.push((row.option_id, row.n, 0));
        }
        let key = (row.option_id, row.words_key, row.tier, scope.slot(row.slot));
        numbers.tallied(key, row.n);
    }
    Ok((numbers, mismatched))
}
