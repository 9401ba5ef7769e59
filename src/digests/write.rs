//! Creating, saving and deleting drafts.

use std::time::Duration;

use super::content::nests_too_deeply;
use super::model::{BadContent, Content, Issue};
use super::store;
use crate::admin;
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::panics::Broke;
use crate::polls::Segment;
use crate::types::token::random_token;
use crate::types::{EditorId, IssueId, NewsletterId, UnixMillis};

/// The outcome of a save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was saved.
    Stored {
        /// Its new revision.
        revision: i64,
        /// The time of the save.
        at: UnixMillis,
    },
    /// Somebody saved another version in the meantime, which is given here. Nothing was changed.
    Conflict(Box<Issue>),
    /// It was handed over and can no longer be changed.
    NotADraft(Box<Issue>),
    /// There is no such issue.
    Gone,
}

/// Checks what can be stored. Checking the nesting depth of a long body takes time, so it does not run on a thread
/// that serves requests.
///
/// # Errors
/// The check panicked, which is a bug of ours.
pub(super) async fn checked(
    subject: &str,
    preheader: &str,
    body: &str,
) -> Result<Result<Content, BadContent>, Broke> {
    let content = match Content::new(subject, preheader, body) {
        Ok(content) => content,
        bad => return Ok(bad),
    };
    let looking = tokio::task::spawn_blocking(move || {
        let too_deep = nests_too_deeply(&content.body);
        (content, too_deep)
    });
    let (content, too_deep) = looking.await.map_err(|_| Broke)?;
    Ok(if too_deep {
        Err(BadContent::Nesting)
    } else {
        Ok(content)
    })
}

/// The same draft made again within this time is a second click on the button.
const A_MOMENT: Duration = Duration::from_secs(10);

/// Creates a draft, for all readers of the newsletter or for a segment, or finds the one that the editor has made a
/// moment ago.
pub async fn create(
    app: &App,
    newsletter: NewsletterId,
    content: &Content,
    segment: Option<&Segment>,
    editor: EditorId,
) -> Result<IssueId, DbErr> {
    let txn = app.db.write_txn("issue_create").await?;
    admin::lock(&app.db, &txn, editor).await?;
    let since = app.clock.now() - A_MOMENT;
    for id in store::untouched(&*txn, newsletter, content, editor, since).await? {
        if store::segment(&*txn, id).await?.as_ref() == segment {
            return Ok(id);
        }
    }
    let id = create_in(&txn, app, newsletter, content, Some(editor)).await?;
    if let Some(segment) = segment {
        store::narrow(&txn, id, segment).await?;
    }
    txn.commit().await?;
    Ok(id)
}

/// Creates a draft inside the caller's transaction.
pub(super) async fn create_in(
    txn: &WriteTxn,
    app: &App,
    newsletter: NewsletterId,
    content: &Content,
    editor: Option<EditorId>,
) -> Result<IssueId, DbErr> {
    let slug = random_token(&app.random);
    store::insert(txn, newsletter, content, &slug, editor, app.clock.now()).await
}

/// Saves a text that is based on `revision`. Saving what is already stored succeeds, so a repeated request or a
/// second tab with the same text is no conflict.
pub async fn save(
    app: &App,
    id: IssueId,
    revision: i64,
    content: &Content,
) -> Result<Saved, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("issue_save").await?;
    let Some(issue) = store::find(&*txn, id).await? else {
        return Ok(Saved::Gone);
    };
    if !issue.is_draft() {
        return Ok(Saved::NotADraft(Box::new(issue)));
    }
    if issue.content == *content {
        return Ok(Saved::Stored {
            revision: issue.revision,
            at: issue.updated,
        });
    }
    if !store::save(&txn, id, revision, content, now).await? {
        return Ok(Saved::Conflict(Box::new(issue)));
    }
    txn.commit().await?;
    Ok(Saved::Stored {
        revision: revision + 1,
        at: now,
    })
}

/// Deletes a draft; false if it is no longer a draft or was changed since.
pub async fn delete(app: &App, id: IssueId, revision: i64) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("issue_delete").await?;
    let deleted = store::delete(&txn, id, revision).await?;
    txn.commit().await?;
    Ok(deleted)
}
