//! A reader's own data: to see, export and erase.
//!
//! Issues are forwarded, so no link in an issue can do any of this; it takes a link from a fresh mail to the address,
//! which is valid for a day. Promises: the export holds everything that can be found by the reader's id or address;
//! after the erasure nothing of it is left but numbers, a row without a name that ledgers refer to, and a keyed hash
//! that keeps the address from being mailed again.
//!
//! `gather`: finds the data. `erase`: removes it.

mod erase;
mod gather;

pub use erase::erase;
pub use gather::{Kept, gather};

use std::time::Duration;

use serde_json::json;

use super::confirm::parse_own;
use super::mails;
use super::model::MailCaps;
use super::request::caps;
use super::store::requests::{self, About};
use super::store::subscribers;
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::templates::Template;
use crate::newsletters;
use crate::types::varint::{pack, unpack};
use crate::types::{Keys, Purpose, ReaderId, UnixMillis};
use crate::web::limits::refused_by;

/// How long the link in the mail is valid.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The token for `/data/{token}`, which shows, exports and erases all data about a reader. Use it only in a mail to the
/// reader's address.
#[must_use]
pub fn token(keys: &Keys, reader: ReaderId, now: UnixMillis) -> String {
    keys.seal(Purpose::Erase, &pack(&[reader.0, now.0]))
}

/// The result of opening a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// This reader's data.
    Good(ReaderId),
    /// An expired link: it shows nothing, but a fresh one can be mailed to the same reader.
    Expired(ReaderId),
    /// It is not a token of ours.
    Unknown,
}

/// Opens a token and says whose data it leads to.
#[must_use]
pub fn open(keys: &Keys, token: &str, now: UnixMillis) -> Opened {
    let payload = keys.open(Purpose::Erase, token).ok();
    match payload.and_then(|payload| unpack(&payload)) {
        Some([reader, at]) if now.since(UnixMillis(at)) <= GOOD_FOR => {
            Opened::Good(ReaderId(reader))
        }
        Some([reader, _]) => Opened::Expired(ReaderId(reader)),
        None => Opened::Unknown,
    }
}

/// Mails the link to the reader. The daily cap is that of confirmations, because anybody with a forwarded issue can
/// press the button. Confirmations do not count against it: anybody who knows the address can trigger those, and nobody
/// should be able to keep readers from their data.
pub async fn mail_link(app: &App, reader: ReaderId) -> Result<(), DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("mail data link").await?;
    let Some(found) = subscribers::reader(&*txn, reader).await? else {
        return Ok(());
    };
    let address = parse_own(&found.email)?;
    let subscribed = subscribers::of_reader(&*txn, reader).await?;
    let active = subscribed.iter().find(|s| s.is_active());
    let letter = match active.or(subscribed.first()) {
        Some(subscribed) => newsletters::by_id(&*txn, subscribed.newsletter).await?,
        None => newsletters::all(&*txn).await?.into_iter().next(),
    };
    // Without a newsletter there is no sender, and nobody can have been mailed a link that leads here.
    let Some(letter) = letter else { return Ok(()) };
    let hash = app.keys.address_hash(address.key());
    requests::queue_up(&app.db, &txn, &hash).await?;
    // Only a daily cap: if somebody uses it up, the reader's inbox is full of links that work.
    let mails = requests::data_links(&txn, &hash, MailCaps::window_start(now)).await?;
    if mails >= i64::from(caps(app).per_day) {
        refused_by("data_links_of_reader");
        return Ok(());
    }
    requests::count_mail(&txn, &hash, About::OwnData, Some(now)).await?;
    let data = json!({
        "lang": letter.language,
        "accent": letter.accent,
        "dark_accent": letter.dark_accent(),
        "publication": letter.from_name,
        "postal_address": letter.address_below_name(),
        "data_url": format!("{}/data/{}", app.config.origin(), token(&app.keys, reader, now)),
    });
    let expires = now + GOOD_FOR;
    mails::send(
        app,
        &txn,
        &letter,
        &address,
        Template::YourData,
        data,
        expires,
    )
    .await?;
    txn.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn the_link_is_good_for_a_day_and_for_nothing_else() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let then = UnixMillis(1_700_000_000_000);
        let link = token(&keys, ReaderId(70_000), then);
        let reader = ReaderId(70_000);
        assert_eq!(open(&keys, &link, then + GOOD_FOR), Opened::Good(reader));
        let late = then + GOOD_FOR + Duration::from_millis(1);
        assert_eq!(open(&keys, &link, late), Opened::Expired(reader));
        let manage = super::super::manage_token(&keys, ReaderId(70_000));
        assert_eq!(open(&keys, &manage, then), Opened::Unknown);
        assert_eq!(super::super::links::open_manage(&keys, &link), None);
    }
}
