//! Linked answers as a file, only from readers who agreed. Each export is recorded with who made it.

use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{self, OfPoll};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::answer::Choice;
use crate::polls::export::Entry;
use crate::polls::model::{Kind, Poll};
use crate::types::{ApiTokenId, EditorId, UnixMillis};
use crate::web::Problem;
use crate::web::sheets::defused;

/// The format of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = ExportFormat)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Json,
}

impl Format {
    /// The file's extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The format with this name.
    ///
    /// # Errors
    /// A 422 for an unknown format.
    pub fn read(name: &str) -> Result<Self, Problem> {
        let mut all = [Self::Csv, Self::Json].into_iter();
        all.find(|format| format.name() == name)
            .ok_or_else(|| Problem::invalid("format", "Choose csv or json"))
    }

    /// The headers for sending the file of a poll.
    pub fn headers(self, slug: &str) -> [(HeaderName, String); 3] {
        let kind = match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        };
        let name = format!("attachment; filename=\"{slug}-linked.{}\"", self.name());
        [
            (CONTENT_TYPE, kind.to_owned()),
            (CONTENT_DISPOSITION, name),
            (CACHE_CONTROL, "no-store".to_owned()),
        ]
    }
}

/// Who exports the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taker {
    Editor(EditorId),
    /// A script, identified by its token.
    Script(ApiTokenId),
}

/// A line: one option chosen by one reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LinkedExportLine)]
struct Line {
    email: String,
    name: String,
    question_key: i64,
    question: String,
    option_key: i64,
    option: String,
    /// The rank in a ranking, from 1.
    rank: Option<usize>,
    own_words: String,
    agreed_at: String,
    linked_at: String,
    changed_at: String,
    consent_version: i64,
}

/// The columns, in order, with their types and meanings.
pub const DICTIONARY: [Entry; 12] = [
    entry(
        "email",
        "text",
        "The address of a reader who agreed to have the answer kept with it.",
    ),
    entry(
        "name",
        "text",
        "The reader’s name as given by the reader; may be empty.",
    ),
    entry(
        "question_key",
        "integer",
        "The question’s position in the poll, from 1.",
    ),
    entry("question", "text", "The question as readers saw it."),
    entry(
        "option_key",
        "integer",
        "The chosen option’s position in the whole poll, from 1.",
    ),
    entry("option", "text", "The option as readers saw it."),
    entry(
        "rank",
        "integer or empty",
        "For a ranked question; 1 is the first choice.",
    ),
    entry(
        "own_words",
        "text",
        "What the reader wrote beside the option; may be empty.",
    ),
    entry("agreed_at", "RFC 3339", "When the box was ticked."),
    entry(
        "linked_at",
        "RFC 3339",
        "When the link took effect: at once for a known reader, otherwise when the address was confirmed.",
    ),
    entry(
        "changed_at",
        "RFC 3339",
        "When the link took effect, or when the linked answer was last changed.",
    ),
    entry(
        "consent_version",
        "integer",
        "The version of the consent text that the reader agreed to.",
    ),
];

const fn entry(field: &'static str, kind: &'static str, meaning: &'static str) -> Entry {
    Entry {
        file: "linked",
        field,
        kind,
        meaning,
    }
}

/// The file as JSON.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkedExportFile)]
pub struct Document<'a> {
    /// The slug of the poll.
    poll: &'a str,
    /// RFC 3339.
    exported_at: String,
    /// The consent text that readers agreed to, and its version.
    consent: &'a str,
    consent_version: i64,
    linked: Vec<Line>,
    dictionary: &'a [Entry],
}

/// Creates the file, and records who exports it. `None`: the poll is secret.
///
/// # Errors
/// A database error; no file was exported.
pub async fn take(
    app: &App,
    poll: &Poll,
    format: Format,
    taker: Taker,
) -> Result<Option<Vec<u8>>, DbErr> {
    let Some(words) = &poll.linking else {
        return Ok(None);
    };
    let now = app.clock.now();
    // From a snapshot: in the transaction that records the export all votes would wait for the file.
    let (db, of_poll) = (app.db.clone(), poll.clone());
    let (readers, file) = app
        .db
        .scanning(move |turn| async move {
            let _turn = turn;
            let moment = db.snapshot().await?;
            let (mut readers, mut file) = (0, File::begin(format)?);
            store::of_poll(&moment, of_poll.id, |of| {
                readers += 1;
                file.add(lines(&of_poll, &of))
            })
            .await?;
            moment.rollback().await?;
            Ok((readers, file))
        })
        .await?;
    let txn = app.db.write_txn("export linked").await?;
    store::note_export(&txn, poll.id, taker, format.name(), readers, now).await?;
    txn.commit().await?;
    match file {
        File::Csv(writer) => Ok(Some(writer.into_inner().map_err(failed)?)),
        File::Json(linked) => {
            let document = Document {
                poll: &poll.slug,
                exported_at: now.to_string(),
                consent: &words.text,
                consent_version: words.version,
                linked,
                dictionary: &DICTIONARY,
            };
            let file = serde_json::to_vec_pretty(&document);
            Ok(Some(file.map_err(failed)?))
        }
    }
}

fn failed(error: impl std::fmt::Display) -> DbErr {
    DbErr::Custom(error.to_string())
}

fn lines(poll: &Poll, of: &OfPoll) -> Vec<Line> {
    let choice = Choice::from_stored(&of.choices);
    let at = |at: UnixMillis| at.to_string();
    let mut lines = Vec::new();
    for question in &poll.questions {
        let chosen = choice.options().iter().filter(|id| question.has(**id));
        for (place, id) in chosen.enumerate() {
            let Some(option) = question.options.iter().find(|o| o.id == *id) else {
                continue;
            };
            let written = choice.words().iter().find(|words| words.option == *id);
            lines.push(Line {
                email: of.email.clone(),
                name: of.name.clone(),
                question_key: question.key,
                question: question.text.clone(),
                option_key: option.key,
                option: option.label.clone(),
                rank: (question.kind == Kind::Ranked).then_some(place + 1),
                own_words: written.map(|words| words.text.clone()).unwrap_or_default(),
                agreed_at: at(of.agreed),
                linked_at: at(of.linked),
                changed_at: at(of.changed),
                consent_version: of.version,
            });
        }
    }
    lines
}

/// A file that is being written.
enum File {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Json(Vec<Line>),
}

impl File {
    /// CSV starts with a byte order mark, by which spreadsheets recognize UTF-8.
    fn begin(format: Format) -> Result<Self, DbErr> {
        if format == Format::Json {
            return Ok(Self::Json(Vec::new()));
        }
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        let head = DICTIONARY.iter().map(|entry| entry.field);
        writer.write_record(head).map_err(failed)?;
        Ok(Self::Csv(Box::new(writer)))
    }

    /// No cell of CSV starts a formula.
    fn add(&mut self, lines: Vec<Line>) -> Result<(), DbErr> {
        let writer = match self {
            Self::Json(all) => {
                all.extend(lines);
                return Ok(());
            }
            Self::Csv(writer) => writer,
        };
        for line in lines {
            let row = [
                line.email,
                line.name,
                line.question_key.to_string(),
                line.question,
                line.option_key.to_string(),
                line.option,
                line.rank.map(|rank| rank.to_string()).unwrap_or_default(),
                line.own_words,
                line.agreed_at,
                line.linked_at,
                line.changed_at,
                line.consent_version.to_string(),
            ];
            writer.write_record(row.map(defused)).map_err(failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn the_document_names_the_formats_as_files_do() {
        let names = [Format::Csv, Format::Json].map(Format::name);
        assert_eq!(json!(Format::schema())["enum"], json!(names));
        for name in names {
            let read = serde_json::from_value::<Format>(json!(name)).expect("a format");
            assert_eq!(read, Format::read(name).expect("the same"));
        }
    }
}
