//! `GET /admin/polls/{slug}/compare`: two questions side by side, and one answer across groups.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::tabs::{Tab, page, per_cent, poll_of};
use crate::admin::{Editor, show as shown};
use crate::app::App;
use crate::polls::insight::answers::Counted;
use crate::polls::insight::compare::{NoTable, Table, comparable, steadied, table};
use crate::polls::model::{Poll, Question};
use crate::polls::results::note::date_time;
use crate::polls::results::shares::MIN_FOR_PERCENT;
use crate::polls::results::{totals, zone};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::web::Problem;

/// What to compare. A value that names no question of the poll is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    rows: String,
    columns: String,
    answer: String,
}

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let mut page = page(&editor, &poll, Tab::Compare, "Compare");
    match found(&app, &poll, &asked).await? {
        Ok((rows, columns, counted)) => {
            page["choices"] =
                json!({ "rows": choices(&poll, rows), "columns": choices(&poll, columns) });
            match table(&counted, rows, columns) {
                Ok(table) => {
                    page["table"] = cells(&poll, &table, rows, columns, &counted);
                    page["steady"] = steady(&table, &asked.answer);
                }
                Err(NoTable::TooSmall) => {
                    let rarest =
                        counted
                            .rarest([rows, columns])
                            .map_or_else(String::new, |(label, n)| {
                                format!(
                                    " The rarest answer is “{label}”, chosen by {}.",
                                    shown::counted(n, "reader", "readers")
                                )
                            });
                    page["said"] = format!("There are too few answers to these two questions. A table is shown once nothing in it is about fewer than {SMALLEST_CELL} readers.{rarest}").into();
                }
                Err(NoTable::TooLarge) => {
                    page["said"] = "These questions have too many answers for a table.".into();
                }
            }
        }
        Err(said) => page["said"] = said.into(),
    }
    app.pages.render("polls/admin_compare", &page)
}

type Found<'a> = (&'a Question, &'a Question, std::sync::Arc<Counted>);

async fn found<'a>(
    app: &App,
    poll: &'a Poll,
    asked: &Asked,
) -> Result<Result<Found<'a>, String>, Problem> {
    let named = |key: &str| comparable(poll).find(|q| q.key.to_string() == key);
    let Some(rows) = named(&asked.rows).or_else(|| comparable(poll).next()) else {
        return Ok(Err(NONE.to_owned()));
    };
    let other = named(&asked.columns).filter(|q| q.key != rows.key);
    let Some(columns) = other.or_else(|| comparable(poll).find(|q| q.key != rows.key)) else {
        return Ok(Err(NONE.to_owned()));
    };
    let voters = totals(&app.db, poll).await?.voters(poll.headline_tier);
    let counted = app
        .polls
        .answers
        .of(&app.db, poll, voters, app.clock.now())
        .await?;
    Ok(counted
        .map(|counted| (rows, columns, counted))
        .map_err(|why| why.told("compared")))
}

const NONE: &str = "A poll with two questions of one answer each can be compared here: how those who said one thing answered the other.";

fn choices(poll: &Poll, chosen: &Question) -> Vec<Value> {
    comparable(poll)
        .map(|q| json!({ "key": q.key, "text": q.text, "chosen": q.key == chosen.key }))
        .collect()
}

fn cells(
    poll: &Poll,
    table: &Table,
    rows: &Question,
    columns: &Question,
    counted: &Counted,
) -> Value {
    let lines: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let cells: Vec<Value> = row
                .cells
                .iter()
                .map(|cell| match cell {
                    None => json!({ "hidden": true }),
                    Some(n) => json!({
                        "count": shown::count(*n),
                        "share": (row.n >= MIN_FOR_PERCENT).then(|| format!("{:.0}%", *n as f64 * 100.0 / row.n as f64)),
                    }),
                })
                .collect();
            json!({ "label": row.label, "n": shown::count(row.n), "cells": cells })
        })
        .collect();
    let heads: Vec<Value> = table
        .columns
        .iter()
        .map(|(label, n)| json!({ "label": label, "n": shown::count(*n) }))
        .collect();
    json!({
        "rows_text": rows.text, "columns_text": columns.text,
        "rows_key": rows.key, "columns_key": columns.key,
        "rows": lines, "columns": heads, "hides": table.hides,
        "ballots": shown::count(counted.ballots), "at": date_time(counted.at, &zone(poll)),
        "smallest": SMALLEST_CELL,
    })
}

fn steady(table: &Table, answer: &str) -> Value {
    let column = answer
        .parse()
        .ok()
        .filter(|&at: &usize| at < table.columns.len())
        .unwrap_or(0);
    let answers: Vec<Value> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (label, _))| json!({ "at": at, "label": label, "chosen": at == column }))
        .collect();
    let rows: Vec<Value> = steadied(table, column)
        .into_iter()
        .map(|row| match row.k {
            None => json!({ "label": row.label, "hidden": true }),
            Some(k) => json!({
                "label": row.label, "k": shown::count(k), "n": shown::count(row.n),
                "plain": per_cent(k as f64 / row.n.max(1) as f64),
                "shrunk": row.shrunk.map(per_cent).unwrap_or_else(|| "–".to_owned()),
            }),
        })
        .collect();
    json!({ "answers": answers, "rows": rows })
}
