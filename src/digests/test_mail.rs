//! Test mails: the actual edition, sent to the editor's own address through the outbox.

use super::model::Issue;
use super::prepare::{PrepareError, prepare};
use crate::app::App;
use crate::mailer::mailing;
use crate::types::EmailAddress;

/// Puts a test mail into the outbox. Returns false if the address is not one that we can mail.
///
/// # Errors
/// See [`PrepareError`].
pub async fn send(app: &App, issue: &Issue, to: &str, name: &str) -> Result<bool, PrepareError> {
    let Ok(address) = EmailAddress::parse(to) else {
        return Ok(false);
    };
    let prepared = prepare(app, issue, app.clock.now()).await?;
    let txn = app.db.write_txn("issue_test").await?;
    mailing::send_test(&txn, app, &prepared.compiled.edition, &address, Some(name)).await?;
    txn.commit().await?;
    Ok(true)
}
