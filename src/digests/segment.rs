//! Issues for a segment: readers who agreed to have their answer stored with their address, and who gave certain
//! answers.

use super::model::{Content, Issue};
use super::{store, write};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::{self, Segment};
use crate::types::{EditorId, IssueId, NewsletterId};

/// Creates the draft: like any other, for fewer readers. The readers are looked up when it is sent.
pub async fn write_to_segment(
    app: &App,
    newsletter: NewsletterId,
    segment: &Segment,
    question: &str,
    editor: EditorId,
) -> Result<IssueId, DbErr> {
    let content = Content {
        subject: format!("About your answer: {question}"),
        preheader: String::new(),
        body: format!(
            "Dear {{{{name|reader}}}},\n\nyou answered our poll “{question}” and agreed that we may write to you about your answer.\n\n\n\n\
             You can withdraw that agreement at any time on the page where you choose what you receive.\n"
        ),
    };
    write::create(app, newsletter, &content, Some(segment), editor).await
}

/// A description for editors of who gets an issue for a segment.
pub(super) async fn whom(app: &App, issue: &Issue) -> Result<Option<String>, DbErr> {
    match store::segment(app.db.read(), issue.id).await? {
        Some(segment) => polls::segment_in_words(app, &segment).await,
        None => Ok(None),
    }
}
