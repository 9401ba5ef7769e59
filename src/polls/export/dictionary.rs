//! The meanings of the fields of an export.

use serde::Serialize;

/// A field of a file.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[schema(as = PollExportEntry)]
pub struct Entry {
    /// The CSV file it is in; in JSON, the list of that name.
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

const TIER: &str = "How much is known about who answered: anonymous (a browser), worked (a browser that solved a proof of work), subscriber (confirmed, by a personal link), signed_in.";
const TIER_OF_HOURS: &str = "How much is known about who answered, as in voters; all once the poll’s key has been destroyed.";
const REASONS: &str = "Why an answer was not counted: closed, not_open (yet), unknown_option, invalid (too many or too few options, or invalid ranks or words), not_invited (to the random sample), handed_over (the browser’s answer counts as a reader’s, and can be changed only there), other_site (not allowed to embed polls; the reader was shown the poll’s own page); by a mail’s link: too_fast, bad_nonce (a page that expired or belongs to another link), untouched (no person pressed the button). Those of bad_proof were counted, as answers without proof of work.";

/// Every field of every file, in order.
pub const DICTIONARY: &[Entry] = &[
    entry(
        "results",
        "question_key",
        "integer",
        "The question’s position in the poll, from 1.",
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
        "The option’s position in the whole poll, from 1. It never changes.",
    ),
    entry("results", "option", "text", "The option as readers saw it."),
    entry("results", "tier", "text", TIER),
    entry(
        "results",
        "answers",
        "integer",
        "Ballots of this tier with this option on them; for a ranked question, at any rank. Empty if hidden: numbers under 10, and numbers from which one of those could be worked out; what the result shows is the sum over the tiers it counts.",
    ),
    entry("voters", "tier", "text", TIER),
    entry(
        "voters",
        "readers",
        "integer",
        "All ballots of this tier. Each reader has one ballot; a changed answer counts once.",
    ),
    entry("turnout", "hour", "RFC 3339, UTC", "The start of an hour."),
    entry("turnout", "tier", "text", TIER_OF_HOURS),
    entry(
        "turnout",
        "answers",
        "integer",
        "First ballots cast within the hour, including answers that were changed or set aside later.",
    ),
    entry(
        "places",
        "place",
        "text",
        "Where readers answered: poll_page, article, embed, mail, api, carried_over (from another poll system).",
    ),
    entry(
        "places",
        "looks",
        "integer",
        "How often the open poll was shown there, including to machines and repeatedly to the same reader; empty where this is not counted.",
    ),
    entry("places", "answers", "integer", "First ballots cast there."),
    entry(
        "steps",
        "step",
        "text",
        "looked, answered, asked (for the newsletter beside the poll), confirmed (that subscription, from the mail).",
    ),
    entry("steps", "count", "integer", "How often the step was taken."),
    entry("refusals", "reason", "text", REASONS),
    entry(
        "refusals",
        "count",
        "integer",
        "How many answers were not counted for this reason. Attempts, not readers: whoever was refused may have answered again.",
    ),
    entry(
        "tables",
        "row_question_key",
        "integer",
        "The question whose answers are the rows. There are no lines if the final numbers, beside those that editors saw before, would reveal what a few readers said.",
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
        "Ballots with both answers, of the tier that the result counts and higher tiers. Empty if hidden: numbers under 10, and numbers from which one of those could be worked out.",
    ),
    entry(
        "ranks",
        "question_key",
        "integer",
        "The question’s position in the poll, from 1. Only ranked questions have lines here.",
    ),
    entry(
        "ranks",
        "option_key",
        "integer",
        "The option’s position in the whole poll, from 1.",
    ),
    entry("ranks", "option", "text", "The option as readers saw it."),
    entry("ranks", "rank", "integer", "1 is the first choice."),
    entry(
        "ranks",
        "answers",
        "integer",
        "Ballots with the option at this rank, of the tier that the result counts and higher tiers. Whole rankings are not exported, because a rare one could identify a ballot.",
    ),
    entry(
        "rounds",
        "question_key",
        "integer",
        "The question’s position in the poll, from 1.",
    ),
    entry(
        "rounds",
        "round",
        "integer",
        "The round of the instant run-off, from 1.",
    ),
    entry(
        "rounds",
        "option_key",
        "integer",
        "An option that has not been eliminated; empty for ballots that rank none of the remaining options.",
    ),
    entry("rounds", "option", "text", "The option as readers saw it."),
    entry(
        "rounds",
        "ballots",
        "integer",
        "Ballots that count for it in this round.",
    ),
    entry(
        "sample",
        "question_key",
        "integer",
        "The question’s position in the poll, from 1. Only polls that ask a random sample have lines here.",
    ),
    entry(
        "sample",
        "option_key",
        "integer",
        "The option’s position in the whole poll, from 1.",
    ),
    entry("sample", "option", "text", "The option as readers saw it."),
    entry(
        "sample",
        "answers",
        "integer",
        "Answers with this option from readers who were drawn; for a ranked question, first choices.",
    ),
    entry(
        "sample",
        "of",
        "integer",
        "Drawn readers who answered the question; for a question with several choices, those who answered the poll.",
    ),
    entry(
        "sample",
        "share",
        "number",
        "The estimated share among all confirmed subscribers on the list, from 0 to 1. Empty if there are fewer than 30 answers.",
    ),
    entry(
        "sample",
        "low",
        "number",
        "The lower end of the 95 per cent interval: Wilson with finite-population correction. It covers the chance of the draw, not those who did not answer.",
    ),
    entry("sample", "high", "number", "Its upper end."),
    entry(
        "draw",
        "newsletter",
        "text",
        "The newsletter whose confirmed subscribers were drawn from.",
    ),
    entry(
        "draw",
        "drawn_at",
        "RFC 3339, UTC",
        "When the sample was drawn.",
    ),
    entry(
        "draw",
        "population",
        "integer",
        "Confirmed subscribers at that time, whom the estimates are about.",
    ),
    entry("draw", "drawn", "integer", "Readers drawn and asked."),
    entry("draw", "answered", "integer", "How many of them answered."),
    entry(
        "draw",
        "response_rate",
        "number",
        "answered / drawn, AAPOR’s response rate 1: readers who could not be reached count as not having answered.",
    ),
    entry(
        "draw",
        "margin",
        "number",
        "The margin of error of a share of one half, in percentage points at 95 per cent confidence. Empty if there are fewer than 30 answers.",
    ),
    entry("draw", "method", "text", "How readers were drawn."),
    entry(
        "draw",
        "seed",
        "text",
        "Together with the list it reproduces the draw.",
    ),
    entry(
        "draw",
        "frame_sha256",
        "text",
        "SHA-256 of the list: the numbers of the readers in ascending order, eight bytes each, big-endian.",
    ),
];
