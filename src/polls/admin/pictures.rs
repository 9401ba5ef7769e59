//! Pictures beside the options of a draft: uploaded one at a time, by a form that needs no script.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::tabs::poll_of;
use crate::admin::{Done, Editor, EditorUpload};
use crate::app::App;
use crate::polls::definition::{is_line, is_path};
use crate::polls::model::{Kind, Picture, Poll, PollState, Role};
use crate::polls::pictures::{FOLDER, Redrawn, redraw, store as pictures};
use crate::web::Problem;
use crate::web::uploads::File;

/// One picture is decoded at a time: decoding may take over a hundred megabytes.
static DECODING: Semaphore = Semaphore::const_new(1);

/// What was typed beside an option, and what is wrong with it.
#[derive(Debug, Default)]
struct Typed {
    option: i64,
    path: String,
    alt: String,
    error: Option<String>,
}

/// `GET /admin/polls/{slug}/pictures`
pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(done): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    // The confirmation appears in the option's own card: the page is long, and the redirect leads to that card.
    let done = done.done.split_once('.').and_then(|(done, option)| {
        let words = match done {
            "placed" => "The picture is now beside its option.",
            "removed" => "The picture is gone.",
            _ => return None,
        };
        Some((words, option.parse().ok()?))
    });
    page(&app, &poll, &editor, done, &Typed::default())
}

/// `POST /admin/polls/{slug}/pictures`: puts a file or a path of this site beside one option, or removes its picture.
pub async fn place(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorUpload {
        editor,
        form,
        mut files,
    }: EditorUpload,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    if poll.state != PollState::Draft {
        return Err(Problem::conflict(
            "Readers have seen this poll. Its pictures stay as they are.",
        ));
    }
    let mut typed = Typed {
        option: form.text("option")?.parse().unwrap_or(0),
        path: form.text("path")?,
        alt: form.text("alt")?,
        error: None,
    };
    let Some(option) = pictured(&poll).find(|o| o.key == typed.option) else {
        return Err(Problem::not_found());
    };
    let removes = form.one("then")? == Some("remove");
    files.retain(|file| file.field == "file");
    let had_file = !files.is_empty();
    let chosen = if removes {
        Ok((None, None))
    } else {
        picture(option.picture.as_ref(), &typed, files).await
    };
    let (redrawn, picture) = match chosen {
        Ok(chosen) => chosen,
        Err(error) => {
            typed.error = Some(match had_file {
                true => format!("{error} Choose the file again."),
                false => error,
            });
            return page(&app, &poll, &editor, None, &typed);
        }
    };
    let now = app.clock.now();
    let revision = form.text("revision")?.parse().unwrap_or(-1);
    let txn = app.db.write_txn("place-picture").await?;
    if let Some(redrawn) = &redrawn {
        pictures::keep(&txn, now, redrawn).await?;
    }
    let placed = pictures::place(&txn, now, poll.id, revision, typed.option, picture.as_ref());
    if !placed.await? {
        return Err(Problem::conflict(
            "Somebody else changed this poll just now. Load the page again.",
        ));
    }
    txn.commit().await?;
    app.polls.book.reread(&slug).await?;
    let done = if removes { "removed" } else { "placed" };
    let to = format!(
        "/admin/polls/{slug}/pictures?done={done}.{0}#option-{0}",
        typed.option
    );
    Ok(Redirect::to(&to).into_response())
}

/// The picture that was uploaded or named, or what is wrong with it.
async fn picture(
    before: Option<&Picture>,
    typed: &Typed,
    mut files: Vec<File>,
) -> Result<(Option<Redrawn>, Option<Picture>), String> {
    if typed.alt.is_empty() || !is_line(&typed.alt) {
        return Err("Say in one line what the picture shows.".to_owned());
    }
    let Some(file) = files.pop() else {
        // Nothing was given and a picture is already there: only its alternative text was changed.
        if let (Some(before), "") = (before, typed.path.as_str()) {
            let alt = typed.alt.clone();
            return Ok((
                None,
                Some(Picture {
                    alt,
                    ..before.clone()
                }),
            ));
        }
        if !is_path(&typed.path) {
            return Err(
                "Choose a file, or enter a path on this site such as /media/tram.jpg.".to_owned(),
            );
        }
        let same = before.filter(|picture| picture.path == typed.path);
        let picture = Picture {
            path: typed.path.clone(),
            alt: typed.alt.clone(),
            size: same.and_then(|picture| picture.size),
        };
        return Ok((None, Some(picture)));
    };
    let turn = DECODING
        .acquire()
        .await
        .map_err(|_| "The server stops.".to_owned())?;
    let redrawing = tokio::task::spawn_blocking(move || {
        // Held by the thread, not by the request: if the client disconnects, the memory is still in use.
        let _turn = turn;
        redraw(&file.bytes)
    });
    let redrawn = redrawing
        .await
        .map_err(|_| "The file is damaged. Save the picture again and upload that.".to_owned())?
        .map_err(|not| format!("{not}."))?;
    let picture = Picture {
        path: format!("{FOLDER}{}", redrawn.name),
        alt: typed.alt.clone(),
        size: Some((redrawn.width.into(), redrawn.height.into())),
    };
    Ok((Some(redrawn), Some(picture)))
}

/// The options that can have a picture.
fn pictured(poll: &Poll) -> impl Iterator<Item = &crate::polls::model::PollOption> {
    poll.questions
        .iter()
        .filter(|question| question.kind != Kind::Rating)
        .flat_map(|question| &question.options)
        .filter(|option| option.role == Role::Plain)
}

fn page(
    app: &App,
    poll: &Poll,
    editor: &Editor,
    done: Option<(&str, i64)>,
    typed: &Typed,
) -> Result<Response, Problem> {
    let rows: Vec<Value> = pictured(poll)
        .map(|option| {
            let stored = option.picture.as_ref();
            let this = (typed.option == option.key).then_some(typed);
            json!({
                "key": option.key, "label": option.label,
                "picture": stored.map(|p| &p.path),
                // The path of an uploaded picture is not shown: nobody typed it.
                "path": this.map(|t| &t.path).or(stored.map(|p| &p.path).filter(|path| !path.starts_with(FOLDER))),
                "done": done.filter(|(_, at)| *at == option.key).map(|(words, _)| words),
                "alt": this.map(|t| &t.alt).or(stored.map(|p| &p.alt)),
                "error": this.and_then(|t| t.error.as_ref()),
                "alt_is_wrong": this.is_some_and(|t| t.alt.is_empty() || !is_line(&t.alt)),
            })
        })
        .collect();
    let context = json!({
        "frame": editor.frame(), "slug": poll.slug, "question": poll.headline(), "revision": poll.revision,
        "rows": rows, "draft": poll.state == PollState::Draft, "failed": typed.error, "at": typed.option,
    });
    let page = app.pages.render("polls/admin_pictures", &context)?;
    let status = if typed.error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok((status, page).into_response())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    #[tokio::test]
    async fn a_client_that_hangs_up_keeps_its_turn_until_the_picture_is_decoded() {
        let mut bytes = Vec::new();
        DynamicImage::new_rgb8(1_000, 800)
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .expect("encoded");
        let typed = Typed {
            alt: "A tram".to_owned(),
            ..Typed::default()
        };
        let field = "file".to_owned();
        let chosen = picture(None, &typed, vec![File { field, bytes }]);
        tokio::select! {
            biased;
            _ = chosen => panic!("ready at once"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(DECODING.available_permits(), 0);
        let _next = DECODING.acquire().await.expect("its turn comes");
    }
}
