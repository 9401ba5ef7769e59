//! The list of issues for the editors' table, filtered, sorted and paged by the database.

use sea_orm::{FromQueryResult, Value};

use super::model::IssueState;
use super::state::State;
use crate::db::{Backend, Db, DbErr, containing, find_all, find_value};
use crate::mailer::mailing::{DeliveryState, MailingState};
use crate::types::{IssueId, UnixMillis};

/// How many rows a page has.
pub(super) const PAGE: i64 = 50;

/// The filter of the list.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Part of the subject, in any case.
    pub(super) subject: String,
    /// One of [`STATES`]; anything else does not filter.
    pub(super) state: String,
    /// A newsletter's slug.
    pub(super) newsletter: String,
}

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    When,
    Subject,
    Audience,
}

/// A row of the list.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: IssueId,
    pub(super) subject: String,
    pub(super) newsletter: String,
    pub(super) time_zone: String,
    pub(super) state: State,
    /// The time that is relevant in this state.
    pub(super) when: UnixMillis,
    /// The frozen number of readers, once handed over.
    pub(super) audience: Option<i64>,
    /// Accepted by the relay.
    pub(super) sent: i64,
    /// Failed or in doubt.
    pub(super) trouble: i64,
}

/// A row as the query returns it.
#[derive(FromQueryResult)]
struct Found {
    id: IssueId,
    subject: String,
    newsletter: String,
    time_zone: String,
    state: i16,
    mailing_state: Option<i16>,
    when_ms: UnixMillis,
    audience: Option<i64>,
    sent: i64,
    trouble: i64,
}

impl From<Found> for Row {
    fn from(row: Found) -> Self {
        Self {
            id: row.id,
            subject: row.subject,
            newsletter: row.newsletter,
            time_zone: row.time_zone,
            state: state(row.state, row.mailing_state.map(MailingState::of)),
            when: row.when_ms,
            audience: row.audience,
            sent: row.sent,
            trouble: row.trouble,
        }
    }
}

/// A state that the list can be filtered by: its name in addresses, its label, and the stored states of issue and
/// mailing.
pub(super) struct Narrowing {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    issue: i16,
    /// For issues that were handed over: the states of the mailing.
    mailing: &'static [MailingState],
}

/// The states that the list can be filtered by.
pub(super) const STATES: &[Narrowing] = &[
    Narrowing::of("draft", "Draft", IssueState::DRAFT),
    Narrowing::of("scheduled", "Scheduled", IssueState::SCHEDULED),
    Narrowing::of("held", "Held", IssueState::HELD),
    Narrowing::handed(
        "sending",
        "Sending",
        &[
            MailingState::Preparing,
            MailingState::Sending,
            MailingState::Cancelling,
        ],
    ),
    Narrowing::handed("paused", "Paused", &[MailingState::Paused]),
    Narrowing::handed("finished", "Finished", &[MailingState::Finished]),
    Narrowing::handed("cancelled", "Cancelled", &[MailingState::Cancelled]),
];

impl Narrowing {
    const fn of(name: &'static str, words: &'static str, issue: i16) -> Self {
        Self {
            name,
            words,
            issue,
            mailing: &[],
        }
    }

    const fn handed(
        name: &'static str,
        words: &'static str,
        mailing: &'static [MailingState],
    ) -> Self {
        Self {
            name,
            words,
            issue: IssueState::HANDED,
            mailing,
        }
    }

    fn named(name: &str) -> Option<&'static Self> {
        STATES.iter().find(|state| state.name == name)
    }

    /// The SQL condition on the issue `i` and its mailing `m`.
    fn condition(&self) -> String {
        let mut sql = format!("i.state = {}", self.issue);
        if !self.mailing.is_empty() {
            sql.push_str(&format!(" AND {}", mailing_in(self.mailing)));
        }
        sql
    }
}

fn mailing_in(states: &[MailingState]) -> String {
    let codes: Vec<String> = states.iter().map(|s| s.code().to_string()).collect();
    format!("m.state IN ({})", codes.join(", "))
}

const FROM: &str = "FROM issue i JOIN newsletter n ON n.id = i.newsletter_id LEFT JOIN mailing m ON m.issue_id = i.id";

/// The state from the two stored states.
fn state(issue: i16, mailing: Option<MailingState>) -> State {
    match issue {
        IssueState::DRAFT => State::Draft,
        IssueState::SCHEDULED => State::Scheduled,
        IssueState::HELD => State::Held,
        _ => mailing.map_or(State::Sending, State::from),
    }
}

fn conditions(backend: Backend, filter: &Filter) -> (String, Vec<Value>) {
    let mut conditions = vec!["1 = 1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    if !filter.subject.is_empty() {
        let (condition, pattern) = containing(backend, "i.subject", 1, &filter.subject);
        values.push(pattern.into());
        conditions.push(condition);
    }
    if let Some(state) = Narrowing::named(&filter.state) {
        conditions.push(state.condition());
    }
    if !filter.newsletter.is_empty() {
        values.push(filter.newsletter.clone().into());
        conditions.push(format!("n.slug = ${}", values.len()));
    }
    (conditions.join(" AND "), values)
}

/// How many issues match the filter.
pub(super) async fn count(db: &Db, filter: &Filter) -> Result<i64, DbErr> {
    let (conditions, values) = conditions(db.backend(), filter);
    let sql = format!("SELECT CAST(COUNT(*) AS BIGINT) {FROM} WHERE {conditions}");
    Ok(find_value(db.read(), sql, values).await?.unwrap_or(0))
}

/// The rows of one page.
pub(super) async fn page(
    db: &Db,
    filter: &Filter,
    sort: Sort,
    ascending: bool,
    offset: i64,
) -> Result<Vec<Row>, DbErr> {
    let (conditions, values) = conditions(db.backend(), filter);
    let by = match sort {
        Sort::When => WHEN,
        Sort::Subject => "LOWER(i.subject)",
        Sort::Audience => "COALESCE(m.audience, -1)",
    };
    let order = Order { by, ascending };
    rows(db, &conditions, values, &order, PAGE, offset).await
}

/// The first rows of issues that are `moving` (held or being sent), have `ended`, or are in one of [`STATES`],
/// ordered by time.
pub(super) async fn in_states(
    db: &Db,
    which: &str,
    ascending: bool,
    limit: i64,
) -> Result<Vec<Row>, DbErr> {
    const ENDED: &[MailingState] = &[MailingState::Finished, MailingState::Cancelled];
    let (held, handed) = (IssueState::HELD, IssueState::HANDED);
    let condition = match which {
        "moving" => format!(
            "(i.state = {held} OR (i.state = {handed} AND NOT {}))",
            mailing_in(ENDED)
        ),
        "ended" => format!("i.state = {handed} AND {}", mailing_in(ENDED)),
        named => Narrowing::named(named).map_or("1 = 0".to_owned(), Narrowing::condition),
    };
    let order = Order {
        by: WHEN,
        ascending,
    };
    rows(db, &condition, Vec::new(), &order, limit, 0).await
}

/// The time that is relevant in an issue's state.
const WHEN: &str = "COALESCE(i.handed_ms, i.scheduled_ms, i.updated_ms)";

struct Order {
    by: &'static str,
    ascending: bool,
}

async fn rows(
    db: &Db,
    conditions: &str,
    mut values: Vec<Value>,
    order: &Order,
    limit: i64,
    offset: i64,
) -> Result<Vec<Row>, DbErr> {
    let by = order.by;
    let direction = if order.ascending { "ASC" } else { "DESC" };
    values.push(limit.into());
    values.push(offset.into());
    let (limit, skip) = (values.len() - 1, values.len());
    let n = |states: &[DeliveryState]| {
        let codes: Vec<String> = states.iter().map(|s| s.code().to_string()).collect();
        format!(
            "CAST(COALESCE((SELECT SUM(t.n) FROM issue_tally t WHERE t.issue_id = i.id AND t.state IN ({})), 0) AS BIGINT)",
            codes.join(", ")
        )
    };
    let sent = n(&[DeliveryState::Sent]);
    let trouble = n(&[DeliveryState::Failed, DeliveryState::Unknown]);
    let sql = format!(
        "SELECT i.id, i.subject, i.state, n.name AS newsletter, n.time_zone, m.state AS mailing_state, m.audience,
           {WHEN} AS when_ms, {sent} AS sent, {trouble} AS trouble
         {FROM} WHERE {conditions} ORDER BY {by} {direction}, i.id {direction} LIMIT ${limit} OFFSET ${skip}"
    );
    let found: Vec<Found> = find_all(db.read(), sql, values).await?;
    Ok(found.into_iter().map(Row::from).collect())
}
