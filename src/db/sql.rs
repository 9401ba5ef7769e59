//! Raw, set-based SQL for the tables where one row at a time would cost 10 to 100 times more.

use std::fmt::Write as _;

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, FromQueryResult, QueryResult, SqlErr, Statement,
    TryGetable, Value,
};

/// A statement with its values. Both databases understand `$1, $2, …`.
pub fn query<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    let (backend, sql) = (db.get_database_backend(), sql.into());
    let sql = match backend {
        DbBackend::Sqlite => nameless(&sql).unwrap_or(sql),
        _ => sql,
    };
    Statement::from_sql_and_values(backend, sql, values)
}

/// The statement with `?` for each `$n`, if these occur once each and in order, as in every multi-row insert.
/// SQLite searches a list of all names for each named parameter, so thousands of them cost quadratic time; nameless
/// ones are not in that list.
pub(super) fn nameless(sql: &str) -> Option<String> {
    let mut out = String::with_capacity(sql.len());
    let mut pieces = sql.split('$');
    out.push_str(pieces.next()?);
    for (before, piece) in pieces.enumerate() {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if piece[..digits].parse() != Ok(before + 1) {
            return None;
        }
        out.push('?');
        out.push_str(&piece[digits..]);
    }
    Some(out)
}

/// Runs a statement that returns no rows.
pub async fn run<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<ExecResult, DbErr> {
    db.execute_raw(query(db, sql, values)).await
}

/// All rows of a query.
pub async fn fetch_all<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(query(db, sql, values)).await
}

/// The first row of a query, if there is one.
pub async fn fetch_one<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, DbErr> {
    db.query_one_raw(query(db, sql, values)).await
}

/// All rows of a query, each read into a `T` by the names of its columns.
pub async fn find_all<T: FromQueryResult>(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<T>, DbErr> {
    T::find_by_statement(query(db, sql, values)).all(db).await
}

/// The first row of a query, if there is one, read into a `T` by the names of its columns.
pub async fn find_one<T: FromQueryResult>(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<T>, DbErr> {
    T::find_by_statement(query(db, sql, values)).one(db).await
}

/// The values of a query with one column.
pub async fn find_values<T: TryGetable, All: FromIterator<T>>(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<All, DbErr> {
    let rows = fetch_all(db, sql, values).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The first value of a query with one column, if there is a row.
pub async fn find_value<T: TryGetable>(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<T>, DbErr> {
    let row = fetch_one(db, sql, values).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// All rows of a query, converted by `read` and collected.
pub async fn fetch_all_as<C: ConnectionTrait, T, All: FromIterator<T>>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<All, DbErr> {
    fetch_all(db, sql, values).await?.iter().map(read).collect()
}

/// The first row of a query, if there is one, converted by `read`.
pub async fn fetch_one_as<C: ConnectionTrait, T>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Option<T>, DbErr> {
    let row = fetch_one(db, sql, values).await?;
    row.as_ref().map(read).transpose()
}

/// Writing statements that are run together: one round trip instead of one for each.
#[derive(Debug, Default)]
pub struct Batch {
    statements: Vec<String>,
    values: Vec<Value>,
    /// The number of parameters of the statement that it becomes part of.
    before: usize,
    /// A condition for the whole batch.
    condition: Option<&'static str>,
}

impl Batch {
    /// A batch that becomes part of one PostgreSQL statement, which has `before` parameters, and takes effect only
    /// if `condition` holds.
    #[must_use]
    pub fn only_where(condition: &'static str, before: usize) -> Self {
        Self {
            before,
            condition: Some(condition),
            ..Self::default()
        }
    }

    /// The number of parameters used so far: those of the next statement follow, once each and in order.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.before + self.values.len()
    }

    /// Adds rows to a table. `into`: the table and its columns, as in `INSERT INTO`; `rows`: the values of each
    /// row; `conflict`: what to do with an existing row, as in `ON CONFLICT`, or empty. Does nothing without rows.
    pub fn insert<const COLUMNS: usize>(
        &mut self,
        into: &str,
        rows: impl IntoIterator<Item = [Value; COLUMNS]>,
        conflict: &str,
    ) {
        let values: Vec<Value> = rows.into_iter().flatten().collect();
        if values.is_empty() {
            return;
        }
        let list = values_list(values.len() / COLUMNS, COLUMNS, self.taken());
        let on = if conflict.is_empty() {
            ""
        } else {
            " ON CONFLICT "
        };
        let sql = match self.condition {
            None => format!("INSERT INTO {into} VALUES {list}{on}{conflict}"),
            Some(holds) => format!(
                "INSERT INTO {into} SELECT * FROM (VALUES {list}) AS given WHERE {holds}{on}{conflict}"
            ),
        };
        self.push(sql, values);
    }

    /// Adds a statement. No two of a batch may touch the same row: PostgreSQL runs them in the same snapshot.
    pub fn push(&mut self, sql: String, values: impl IntoIterator<Item = Value>) {
        self.statements.push(sql);
        self.values.extend(values);
    }

    /// Whether there are no statements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The statements as parts of one PostgreSQL statement, to follow `WITH`, and the values.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<Value>) {
        let mut sql = String::new();
        for (n, statement) in self.statements.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            // Writing into a String cannot fail.
            let _ = write!(sql, "{comma}part{n} AS ({statement})");
        }
        (sql, self.values)
    }

    /// All statements as one text, for SQLite, and the values.
    pub(super) fn into_one(self) -> (String, Vec<Value>) {
        (self.statements.join("; "), self.values)
    }

    /// Runs the statements.
    pub async fn run<C: ConnectionTrait>(mut self, db: &C) -> Result<(), DbErr> {
        if db.get_database_backend() == DbBackend::Sqlite && !self.is_empty() {
            let (sql, values) = self.into_one();
            return run(db, sql, values).await.map(drop);
        }
        match self.statements.pop() {
            Some(last) => self.run_and_return(db, &last).await.map(drop),
            None => Ok(()),
        }
    }

    /// Runs the statements on PostgreSQL together with `last`, which has no parameters of its own. Returns the row
    /// of `last`, if any.
    pub(super) async fn run_and_return<C: ConnectionTrait>(
        self,
        db: &C,
        last: &str,
    ) -> Result<Option<QueryResult>, DbErr> {
        if self.is_empty() {
            return fetch_one(db, last, self.values).await;
        }
        let (parts, values) = self.into_parts();
        fetch_one(db, format!("WITH {parts} {last}"), values).await
    }
}

/// The next of a few sizes. A statement that is padded to it by repeating a row has one of few texts, which the
/// database has prepared already. Pads by at most half the rows again.
#[must_use]
pub fn round_up(rows: usize) -> usize {
    let power = rows.next_power_of_two();
    if rows > 4 && rows <= power / 4 * 3 {
        power / 4 * 3
    } else {
        power
    }
}

/// `($1,$2),($3,$4),…` for an insert of `rows` rows of `columns` columns, numbered after the first `taken`
/// parameters. Keep `rows * columns` below 32,000: SQLite allows 32,766 parameters, PostgreSQL 65,535.
#[must_use]
pub fn values_list(rows: usize, columns: usize, taken: usize) -> String {
    let mut sql = String::with_capacity(rows * columns * 6);
    let mut digits = itoa::Buffer::new();
    let mut n = taken;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            n += 1;
            sql.push_str(if column == 0 { "$" } else { ",$" });
            sql.push_str(digits.format(n));
        }
        sql.push(')');
    }
    sql
}

/// `($3,$4,$5)` for `IN`: `n` parameters after the first `taken`.
#[must_use]
pub fn in_list(n: usize, taken: usize) -> String {
    values_list(1, n, taken)
}

/// Whether an error is a unique-key violation, which is often an expected outcome.
#[must_use]
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_lose_their_names_only_where_their_order_says_the_same() {
        assert_eq!(
            nameless("INSERT INTO t VALUES ($1,$2),($3,$4) ON CONFLICT DO NOTHING").as_deref(),
            Some("INSERT INTO t VALUES (?,?),(?,?) ON CONFLICT DO NOTHING")
        );
        assert_eq!(nameless("SELECT 1").as_deref(), Some("SELECT 1"));
        assert_eq!(nameless("UPDATE t SET a = $2 WHERE b = $1"), None);
        assert_eq!(nameless("SELECT $1 WHERE a = $1"), None);
        assert_eq!(nameless("SELECT '$' || $1"), None);
    }

    #[test]
    fn rows_are_filled_up_to_few_sizes() {
        let sizes: std::collections::BTreeSet<usize> = (1..=512).map(round_up).collect();
        assert_eq!(
            sizes.into_iter().collect::<Vec<_>>(),
            [
                1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512
            ]
        );
        for rows in 1..=512 {
            assert!((rows..=rows * 3 / 2).contains(&round_up(rows)), "{rows}");
        }
    }

    #[test]
    fn parameters_are_numbered_row_by_row() {
        assert_eq!(values_list(2, 3, 0), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(values_list(2, 1, 4), "($5),($6)");
        assert_eq!(in_list(3, 1), "($2,$3,$4)");
    }
}
