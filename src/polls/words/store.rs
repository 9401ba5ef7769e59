//! Readers' own words as editors see them, and the editors' rulings.

use sea_orm::{DbErr, Value};

use crate::db::{Db, WriteTxn, fetch_all, fetch_all_as, fetch_one, run};
use crate::types::{EditorId, OptionId, PollId, UnixMillis};

/// Equal words for one option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    pub option: OptionId,
    pub key: Vec<u8>,
    /// One of their spellings.
    pub written: String,
    /// The number of ballots that say them.
    pub n: i64,
    /// The text in the result, once it is approved.
    pub shown: String,
}

/// An editor's ruling on words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    Waiting,
    Shown,
    Hidden,
}

impl Ruling {
    /// The code stored in the table; pending words have no row.
    fn code(self) -> i16 {
        match self {
            Self::Waiting => 0,
            Self::Shown => 1,
            Self::Hidden => 2,
        }
    }
}

/// Words on one page.
pub const PAGE: i64 = 50;

/// The words of a poll with this ruling, most frequent first; `page` counts from 0.
pub async fn list(db: &Db, poll: PollId, ruling: Ruling, page: i64) -> Result<Vec<Wording>, DbErr> {
    let sql = "SELECT w.option_id, w.words_key, MIN(w.written) AS written, CAST(SUM(w.n) AS BIGINT) AS n, \
               COALESCE(MAX(r.shown), '') AS shown FROM words_tally w LEFT JOIN words_ruling r \
               ON r.poll_id = w.poll_id AND r.option_id = w.option_id AND r.words_key = w.words_key \
               WHERE w.poll_id = $1 AND COALESCE(r.ruling, 0) = $2 GROUP BY w.option_id, w.words_key \
               HAVING SUM(w.n) > 0 ORDER BY SUM(w.n) DESC, MIN(w.written), w.words_key LIMIT $3 OFFSET $4";
    let values: [Value; 4] = [
        poll.into(),
        i64::from(ruling.code()).into(),
        PAGE.into(),
        (page * PAGE).into(),
    ];
    fetch_all_as(db.read(), sql, values, |row| {
        Ok(Wording {
            option: row.try_get("", "option_id")?,
            key: row.try_get("", "words_key")?,
            written: row.try_get("", "written")?,
            n: row.try_get("", "n")?,
            shown: row.try_get("", "shown")?,
        })
    })
    .await
}

/// The numbers of different words that are pending, shown and hidden.
pub async fn numbers(db: &Db, poll: PollId) -> Result<[i64; 3], DbErr> {
    let sql = "SELECT ruling, COUNT(*) AS n FROM (SELECT CAST(COALESCE(MAX(r.ruling), 0) AS BIGINT) AS ruling FROM words_tally w \
               LEFT JOIN words_ruling r ON r.poll_id = w.poll_id AND r.option_id = w.option_id AND r.words_key = w.words_key \
               WHERE w.poll_id = $1 GROUP BY w.option_id, w.words_key HAVING SUM(w.n) > 0) AS of_words GROUP BY ruling";
    let mut numbers = [0; 3];
    for row in fetch_all(db.read(), sql, [Value::from(poll)]).await? {
        let ruling: i64 = row.try_get("", "ruling")?;
        if let Some(number) = usize::try_from(ruling)
            .ok()
            .and_then(|at| numbers.get_mut(at))
        {
            *number = row.try_get("", "n")?;
        }
    }
    Ok(numbers)
}

/// Polls with pending words, newest first, up to `limit`. Polls whose key is destroyed are left out,
/// since nobody waits for those.
pub async fn waiting(db: &Db, limit: i64) -> Result<Vec<PollId>, DbErr> {
    let sql = "SELECT p.id FROM poll p WHERE p.state <> 0 AND p.sealed_ms IS NULL AND EXISTS (SELECT 1 FROM words_tally w \
               WHERE w.poll_id = p.id AND NOT EXISTS (SELECT 1 FROM words_ruling r WHERE r.poll_id = w.poll_id \
               AND r.option_id = w.option_id AND r.words_key = w.words_key) GROUP BY w.option_id, w.words_key HAVING SUM(w.n) > 0) \
               ORDER BY p.id DESC LIMIT $1";
    let rows = fetch_all(db.read(), sql, [Value::from(limit)]).await?;
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// The texts shown in the result of a poll.
pub async fn shown_texts(db: &Db, poll: PollId) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT DISTINCT shown FROM words_ruling WHERE poll_id = $1 AND ruling = 1 ORDER BY shown LIMIT 200";
    let rows = fetch_all(db.read(), sql, [Value::from(poll)]).await?;
    rows.iter().map(|row| row.try_get("", "shown")).collect()
}

/// Rules on words. `shown` is the text to show; `None`: as they were written. Returns what readers see of them now,
/// which may be nothing; `None` if nobody wrote such words. The ruling goes into the log by `ballots::ruled`.
pub async fn rule(
    txn: &WriteTxn,
    now: UnixMillis,
    editor: EditorId,
    poll: PollId,
    words: (OptionId, &[u8]),
    ruling: Ruling,
    shown: Option<&str>,
) -> Result<Option<String>, DbErr> {
    let (option, key) = words;
    let of_words = || -> [Value; 3] { [poll.into(), option.into(), key.to_vec().into()] };
    let sql = "SELECT MIN(written) AS written FROM words_tally WHERE poll_id = $1 AND option_id = $2 AND words_key = $3";
    let written: Option<String> = match fetch_one(&**txn, sql, of_words()).await? {
        Some(row) => row.try_get("", "written")?,
        None => None,
    };
    let Some(written) = written else {
        return Ok(None);
    };
    if ruling == Ruling::Waiting {
        let sql =
            "DELETE FROM words_ruling WHERE poll_id = $1 AND option_id = $2 AND words_key = $3";
        run(&**txn, sql, of_words()).await?;
        return Ok(Some(String::new()));
    }
    let shown = match ruling {
        Ruling::Shown => shown.unwrap_or(&written),
        _ => "",
    };
    let sql = "INSERT INTO words_ruling (poll_id, option_id, words_key, ruling, shown, editor_id, ruled_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (poll_id, option_id, words_key) DO UPDATE SET \
               ruling = excluded.ruling, shown = excluded.shown, editor_id = excluded.editor_id, ruled_ms = excluded.ruled_ms";
    let decided: [Value; 4] = [
        ruling.code().into(),
        shown.into(),
        editor.into(),
        now.into(),
    ];
    let shown = shown.to_owned();
    run(&**txn, sql, of_words().into_iter().chain(decided)).await?;
    Ok(Some(shown))
}
