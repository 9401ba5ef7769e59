//! Creating, editing, opening and closing polls.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::form::{Errors, Typed};
use super::form_page::{form_page, preview};
use super::question_moves::Then;
use super::tabs::poll_of;
use crate::admin::{self, Editor, EditorForm};
use crate::app::App;
use crate::db::{DbErr, WriteTxn};
use crate::newsletters::{self, Newsletter};
use crate::polls::definition::{self, Definition, Retimed, Stored};
use crate::polls::model::{Poll, PollState};
use crate::types::UnixMillis;
use crate::web::Problem;

/// Why a poll stays closed.
pub const SEALED: &str = "The key of this poll has been destroyed, so that nobody can link its answers to readers. It stays closed; make a new poll instead.";

/// Why a poll stays secret, or stays linked with these words.
const LINKING_STAYS: &str = "Readers were told whether their answers are secret, and in which words they agree to a link. That stays; make a new \
     poll instead.";

/// The same draft made again within this time is a second click on the button.
const A_MOMENT: Duration = Duration::from_secs(10);

/// Why an outdated form is not saved.
const CHANGED: &str =
    "Somebody else changed this poll while you were editing it, so your version was not saved.";

/// `GET /admin/polls/new`
pub async fn show_new(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    let zone = newsletters::home_zone(app.db.read()).await?;
    form_page(
        &app,
        editor.frame(),
        None,
        &Typed::empty(&zone),
        &Errors::new(),
    )
    .await
}

/// `POST /admin/polls`
pub async fn create(
    State(app): State<App>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let (typed, then) = (Typed::read(&form)?, Then::read(&form)?);
    if then == Then::Preview {
        return previewed(&app, &editor, None, &typed).await;
    }
    if then != Then::Save {
        return form_page(
            &app,
            editor.frame(),
            None,
            &typed.changed(then),
            &Errors::new(),
        )
        .await;
    }
    let letters = newsletters::all(app.db.read()).await?;
    let mut definition = match typed.definition(&letters, None) {
        Ok(definition) => definition,
        Err(errors) => return form_page(&app, editor.frame(), None, &typed, &errors).await,
    };
    if typed.slug.is_empty() {
        let free = definition::free_slug(&app.db, &definition.slug).await?;
        definition.slug = free.unwrap_or(definition.slug);
    }
    let since = app.clock.now() - A_MOMENT;
    let txn = app.db.write_txn("create-poll").await?;
    admin::lock(&app.db, &txn, editor.id).await?;
    if let Some(slug) = just_made(&txn, &letters, &typed, &definition, since).await? {
        return Ok(created(&slug));
    }
    let stored = definition::create(
        &txn,
        &app.random,
        app.clock.now(),
        &definition,
        PollState::Draft,
    )
    .await?;
    if let Stored::Yes(_) = stored {
        txn.commit().await?;
        return Ok(created(&definition.slug));
    }
    drop(txn);
    form_page(&app, editor.frame(), None, &typed, &slug_taken()).await
}

fn created(slug: &str) -> Response {
    Redirect::to(&format!("/admin/polls/{slug}?done=created")).into_response()
}

/// The slug of a draft that was made since then, is like this one, and was not changed: a second click on the button.
/// If no slug was typed, the second one would only have got another.
async fn just_made(
    txn: &WriteTxn,
    letters: &[Newsletter],
    typed: &Typed,
    definition: &Definition,
    since: UnixMillis,
) -> Result<Option<String>, DbErr> {
    for id in definition::untouched_drafts(&**txn, since).await? {
        let Some(poll) = definition::by_id_in(&**txn, id).await? else {
            continue;
        };
        let wanted = match typed.slug.is_empty() {
            true => Definition {
                slug: poll.slug.clone(),
                ..definition.clone()
            },
            false => definition.clone(),
        };
        let made = Typed::of(&poll, letters).definition(letters, Some(&poll));
        if made.is_ok_and(|made| made == wanted) {
            return Ok(Some(poll.slug));
        }
    }
    Ok(None)
}

/// `GET /admin/polls/{slug}/edit`
pub async fn show_edit(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let letters = newsletters::all(app.db.read()).await?;
    let typed = Typed::of(&poll, &letters);
    form_page(&app, editor.frame(), Some(&poll), &typed, &Errors::new()).await
}

/// `POST /admin/polls/{slug}/edit`
pub async fn save(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    // Whatever the reason, a form that is not saved is given back.
    let keep = |problem: Problem| problem.keeping(&form);
    let poll = poll_of(&app, &slug).await.map_err(keep)?;
    let (typed, then) = (Typed::read(&form)?, Then::read(&form)?);
    let typed = Typed {
        slug: poll.slug.clone(),
        ..typed
    };
    if then == Then::Preview {
        return previewed(&app, &editor, Some(&poll), &typed).await;
    }
    if then != Then::Save {
        return form_page(
            &app,
            editor.frame(),
            Some(&poll),
            &typed.changed(then),
            &Errors::new(),
        )
        .await;
    }
    // Before anything else: an outdated form may be that of a draft, with questions that can no longer change.
    if typed.based_on() != poll.revision {
        return Err(keep(Problem::conflict(CHANGED)));
    }
    let done = if poll.state == PollState::Draft {
        save_draft(&app, &poll, &typed).await
    } else {
        save_timing(&app, &poll, &typed).await
    };
    match done.map_err(keep)? {
        Ok(()) => {
            app.polls.book.reread(&poll.slug).await?;
            Ok(Redirect::to(&format!("/admin/polls/{}?done=saved", poll.slug)).into_response())
        }
        Err(errors) => form_page(&app, editor.frame(), Some(&poll), &typed, &errors).await,
    }
}

/// What was typed, as readers would see it; nothing is saved.
async fn previewed(
    app: &App,
    editor: &Editor,
    poll: Option<&Poll>,
    typed: &Typed,
) -> Result<Response, Problem> {
    let letters = newsletters::all(app.db.read()).await?;
    match typed.definition(&letters, poll) {
        Ok(definition) => preview(app, &definition.sketch()).await,
        Err(errors) => form_page(app, editor.frame(), poll, typed, &errors).await,
    }
}

async fn save_draft(app: &App, poll: &Poll, typed: &Typed) -> Result<Result<(), Errors>, Problem> {
    let letters = newsletters::all(app.db.read()).await?;
    let definition = match typed.definition(&letters, Some(poll)) {
        Ok(definition) => definition,
        Err(errors) => return Ok(Err(errors)),
    };
    let revision = typed.based_on();
    let txn = app.db.write_txn("edit-poll").await?;
    match definition::replace_draft(&txn, app.clock.now(), poll.id, revision, &definition).await? {
        Stored::Yes(_) => {
            txn.commit().await?;
            Ok(Ok(()))
        }
        Stored::SlugTaken => Ok(Err(slug_taken())),
        Stored::Conflict => Err(Problem::conflict(CHANGED)),
    }
}

async fn save_timing(app: &App, poll: &Poll, typed: &Typed) -> Result<Result<(), Errors>, Problem> {
    // Once readers have seen a poll, its time zone is fixed: its page names it.
    let typed = Typed {
        time_zone: poll.time_zone.clone(),
        ..typed.clone()
    };
    if typed.changes_linking(poll) {
        return Ok(Err(Errors::from([(
            "linking".to_owned(),
            LINKING_STAYS.to_owned(),
        )])));
    }
    let (opens, closes, visibility) = match typed.timing(poll) {
        Ok(timing) => timing,
        Err(errors) => return Ok(Err(errors)),
    };
    let (now, revision) = (app.clock.now(), Some(typed.based_on()));
    let txn = app.db.write_txn("time-poll").await?;
    match definition::retime(&txn, now, poll.id, revision, opens, closes, visibility).await? {
        Retimed::Yes => {
            txn.commit().await?;
            Ok(Ok(()))
        }
        Retimed::Sealed => Ok(Err(Errors::from([(
            "closes".to_owned(),
            SEALED.to_owned(),
        )]))),
        Retimed::Conflict => Err(Problem::conflict(CHANGED)),
    }
}

/// `POST /admin/polls/{slug}/publish`: opens the draft as the editor saw it, because nobody can change it afterwards.
pub async fn publish(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let seen = form.text("revision")?.parse().unwrap_or(-1);
    let (draft, open) = (PollState::Draft, PollState::Published);
    if let Some(page) = over(&app, &editor, &slug, draft).await? {
        return Ok(page);
    }
    turn(&app, &slug, (draft, Some(seen)), open, "published").await
}

/// `POST /admin/polls/{slug}/close`
pub async fn close(
    State(app): State<App>,
    Path(slug): Path<String>,
    _: EditorForm,
) -> Result<Response, Problem> {
    let (open, closed) = (PollState::Published, PollState::Closed);
    turn(&app, &slug, (open, None), closed, "closed").await
}

/// `POST /admin/polls/{slug}/reopen`
pub async fn reopen(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, .. }: EditorForm,
) -> Result<Response, Problem> {
    let (closed, open) = (PollState::Closed, PollState::Published);
    if let Some(page) = over(&app, &editor, &slug, closed).await? {
        return Ok(page);
    }
    turn(&app, &slug, (closed, None), open, "reopened").await
}

/// The poll's form, if it is to be opened after its close.
async fn over(
    app: &App,
    editor: &Editor,
    slug: &str,
    from: PollState,
) -> Result<Option<Response>, Problem> {
    let poll = poll_of(app, slug).await?;
    let over = definition::over(poll.closes_at, app.clock.now());
    let Some(over) = over.filter(|_| poll.state == from && poll.sealed_at.is_none()) else {
        return Ok(None);
    };
    let letters = newsletters::all(app.db.read()).await?;
    let typed = Typed::of(&poll, &letters);
    let errors = Errors::from([("closes".to_owned(), format!("{}.", over.message))]);
    let page = form_page(app, editor.frame(), Some(&poll), &typed, &errors).await?;
    Ok(Some(page))
}

/// Takes the poll from a state, and from a revision if that matters, to another state.
async fn turn(
    app: &App,
    slug: &str,
    (from, seen): (PollState, Option<i64>),
    to: PollState,
    done: &str,
) -> Result<Response, Problem> {
    let id = poll_of(app, slug).await?.id;
    let txn = app.db.write_txn("turn-poll").await?;
    let turned = definition::set_state(&txn, app.clock.now(), id, seen, from, to).await?;
    txn.commit().await?;
    // Readers see the change at once on this node, and within a second on others.
    app.polls.book.reread(slug).await?;
    let poll = poll_of(app, slug).await?;
    if turned || poll.state == to {
        return Ok(Redirect::to(&format!("/admin/polls/{slug}?done={done}")).into_response());
    }
    Err(Problem::conflict(if poll.sealed_at.is_some() {
        SEALED
    } else if seen.is_some_and(|seen| seen != poll.revision) {
        "Somebody changed this poll after you opened its page, so it was not opened. Look at it once more."
    } else {
        "The state of the poll has changed. Go back and reload the page."
    }))
}

fn slug_taken() -> Errors {
    Errors::from([(
        "slug".to_owned(),
        "Another poll has this name in links.".to_owned(),
    )])
}
