//! Idempotency for many requests in one transaction. [`super::Write`] does this for a single request; this is for
//! requests that share a commit.

use std::collections::HashMap;

use http::StatusCode;
use sea_orm::{QueryResult, Value};

use crate::db::{Batch, DbErr, WriteTxn, run, values_list};
use crate::types::{ApiTokenId, UnixMillis};

/// A request with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    pub token: ApiTokenId,
    /// The stored form of the key.
    pub key: String,
    /// A hash of the request, which tells whether a repeated key came with a different request.
    pub request: Vec<u8>,
}

/// The requests that were answered before, by token and key.
#[derive(Debug, Default)]
pub struct Known(HashMap<(ApiTokenId, String), (Vec<u8>, StatusCode)>);

impl Known {
    /// Adds a row that [`question`] returned.
    ///
    /// # Errors
    /// If it is not such a row.
    pub fn add(&mut self, row: &QueryResult) -> Result<(), DbErr> {
        let key = (
            row.try_get("", "token_id")?,
            row.try_get("", "idempotency_key")?,
        );
        let status: i16 = row.try_get("", "status")?;
        let status = u16::try_from(status).ok();
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let request = row.try_get("", "request_hash")?;
        self.0
            .insert(key, (request, status.unwrap_or(StatusCode::OK)));
        Ok(())
    }

    /// The status that a request with this key got, and whether it was the same request.
    pub fn of(&self, once: &Once) -> Option<(StatusCode, bool)> {
        let (request, status) = self.0.get(&(once.token, once.key.clone()))?;
        Some((*status, *request == once.request))
    }
}

/// A query for those of `keys` that were answered before, with parameters after the first `taken`. Its rows have a
/// `known` that is NULL.
pub fn question(keys: &[&Once], taken: usize) -> (String, Vec<Value>) {
    let sql = format!(
        "SELECT NULL AS known, token_id, idempotency_key, request_hash, status FROM idempotency \
         WHERE (token_id, idempotency_key) IN (VALUES {})",
        values_list(keys.len(), 2, taken)
    );
    let values = keys
        .iter()
        .flat_map(|once| [once.token.into(), once.key.clone().into()]);
    (sql, values.collect())
}

/// Makes concurrent requests with one of `keys` wait until this transaction ends. Only needed on PostgreSQL, where
/// there are several writers.
pub async fn hold(txn: &WriteTxn, keys: &[&Once]) -> Result<(), DbErr> {
    // Advisory locks, not rows, because a request that is refused must leave no row. Taken in key order, to avoid
    // deadlocks.
    let sql = "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(k, 0) AS k FROM unnest(CAST($1 AS TEXT[])) AS k ORDER BY 1) AS keys";
    let keys: Vec<String> = keys
        .iter()
        .map(|once| format!("{} {}", once.token.0, once.key))
        .collect();
    run(&**txn, sql, [keys.into()]).await.map(drop)
}

/// Records how requests were answered. The body is not stored, because the same request produces the same one.
pub fn keep(batch: &mut Batch, answered: &[(&Once, StatusCode)], now: UnixMillis) {
    if answered.is_empty() {
        return;
    }
    let sql = format!(
        "INSERT INTO idempotency (token_id, idempotency_key, request_hash, status, body, created_ms) VALUES {} ON CONFLICT DO NOTHING",
        values_list(answered.len(), 6, batch.taken())
    );
    let values = answered.iter().flat_map(|(once, status)| {
        let values: [Value; 6] = [
            once.token.into(),
            once.key.clone().into(),
            once.request.clone().into(),
            (status.as_u16() as i16).into(),
            "".into(),
            now.into(),
        ];
        values
    });
    batch.push(sql, values);
}
