//! What the fields of an export mean.

use serde::Serialize;

/// A field of a file.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportEntry)]
pub struct Entry {
    /// The CSV file it stands in; in JSON the list of that name.
    pub file: &'static str,
    pub field: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub meaning: &'static str,
}

const fn entry(
    file: &'static str,
    field: &'static str,
    kind: &'static str,
    meaning: &'static str,
) -> Entry {
    Entry {
        file,
        field,
        kind,
        meaning,
    }
}

const TIER: &str = "How much is known of who answered: anonymous (a browser), worked (a browser that solved a proof of work), subscriber (confirmed, by a personal link), signed_in.";

/// Every field of every file, in order.
pub const DICTIONARY: &[Entry] = &[
    entry(
        "results",
        "question_key",
        "integer",
        "The question's position in the poll, from 1.",
    ),
    entry(
        "results",
        "question",
        "text",
        "The question as readers saw it.",
    ),
    entry(
        "results",
        "kind",
        "text",
        "single, several, rating or ranked.",
    ),
    entry(
        "results",
        "option_key",
        "integer",
        "The option's position in the whole poll, from 1. It never changes.",
    ),
    entry("results", "option", "text", "The option as readers saw it."),
    entry("results", "tier", "text", TIER),
    entry(
        "results",
        "answers",
        "integer",
        "Ballots of this tier with this option on them. Of a ranked question: on any rank.",
    ),
    entry("voters", "tier", "text", TIER),
    entry(
        "voters",
        "readers",
        "integer",
        "Ballots of this tier, whatever they say. One reader, one ballot; a changed answer counts once.",
    ),
    entry(
        "turnout",
        "hour",
        "RFC 3339, UTC",
        "The beginning of an hour.",
    ),
    entry("turnout", "tier", "text", TIER),
    entry(
        "turnout",
        "answers",
        "integer",
        "First ballots cast within the hour. Answers changed or taken out later stay in.",
    ),
    entry(
        "places",
        "place",
        "text",
        "Where readers answered: poll_page, article, embed, mail, api.",
    ),
    entry(
        "places",
        "looks",
        "integer",
        "How often the open poll was shown there, machines and second looks included; empty where it is not counted.",
    ),
    entry("places", "answers", "integer", "First ballots cast there."),
    entry(
        "steps",
        "step",
        "text",
        "looked, answered, asked (for the newsletter beside the poll), confirmed (that, from the mailbox).",
    ),
    entry("steps", "count", "integer", "How often the step was taken."),
    entry(
        "tables",
        "row_question_key",
        "integer",
        "The question whose answers are the rows.",
    ),
    entry("tables", "row", "text", "An answer to it, or “No answer”."),
    entry(
        "tables",
        "column_question_key",
        "integer",
        "The question whose answers are the columns.",
    ),
    entry(
        "tables",
        "column",
        "text",
        "An answer to it, or “No answer”.",
    ),
    entry(
        "tables",
        "answers",
        "integer",
        "Ballots with both answers, of the tier the result counts and better. Empty where it is hidden: under 10, or a number from which such a one would follow.",
    ),
];
