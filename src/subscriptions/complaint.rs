//! A complaint about a single mail, of whose address only the keyed hash is known.
//!
//! The hash leads to no reader by an index: the readers' addresses are hashed in turn, which takes about a second for a million. That happens
//! once for a mail that was called spam, outside of the write, and trusts nothing that a report says. Who subscribes meanwhile is looked for
//! in the write, while nobody can confirm this address.

use super::model::{State, Suppression};
use super::stop::stop_known;
use super::store::{requests, subscribers};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::types::{Keys, ReaderId, UnixMillis};

/// Readers looked through at once.
const PAGE: usize = 5_000;
/// Numbers of readers that are looked at once more in the write. On PostgreSQL a number is taken before it is committed: the reader of a
/// confirmation, or of the batch of an import, may show after many that have higher ones.
const MARGIN: i64 = 5_000;

/// Whose address it is, as far as readers were there to look at.
#[derive(Clone, Debug)]
pub struct Sought {
    hash: Vec<u8>,
    reader: Option<ReaderId>,
    /// The last that was looked at.
    upto: ReaderId,
}

/// Looks for the reader with an address of this hash.
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

/// Begins the write: nobody confirms the address, is erased with it or complains about it before `txn` ends. The reader's row is held as
/// well, if there is one. Whatever else is written comes after, in the order of an erasure: the two must not wait for each other.
pub async fn hold(app: &App, txn: &WriteTxn, mut sought: Sought) -> Result<Held, DbErr> {
    requests::queue_up(&app.db, txn, &sought.hash).await?;
    sought.upto = ReaderId(sought.upto.0 - MARGIN);
    while sought.reader.is_none() {
        let late = subscribers::keys_after(&**txn, sought.upto, PAGE).await?;
        if late.is_empty() {
            break;
        }
        sought.look_through(&app.keys, &late);
    }
    if let Some(reader) = sought.reader {
        subscribers::hold(txn, app.db.backend(), reader).await?;
    }
    Ok(Held(sought))
}

/// An address that was complained about, and its reader, held by a transaction.
#[derive(Debug)]
pub struct Held(Sought);

impl Held {
    /// Never mails the address again, and ends its reader's subscriptions.
    pub async fn complained(&self, txn: &WriteTxn, now: UnixMillis) -> Result<(), DbErr> {
        let why = "a single mail was reported as spam";
        let Sought { hash, reader, .. } = &self.0;
        match reader {
            Some(reader) => stop_known(txn, *reader, hash, State::Complained, why, now).await,
            None => subscribers::suppress(txn, hash, Suppression::Complaint, why, now).await,
        }
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
