//! `/admin/polls/{slug}/removals`: excludes answers publicly, by what an editor may know about
//! them, and gives them back.
//!
//! Answers are selected by hour, place and tier, and neither they nor those that remain beside them may be fewer than
//! ten: an editor who set all but one aside, or a single one, would see in the result what it said. What the selected
//! answers said is shown before they are left out only if they are selected by hour alone: tiers and places could be
//! subtracted from each other.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::bursts::{SEALED, Without, compared, headline};
use super::moment;
use super::result::TIERS;
use super::tabs::poll_of;
use crate::admin::{Editor, EditorForm, Frame, show as shown};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::ballots::others::{self, Small};
use crate::polls::ballots::removal::{
    LONGEST_REASON, NotRemoved, Removal, Selection, give_back, hold, matching, removals,
};
use crate::polls::model::{Place, Poll, Tier};
use crate::polls::results;
use crate::polls::trust;
use crate::scheduler::Zone;
use crate::types::EditorId;
use crate::web::{Problem, RawForm};

const PLACES: [Place; 6] = [
    Place::PollPage,
    Place::Article,
    Place::Embed,
    Place::Mail,
    Place::Api,
    Place::Elsewhere,
];

/// Which answers, as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    from: String,
    until: String,
    place: String,
    tier: String,
    done: String,
    /// The button was pressed.
    #[serde(default)]
    asked: String,
}

impl Asked {
    fn read(form: &RawForm) -> Result<Self, Problem> {
        Ok(Self {
            from: form.text("from")?,
            until: form.text("until")?,
            place: form.text("place")?,
            tier: form.text("tier")?,
            done: String::new(),
            asked: String::new(),
        })
    }

    /// `None`: nothing was asked for yet.
    fn selection(&self, zone: &Zone) -> Result<Option<Selection>, &'static str> {
        let hour = |text: &str| match moment::read(text, zone) {
            _ if text.is_empty() => Ok(None),
            Some(at) if matches!(text.trim().get(14..), Some("00" | "00:00")) => Ok(Some(at)),
            _ => Err("Write a date and a whole hour, such as 2026-11-23 07:00."),
        };
        let code = |text: &str| text.parse::<i16>().ok();
        let place = PLACES
            .into_iter()
            .find(|place| Some(place.code()) == code(&self.place));
        let tier = TIERS.iter().map(|(tier, _)| *tier);
        let tier = tier
            .into_iter()
            .find(|tier| Some(tier.code()) == code(&self.tier));
        let selection = Selection {
            from: hour(&self.from)?,
            until: hour(&self.until)?,
            place,
            tier,
            ..Selection::default()
        };
        if let (Some(from), Some(until)) = (selection.from, selection.until)
            && until <= from
        {
            return Err("The end must come after the beginning.");
        }
        Ok(Some(selection).filter(|selection| !selection.is_everything()))
    }
}

/// `GET /admin/polls/{slug}/removals`: the removals so far, and how many answers match the selection.
pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let notice = match asked.done.as_str() {
        "removed" => Some("These answers are left out, and readers see your reason."),
        "restored" => Some("These answers count again."),
        _ => None,
    };
    let frame = editor.frame_saying(notice);
    page(&app, &poll, frame, &asked, None, None).await
}

/// `POST /admin/polls/{slug}/removals`: sets answers aside, or gives them back.
pub async fn decide(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let now = app.clock.now();
    let asked = Asked::read(&form)?;
    let done = match form.one("then")? {
        Some("restore") => {
            let number: i64 = form.text("number")?.parse().unwrap_or(0);
            if !own(&app, &poll).await?.iter().any(|r| r.number == number) {
                return Err(Problem::not_found());
            }
            give_back(&app.db, now, app.slot, poll.id, number)
                .await
                .map(|_| "restored")
        }
        Some("remove") => {
            let zone = zone(&poll);
            let selection = match asked.selection(&zone) {
                Ok(Some(selection)) => selection,
                Ok(None) => return again(&app, &poll, &editor, &asked, NOTHING_ASKED).await,
                Err(error) => return again(&app, &poll, &editor, &asked, error).await,
            };
            let reason = form.line("reason")?;
            if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
                return again(&app, &poll, &editor, &asked, NO_REASON).await;
            }
            let (_, why) = judged(&app, &poll, &selection).await?;
            if let Some(why) = why {
                return again(&app, &poll, &editor, &asked, told(why)).await;
            }
            if form.text("sure")? != "yes" && is_much(&app, &poll, &selection).await? {
                return page(&app, &poll, editor.frame(), &asked, None, Some(&reason)).await;
            }
            match leave_out(&app, &poll, &selection, &reason, editor.id).await {
                Ok(Some(why)) => return again(&app, &poll, &editor, &asked, told(why)).await,
                left_out => left_out.map(|_| "removed"),
            }
        }
        _ => return Err(Problem::bad_request("Choose what to do with the answers.")),
    };
    match done {
        Ok(done) => {
            app.polls.live.touch(std::iter::once(poll.id));
            let page = format!("/admin/polls/{slug}/removals?done={done}");
            Ok(Redirect::to(&page).into_response())
        }
        Err(NotRemoved::Db(error)) => Err(error.into()),
        Err(NotRemoved::Sealed) => Err(Problem::conflict(SEALED)),
        Err(refused) => Err(Problem::conflict(format!(
            "Nothing was changed: {refused}. Reload the page to see the current state."
        ))),
    }
}

const NOTHING_ASKED: &str = "Say which answers: by time, place or how much is known.";
const NO_REASON: &str = "Write why in at most 500 characters: readers see it beside the result.";
const NOTHING_MATCHES: &str = "No answer that counts matches.";
const TOO_FEW: &str = "Fewer than ten answers match. So few cannot be left out, because the result would reveal what they said.";
const TOO_FEW_COUNTED: &str = "Fewer than ten of these answers count in the result. So few cannot be left out, because the result would reveal what they said.";
const TOO_FEW_OTHERS: &str = "Fewer than ten other answers would remain: in all, or with the same time, place or kind of reader. The numbers would reveal what they said, so these answers cannot be left out.";

/// Leaves the answers out, unless too few match or would remain; then it returns why. That is judged once more while
/// nobody else can change them, because two editors who press at the same time would each count on the answers that
/// the other one takes.
async fn leave_out(
    app: &App,
    poll: &Poll,
    selection: &Selection,
    reason: &str,
    editor: EditorId,
) -> Result<Option<Small>, NotRemoved> {
    let now = app.clock.now();
    let held = hold(&app.db, app.slot, poll.id).await?;
    let (_, why) = others::judge(&*held.txn, &held.poll, selection).await?;
    if why.is_none() {
        let by = Some(editor);
        let removal = held.set_aside(&app.db, now, selection, reason, by).await?;
        held.commit(&removal).await?;
    }
    Ok(why)
}

/// Why answers cannot be left out, for editors.
fn told(why: Small) -> &'static str {
    match why {
        Small::Nothing => NOTHING_MATCHES,
        Small::Selected => TOO_FEW,
        Small::Counted => TOO_FEW_COUNTED,
        Small::Others => TOO_FEW_OTHERS,
    }
}

async fn again(
    app: &App,
    poll: &Poll,
    editor: &Editor,
    asked: &Asked,
    error: &str,
) -> Result<Response, Problem> {
    let mut response = page(app, poll, editor.frame(), asked, Some(error), None).await?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// How many answers are selected, and why they cannot be left out, as it is now.
async fn judged(
    app: &App,
    poll: &Poll,
    selection: &Selection,
) -> Result<(i64, Option<Small>), DbErr> {
    let (poll, selection) = (poll.clone(), selection.clone());
    app.db
        .scanning(move |scan| async move { others::judge(&*scan, &poll, &selection).await })
        .await
}

/// Whether the selection is more than a quarter of what counts, which must be confirmed.
async fn is_much(app: &App, poll: &Poll, selection: &Selection) -> Result<bool, Problem> {
    let totals = results::totals(&app.db, poll).await?;
    let (id, selection) = (poll.id, selection.clone());
    let found = app
        .db
        .scanning(move |scan| async move { matching(&*scan, id, &selection).await })
        .await?;
    Ok(found * 4 > totals.voters(Tier::Anonymous))
}

/// The removals that are decided on this page; those of bursts are decided on the page about bursts.
async fn own(app: &App, poll: &Poll) -> Result<Vec<Removal>, Problem> {
    let bursts = trust::bursts_of(&app.db, poll.id).await?;
    let mut own = removals(&app.db, poll.id).await?;
    own.retain(|removal| !bursts.iter().any(|b| b.removals.contains(&removal.number)));
    Ok(own)
}

fn zone(poll: &Poll) -> Zone {
    Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc())
}

async fn page(
    app: &App,
    poll: &Poll,
    frame: Frame,
    asked: &Asked,
    error: Option<&str>,
    unsure: Option<&str>,
) -> Result<Response, Problem> {
    let zone = zone(poll);
    let (selection, odd) = match asked.selection(&zone) {
        Ok(selection) => (selection, None),
        Err(odd) => (None, Some(odd)),
    };
    let asked_about = match &selection {
        Some(selection) => Some(judged(app, poll, selection).await?),
        None => None,
    };
    let refused = asked_about.and_then(|(_, why)| why).map(told);
    let totals = results::totals(&app.db, poll).await?;
    let voters = totals.voters(Tier::Anonymous);
    let found = asked_about
        .filter(|(_, why)| why.is_none())
        .map(|(n, _)| n.min(voters));
    let groups = match &selection {
        Some(selection) if found.is_some() && selection.is_by_hours() => {
            let them = trust::counts_meeting(&app.db, poll.id, selection).await?;
            let without = Without {
                totals: &totals,
                taken: Some(&them),
            };
            compared(poll, &without, &them)
        }
        _ => Vec::new(),
    };
    let listed: Vec<Value> = own(app, poll)
        .await?
        .iter()
        .rev()
        .map(|removal| {
            json!({
                "number": removal.number, "reason": removal.reason,
                "ballots": shown::counted(removal.ballots, "answer", "answers"),
                "at": shown::time(removal.at, &zone),
                "by": removal.by,
                "undone": removal.undone.map(|at| shown::time(at, &zone)),
            })
        })
        .collect();
    let choice = |value: String, label: &str, chosen: &str| {
        let is_chosen = value == chosen;
        json!({ "value": value, "label": label, "chosen": is_chosen })
    };
    let places = PLACES.map(|p| {
        choice(
            p.code().to_string(),
            &shown::capital(p.name()),
            &asked.place,
        )
    });
    let tiers = TIERS.map(|(tier, label)| choice(tier.code().to_string(), label, &asked.tier));
    let page = json!({
        "frame": frame, "title": format!("Answers left out: {}", poll.headline()),
        "slug": poll.slug, "question": poll.headline(), "time_zone": poll.time_zone,
        "sealed": poll.sealed_at.map(|_| SEALED),
        "from": asked.from, "until": asked.until, "place": asked.place, "tier": asked.tier,
        "places": places, "tiers": tiers,
        "error": error.or(odd),
        "groups": groups, "headline": headline(poll.headline_tier),
        "unsure": unsure,
        "left": found.map(|n| voters - n).filter(|left| *left > 0).map(shown::count),
        "found": found.map(|n| shown::counted(n, "answer", "answers")),
        "unasked": selection.is_none() && odd.is_none() && !asked.asked.is_empty(),
        // On top of the page already if the form was sent.
        "few": refused.filter(|_| error.is_none()),
        "of": shown::count(voters),
        "removals": listed,
    });
    app.pages.render("polls/admin_removals", &page)
}
