//! `GET /admin/polls/{slug}`: the result as it comes in, all tiers, whatever readers may see of it.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::bursts::headline;
use super::tabs::{Tab, poll_of, tabs};
use super::{acts, badge};
use crate::admin::{Done, Editor, show as shown};
use crate::app::App;
use crate::newsletters;
use crate::polls::mail;
use crate::polls::model::{Kind, Phase, Poll, PollState, Question, Tier, Visibility, phase};
use crate::polls::results::note::note;
use crate::polls::results::shown::{left_out, question_result};
use crate::polls::results::{Results, Row, Totals, secrecy, totals};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::polls::trust;
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;
use crate::web::Problem;

pub(super) const TIERS: [(Tier, &str); 4] = [
    (Tier::SignedIn, "Signed in"),
    (Tier::Subscriber, "Confirmed readers"),
    (Tier::Worked, "Browsers that solved a proof of work"),
    (Tier::Anonymous, "Other browsers"),
];

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(query): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let totals = totals(&app.db, &poll).await?;
    let now = app.clock.now();
    let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
    let at = phase(poll.state, poll.opens_at, poll.closes_at, now);
    let notice = notice(&query.done, at, &zone);
    let (state, badge) = badge(at);
    let url = format!("{}/p/{}", app.config.origin(), poll.slug);
    let facts = facts(&app, &poll).await?;
    let voters = totals.voters(Tier::Anonymous);
    let acts: Vec<Value> = acts(&poll, now)
        .into_iter()
        .map(|(act, label)| json!({ "act": act, "label": label, "primary": act == "publish" }))
        .collect();
    let tiers: Vec<Value> = TIERS
        .iter()
        .map(|(tier, label)| (label, totals.voters_of(*tier)))
        .filter(|(_, n)| *n > 0)
        .map(|(label, n)| json!({ "label": label, "count": shown::count(n) }))
        .collect();
    let bursts = trust::waiting(&app.db).await?;
    let bursts: i64 = bursts
        .iter()
        .filter(|b| b.slug == slug)
        .map(|b| b.ballots)
        .sum();
    // Removals that are not decided on yet are already shown above.
    let decided = totals.left_out.iter().filter(|(_, why)| !why.is_empty());
    let decided: Vec<_> = decided.cloned().collect();
    let page = json!({
        "differs": !app.polls.audits.differences(poll.id).is_empty(),
        "bursts": (bursts > 0).then(|| shown::counted(bursts, "answer", "answers")),
        "frame": editor.frame_saying(notice),
        "left_out": left_out(&decided).collect::<Vec<_>>(),
        "slug": poll.slug, "revision": poll.revision, "question": poll.headline(),
        "state": state, "badge": badge, "times": times(at, &poll, &zone),
        "acts": acts, "draft": poll.state == PollState::Draft,
        "tabs": tabs(&poll, Tab::Result),
        "live": matches!(at, Phase::Open { .. }),
        "numbers": [
            { "label": "Answered", "value": shown::count(voters) },
            { "label": "Of them confirmed readers", "value": shown::count(totals.voters(Tier::Subscriber)) },
        ],
        "questions": poll.questions.iter().map(|q| question(&poll, q, &totals)).collect::<Vec<_>>(),
        "headline": headline(poll.headline_tier),
        "uncounted": voters > 0,
        "others": others(&poll, &totals),
        "note": said_of(&poll, &totals, &zone),
        "sample": poll.sample().is_some(),
        "tiers": tiers,
        "mail": from_the_mail(&app, &poll).await?,
        "url": url,
        "pages": super::pages_of(&app, &poll).await?,
        "public": !matches!(at, Phase::Hidden),
        "facts": facts,
    });
    app.pages.render("polls/admin_result", &page)
}

/// What was just done, where the poll's phase still agrees.
fn notice(done: &str, at: Phase, zone: &Zone) -> Option<String> {
    match (done, at) {
        ("created", _) => Some("The draft is saved. Nobody sees it until you open it.".to_owned()),
        ("saved", _) => Some("Saved.".to_owned()),
        ("published", Phase::NotYetOpen { opens_at }) => Some(format!(
            "Readers can answer from {}.",
            written::short(opens_at.timestamp(), zone)
        )),
        ("published", Phase::Open { .. }) => {
            Some("The poll is open. Readers can answer now.".to_owned())
        }
        ("closed", _) => Some("The poll is closed. Nobody can answer any more.".to_owned()),
        ("reopened", Phase::Open { .. }) => Some("The poll accepts answers again.".to_owned()),
        _ => None,
    }
}

/// Who answered, and what the numbers mean.
fn said_of(poll: &Poll, totals: &Totals, zone: &Zone) -> Option<String> {
    if poll.sample().is_some() {
        let results = Results::of(poll, totals, &[]);
        return results
            .sample
            .map(|found| format!("{} {}", found.line, results.note));
    }
    let zone = jiff::tz::TimeZone::get(zone.name()).unwrap_or(jiff::tz::TimeZone::UTC);
    totals
        .answered
        .as_ref()
        .map(|answered| note(answered, &zone))
}

/// The outcome of the links to the poll in mails; empty if no mail contained it.
async fn from_the_mail(app: &App, poll: &Poll) -> Result<Vec<Value>, Problem> {
    let numbers = mail::of_poll(&app.db, poll.id).await?;
    if numbers == mail::Numbers::default() {
        return Ok(Vec::new());
    }
    let number = |label: &str, n: i64| json!({ "label": label, "value": shown::count(n) });
    Ok(vec![
        number("New answers", numbers.counted),
        number("Seen, not answered", numbers.seen),
        number("Opened by scanners", numbers.scanner),
    ])
}

/// When it opens and closes, in its own zone and in UTC.
fn times(at: Phase, poll: &Poll, zone: &Zone) -> String {
    let full = |at: UnixMillis| written::full(at.timestamp(), zone);
    match at {
        Phase::Hidden => "Only editors see it.".into(),
        Phase::NotYetOpen { opens_at } => format!("Opens {}.", full(opens_at)),
        Phase::Open {
            closes_at: Some(at),
        } => format!("Closes {}.", full(at)),
        Phase::Open { closes_at: None } => "Open until you close it.".into(),
        Phase::Closed { .. } => match poll.closes_at {
            Some(at) => format!("Closing time: {}.", full(at)),
            None => "Closed by an editor.".into(),
        },
    }
}

/// Readers who answered but are not counted in the result.
fn uncounted(poll: &Poll, totals: &Totals) -> i64 {
    totals.voters(Tier::Anonymous) - totals.voters(poll.headline_tier)
}

/// Why their answers are not shown: beside the result, those of fewer than [`SMALLEST_CELL`] readers could be worked
/// out.
fn others(poll: &Poll, totals: &Totals) -> Option<String> {
    let n = uncounted(poll, totals);
    let few = (1..SMALLEST_CELL).contains(&n);
    few.then(|| {
        format!(
            "{} not counted in the result. What they said is shown beside it from ten readers on.",
            shown::counted(n, "reader who answered is", "readers who answered are")
        )
    })
}

/// The result of a question, and beside it the answers of everybody where the result does not count all of them.
fn question(poll: &Poll, question: &Question, totals: &Totals) -> Value {
    let among = |tier| question_result(poll, question, totals, tier, &[]);
    let result = among(poll.headline_tier);
    let others = uncounted(poll, totals);
    let everybody = (others >= SMALLEST_CELL)
        .then(|| among(Tier::Anonymous))
        .filter(|all| hides_no_few(question, &result.rows, &all.rows, others));
    // Every row of the result is among those of everybody.
    let all: &[Row] = everybody.as_ref().map_or(&result.rows, |all| &all.rows);
    let options: Vec<Value> = all
        .iter()
        .map(|all| {
            let row = result.rows.iter().find(|row| row.key == all.key);
            let retired = question.options.iter().any(|o| o.key == all.key && o.retired);
            json!({
                "key": all.key, "label": all.label, "retired": retired,
                "count": row.map_or("0", |row| &row.count), "share": row.and_then(|row| row.share.as_ref()),
                "width": row.map_or(0.0, |row| row.width),
                "all": all.count, "all_share": all.share,
            })
        })
        .collect();
    let voters = totals.voters(poll.headline_tier);
    json!({
        "text": question.text, "many": poll.questions.len() > 1,
        "answers": voters > 0 || everybody.is_some(), "options": options,
        "summary": result.summary, "ranked": question.kind == Kind::Ranked,
        "hidden": others >= SMALLEST_CELL && everybody.is_none(),
        "everybody": everybody.is_some(), "everybody_summary": everybody.and_then(|all| all.summary),
    })
}

/// Whether nothing follows from the result and everybody's answers about fewer than [`SMALLEST_CELL`] of the `others`,
/// whom the result does not count: neither who gave an answer nor who did not, nor who left the question out.
fn hides_no_few(question: &Question, counted: &[Row], all: &[Row], others: i64) -> bool {
    let gave: Vec<i64> = all
        .iter()
        .map(|all| {
            let counted = counted.iter().find(|row| row.key == all.key);
            all.votes - counted.map_or(0, |row| row.votes)
        })
        .collect();
    let left_out = (question.kind != Kind::Several).then(|| others - gave.iter().sum::<i64>());
    let sides = gave.iter().flat_map(|gave| [*gave, others - gave]);
    sides.chain(left_out).all(|n| n == 0 || n >= SMALLEST_CELL)
}

async fn facts(app: &App, poll: &Poll) -> Result<Vec<Value>, Problem> {
    let newsletter = match poll.newsletter {
        Some(id) => newsletters::by_id(app.db.read(), id)
            .await?
            .map(|letter| letter.name),
        None => None,
    };
    let seen = match poll.visibility {
        Visibility::Always => "Everybody, at any time",
        Visibility::AfterVoting => "Whoever has answered",
        Visibility::AfterClose => "Everybody, after the close",
        Visibility::Never => "Only editors",
    };
    let choice = match poll.questions.first() {
        Some(q) if q.kind == Kind::Rating => "A point of a scale".into(),
        Some(q) if q.kind == Kind::Ranked => format!("Up to {} ranks", q.max_choices),
        Some(q) if !q.is_single() => format!("{} to {} options", q.min_choices, q.max_choices),
        _ => "One option".into(),
    };
    let fact = |label: &str, value: String| json!({ "label": label, "value": value });
    let mut facts = vec![
        fact("Who sees the result", seen.into()),
        fact(
            "Newsletter beside the answer",
            newsletter.unwrap_or_else(|| "None".into()),
        ),
        fact(
            "Whose answers count in the result",
            match poll.headline_tier {
                Tier::Anonymous => "Everybody’s",
                Tier::Worked => "Browsers that solved a proof of work, and better",
                Tier::Subscriber => "Confirmed subscribers",
                Tier::SignedIn => "Signed in",
            }
            .into(),
        ),
        fact(
            "Secrecy",
            secrecy::for_editors(poll, app.clock.now(), app.config.polls.seal_days),
        ),
        fact("Time zone", poll.time_zone.clone()),
    ];
    // With several questions, each has a summary of its own.
    if poll.questions.len() == 1 {
        facts.insert(0, fact("Readers choose", choice));
    }
    Ok(facts)
}
