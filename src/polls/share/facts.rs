//! Metadata in the head of a poll's pages: for previews when somebody shares them, and for machines that read results.

use serde::Serialize;
use serde_json::{Value, json};

use super::draw::{HEIGHT, WIDTH};
use super::sketch::Sketch;
use crate::polls::model::Poll;
use crate::polls::results::{QuestionResult, Results};
use crate::types::UnixMillis;

/// The Open Graph metadata in `reader.hbs`.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    pub title: String,
    pub description: String,
    pub url: String,
    pub image: String,
    pub image_alt: String,
    pub image_width: u32,
    pub image_height: u32,
}

impl Shared {
    /// The preview of `poll` at `now`; `results` are those that the public may see.
    pub fn of(origin: &str, poll: &Poll, results: Option<&Results>, now: UnixMillis) -> Self {
        let description = match results {
            Some(results) if results.voters > 0 => results.note.clone(),
            _ if poll.intro.is_empty() => "A poll among readers.".to_owned(),
            _ => poll.intro.clone(),
        };
        Self {
            title: poll.headline().to_owned(),
            description,
            url: format!("{origin}/p/{}", poll.slug),
            image: format!("{origin}/p/{}/share.png", poll.slug),
            image_alt: alternative(&Sketch::of(poll, results, now, host(origin))),
            image_width: WIDTH,
            image_height: HEIGHT,
        }
    }
}

/// The picture's alternative text: what it shows, in its order.
fn alternative(sketch: &Sketch) -> String {
    let bars = sketch.bars.iter();
    let bars: String = bars
        .map(|bar| format!(" {}: {}.", bar.label, bar.value))
        .collect();
    format!("{}{bars} {}", sketch.question, sketch.foot)
}

/// `polls.example.org` of `https://polls.example.org`.
pub fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// The results as a schema.org `Dataset`, for a data block: unlike a rating or a question-and-answer page, it can say
/// how the numbers were obtained. It is safe inside `<script>`, because nothing in it can end the element.
pub fn json_ld(origin: &str, poll: &Poll, results: &Results) -> Option<String> {
    if results.voters == 0 {
        return None;
    }
    let url = format!("{origin}/p/{}/results", poll.slug);
    let measured: Vec<Value> = results
        .questions
        .iter()
        .flat_map(|question| {
            measured(question).into_iter().map(move |(name, votes)| {
                json!({
                    "@type": "PropertyValue",
                    "name": format!("{} – {name}", question.text),
                    "value": votes,
                    "unitText": "readers",
                })
            })
        })
        .collect();
    let data = json!({
        "@context": "https://schema.org",
        "@type": "Dataset",
        "@id": url,
        "url": url,
        "name": format!("Reader poll: {}", poll.headline()),
        "description": results.note,
        "measurementTechnique": match &results.sample {
            Some(_) => "Simple random sample, without replacement, of a newsletter’s confirmed subscribers, asked by email.",
            None => "Open reader poll. Respondents selected themselves; not a probability sample.",
        },
        "isAccessibleForFree": true,
        "creator": { "@type": "Organization", "name": host(origin), "url": origin },
        "image": format!("{origin}/p/{}/share.png", poll.slug),
        "variableMeasured": measured,
    });
    Some(harmless(&data.to_string()))
}

/// The numbers of a question: for each option the readers who chose it. Of a ranking that is not the result, so the
/// last round of its run-off is added.
fn measured(question: &QuestionResult) -> Vec<(String, i64)> {
    let rows = question.rows.iter();
    let Some(runoff) = &question.runoff else {
        return rows.map(|row| (row.label.clone(), row.votes)).collect();
    };
    let label = |key: i64| {
        let found = question.rows.iter().find(|row| row.key == key);
        found.map_or("", |row| row.label.as_str())
    };
    let first = rows.map(|row| (format!("{} (first choice)", row.label), row.votes));
    let last = runoff.rounds.last();
    let last = last.into_iter().flat_map(|round| &round.counts);
    let last = last.map(|count| (format!("{} (last round)", label(count.key)), count.votes));
    first.chain(last).collect()
}

/// Escapes JSON so that no character has a meaning in HTML.
fn harmless(json: &str) -> String {
    json.chars()
        .map(|c| match c {
            '<' => "\\u003c".to_owned(),
            '>' => "\\u003e".to_owned(),
            '&' => "\\u0026".to_owned(),
            '\u{2028}' => "\\u2028".to_owned(),
            '\u{2029}' => "\\u2029".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_data_block_ends_it() {
        let evil = json!({ "name": "</script><script>alert(1)</script><!-- & \u{2028}" });
        let text = harmless(&evil.to_string());
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), evil);
    }
}
