//! A complaint about a single mail, of which only the keyed hash of the address is known.
//!
//! There is no index from the hash to a reader, so all readers' addresses are hashed one by one, which takes about a
//! second for a million. That happens once per mail that was reported as spam, outside the write transaction, and
//! relies on nothing that the report says. Readers who subscribe meanwhile are searched within the transaction, while
//! nobody can confirm this address.

use super::model::{State, Suppression};
use super::stop::stop_known;
use super::store::requests;
use super::store::subscribers::{self, AddressKey};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::types::{Keys, ReaderId, UnixMillis};

/// Readers per query.
const PAGE: usize = 5_000;
/// How many of the last ids are searched again in the transaction. PostgreSQL assigns ids before the commit, so the
/// reader of a confirmation or an import may become visible after readers with higher ids.
const MARGIN: i64 = 5_000;

/// The result of the search so far.
#[derive(Clone, Debug)]
pub struct Sought {
    hash: Vec<u8>,
    reader: Option<ReaderId>,
    /// The last reader that was searched.
    upto: ReaderId,
}

/// Searches for the reader whose address has this hash.
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

/// Begins the write: until `txn` ends, nobody can confirm the address, erase its reader or complain about it. The
/// reader's row is locked as well, if there is one. Write everything else after this, in the same order as an erasure,
/// so that the two cannot deadlock.
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

/// An address that was complained about, and its reader, locked by a transaction.
#[derive(Debug)]
pub struct Held(Sought);

impl Held {
    /// Suppresses the address and ends its reader's subscriptions.
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
    fn look_through(&mut self, keys: &Keys, readers: &[AddressKey]) {
        for AddressKey { id, email_key } in readers {
            self.upto = *id;
            if keys.address_hash(email_key) == *self.hash {
                self.reader = Some(*id);
                return;
            }
        }
    }
}
