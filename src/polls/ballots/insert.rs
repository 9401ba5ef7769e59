//! Inserting and updating ballots, many in one statement.

use std::collections::HashSet;

use sea_orm::{DbErr, Value};

use super::rows::{BEFORE, Before, Known, Last, Waiting, filled, key, key_values};
use super::slip::{Answer, VoterKey};
use crate::db::{AskedTxn, Backend, Batch, fetch_all, round_up, values_list};
use crate::types::{PollId, UnixMillis};

/// Inserts a ballot for every voter who has none yet. `known` has the voters with a ballot, and on return all of them.
/// On SQLite they are already known, and the insert is left to the batch.
pub(super) async fn insert(
    txn: &AskedTxn,
    last: &Last<'_>,
    known: &mut Known,
    now: UnixMillis,
    batch: &mut Batch,
) -> Result<(), DbErr> {
    let rows: Vec<&Waiting<'_>> = last
        .iter()
        .filter(|(key, _)| !known.contains_key(*key))
        .map(|(_, waiting)| waiting)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let Some(txn) = txn.postgres() else {
        // A row that is in the statement twice conflicts with itself, and the repetition is ignored.
        let sql = format!(
            "INSERT INTO ballot ({COLUMNS}) VALUES {} ON CONFLICT (poll_id, voter_key) DO NOTHING",
            values_list(round_up(rows.len()), 8, batch.taken())
        );
        batch.push(sql, filled(&rows).flat_map(|waiting| values(waiting, now)));
        return Ok(());
    };
    let (sql, values) = as_arrays(&rows, now, 0, "TRUE");
    let sql =
        format!("{sql} ON CONFLICT (poll_id, voter_key) DO NOTHING RETURNING poll_id, voter_key");
    let inserted = fetch_all(&**txn, sql, values).await?;
    let news: HashSet<(PollId, VoterKey)> = inserted.iter().map(key).collect::<Result<_, _>>()?;
    let keys: Vec<(PollId, VoterKey)> = last
        .keys()
        .filter(|key| !news.contains(*key))
        .copied()
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT {BEFORE} FROM ballot WHERE (poll_id, voter_key) IN (VALUES {}) ORDER BY poll_id, voter_key FOR UPDATE",
        values_list(round_up(keys.len()), 2, 0)
    );
    for row in fetch_all(&**txn, sql, filled(&keys).flat_map(key_values)).await? {
        known.insert(key(&row)?, Before::of(&row)?);
    }
    Ok(())
}

/// Adds the ballots of voters who certainly have none, one row each: an existing key is an error.
pub(super) fn add(
    batch: &mut Batch,
    backend: Backend,
    last: &Last<'_>,
    now: UnixMillis,
    holds: &str,
) {
    let rows: Vec<&Waiting<'_>> = last.values().collect();
    match backend {
        Backend::Postgres => {
            let (sql, values) = as_arrays(&rows, now, batch.taken(), holds);
            batch.push(sql, values);
        }
        Backend::Sqlite => {
            // Padded with rows that are filtered out, so that there are few distinct statement texts.
            let n = round_up(rows.len());
            let sql = format!(
                "INSERT INTO ballot ({COLUMNS}) SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL",
                values_list(n, 8, batch.taken())
            );
            let nothing = || std::iter::repeat_with(|| None::<i64>.into());
            let given = rows.iter().flat_map(|waiting| values(waiting, now));
            batch.push(sql, given.chain(nothing()).take(n * 8));
        }
    }
}

/// The rows as an `INSERT` for PostgreSQL. They are passed as arrays, so that one statement text serves all sizes and
/// is planned once, with a few parameters instead of thousands. `taken` is the number of parameters before these;
/// `holds` is the condition.
fn as_arrays(
    rows: &[&Waiting<'_>],
    now: UnixMillis,
    taken: usize,
    holds: &str,
) -> (String, [Value; 7]) {
    let kinds = ["BIGINT", "BYTEA", "BYTEA", "SMALLINT", "SMALLINT", "BYTEA"];
    let arrays: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(n, kind)| format!("CAST(${} AS {kind}[])", taken + n + 1))
        .collect();
    let now_at = taken + kinds.len() + 1;
    let sql = format!(
        "INSERT INTO ballot ({COLUMNS}) SELECT poll_id, voter_key, choices, tier, source, NULLIF(network, CAST('' AS BYTEA)), \
         ${now_at}, ${now_at} FROM unnest({}) AS new (poll_id, voter_key, choices, tier, source, network) WHERE {holds}",
        arrays.join(", ")
    );
    let answers = || rows.iter().map(|waiting| waiting.answer);
    let network = |answer: &Answer| {
        answer
            .network
            .map_or_else(Vec::new, |network| network.to_vec())
    };
    let choices = rows.iter().map(|waiting| waiting.choices.clone());
    let tiers = rows.iter().map(|waiting| waiting.tier.code());
    let places = rows.iter().map(|waiting| waiting.place.code());
    let values: [Value; 7] = [
        answers()
            .map(|answer| answer.poll.id.0)
            .collect::<Vec<_>>()
            .into(),
        answers()
            .map(|answer| answer.voter.to_vec())
            .collect::<Vec<_>>()
            .into(),
        choices.collect::<Vec<_>>().into(),
        tiers.collect::<Vec<_>>().into(),
        places.collect::<Vec<_>>().into(),
        answers().map(network).collect::<Vec<_>>().into(),
        now.into(),
    ];
    (sql, values)
}

const COLUMNS: &str = "poll_id, voter_key, choices, tier, source, network, cast_ms, changed_ms";
/// Updates the ballots of voters who already had one.
pub(super) fn update(batch: &mut Batch, changed: &[&Waiting<'_>], now: UnixMillis) {
    if changed.is_empty() {
        return;
    }
    let sql = format!(
        "INSERT INTO ballot ({COLUMNS}) VALUES {} \
         ON CONFLICT (poll_id, voter_key) DO UPDATE SET choices = excluded.choices, network = excluded.network, \
         tier = CASE WHEN excluded.tier > ballot.tier THEN excluded.tier ELSE ballot.tier END, \
         changed_ms = excluded.changed_ms, revision = ballot.revision + 1",
        values_list(changed.len(), 8, batch.taken())
    );
    batch.push(sql, changed.iter().flat_map(|waiting| values(waiting, now)));
}

fn values(waiting: &Waiting<'_>, now: UnixMillis) -> [Value; 8] {
    let answer = waiting.answer;
    [
        answer.poll.id.into(),
        answer.voter.to_vec().into(),
        waiting.choices.clone().into(),
        waiting.tier.code().into(),
        waiting.place.code().into(),
        answer.network.map(|n| n.to_vec()).into(),
        now.into(),
        now.into(),
    ]
}
