//! `GET /admin/issues/{id}`: the page that fits the issue's state.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use super::super::model::IssueState;
use super::{compose, outbound, progress};
use crate::admin::Editor;
use crate::app::App;
use crate::web::{Problem, RawForm};

pub(super) async fn show(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
    query: RawQuery,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    match issue.state {
        IssueState::Draft => compose::show(&app, &editor, &issue, query).await,
        IssueState::Scheduled(_) | IssueState::Held { .. } => {
            outbound::waiting(&app, &editor, &issue).await
        }
        IssueState::Handed(_) => {
            let query = RawForm::parse(query.0.unwrap_or_default().as_bytes())?;
            progress::show(&app, &editor, &issue, &query.line("done")?).await
        }
    }
}
