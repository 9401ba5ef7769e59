//! Readers' own words as editors see them, and the editors' rulings.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait as _, FromQueryResult, Value};

use crate::db::entities::words_ruling;
use crate::db::{Db, WriteTxn, find_all, find_value, find_values};
use crate::polls::model::PollState;
use crate::types::{EditorId, OptionId, PollId, UnixMillis};

/// Equal words for one option.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Wording {
    #[sea_orm(from_alias = "option_id")]
    pub option: OptionId,
    #[sea_orm(from_alias = "words_key")]
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
    pub fn code(self) -> i16 {
        match self {
            Self::Waiting => 0,
            Self::Shown => 1,
            Self::Hidden => 2,
        }
    }
}

/// Words on one page.
pub const PAGE: i64 = 50;

/// The words of a poll with this ruling, most frequent first; `page` counts from 1.
pub async fn list(db: &Db, poll: PollId, ruling: Ruling, page: i64) -> Result<Vec<Wording>, DbErr> {
    let sql = "SELECT w.option_id, w.words_key, MIN(w.written) AS written, CAST(SUM(w.n) AS BIGINT) AS n, \
               COALESCE(MAX(r.shown), '') AS shown FROM words_tally w LEFT JOIN words_ruling r \
               ON r.poll_id = w.poll_id AND r.option_id = w.option_id AND r.words_key = w.words_key \
               WHERE w.poll_id = $1 AND COALESCE(r.ruling, $5) = $2 GROUP BY w.option_id, w.words_key \
               HAVING SUM(w.n) > 0 ORDER BY SUM(w.n) DESC, MIN(w.written), w.words_key LIMIT $3 OFFSET $4";
    let values: [Value; 5] = [
        poll.into(),
        ruling.code().into(),
        PAGE.into(),
        ((page - 1) * PAGE).into(),
        Ruling::Waiting.code().into(),
    ];
    find_all(db.read(), sql, values).await
}

/// The numbers of different words that are pending, shown and hidden.
pub async fn numbers(db: &Db, poll: PollId) -> Result<[i64; 3], DbErr> {
    let sql = "SELECT ruling, COUNT(*) AS n FROM (SELECT COALESCE(MAX(r.ruling), $2) AS ruling FROM words_tally w \
               LEFT JOIN words_ruling r ON r.poll_id = w.poll_id AND r.option_id = w.option_id AND r.words_key = w.words_key \
               WHERE w.poll_id = $1 GROUP BY w.option_id, w.words_key HAVING SUM(w.n) > 0) AS of_words GROUP BY ruling";
    #[derive(FromQueryResult)]
    struct Row {
        ruling: i16,
        n: i64,
    }
    let values = [poll.into(), Ruling::Waiting.code().into()];
    let rows: Vec<Row> = find_all(db.read(), sql, values).await?;
    let number = |ruling: Ruling| {
        let row = rows.iter().find(|row| row.ruling == ruling.code());
        row.map_or(0, |row| row.n)
    };
    Ok([Ruling::Waiting, Ruling::Shown, Ruling::Hidden].map(number))
}

/// Polls with pending words, newest first, up to `limit`. Polls whose key is destroyed are left out,
/// since nobody waits for those.
pub async fn waiting(db: &Db, limit: i64) -> Result<Vec<PollId>, DbErr> {
    let sql = "SELECT p.id FROM poll p WHERE p.state <> $2 AND p.sealed_ms IS NULL AND EXISTS (SELECT 1 FROM words_tally w \
               WHERE w.poll_id = p.id AND NOT EXISTS (SELECT 1 FROM words_ruling r WHERE r.poll_id = w.poll_id \
               AND r.option_id = w.option_id AND r.words_key = w.words_key) GROUP BY w.option_id, w.words_key HAVING SUM(w.n) > 0) \
               ORDER BY p.id DESC LIMIT $1";
    find_values(
        db.read(),
        sql,
        [limit.into(), PollState::Draft.code().into()],
    )
    .await
}

/// The texts shown in the result of a poll.
pub async fn shown_texts(db: &Db, poll: PollId) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT DISTINCT shown FROM words_ruling WHERE poll_id = $1 AND ruling = $2 ORDER BY shown LIMIT 200";
    find_values(db.read(), sql, [poll.into(), Ruling::Shown.code().into()]).await
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
    let sql = "SELECT MIN(written) FROM words_tally WHERE poll_id = $1 AND option_id = $2 AND words_key = $3";
    let of_words = [poll.into(), option.into(), key.into()];
    let written: Option<Option<String>> = find_value(&**txn, sql, of_words).await?;
    let Some(written) = written.flatten() else {
        return Ok(None);
    };
    if ruling == Ruling::Waiting {
        words_ruling::Entity::delete_by_id((poll, option, key.to_vec()))
            .exec(&**txn)
            .await?;
        return Ok(Some(String::new()));
    }
    let shown = match ruling {
        Ruling::Shown => shown.unwrap_or(&written),
        _ => "",
    };
    use words_ruling::Column;
    let replace = OnConflict::columns([Column::PollId, Column::OptionId, Column::WordsKey])
        .update_columns([
            Column::Ruling,
            Column::Shown,
            Column::EditorId,
            Column::RuledMs,
        ])
        .to_owned();
    let row = words_ruling::ActiveModel {
        poll_id: Set(poll),
        option_id: Set(option),
        words_key: Set(key.to_vec()),
        ruling: Set(ruling.code()),
        shown: Set(shown.to_owned()),
        editor_id: Set(Some(editor)),
        ruled_ms: Set(now),
    };
    words_ruling::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(&**txn)
        .await?;
    Ok(Some(shown.to_owned()))
}
