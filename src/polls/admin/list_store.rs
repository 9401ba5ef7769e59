//! The editors' list of polls, filtered, sorted and paged by the database.

use sea_orm::{DbErr, FromQueryResult, Value};

use crate::db::{Backend, Db, containing, find_all, find_value};
use crate::polls::model::{PollState, Tier};
use crate::types::UnixMillis;

/// What a poll is called: its first question, like [`Poll::headline`](crate::polls::model::Poll::headline).
const QUESTION: &str = "COALESCE((SELECT q.wording FROM poll_question q WHERE q.poll_id = poll.id ORDER BY q.position LIMIT 1), title)";

/// Polls on a page of the list.
pub const PAGE: i64 = 50;

/// Which polls, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A substring of the question, case-insensitive; empty: all polls.
    pub text: String,
    pub state: Option<Only>,
    pub order: Order,
    pub descending: bool,
    /// From 1.
    pub page: i64,
}

/// Polls of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Draft,
    Waiting,
    Open,
    Closed,
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    Question,
    Answers,
    Confirmed,
    Closes,
}

/// A row of the list.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub slug: String,
    /// The first question.
    pub question: String,
    /// How many questions it has.
    pub questions: i64,
    /// Whether it asks a random sample.
    pub sample: bool,
    state: i16,
    #[sea_orm(from_alias = "opens_ms")]
    pub opens: Option<UnixMillis>,
    #[sea_orm(from_alias = "closes_ms")]
    pub closes: Option<UnixMillis>,
    /// When it was first seen closed by its time, or when an editor closed it.
    #[sea_orm(from_alias = "closed_ms")]
    pub closed: Option<UnixMillis>,
    pub time_zone: String,
    /// Ballots of all tiers, and of confirmed subscribers and better.
    pub answers: i64,
    pub confirmed: i64,
}

impl Row {
    /// An editor's decision about the poll.
    #[must_use]
    pub fn state(&self) -> PollState {
        PollState::from_code(self.state)
    }
}

/// The requested page, and the number of matching polls in all.
pub async fn page(db: &Db, wanted: &Wanted, now: UnixMillis) -> Result<(Vec<Row>, i64), DbErr> {
    let (condition, values) = condition(db.backend(), wanted, now);
    let total = format!("SELECT COUNT(*) FROM poll WHERE {condition}");
    let total = find_value(db.read(), total, values.clone()).await?;
    let order = match wanted.order {
        Order::Newest => "id",
        Order::Question => "LOWER(question)",
        Order::Answers => "answers",
        Order::Confirmed => "confirmed",
        // A poll without a closing time counts as the last to close.
        Order::Closes => "COALESCE(closes_ms, 9223372036854775807)",
    };
    let direction = if wanted.descending { "DESC" } else { "ASC" };
    let sum = |tiers: &str| {
        format!(
            "(SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE tally.poll_id = poll.id AND option_id = 0{tiers})"
        )
    };
    let sql = format!(
        "SELECT * FROM (SELECT id, slug, {QUESTION} AS question, \
         (SELECT COUNT(*) FROM poll_question q WHERE q.poll_id = poll.id) AS questions, \
         EXISTS (SELECT 1 FROM poll_sample s WHERE s.poll_id = poll.id) AS sample, state, opens_ms, closes_ms, closed_ms, time_zone, {} AS answers, {} AS confirmed \
         FROM poll WHERE {condition}) AS listed ORDER BY {order} {direction}, id DESC LIMIT {PAGE} OFFSET {}",
        sum(""),
        sum(&format!(" AND tier >= {}", Tier::Subscriber.code())),
        (wanted.page - 1) * PAGE,
    );
    Ok((find_all(db.read(), sql, values).await?, total.unwrap_or(0)))
}

fn condition(backend: Backend, wanted: &Wanted, now: UnixMillis) -> (String, Vec<Value>) {
    let mut all = vec!["1 = 1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    if !wanted.text.is_empty() {
        let (condition, pattern) = containing(backend, QUESTION, 1, &wanted.text);
        values.push(pattern.into());
        all.push(condition);
    }
    if let Some(only) = wanted.state {
        let n = values.len() + 1;
        let [draft, published, closed] =
            [PollState::Draft, PollState::Published, PollState::Closed].map(PollState::code);
        let (state, uses_now) = match only {
            Only::Draft => (format!("state = {draft}"), false),
            Only::Waiting => (
                format!(
                    "state = {published} AND opens_ms > ${n} AND (closes_ms IS NULL OR closes_ms > ${n})"
                ),
                true,
            ),
            Only::Open => (
                format!(
                    "state = {published} AND (opens_ms IS NULL OR opens_ms <= ${n}) AND (closes_ms IS NULL OR closes_ms > ${n})"
                ),
                true,
            ),
            Only::Closed => (
                format!("(state = {closed} OR (state = {published} AND closes_ms <= ${n}))"),
                true,
            ),
        };
        all.push(state);
        if uses_now {
            values.push(now.into());
        }
    }
    (all.join(" AND "), values)
}
