//! Links between answers and the readers who agreed to them, written in the commit of the ballot and saying the same.
//! Secret polls never get here: see [`crate::polls::linked`].

use std::collections::BTreeMap;

use sea_orm::Value;

use super::slip::Answer;
use crate::db::{Backend, Batch, in_list, values_list};
use crate::polls::model::Poll;
use crate::types::{PollId, ReaderId, UnixMillis};

/// What a commit does to links; `None`: consent was not given again, so the link is removed. Sorted, so that
/// two nodes cannot deadlock.
#[derive(Default)]
pub(super) struct Links<'a>(BTreeMap<(PollId, ReaderId), Option<Link<'a>>>);

struct Link<'a> {
    version: i64,
    choices: &'a [u8],
    agreed: UnixMillis,
}

impl<'a> Links<'a> {
    /// Adds what a known reader said about the link.
    pub(super) fn of(&mut self, answer: &Answer, choices: &'a [u8], now: UnixMillis) {
        if let Some(tick) = answer.link {
            let agreed = tick.agreed.then_some(now);
            self.take(&answer.poll, tick.reader, choices, agreed);
        }
    }

    /// `agreed` is the time of the consent; `None`: no consent.
    pub(super) fn take(
        &mut self,
        poll: &Poll,
        reader: ReaderId,
        choices: &'a [u8],
        agreed: Option<UnixMillis>,
    ) {
        if let Some(words) = &poll.linking {
            let link = agreed.map(|agreed| Link {
                version: words.version,
                choices,
                agreed,
            });
            self.0.insert((poll.id, reader), link);
        }
    }

    /// Adds the statements to the batch; none for secret polls.
    pub(super) fn write(self, batch: &mut Batch, backend: Backend, now: UnixMillis) {
        let mut made: Vec<Value> = Vec::new();
        let mut ended: BTreeMap<PollId, Vec<Value>> = BTreeMap::new();
        for ((poll, reader), link) in self.0 {
            match link {
                Some(link) => made.extend([
                    poll.into(),
                    reader.into(),
                    link.choices.to_vec().into(),
                    link.version.into(),
                    link.agreed.into(),
                    now.into(),
                    now.into(),
                ]),
                None => ended.entry(poll).or_default().push(reader.into()),
            }
        }
        if !made.is_empty() {
            // Waits for an erasure in progress; afterwards there is no reader to link to.
            let lock = match backend {
                Backend::Postgres => " FOR SHARE OF reader",
                Backend::Sqlite => "",
            };
            let rows = values_list(made.len() / 7, 7, batch.taken());
            let sql = format!(
                "INSERT INTO ballot_link (poll_id, reader_id, choices, link_text_id, agreed_ms, linked_ms, changed_ms) \
                 SELECT k.column1, k.column2, k.column3, k.column4, k.column5, k.column6, k.column7 FROM (VALUES {rows}) AS k \
                 JOIN reader ON reader.id = k.column2 WHERE reader.erased_ms IS NULL{lock} \
                 ON CONFLICT (poll_id, reader_id) DO UPDATE SET choices = excluded.choices, changed_ms = excluded.changed_ms"
            );
            batch.push(sql, made);
        }
        // One statement for each poll, so that SQLite looks up each reader instead of scanning the table.
        for (poll, readers) in ended {
            let taken = batch.taken();
            let among = in_list(readers.len(), taken + 1);
            let sql = format!(
                "DELETE FROM ballot_link WHERE poll_id = ${} AND reader_id IN {among}",
                taken + 1
            );
            batch.push(sql, std::iter::once(Value::from(poll)).chain(readers));
        }
    }
}
