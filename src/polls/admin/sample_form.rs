//! Drawing the sample: the page first shows how precise it would be, then one button draws.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::tabs::{Tab, page, poll_of};
use crate::admin::{Editor, EditorForm, show as shown};
use crate::app::App;
use crate::newsletters::{self, Newsletter};
use crate::polls::definition::{Definition, free_slug, over};
use crate::polls::model::{Poll, PollState, Tier};
use crate::polls::sample::{LARGEST, Order, SMALLEST, Taken, margin, store, take};
use crate::web::Problem;
use crate::web::problems::in_order;

/// What an editor asks for. It is in the URL as long as nothing is drawn.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    newsletter: String,
    size: String,
    seed: String,
}

/// The longest seed, in characters.
const LONGEST_SEED: usize = 100;
/// Response rates to plan for, in per cent.
const RATES: [i64; 3] = [10, 30, 60];

type Errors = Map<String, Value>;

/// `GET /admin/polls/{slug}/sample` for a poll that has no sample yet.
pub async fn ask(
    app: &App,
    editor: &Editor,
    poll: &Poll,
    asked: &Asked,
) -> Result<Response, Problem> {
    form(app, editor, poll, asked, Errors::new()).await
}

/// `POST /admin/polls/{slug}/sample`: draws.
///
/// # Errors
/// 404; 409 for a poll that already has a sample or was changed meanwhile.
pub async fn draw(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form: sent }: EditorForm,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let asked = Asked {
        newsletter: sent.text("newsletter")?,
        size: sent.text("size")?,
        seed: sent.text("seed")?,
    };
    if poll.sample().is_some() {
        return Err(has_one());
    }
    if poll.state == PollState::Draft && poll.linking.is_some() {
        return Err(Problem::conflict(
            "A random sample is asked in secret, and its mail says so. Edit this draft and make it secret, then draw.",
        ));
    }
    if poll.state == PollState::Draft && over(poll.closes_at, app.clock.now()).is_some() {
        return Err(Problem::conflict(
            "The closing time of this draft has passed, so nobody could answer. Edit it and choose a later one, then draw.",
        ));
    }
    let letters = newsletters::all(app.db.read()).await?;
    let (letter, size) = match read(&letters, &asked) {
        Ok(read) => read,
        Err(errors) => return refused(&app, &editor, &poll, &asked, errors).await,
    };
    let copy = match poll.state {
        PollState::Draft => None,
        _ => Some(copy(&app, &poll).await?),
    };
    let order = Order {
        newsletter: letter.id,
        size,
        seed: asked.seed.clone(),
        editor: editor.id,
    };
    match take(&app, &poll, copy, &order).await? {
        Taken::Drawn { slug } => {
            Ok(Redirect::to(&format!("/admin/polls/{slug}/sample?done=drawn")).into_response())
        }
        Taken::TooFew { population } => {
            let errors = too_many(letter, population);
            refused(&app, &editor, &poll, &asked, errors).await
        }
        Taken::Conflict => Err(has_one()),
    }
}

fn has_one() -> Problem {
    Problem::conflict(
        "This poll already has a sample, or was changed a moment ago. A sample is drawn only once. Nothing was done.",
    )
}

fn read<'a>(letters: &'a [Newsletter], asked: &Asked) -> Result<(&'a Newsletter, i64), Errors> {
    let mut errors = Errors::new();
    let letter = letters.iter().find(|n| n.slug == asked.newsletter);
    if letter.is_none() {
        errors.insert("newsletter".into(), "Choose one of the newsletters.".into());
    }
    let size = number(&asked.size).filter(|n| (SMALLEST..=LARGEST).contains(n));
    if size.is_none() {
        let said = format!(
            "Write a number from {SMALLEST} to {}.",
            shown::count(LARGEST)
        );
        errors.insert("size".into(), said.into());
    }
    if asked.seed.chars().count() > LONGEST_SEED || asked.seed.chars().any(char::is_control) {
        let said = format!("One line of at most {LONGEST_SEED} characters.");
        errors.insert("seed".into(), said.into());
    }
    match (letter, size) {
        (Some(letter), Some(size)) if errors.is_empty() => Ok((letter, size)),
        _ => Err(errors),
    }
}

/// `1,000`, `1 000` or `1000`.
fn number(text: &str) -> Option<i64> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ',' | '.' | '\u{a0}' | ' '))
        .collect();
    digits.parse().ok()
}

fn too_many(letter: &Newsletter, population: i64) -> Errors {
    let has = shown::counted(population, "confirmed subscriber", "confirmed subscribers");
    let said = match population {
        n if n < SMALLEST => {
            format!(
                "A sample needs at least {SMALLEST} of them; {} has {has}.",
                letter.name
            )
        }
        _ => format!("{} has {has}. Ask for no more.", letter.name),
    };
    Errors::from_iter([("size".to_owned(), said.into())])
}

/// The same questions, in a poll of its own.
async fn copy(app: &App, poll: &Poll) -> Result<Definition, Problem> {
    let now = app.clock.now();
    let mut copy = Definition::of(poll);
    copy.opens_at = None;
    copy.closes_at = poll.closes_at.filter(|&at| at > now);
    copy.newsletter = None;
    // The sample's poll is secret even if this one is linked: the invitation says that nothing
    // is kept beside the answer.
    copy.linking = None;
    copy.headline_tier = Tier::Subscriber;
    let stem: String = poll.slug.chars().take(50).collect();
    let stem = stem.trim_end_matches('-');
    let wanted = format!("{stem}-sample");
    copy.slug = free_slug(&app.db, &wanted).await?.unwrap_or(wanted);
    if !copy.check().is_empty() {
        return Err(Problem::conflict("This poll cannot be copied as it is."));
    }
    Ok(copy)
}

async fn refused(
    app: &App,
    editor: &Editor,
    poll: &Poll,
    asked: &Asked,
    errors: Errors,
) -> Result<Response, Problem> {
    let page = form(app, editor, poll, asked, errors).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn form(
    app: &App,
    editor: &Editor,
    poll: &Poll,
    asked: &Asked,
    mut errors: Errors,
) -> Result<Response, Problem> {
    let letters = newsletters::all(app.db.read()).await?;
    let mut page = page(editor, poll, Tab::Sample, "Random sample");
    page["draft"] = (poll.state == PollState::Draft).into();
    let mut choices = Vec::new();
    // How many readers can be drawn from the chosen newsletter, or from the first one.
    let (mut can_be, mut most) = (None, 0);
    for letter in &letters {
        let population = store::population(&app.db, letter.id).await?;
        most = most.max(population);
        if letter.slug == asked.newsletter || can_be.is_none() {
            can_be = Some(population);
        }
        let words = shown::counted(population, "subscriber", "subscribers");
        choices.push(json!({
            "slug": letter.slug, "label": format!("{} ({words})", letter.name), "chosen": letter.slug == asked.newsletter,
        }));
        if letter.slug != asked.newsletter || !errors.is_empty() {
            continue;
        }
        match read(&letters, asked) {
            Ok((letter, size)) if size > population => errors = too_many(letter, population),
            Ok((_, size)) => page["planned"] = planned(asked, size, population),
            Err(found) => errors = found,
        }
    }
    let can_be = can_be.unwrap_or_default().clamp(SMALLEST, LARGEST);
    page["too_few"] = (!letters.is_empty() && most < SMALLEST).into();
    page["newsletters"] = choices.into();
    page["form"] = json!({
        "size": if asked.size.is_empty() { can_be.min(1_000).to_string() } else { asked.size.clone() }, "seed": asked.seed,
    });
    page["error_list"] = in_order(&errors, &["newsletter", "size", "seed"]).into();
    page["errors"] = errors.into();
    page["smallest"] = SMALLEST.into();
    page["largest"] = shown::count(if letters.len() > 1 {
        most.min(LARGEST)
    } else {
        can_be
    })
    .into();
    app.pages.render("polls/admin_sample_new", &page)
}

/// How precise a sample of that size would be.
fn planned(asked: &Asked, size: i64, population: i64) -> Value {
    let rows: Vec<Value> = RATES
        .iter()
        .map(|rate| {
            let answers = size * rate / 100;
            let margin = margin(answers, population);
            json!({
                "rate": format!("{rate}%"), "answers": shown::count(answers),
                "margin": margin.map_or_else(|| "too few".to_owned(), |points| format!("± {points:.1} points")),
            })
        })
        .collect();
    json!({
        "newsletter": asked.newsletter, "size": size, "seed": asked.seed,
        "button": format!("Draw {} of {} readers", shown::count(size), shown::count(population)),
        "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_typed_in_many_ways() {
        for text in ["1000", "1,000", "1 000", " 1.000 "] {
            assert_eq!(number(text), Some(1_000), "{text}");
        }
        for text in ["", "many", "1e3", "99999999999999999999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
