//! Idempotent writes.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::{Caller, write_store};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::types::{UnixMillis, token::token_hash};
use crate::web::Problem;

/// The longest `Idempotency-Key`, in characters.
const LONGEST_KEY: usize = 255;

/// How long a key is remembered. Afterwards it counts as new.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Deletes the keys of requests that were made more than [`KEPT`] ago, with their responses. Returns how many.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    let before: UnixMillis = app.clock.now() - KEPT;
    write_store::purge(&app.db, before).await
}

/// The `Idempotency-Key` of a request, if it has one.
///
/// # Errors
/// 400 if it is malformed.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    match headers.get("idempotency-key").map(|v| v.to_str()) {
        None => Ok(None),
        Some(Ok(key)) if !key.is_empty() && key.len() <= LONGEST_KEY => Ok(Some(key)),
        Some(_) => Err(Problem::bad_request(
            "The Idempotency-Key must have 1 to 255 printable characters.",
        )),
    }
}

/// The error for a key that was used with another request before.
#[must_use]
pub fn key_reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "This Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    )
}

/// A write that has begun: do the work in [`Write::txn`], then call [`Write::finish`].
#[derive(Debug)]
pub struct Write {
    /// The transaction that the work is part of.
    pub txn: WriteTxn,
    caller: Caller,
    key: Option<String>,
}

/// The result of [`Write::begin`].
#[derive(Debug)]
pub enum Begun {
    /// This key is new (or none was given): do the work.
    Fresh(Box<Write>),
    /// This key was used before with the same request: return this response.
    Repeated(Response),
}

impl Write {
    /// Opens the transaction and claims the request's `Idempotency-Key`. `request` is the request as the handler
    /// understood it: the same key with another request is a 422.
    ///
    /// # Errors
    /// That 422, a 400 for a key that is too long, or the error of the database.
    pub async fn begin(
        app: &App,
        caller: Caller,
        headers: &HeaderMap,
        name: &'static str,
        request: &impl Serialize,
    ) -> Result<Begun, Problem> {
        let key = idempotency_key(headers)?.map(str::to_owned);
        let txn = app.db.write_txn(name).await?;
        let fresh = |txn, key| Ok(Begun::Fresh(Box::new(Self { txn, caller, key })));
        let Some(key) = key else {
            return fresh(txn, None);
        };
        // A keyed hash, because a request may hold an address, and a plain hash of an address can be reversed by
        // trying addresses.
        let asked = serde_json::to_string(request).unwrap_or_default();
        let asked = format!("{name}\n{asked}");
        let wanted = app.keys.hash("idempotency", asked.as_bytes()).to_vec();
        let now = app.clock.now();
        if write_store::claim(&txn, caller.script, &key, &wanted, now).await? {
            return fresh(txn, Some(key));
        }
        let before = write_store::taken(&txn, caller.script, &key)
            .await?
            .ok_or_else(|| Problem::internal(&"an idempotency key vanished"))?;
        // Keys from before 2026-11-26 were stored with a plain hash; they disappear within a week.
        if before.request_hash != wanted && before.request_hash != token_hash(&asked) {
            return Err(key_reused());
        }
        let status = u16::try_from(before.status)
            .ok()
            .and_then(|s| StatusCode::from_u16(s).ok())
            .unwrap_or(StatusCode::OK);
        Ok(Begun::Repeated(json_answer(status, before.body)))
    }

    /// Stores the response under the key, commits everything, and returns the response.
    ///
    /// # Errors
    /// The error of the database; nothing was done then.
    pub async fn finish(
        self,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Response, Problem> {
        let body = serde_json::to_string(body).map_err(|e| Problem::internal(&e))?;
        if let Some(key) = self.key {
            write_store::answer(&self.txn, self.caller.script, &key, status, &body).await?;
        }
        self.txn.commit().await?;
        Ok(json_answer(status, body))
    }
}

fn json_answer(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
