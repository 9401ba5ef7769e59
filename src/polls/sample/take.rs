//! Drawing the sample of a poll, once.

use super::draw::{checksum, draw};
use super::store::{self, Record};
use crate::app::App;
use crate::db::{Db, DbErr};
use crate::panics::Broke;
use crate::polls::definition::{self, Definition, Stored};
use crate::polls::model::{Poll, PollState, Tier};
use crate::types::token::random_token;
use crate::types::{EditorId, NewsletterId, PollId, ReaderId};

/// The smallest sample: percentages are shown from 30 answers on.
pub const SMALLEST: i64 = 30;
/// The largest sample: if a tenth of it answers, shares are known to within two and a half points.
pub const LARGEST: i64 = 20_000;

/// What is to be drawn.
#[derive(Debug, Clone)]
pub struct Order {
    pub newsletter: NewsletterId,
    /// The number of readers, [`SMALLEST`] to [`LARGEST`].
    pub size: i64,
    /// The seed; if empty, a random one is used.
    pub seed: String,
    pub editor: EditorId,
}

/// The result of a draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Drawn; the poll with this slug asks these readers, and is open.
    Drawn { slug: String },
    /// The newsletter has too few confirmed subscribers.
    TooFew { population: i64 },
    /// The poll already has a sample, or was changed since it was read.
    Conflict,
}

/// Draws the sample. A draft becomes the sample's poll; beside any other poll, `copy` is created, which asks the same.
///
/// # Errors
/// A database error; nothing was drawn.
pub async fn take(
    app: &App,
    poll: &Poll,
    copy: Option<Definition>,
    order: &Order,
) -> Result<Taken, DbErr> {
    let size = usize::try_from(order.size).unwrap_or(0);
    let frame = store::frame(&app.db, order.newsletter).await?;
    if frame.len() < size {
        let population = i64::try_from(frame.len()).unwrap_or(i64::MAX);
        return Ok(Taken::TooFew { population });
    }
    let seed = match order.seed.trim() {
        "" => random_token(&app.random),
        typed => typed.to_owned(),
    };
    let now = app.clock.now();
    let record = Record {
        newsletter: order.newsletter,
        beside: copy.is_some().then_some(poll.id),
        readers: drawn(frame.clone(), size, seed.clone()).await?,
        frame_sha256: checksum(&frame),
        frame,
        seed,
        drawn_at: now,
        editor: Some(order.editor),
    };
    let txn = app.db.write_txn("poll_sample").await?;
    let (id, slug) = match copy {
        None => {
            let tier = Tier::Subscriber.code();
            if !store::open_draft(&txn, poll.id, poll.revision, tier, now).await? {
                return Ok(Taken::Conflict);
            }
            (poll.id, poll.slug.clone())
        }
        Some(copy) => {
            let state = PollState::Published;
            match definition::create(&txn, &app.random, now, &copy, state).await? {
                Stored::Yes(id) => (id, copy.slug),
                Stored::SlugTaken | Stored::Conflict => return Ok(Taken::Conflict),
            }
        }
    };
    if !store::insert(&txn, id, &record).await? {
        return Ok(Taken::Conflict);
    }
    txn.commit().await?;
    app.polls.book.reread(&poll.slug).await?;
    Ok(Taken::Drawn { slug })
}

/// A million readers take a second, so this must not run on a thread that serves requests.
async fn drawn(frame: Vec<ReaderId>, size: usize, seed: String) -> Result<Vec<ReaderId>, DbErr> {
    tokio::task::spawn_blocking(move || draw(&frame, size, &seed))
        .await
        .map_err(|_| DbErr::Custom(Broke.to_string()))
}

/// Repeats the draw from what was kept about a poll's sample. Returns true if the list is the one that was kept and the
/// same readers are drawn; `None` if the poll has no sample.
pub async fn is_as_drawn(db: &Db, poll: PollId) -> Result<Option<bool>, DbErr> {
    let Some(record) = store::record(db, poll).await? else {
        return Ok(None);
    };
    if checksum(&record.frame) != record.frame_sha256 {
        return Ok(Some(false));
    }
    let again = drawn(record.frame, record.readers.len(), record.seed).await?;
    Ok(Some(again == record.readers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_does_not_quote_a_panic() {
        // No list can be that long.
        let broke = drawn(Vec::new(), usize::MAX - 1, String::new()).await;
        let said = broke.expect_err("it panics").to_string();
        assert!(!said.contains("capacity overflow"), "{said}");
    }
}
