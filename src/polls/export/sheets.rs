//! The export as files for spreadsheets: no cell begins a formula, and a byte order mark tells Excel that it is UTF-8.

use super::dictionary::DICTIONARY;
use super::document::Document;
use crate::web::sheets::defused;

/// The files, by their name.
pub const FILES: [(&str, &str); 11] = [
    (
        "results.csv",
        "Answers by option and tier, small numbers hidden",
    ),
    ("voters.csv", "Readers by tier"),
    ("turnout.csv", "First answers by the hour"),
    ("places.csv", "Looks and answers by place"),
    ("steps.csv", "From a look to a subscription"),
    (
        "tables.csv",
        "Two questions side by side, small cells hidden",
    ),
    ("ranks.csv", "Of rankings: options by rank"),
    ("rounds.csv", "Of rankings: the run-off, round by round"),
    (
        "sample.csv",
        "Estimates of a random sample, with their ranges",
    ),
    (
        "draw.csv",
        "How the sample was drawn, and the response rate",
    ),
    ("dictionary.csv", "What every field means"),
];

/// The file of this name; `None` when there is none.
pub fn file(document: &Document, name: &str) -> Option<Vec<u8>> {
    let number = |n: i64| n.to_string();
    let maybe = |n: Option<i64>| n.map(number).unwrap_or_default();
    let part = |share: Option<f64>| share.map(|share| format!("{share:.4}")).unwrap_or_default();
    let list = name.strip_suffix(".csv")?;
    let rows: Vec<Vec<String>> = match list {
        "results" => document
            .results
            .iter()
            .map(|a| {
                vec![
                    number(a.question_key),
                    a.question.clone(),
                    a.kind.name().into(),
                    number(a.option_key),
                    a.option.clone(),
                    a.tier.name().into(),
                    maybe(a.answers),
                ]
            })
            .collect(),
        "voters" => document
            .voters
            .iter()
            .map(|v| vec![v.tier.name().into(), number(v.readers)])
            .collect(),
        "turnout" => document
            .turnout
            .iter()
            .map(|h| vec![h.hour.clone(), h.tier.into(), number(h.answers)])
            .collect(),
        "places" => document
            .places
            .iter()
            .map(|p| vec![p.place.into(), maybe(p.looks), number(p.answers)])
            .collect(),
        "steps" => document
            .steps
            .iter()
            .map(|s| vec![s.step.into(), number(s.count)])
            .collect(),
        "tables" => document
            .tables
            .iter()
            .map(|c| {
                vec![
                    number(c.row_question_key),
                    c.row.clone(),
                    number(c.column_question_key),
                    c.column.clone(),
                    maybe(c.answers),
                ]
            })
            .collect(),
        "ranks" => document
            .ranks
            .iter()
            .map(|r| {
                vec![
                    number(r.question_key),
                    number(r.option_key),
                    r.option.clone(),
                    r.rank.to_string(),
                    number(r.answers),
                ]
            })
            .collect(),
        "rounds" => document
            .rounds
            .iter()
            .map(|r| {
                vec![
                    number(r.question_key),
                    r.round.to_string(),
                    maybe(r.option_key),
                    r.option.clone(),
                    number(r.ballots),
                ]
            })
            .collect(),
        "sample" => document
            .sample
            .iter()
            .map(|e| {
                vec![
                    number(e.question_key),
                    number(e.option_key),
                    e.option.clone(),
                    number(e.answers),
                    number(e.of),
                    part(e.share),
                    part(e.low),
                    part(e.high),
                ]
            })
            .collect(),
        "draw" => document
            .draw
            .iter()
            .map(|d| {
                vec![
                    d.newsletter.clone(),
                    d.drawn_at.clone(),
                    number(d.population),
                    number(d.drawn),
                    number(d.answered),
                    part(Some(d.response_rate)),
                    d.margin.map(|m| m.to_string()).unwrap_or_default(),
                    d.method.into(),
                    d.seed.clone(),
                    d.frame_sha256.clone(),
                ]
            })
            .collect(),
        "dictionary" => DICTIONARY
            .iter()
            .map(|e| {
                [e.file, e.field, e.kind, e.meaning]
                    .map(str::to_owned)
                    .to_vec()
            })
            .collect(),
        _ => return None,
    };
    let heading: Vec<&str> = match list {
        "dictionary" => vec!["file", "field", "type", "meaning"],
        _ => DICTIONARY
            .iter()
            .filter(|e| e.file == list)
            .map(|e| e.field)
            .collect(),
    };
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    // Writing into memory cannot fail.
    let _ = writer.write_record(heading);
    for row in rows {
        let _ = writer.write_record(row.into_iter().map(defused));
    }
    writer.into_inner().ok()
}
