//! Raw, set-based SQL, for the tables where a row at a time would cost 10 to 100 times more.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbErr, ExecResult, QueryResult, SqlErr, Statement, Value};

/// A statement with its values. `$1, $2, …` are understood by both databases.
pub fn query<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// Runs a statement that returns no rows.
///
/// # Errors
/// What the database said.
pub async fn run<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<ExecResult, DbErr> {
    db.execute_raw(query(db, sql, values)).await
}

/// All rows of a query.
///
/// # Errors
/// What the database said.
pub async fn fetch_all<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.query_all_raw(query(db, sql, values)).await
}

/// The first row of a query, if there is one.
///
/// # Errors
/// What the database said.
pub async fn fetch_one<C: ConnectionTrait>(
    db: &C,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, DbErr> {
    db.query_one_raw(query(db, sql, values)).await
}

/// `($1,$2),($3,$4),…` for a multi-row insert of `rows` rows of `columns` columns, numbered after the first
/// `taken` parameters. Keep `rows * columns` below 32,000: SQLite takes 32,766 parameters, PostgreSQL 65,535.
#[must_use]
pub fn values_list(rows: usize, columns: usize, taken: usize) -> String {
    let mut sql = String::with_capacity(rows * columns * 6);
    let mut n = taken;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            n += 1;
            let comma = if column == 0 { "" } else { "," };
            // Writing into a String cannot fail.
            let _ = write!(sql, "{comma}${n}");
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

/// Whether an error means that a unique key already holds the value: often an expected outcome.
#[must_use]
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_row_by_row() {
        assert_eq!(values_list(2, 3, 0), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(values_list(2, 1, 4), "($5),($6)");
        assert_eq!(in_list(3, 1), "($2,$3,$4)");
    }
}
