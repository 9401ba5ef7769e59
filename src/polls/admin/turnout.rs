//! `GET /admin/polls/{slug}/turnout`: when readers answered, from where, and how far they came.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::result::TIERS;
use super::tabs::{Tab, page, per_cent, poll_of};
use crate::admin::{Editor, show as shown};
use crate::app::App;
use crate::polls::answer::{Reason, refused};
use crate::polls::insight::store::{self, Steps};
use crate::polls::insight::turnout::{Bucket, Turnout, Unit, turnout};
use crate::polls::model::{Place, Tier};
use crate::polls::results::{Totals, totals, zone};
use crate::web::Problem;

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let totals = totals(&app.db, &poll).await?;
    let steps = store::steps(app.db.read(), poll.id).await?;
    let hours = store::hours(app.db.read(), poll.id).await?;
    let answered = totals.voters(Tier::Anonymous);
    let in_hours: i64 = hours.iter().map(|hour| hour.n).sum();
    let tiers: Vec<Value> = TIERS
        .iter()
        .map(|(tier, label)| (label, totals.voters_of(*tier)))
        .filter(|(_, n)| *n > 0)
        .map(|(label, n)| json!({ "label": label, "count": shown::count(n) }))
        .collect();
    let mut page = page(&editor, &poll, Tab::Turnout, "Turnout");
    page["time_zone"] = poll.time_zone.clone().into();
    page["chart"] = turnout(&hours, &zone(&poll))
        .map(|found| chart(&found, answered - in_hours))
        .into();
    page["nobody"] = if answered > 0 {
        "These answers came in before Canvass counted answers by hour.".into()
    } else {
        "Nobody has answered yet.".into()
    };
    page["sealed"] = poll.sealed_at.is_some().into();
    page["steps"] = funnel(&steps, &totals, answered, poll.newsletter.is_some()).into();
    page["places"] = places(&steps, &totals).into();
    page["tiers"] = tiers.into();
    let refused = refused(app.db.read(), poll.id).await?;
    page["refused"] = refusals(&refused).into();
    page["bad_proofs"] = bad_proofs(&refused).into();
    app.pages.render("polls/admin_turnout", &page)
}

/// The width of a step in the drawing, and how much of it is the bar.
const STEP: f64 = 10.0;
const BAR: f64 = 8.0;
/// The fewest steps a chart has room for: a single bar would otherwise fill the whole width.
const FEWEST: usize = 12;

fn chart(found: &Turnout, uncounted: i64) -> Value {
    let most = found.buckets.iter().map(Bucket::all).max().unwrap_or(0);
    let height = |n: i64| {
        let exact = n as f64 * 100.0 / most.max(1) as f64;
        (exact * 100.0).round() / 100.0
    };
    let bars: Vec<Value> = found
        .buckets
        .iter()
        .enumerate()
        .map(|(at, bucket)| {
            let (all, confirmed) = (height(bucket.all()), height(bucket.confirmed));
            json!({
                "x": at as f64 * STEP + (STEP - BAR) / 2.0, "width": BAR,
                "top": 100.0 - all, "others_height": all - confirmed,
                "middle": 100.0 - confirmed, "confirmed_height": confirmed,
                "label": bucket.label,
                "confirmed": shown::count(bucket.confirmed),
                "others": shown::count(bucket.others),
                "all": shown::count(bucket.all()),
            })
        })
        .collect();
    let (unit, unit_name, heading) = match found.unit {
        Unit::Hour => ("an hour", "the hour", "Hour from"),
        Unit::Day => ("a day", "the day", "Day"),
        Unit::Month => ("a month", "the month", "Month"),
    };
    let label = |bucket: Option<&Bucket>| bucket.map(|b| b.label.clone()).unwrap_or_default();
    let steps = found.buckets.len();
    let (first, last) = (label(found.buckets.first()), label(found.buckets.last()));
    json!({
        "unit": unit, "unit_name": unit_name, "heading": heading,
        "most": shown::count(most),
        "width": steps.max(FEWEST) as f64 * STEP,
        "first": if steps > 1 && steps < FEWEST { format!("{first} to {last}") } else { first },
        "last": if steps < FEWEST { String::new() } else { last },
        "bars": bars,
        "apart": apart(uncounted),
    })
}

/// Why the hours do not add up to the tables beside them. `uncounted`: the answers that count but belong to no hour;
/// if negative, those that belong to an hour but no longer count.
fn apart(uncounted: i64) -> Option<String> {
    let n = uncounted.saturating_abs();
    match uncounted {
        0 => None,
        1.. => Some(format!(
            "{} came in before Canvass counted answers by hour.",
            shown::counted(n, "answer", "answers")
        )),
        _ => Some(format!(
            "{} left out of the result since then: the chart includes them, the tables below do not.",
            shown::counted(n, "answer was", "answers were")
        )),
    }
}

/// Whether views are counted at the place these answers come from.
fn has_looks(place: Place) -> bool {
    !matches!(place, Place::Mail | Place::Api | Place::Elsewhere)
}

fn funnel(steps: &Steps, totals: &Totals, answered: i64, offers: bool) -> Vec<Value> {
    let seen: i64 = steps.seen.iter().map(|(_, n)| n).sum();
    let there = totals.places.iter().filter(|(place, _)| has_looks(*place));
    let there: i64 = there.map(|(_, n)| n).sum();
    let step = |label: &str, n: i64, before: Option<i64>| {
        // There can be more answers than views: the form may also be embedded in other pages.
        let share = before
            .filter(|&before| before > 0 && n <= before)
            .map(|before| per_cent(n as f64 / before as f64));
        json!({ "label": label, "count": shown::count(n), "share": share.unwrap_or_default() })
    };
    let mut all = vec![
        step("Viewed a page with the poll", seen, None),
        step("Answered on such a page", there, Some(seen)),
        step("Answered, in all", answered, None),
    ];
    if offers || steps.asked > 0 {
        all.push(step(
            "Asked for the newsletter",
            steps.asked,
            Some(answered),
        ));
        all.push(step("Confirmed it", steps.confirmed, Some(steps.asked)));
    }
    all
}

const PLACES: [(Place, &str); 6] = [
    (Place::PollPage, "The poll’s own page"),
    (Place::Article, "A form in an article"),
    (Place::Embed, "An embed in another page"),
    (Place::Mail, "A mail"),
    (Place::Api, "The API"),
    (Place::Elsewhere, "Another poll system, before"),
];

fn places(steps: &Steps, totals: &Totals) -> Vec<Value> {
    let of = |all: &[(Place, i64)], place: Place| {
        let found = all.iter().find(|(at, _)| *at == place);
        found.map_or(0, |(_, n)| *n)
    };
    PLACES
        .iter()
        .map(|(place, label)| {
            let seen = if has_looks(*place) {
                shown::count(of(&steps.seen, *place))
            } else {
                "not counted".to_owned()
            };
            let answered = shown::count(of(&totals.places, *place));
            json!({ "label": label, "seen": seen, "answered": answered })
        })
        .collect()
}

/// Answers that were not counted, by reason.
fn refusals(refused: &[(Reason, i64)]) -> Vec<Value> {
    let told = refused.iter().filter_map(|(reason, n)| {
        let why = why(*reason)?;
        Some(json!({ "why": why, "count": shown::count(*n) }))
    });
    told.collect()
}

/// Why an answer was not counted; `None`: it was.
fn why(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Closed => "The poll was closed",
        Reason::NotOpen => "The poll was not open yet",
        Reason::ForeignOption => "The poll has no such option",
        Reason::WrongNumber => "Too many or too few options, or invalid ranks or words",
        Reason::TooFast => "By a mail’s link, faster than a person reads",
        Reason::BadNonce => "By a mail’s link, from a page that had expired",
        Reason::Untouched => "By a mail’s link, but no person had pressed the button",
        Reason::NotInvited => "Not selected for the random sample",
        Reason::HandedOver => {
            "The browser’s answer counts as a subscriber’s and can be changed only there"
        }
        Reason::OtherSite => "From the page of a site that is not allowed to embed polls",
        Reason::BadProof => return None,
    })
}

/// What is said about answers that were counted in a lower tier.
fn bad_proofs(refused: &[(Reason, i64)]) -> Option<String> {
    let bad = refused
        .iter()
        .find(|(reason, _)| *reason == Reason::BadProof);
    bad.map(|(_, n)| {
        format!(
            "{} with an invalid or outdated proof of work and counted as without one.",
            shown::counted(*n, "answer came", "answers came")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_chart_alone_is_told() {
        assert_eq!(apart(0), None);
        assert!(apart(1).is_some_and(|said| said.starts_with("1 answer came in before")));
        assert!(apart(-30).is_some_and(|said| said.starts_with("30 answers were left out")));
    }

    #[test]
    fn answers_are_set_against_looks_only_where_looks_are_counted() {
        let steps = Steps {
            seen: vec![(Place::PollPage, 8), (Place::Embed, 2)],
            ..Steps::default()
        };
        let mut totals = Totals::default();
        totals.places = vec![(Place::PollPage, 4), (Place::Mail, 30), (Place::Api, 6)];
        let told = funnel(&steps, &totals, 40, false);
        let told: Vec<_> = told
            .iter()
            .map(|step| (step["count"].as_str(), step["share"].as_str()))
            .collect();
        let wanted = [("10", ""), ("4", "40.0%"), ("40", "")];
        assert_eq!(told, wanted.map(|(n, share)| (Some(n), Some(share))));
    }
}
