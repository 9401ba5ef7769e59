//! The runbook knows the values of labels by which alerts are written.

use std::collections::BTreeSet;

use crate::architecture::sources;

/// The values of a label in the runbook's row of a metric.
fn explained(metric: &str, label: &str) -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/runbook.md");
    let runbook = std::fs::read_to_string(path).unwrap();
    let start = format!("| `{metric}` |");
    let row = runbook.lines().find(|line| line.starts_with(&start));
    let labels = row.unwrap().split('|').nth(2).unwrap();
    let values = labels.split_once(&format!("`{label}`:")).unwrap().1;
    let words = values.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let prose = ["", "and", "of", "single", "mails", "issues"];
    let words = words.filter(|word| !prose.contains(word));
    words.map(str::to_owned).collect()
}

/// The code of one file, or of all.
fn code(of: &str) -> String {
    let files = sources().into_iter().filter(|(name, _)| name.ends_with(of));
    files.map(|(_, code)| code).collect()
}

/// The literals that follow `mark` at once.
fn literals(code: &str, mark: &str) -> Vec<String> {
    let quoted = |part: &str| {
        let rest = part.trim_start().strip_prefix('"')?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    code.split(mark).skip(1).filter_map(quoted).collect()
}

/// The literals in a `match`.
fn arms(code: &str, start: &str) -> Vec<String> {
    let arms = code
        .split_once(start)
        .unwrap()
        .1
        .split_once("};")
        .unwrap()
        .0;
    arms.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_runbook_lists_every_limit() {
    let all = code("");
    let limits: BTreeSet<String> = literals(&all, "Limit::per_minute(")
        .into_iter()
        .chain(literals(&all, "refused_by("))
        .collect();
    assert!(limits.len() > 5, "are they found? {limits:?}");
    assert_eq!(explained("rate_limited_total", "limit"), limits);
}

#[test]
fn the_runbook_lists_every_outcome_of_a_mail() {
    let single = code("mailer/outbox/send.rs");
    let issue = code("mailer/mailing/run/outcome.rs");
    let outcomes: BTreeSet<String> = literals(&single, "count(")
        .into_iter()
        .chain(arms(&single, "let (outcome, state, words) = match fate {"))
        .chain(arms(&issue, "let outcome = match state {"))
        .collect();
    assert!(outcomes.len() > 4, "are they found? {outcomes:?}");
    assert_eq!(explained("mails_total", "outcome"), outcomes);
}
