//! `GET /admin/polls/{slug}/weigh`: intervals, and shares weighted to what an editor knows about the readership. The
//! form is a GET: nothing is stored, and the URL can be sent to a colleague.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::tabs::{Tab, page, per_cent, poll_of};
use crate::admin::{Editor, show as shown};
use crate::app::App;
use crate::polls::insight::weigh::{Known, NotWeighed, Share, Weights, margins, refused, weigh};
use crate::polls::model::{Poll, Question};
use crate::polls::results::note::date_time;
use crate::polls::results::{totals, zone};
use crate::polls::statistics::Interval;
use crate::polls::statistics::raking::USUAL_CAP;
use crate::web::Problem;

type Asked = HashMap<String, String>;

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let mut page = page(&editor, &poll, Tab::Weigh, "Precision");
    let named = asked.get("of").map_or("", String::as_str);
    let question = poll
        .questions
        .iter()
        .find(|q| q.key.to_string() == named)
        .or_else(|| poll.questions.first());
    let voters = totals(&app.db, &poll).await?.voters(poll.headline_tier);
    let now = app.clock.now();
    let counted = app.polls.answers.of(&app.db, &poll, voters, now).await?;
    let counted = match counted {
        Ok(counted) => counted,
        Err(why) => {
            page["said"] = why.told("weighted").into();
            return app.pages.render("polls/admin_weigh", &page);
        }
    };
    let question = question.ok_or_else(Problem::not_found)?;
    let cap = asked
        .get("cap")
        .and_then(|text| number(text))
        .unwrap_or(USUAL_CAP)
        .clamp(1.0, 10.0);
    let known: Vec<Known<'_>> = margins(&poll, question.key)
        .filter_map(|margin| known(margin, &asked))
        .collect();
    let list = poll.sample().map(|sample| sample.population);
    let found = weigh(&counted, question, &known, cap, list);
    page["sample"] = list.map(shown::count).into();
    if let Some(Err(refusal)) = &found.raked {
        let asked = known.iter().map(|known| known.question);
        let rarest = counted.rarest(asked.chain([question]));
        page["refused"] = why_not(*refusal, &known, rarest).into();
    }
    if let Some(Ok(weights)) = &found.raked {
        page["weights"] = cost(weights);
    }
    page["of"] = json!({ "text": question.text, "n": shown::count(found.n) });
    page["at"] = date_time(counted.at, &zone(&poll)).into();
    page["rows"] = found.shares.iter().map(row).collect();
    if poll.questions.len() > 1 {
        page["questions"] = poll
            .questions
            .iter()
            .map(|q| json!({ "key": q.key, "text": q.text, "chosen": q.key == question.key }))
            .collect();
    }
    page["margins"] = form(&poll, question, &asked);
    page["no_margins"] =
        "Weighting needs another question in the poll, with a single answer, for which you know the true shares among your readers: where they live, for example.".into();
    page["cap"] = asked
        .get("cap")
        .cloned()
        .unwrap_or_else(|| USUAL_CAP.to_string())
        .into();
    app.pages.render("polls/admin_weigh", &page)
}

/// Why nothing is weighted; if small cells are the reason, with the answer that is too rare.
fn why_not(refusal: NotWeighed, known: &[Known<'_>], rarest: Option<(&str, i64)>) -> String {
    let words = refused(refusal, known);
    match (refusal, rarest) {
        (NotWeighed::SmallCells, Some((label, n))) => format!(
            "{words} The rarest answer is “{label}”, chosen by {}.",
            shown::counted(n, "reader", "readers")
        ),
        _ => words,
    }
}

fn row(share: &Share) -> Value {
    let weighted = share.weighted;
    json!({
        "label": share.label, "count": shown::count(share.k),
        "plain": share.raw.map(per_cent).unwrap_or_default(),
        "interval": share.interval.map(range).unwrap_or_default(),
        "weighted": weighted.map(|w| per_cent(w.0)),
        "weighted_interval": weighted.and_then(|w| w.1).map(range),
    })
}

fn form(poll: &Poll, question: &Question, asked: &Asked) -> Value {
    margins(poll, question.key)
        .map(|margin| {
            let options: Vec<Value> = margin
                .options
                .iter()
                .map(|option| {
                    let value = asked.get(&format!("m{}", option.key));
                    json!({ "key": option.key, "label": option.label, "value": value })
                })
                .collect();
            json!({ "text": margin.text, "options": options, "key": margin.key, "sum": wrong_sum(margin, asked) })
        })
        .collect()
}

/// The message beside the shares of a question that do not add up to 100.
fn wrong_sum(margin: &Question, asked: &Asked) -> Option<String> {
    let sum: f64 = known(margin, asked)?.shares.iter().sum::<f64>() * 100.0;
    if sum.is_nan() {
        return Some("Write numbers only, such as 12.5.".to_owned());
    }
    ((sum - 100.0).abs() >= 0.05).then(|| format!("They add up to {sum:.1}, not to 100."))
}

/// The shares typed for a question; `None` if nothing was typed. Text that is not a number counts as no share, so the
/// sum is wrong and is refused with its reason.
fn known<'a>(question: &'a Question, asked: &Asked) -> Option<Known<'a>> {
    let typed: Vec<&str> = question
        .options
        .iter()
        .map(|o| asked.get(&format!("m{}", o.key)).map_or("", |t| t.trim()))
        .collect();
    if typed.iter().all(|text| text.is_empty()) {
        return None;
    }
    let share = |text: &&str| match *text {
        "" => 0.0,
        text => number(text).map_or(f64::NAN, |n| n / 100.0),
    };
    Some(Known {
        question,
        shares: typed.iter().map(share).collect(),
    })
}

/// `12.5`, `12,5` or `12.5 %`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('%').trim_end();
    let found: f64 = text.replace(',', ".").parse().ok()?;
    found.is_finite().then_some(found)
}

fn range(interval: Interval) -> String {
    format!("{:.1} to {}", interval.low * 100.0, per_cent(interval.high))
}

fn cost(weights: &Weights) -> Value {
    let raked = &weights.raked;
    let stat = |label: &str, value: String| json!({ "label": label, "value": value });
    let mut words = format!(
        "{} weighted are worth as much as {:.0} equal ones.",
        shown::counted(weights.used, "answer", "answers"),
        raked.effective_size
    );
    if raked.capped {
        words.push_str(&format!(
            " The cap was used; the shares you gave are missed by at most {:.1} points.",
            raked.missed * 100.0
        ));
    }
    if weights.left_out > 0 {
        words.push_str(&format!(
            " Left out: {} without an answer to a question that is weighted by.",
            shown::counted(weights.left_out, "reader", "readers")
        ));
    }
    json!({
        "numbers": [
            stat("Answers", shown::count(weights.used)),
            stat("Effective answers", format!("{:.0}", raked.effective_size)),
            stat("Largest weight", format!("{:.2}", raked.largest)),
        ],
        "words": words,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_are_typed_in_many_ways() {
        for text in ["12.5", "12,5", " 12.5 % ", "12.5%"] {
            assert_eq!(number(text), Some(12.5), "{text}");
        }
        for text in ["", "x", "inf", "NaN", "1e999", "1.2.3"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
