//! The list of readers, with SQL that reads only about a page of rows.

use std::collections::HashMap;

use sea_orm::{DbErr, FromQueryResult, Value};

use crate::db::{Db, find_all, find_value, in_list};
use crate::subscriptions::model::State;
use crate::types::{NewsletterId, ReaderId, UnixMillis};

/// Readers on a page.
pub const PAGE: usize = 50;
/// How far the matches of a search are counted, and those of a newsletter and state: counting more would take longer
/// than reading the page.
const COUNTED_IN_SEARCH: i64 = 1_000;
const COUNTED_IN_INDEX: i64 = 100_000;

/// Excludes erased readers, whose rows have a key that no address can have. The condition is on the key, so that its
/// index is enough.
const ALIVE: &str = "NOT (r.email_key >= 'erased:' AND r.email_key < 'erased;')";

/// The filter and the position of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The prefix of the address, in lower case; empty: all, newest first.
    pub prefix: String,
    /// Newsletters to search; empty: all readers, subscribed or not.
    pub newsletters: Vec<NewsletterId>,
    pub state: Option<State>,
    pub after: Option<After>,
}

/// The last reader of the previous page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    Key(String),
    Id(ReaderId),
}

/// A reader in the list.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: ReaderId,
    #[sea_orm(from_alias = "email_key")]
    pub key: String,
    pub email: String,
    pub name: String,
    #[sea_orm(from_alias = "created_ms")]
    pub since: UnixMillis,
}

/// A statement under construction. Each value gets the next parameter number.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn add(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn value(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = format!("${}", self.values.len());
        self.add(&number)
    }
}

/// The readers of a page, and one more than [`PAGE`] if there is another page.
pub async fn page(db: &Db, wanted: &Wanted) -> Result<Vec<Row>, DbErr> {
    let limit = PAGE + 1;
    let mut sql = Sql::default();
    if wanted.newsletters.is_empty() {
        sql.add("SELECT id, email_key, email, name, created_ms FROM reader r WHERE ")
            .add(ALIVE);
        narrow(&mut sql, wanted);
        sql.add(order(wanted)).add(&format!(" LIMIT {limit}"));
    } else if wanted.prefix.is_empty() || is_rare(db, wanted).await? {
        // Start from the subscriptions: each newsletter's part is read in the order of its index and limited before the
        // parts are merged.
        sql.add("SELECT DISTINCT id, email_key, email, name, created_ms FROM (");
        for (n, newsletter) in wanted.newsletters.iter().enumerate() {
            sql.add(if n == 0 {
                "SELECT * FROM ("
            } else {
                " UNION ALL SELECT * FROM ("
            });
            sql.add("SELECT r.id, r.email_key, r.email, r.name, r.created_ms FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE s.newsletter_id = ");
            sql.value(*newsletter);
            if let Some(state) = wanted.state {
                sql.add(" AND s.state = ").value(state.code());
            }
            if let (Some(After::Id(id)), true) = (&wanted.after, wanted.prefix.is_empty()) {
                // On the subscription's column, so that the scan of its index begins there.
                sql.add(" AND s.reader_id < ").value(*id);
            }
            sql.add(" AND ").add(ALIVE);
            narrow(&mut sql, wanted);
            let order = if wanted.prefix.is_empty() {
                " ORDER BY s.reader_id DESC"
            } else {
                order(wanted)
            };
            sql.add(order).add(&format!(" LIMIT {limit}) AS part{n}"));
        }
        sql.add(") AS r")
            .add(order(wanted))
            .add(&format!(" LIMIT {limit}"));
    } else {
        // Start from the addresses: matches are dense enough that a page of them is found quickly.
        sql.add("SELECT id, email_key, email, name, created_ms FROM reader r WHERE ")
            .add(ALIVE);
        narrow(&mut sql, wanted);
        sql.add(" AND EXISTS (SELECT 1 FROM subscription s WHERE s.reader_id = r.id");
        subscribed(&mut sql, wanted);
        sql.add(")")
            .add(order(wanted))
            .add(&format!(" LIMIT {limit}"));
    }
    find_all(db.read(), sql.text, sql.values).await
}

/// The number of matching readers, as far as they were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    Exactly(i64),
    MoreThan(i64),
}

/// Counts the matching readers.
pub async fn total(db: &Db, wanted: &Wanted) -> Result<Total, DbErr> {
    let mut sql = Sql::default();
    let all = Wanted {
        after: None,
        ..wanted.clone()
    };
    let most = if all.prefix.is_empty() {
        COUNTED_IN_INDEX
    } else {
        COUNTED_IN_SEARCH
    };
    match (all.newsletters.is_empty(), all.prefix.is_empty()) {
        // A full scan of the smallest index takes 25 ms for a million; with a condition it would take ten times that.
        (true, true) => {
            sql.add("SELECT (SELECT COUNT(*) FROM reader) - (SELECT COUNT(*) FROM reader WHERE erased_ms IS NOT NULL)");
            let all = find_value(db.read(), sql.text, sql.values).await?;
            return Ok(Total::Exactly(all.unwrap_or(0)));
        }
        (true, false) => {
            sql.add("SELECT COUNT(*) FROM (SELECT 1 FROM reader r WHERE ")
                .add(ALIVE);
            narrow(&mut sql, &all);
        }
        (false, false) if !is_rare(db, &all).await? => {
            sql.add("SELECT COUNT(*) FROM (SELECT 1 FROM reader r WHERE ")
                .add(ALIVE);
            narrow(&mut sql, &all);
            sql.add(" AND EXISTS (SELECT 1 FROM subscription s WHERE s.reader_id = r.id");
            subscribed(&mut sql, &all);
            sql.add(")");
        }
        (false, false) => {
            sql.add("SELECT COUNT(*) FROM (SELECT DISTINCT s.reader_id FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE ").add(ALIVE);
            subscribed(&mut sql, &all);
            narrow(&mut sql, &all);
        }
        (false, true) => {
            sql.add("SELECT COUNT(*) FROM (SELECT DISTINCT s.reader_id FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE ").add(ALIVE);
            subscribed(&mut sql, &all);
        }
    }
    sql.add(&format!(" LIMIT {}) AS counted", most + 1));
    let found: Option<i64> = find_value(db.read(), sql.text, sql.values).await?;
    let found = found.unwrap_or(0);
    Ok(if found > most {
        Total::MoreThan(most)
    } else {
        Total::Exactly(found)
    })
}

/// Whether there are so few subscriptions in this state that a scan of the addresses would mostly skip rows.
async fn is_rare(db: &Db, wanted: &Wanted) -> Result<bool, DbErr> {
    const FEW: i64 = 5_000;
    let mut sql = Sql::default();
    sql.add("SELECT COUNT(*) FROM (SELECT 1 FROM subscription s WHERE 1 = 1");
    subscribed(&mut sql, wanted);
    sql.add(&format!(" LIMIT {}) AS counted", FEW + 1));
    let found: Option<i64> = find_value(db.read(), sql.text, sql.values).await?;
    Ok(found.unwrap_or(0) <= FEW)
}

/// Adds the conditions on the newsletter and state of the subscription `s`.
fn subscribed(sql: &mut Sql, wanted: &Wanted) {
    sql.add(" AND s.newsletter_id IN (");
    for (n, newsletter) in wanted.newsletters.iter().enumerate() {
        sql.add(if n == 0 { "" } else { "," }).value(*newsletter);
    }
    sql.add(")");
    if let Some(state) = wanted.state {
        sql.add(" AND s.state = ").value(state.code());
    }
}

/// Adds the conditions on the prefix of the address and the cursor. Keys are ASCII, compared byte by byte on both
/// databases.
fn narrow(sql: &mut Sql, wanted: &Wanted) {
    if !wanted.prefix.is_empty() {
        sql.add(" AND r.email_key >= ")
            .value(wanted.prefix.as_str());
        sql.add(" AND r.email_key < ")
            .value(format!("{}\u{7f}", wanted.prefix));
    }
    match &wanted.after {
        Some(After::Key(key)) if !wanted.prefix.is_empty() => {
            sql.add(" AND r.email_key > ").value(key.as_str())
        }
        Some(After::Id(id)) if wanted.prefix.is_empty() => sql.add(" AND r.id < ").value(*id),
        _ => sql,
    };
}

fn order(wanted: &Wanted) -> &'static str {
    if wanted.prefix.is_empty() {
        " ORDER BY id DESC"
    } else {
        " ORDER BY email_key"
    }
}

/// The subscriptions of each reader, as newsletter names and states.
pub async fn subscriptions(
    db: &Db,
    readers: &[Row],
) -> Result<HashMap<ReaderId, Vec<(String, i16)>>, DbErr> {
    let mut found: HashMap<ReaderId, Vec<(String, i16)>> = HashMap::new();
    if readers.is_empty() {
        return Ok(found);
    }
    let sql = format!(
        "SELECT s.reader_id, n.name, s.state FROM subscription s JOIN newsletter n ON n.id = s.newsletter_id \
         WHERE s.reader_id IN {} ORDER BY n.name, n.id",
        in_list(readers.len(), 0)
    );
    let ids = readers.iter().map(|row| Value::from(row.id));
    #[derive(FromQueryResult)]
    struct Subscription {
        reader_id: ReaderId,
        name: String,
        state: i16,
    }
    for row in find_all::<Subscription>(db.read(), sql, ids).await? {
        let of_reader = found.entry(row.reader_id).or_default();
        of_reader.push((row.name, row.state));
    }
    Ok(found)
}
