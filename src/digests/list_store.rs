//! The list of issues for the editors' table, filtered, sorted and paged by the database.

use sea_orm::Value;

use super::model::IssueState;
use super::state::State;
use crate::db::{Backend, Db, DbErr, containing, fetch_all_as, fetch_one};
use crate::mailer::mailing::MailingState;
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

/// Name in addresses, label, SQL condition.
pub(super) const STATES: &[(&str, &str, &str)] = &[
    ("draft", "Draft", "i.state = 0"),
    ("scheduled", "Scheduled", "i.state = 1"),
    ("held", "Held", "i.state = 2"),
    ("sending", "Sending", "i.state = 3 AND m.state IN (0, 1, 3)"),
    ("paused", "Paused", "i.state = 3 AND m.state = 2"),
    ("finished", "Finished", "i.state = 3 AND m.state = 4"),
    ("cancelled", "Cancelled", "i.state = 3 AND m.state = 5"),
];

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
    if let Some((_, _, sql)) = STATES.iter().find(|(name, ..)| *name == filter.state) {
        conditions.push((*sql).to_owned());
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
    fetch_one(db.read(), sql, values)
        .await?
        .map_or(Ok(0), |row| row.try_get_by_index(0))
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
    let condition = match which {
        "moving" => "(i.state = 2 OR (i.state = 3 AND m.state IN (0, 1, 2, 3)))",
        "ended" => "i.state = 3 AND m.state IN (4, 5)",
        named => STATES
            .iter()
            .find(|(name, ..)| *name == named)
            .map_or("1 = 0", |(_, _, sql)| sql),
    };
    let order = Order {
        by: WHEN,
        ascending,
    };
    rows(db, condition, Vec::new(), &order, limit, 0).await
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
    let n = |states: &str| {
        format!(
            "CAST(COALESCE((SELECT SUM(t.n) FROM issue_tally t WHERE t.issue_id = i.id AND t.state IN ({states})), 0) AS BIGINT)"
        )
    };
    let (sent, trouble) = (n("2"), n("4, 5"));
    let sql = format!(
        "SELECT i.id, i.subject, i.state, n.name AS newsletter, n.time_zone, m.state AS mailing_state, m.audience,
           {WHEN} AS when_ms, {sent} AS sent, {trouble} AS trouble
         {FROM} WHERE {conditions} ORDER BY {by} {direction}, i.id {direction} LIMIT ${limit} OFFSET ${skip}"
    );
    fetch_all_as(db.read(), sql, values, |row| {
        Ok(Row {
            id: IssueId(row.try_get("", "id")?),
            subject: row.try_get("", "subject")?,
            newsletter: row.try_get("", "newsletter")?,
            time_zone: row.try_get("", "time_zone")?,
            state: state(
                row.try_get("", "state")?,
                row.try_get::<Option<i16>>("", "mailing_state")?
                    .map(MailingState::of),
            ),
            when: UnixMillis(row.try_get("", "when_ms")?),
            audience: row.try_get("", "audience")?,
            sent: row.try_get("", "sent")?,
            trouble: row.try_get("", "trouble")?,
        })
    })
    .await
}
