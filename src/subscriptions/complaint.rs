//! A complaint about a single mail, of whose address only the keyed hash is known.
//!
//! The hash leads to no reader by an index: the readers' addresses are hashed in turn, which takes about a second for a million. That happens
//! once for a mail that was called spam, outside of the write, and trusts nothing that a report says.

use super::model::{State, Suppression};
use super::stop::stop;
use super::store::{requests, subscribers};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::types::{Keys, ReaderId, UnixMillis};

/// Readers looked through at once.
const PAGE: usize = 5_000;

/// Whose address it is, as far as readers were there to look at.
#[derive(Clone, Debug)]
pub struct Sought {
    hash: Vec<u8>,
    reader: Option<ReaderId>,
    /// The last that was looked at.
    upto: ReaderId,
}

/// Looks for the reader with an address of this hash.
///
/// # Errors
/// What the database said.
pub async fn look_for(app: &App, hash: &[u8]) -> Result<Sought, DbErr> {
    let mut sought = Sought {
        hash: hash.to_vec(),
        reader: None,
        upto: ReaderId(0),
    };
    while sought.reader.is_none() {
        let page = subscribers::keys_after(app.db.read(), sought.upto, PAGE).await?;
        if page.is_empty() {
            break;
        }
        sought.look_through(&app.keys, &page);
        tokio::task::yield_now().await;
    }
    Ok(sought)
}

/// Never mails the address again, and ends its reader's subscriptions. Readers who came since they were looked through are seen as well.
///
/// # Errors
/// What the database said.
pub async fn complained(
    app: &App,
    txn: &WriteTxn,
    sought: &Sought,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let why = "a single mail was reported as spam";
    let hash = &sought.hash;
    requests::queue_up(&app.db, txn, hash).await?;
    subscribers::suppress(txn, hash, Suppression::Complaint, why, now).await?;
    let mut sought = sought.clone();
    if sought.reader.is_none() {
        let late = subscribers::keys_after(&**txn, sought.upto, PAGE).await?;
        sought.look_through(&app.keys, &late);
    }
    match sought.reader {
        Some(reader) => stop(txn, &app.keys, reader, State::Complained, why, now).await,
        None => Ok(()),
    }
}

impl Sought {
    fn look_through(&mut self, keys: &Keys, readers: &[(ReaderId, String)]) {
        for (reader, key) in readers {
            self.upto = *reader;
            if keys.address_hash(key) == *self.hash {
                self.reader = Some(*reader);
                return;
            }
        }
    }
}
