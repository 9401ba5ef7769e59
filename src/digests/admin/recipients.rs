//! Who got an issue and who did not: a list with filters and pages, one recipient with every attempt, and
//! everything as CSV.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::model::Issue;
use super::attempts;
use super::compose::address;
use super::standing::{self, STANDINGS};
use super::views;
use crate::admin::{Editor, show as shown};
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::{
    self, After, Attempt, Counts, DeliveryState, Listed, Recipient, Standing, Wanted,
};
use crate::newsletters;
use crate::scheduler::Zone;
use crate::types::{IssueId, Keys, Purpose, ReaderId};
use crate::web::{Problem, sheets::defused};

/// Rows of a page.
const PAGE: usize = 50;
/// How many rows of the file are read at a time.
const PART: usize = 2_000;
/// The most characters of a server's reply in the list; the recipient's own page shows all of it.
const WORDS: usize = 160;

/// The query parameters; invalid ones are treated as absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    state: String,
    reason: String,
    domain: String,
    q: String,
    after: String,
}

/// `GET /admin/issues/{id}/recipients`.
pub(super) async fn list(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (issue, zone) = handed(&app, &id).await?;
    let progress = mailing::progress(&app, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let wanted = asked.wanted(&app.keys);
    let listed = mailing::recipients(&app.db, issue.id, &wanted, PAGE).await?;
    let readers: Vec<ReaderId> = listed.recipients.iter().map(|one| one.reader).collect();
    let attempts = mailing::attempts(app.db.read(), issue.id, &readers).await?;
    let rows: Vec<Value> = listed
        .recipients
        .iter()
        .map(|one| {
            let tried = attempts.get(&one.reader).map_or(&[][..], Vec::as_slice);
            row(&issue, one, tried, &zone)
        })
        .collect();
    let next = listed
        .next
        .map(|after| asked.turned(&issue, &cursor(&app.keys, &after)));
    app.pages.render(
        "digests/recipients",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "title": format!("Recipients of {}", issue.title()),
            "crumb": issue.title(),
            "total": total(&progress.counts, &asked),
            "filter": { "q": asked.q.trim(), "domain": asked.domain.trim() },
            "filtered": asked.is_filtered(),
            "states": STANDINGS.iter().map(|(name, label, _)| json!({
                "value": name, "label": label, "chosen": *name == asked.state,
                "count": shown::count(standing::of_counts(&progress.counts, name)),
            })).collect::<Vec<_>>(),
            "reasons": standing::occurring(&progress, &asked.state, &asked.reason)
                .into_iter()
                .map(|(name, reason, n)| json!({
                    "value": name, "label": shown::capital(reason.words()), "chosen": name == asked.reason,
                    "count": n.map(shown::count),
                }))
                .collect::<Vec<_>>(),
            "rows": rows,
            "shown": shown::counted(rows.len() as i64, "recipient on this page", "recipients on this page"),
            "first": wanted.after.is_some().then(|| asked.turned(&issue, "")),
            "next": next,
            "file": asked.file(&issue),
        }),
    )
}

/// `GET /admin/issues/{id}/recipients/{reader}`.
pub(super) async fn one(
    State(app): State<App>,
    editor: Editor,
    Path((id, reader)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (issue, zone) = handed(&app, &id).await?;
    let reader = ReaderId(reader.parse().map_err(|_| Problem::not_found())?);
    let found = mailing::recipient(&app.db, issue.id, reader)
        .await?
        .ok_or_else(Problem::not_found)?;
    let mut tried = mailing::attempts(app.db.read(), issue.id, &[reader]).await?;
    let tried = tried.remove(&reader).unwrap_or_default();
    let rows = attempts::rows(&app, issue.id, &found, &tried, &zone).await?;
    let (state, badge) = standing::words(found.standing);
    app.pages.render(
        "digests/recipient",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "crumb": issue.title(),
            "reader": reader.0,
            "email": standing::email(&found),
            "erased": found.email.is_empty(),
            "state": state,
            "badge": badge,
            "reason": standing::reason(&found),
            "at": found.at.map(|at| shown::time(at, &zone)),
            "message_id": mailing::message_id_of(&app, issue.id, reader).await?,
            "in_doubt": found.standing == Standing::Is(DeliveryState::Unknown),
            "attempts": rows,
        }),
    )
}

/// `GET /admin/issues/{id}/recipients.csv`: all recipients that match the filter, streamed.
pub(super) async fn file(
    State(app): State<App>,
    _: Editor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (issue, _) = handed(&app, &id).await?;
    let wanted = Wanted {
        after: None,
        ..asked.wanted(&app.keys)
    };
    let heading = line(
        [
            "email", "state", "reason", "at", "attempts", "code", "enhanced", "reply",
        ]
        .map(str::to_owned),
    );
    let id = issue.id;
    let rows = stream::try_unfold(Some((app, wanted)), move |rest| async move {
        let Some((app, mut wanted)) = rest else {
            return Ok::<_, DbErr>(None);
        };
        let listed = part(&app, id, &wanted).await?;
        let readers: Vec<ReaderId> = listed.recipients.iter().map(|one| one.reader).collect();
        let mut attempts = mailing::attempts(app.db.read(), id, &readers).await?;
        let mut text = Vec::new();
        for one in &listed.recipients {
            let tried = attempts.remove(&one.reader).unwrap_or_default();
            text.extend(line(cells(one, &tried)));
        }
        let rest = listed.next.map(|after| {
            wanted.after = Some(after);
            (app, wanted)
        });
        Ok(Some((Bytes::from(text), rest)))
    });
    let body = stream::once(async { Ok(Bytes::from(heading)) });
    let name = format!("attachment; filename=\"{}-recipients.csv\"", issue.slug);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    let body = Body::from_stream(futures::StreamExt::chain(body, rows));
    Ok((headers, body).into_response())
}

/// The next rows of the file. Without a filter, both those who wait and those who were attempted, in the order of
/// readers: who waits is read first, so that a recipient who is attempted in between is in the file all the same.
async fn part(app: &App, issue: IssueId, wanted: &Wanted) -> Result<Listed, DbErr> {
    let everybody = Wanted {
        after: wanted.after.clone(),
        ..Wanted::default()
    };
    if *wanted != everybody {
        return mailing::recipients(&app.db, issue, wanted, PART).await;
    }
    let waiting = Wanted {
        standing: Some(Standing::Waiting),
        ..everybody
    };
    let waiting = mailing::recipients(&app.db, issue, &waiting, PART).await?;
    let attempted = mailing::recipients(&app.db, issue, wanted, PART).await?;
    Ok(merged(waiting, attempted))
}

/// Two lists in the order of readers as one, up to where both are complete. Of a recipient who is in both, the second
/// one's row counts.
fn merged(first: Listed, second: Listed) -> Listed {
    let end = |listed: &Listed| match listed.next {
        Some(After::Reader(reader)) => Some(reader),
        _ => None,
    };
    let up_to = [end(&first), end(&second)].into_iter().flatten().min();
    let all = first.recipients.into_iter().chain(second.recipients);
    let all = all.filter(|one| up_to.is_none_or(|end| one.reader <= end));
    let by_reader: BTreeMap<ReaderId, Recipient> = all.map(|one| (one.reader, one)).collect();
    Listed {
        recipients: by_reader.into_values().collect(),
        next: up_to.map(After::Reader),
    }
}

fn cells(one: &Recipient, tried: &[Attempt]) -> [String; 8] {
    let last = tried.last();
    [
        one.email.clone(),
        standing::name(one.standing).to_owned(),
        standing::reason(one).to_owned(),
        one.at.map(|at| at.to_string()).unwrap_or_default(),
        attempts::count(one, tried).to_string(),
        last.filter(|a| a.code != 0)
            .map(|a| a.code.to_string())
            .unwrap_or_default(),
        last.map(|a| a.enhanced.clone()).unwrap_or_default(),
        last.map(|a| a.reply.clone()).unwrap_or_default(),
    ]
}

fn line(cells: [String; 8]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing into memory cannot fail.
    let _ = writer.write_record(cells.map(defused));
    writer.into_inner().unwrap_or_default()
}

/// The issue, which must have been handed over, and its newsletter's zone.
pub(super) async fn handed(app: &App, id: &str) -> Result<(Issue, Zone), Problem> {
    let issue = super::find(app, id).await?;
    let newsletter = newsletters::by_id(app.db.read(), issue.newsletter)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((issue, views::zone_of(&newsletter)))
}

fn row(issue: &Issue, one: &Recipient, tried: &[Attempt], zone: &Zone) -> Value {
    let (state, badge) = standing::words(one.standing);
    json!({
        "href": format!("{}/recipients/{}", address(issue.id), one.reader.0),
        "local": standing::halves(standing::email(one)).0,
        "domain": standing::halves(standing::email(one)).1,
        "state": state,
        "badge": badge,
        "reason": standing::reason(one),
        "words": attempts::last_words(one, tried).map(|words| cut(&words)),
        "at": one.at.map(|at| shown::time(at, zone)),
        "attempts": shown::count(attempts::count(one, tried) as i64),
    })
}

fn cut(words: &str) -> String {
    match words.char_indices().nth(WORDS) {
        Some((at, _)) => format!("{}…", words[..at].trim_end()),
        None => words.to_owned(),
    }
}

/// How many recipients match, if that is known without counting.
fn total(counts: &Counts, asked: &Asked) -> String {
    if !(asked.domain.trim().is_empty() && asked.q.trim().is_empty() && asked.reason.is_empty()) {
        return "Those that match.".to_owned();
    }
    let n = standing::of_counts(counts, &asked.state);
    let all = shown::counted(counts.audience, "reader", "readers");
    if asked.state.is_empty() {
        let waiting = counts.queued;
        if waiting > 0 {
            return format!(
                "{} were attempted or skipped, of {all}. The others wait.",
                shown::count(n)
            );
        }
        return format!("All {all} of the audience.");
    }
    format!("{} of {all}.", shown::count(n))
}

/// The position of the next page, sealed: an address in a URL would end up in logs.
fn cursor(keys: &Keys, after: &After) -> String {
    let place = match after {
        After::Reader(reader) => format!("i{}", reader.0),
        After::Address(key) => format!("k{key}"),
    };
    keys.seal(Purpose::Cursor, place.as_bytes())
}

impl Asked {
    fn wanted(&self, keys: &Keys) -> Wanted {
        let plain = |text: &str| -> String {
            let text = text.trim().to_lowercase();
            text.chars().filter(|c| !c.is_control()).take(254).collect()
        };
        let place = keys
            .open(Purpose::Cursor, &self.after)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let after = place.and_then(|place| match place.split_at_checked(1) {
            Some(("i", id)) => id.parse().ok().map(|id| After::Reader(ReaderId(id))),
            Some(("k", key)) => Some(After::Address(key.to_owned())),
            _ => None,
        });
        Wanted {
            standing: standing::named(&self.state),
            reason: standing::reason_named(&self.reason),
            domain: plain(&self.domain).trim_start_matches('@').to_owned(),
            address: plain(&self.q),
            after,
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.state, &self.reason, &self.domain, &self.q]
            .iter()
            .any(|text| !text.trim().is_empty())
    }

    /// The query of this list for the page after `after`.
    fn query(&self, after: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("state", self.state.trim()),
            ("reason", self.reason.trim()),
            ("domain", self.domain.trim()),
            ("q", self.q.trim()),
            ("after", after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }

    fn turned(&self, issue: &Issue, after: &str) -> String {
        format!("{}/recipients{}", address(issue.id), self.query(after))
    }

    fn file(&self, issue: &Issue) -> String {
        format!("{}/recipients.csv{}", address(issue.id), self.query(""))
    }
}
