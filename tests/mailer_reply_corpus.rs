//! Compares real servers' replies with our reading of them: the bounces collected by Sisimai.
//!
//! From each bounce, the reply line is taken, with its step of the conversation if the bounce names it.

use std::collections::BTreeMap;
use std::path::Path;

use canvass::mailer::reply::{Bounce, Phase, Reply, Verdict, decide};

use crate::support::require::corpus;

/// Sisimai's reasons that are about the sender: they never count against a recipient.
const SENDERS: &[&str] = &[
    "authfailure",
    "badreputation",
    "blocked",
    "contenterror",
    "failedstarttls",
    "norelaying",
    "notcompliantrfc",
    "policyviolation",
    "rejected",
    "requireptr",
    "securityerror",
    "spamdetected",
    "speeding",
    "syntaxerror",
    "toomanyconn",
    "virusdetected",
];

struct Case {
    file: String,
    hard: bool,
    reason: String,
    phase: Phase,
    reply: Reply,
}

/// The rows of `expected.tsv` whose bounce quotes the reply that the row is about.
fn cases(corpus: &Path) -> Vec<Case> {
    let table = std::fs::read_to_string(corpus.join("expected.tsv")).unwrap();
    let mut cases = Vec::new();
    for line in table.lines().skip(1) {
        let row: Vec<&str> = line.split('\t').collect();
        let (file, class, recipient, code, reason) = (row[0], row[3], row[4], row[6], row[7]);
        if !matches!(class, "hard" | "soft") || code.is_empty() {
            continue;
        }
        let Ok(bytes) = std::fs::read(corpus.join("eml").join(file)) else {
            continue;
        };
        let text = unfolded(&String::from_utf8_lossy(&bytes));
        let Some((words, at)) = quoted(&text, code, recipient) else {
            continue;
        };
        let words = words.replace(&format!(" {code}-"), " ");
        cases.push(Case {
            file: file.to_owned(),
            hard: class == "hard",
            reason: reason.to_owned(),
            phase: phase(&text, at),
            reply: Reply::new(code.parse().unwrap(), &words),
        });
    }
    cases
}

fn unfolded(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.replace("\n ", " ").replace("\n\t", " ")
}

/// The words after the reply code: from the recipient's own paragraph if possible, or else the first.
fn quoted<'t>(text: &'t str, code: &str, recipient: &str) -> Option<(&'t str, usize)> {
    let mut first = None;
    let mut start = 0;
    for paragraph in text.split_inclusive("\n\n") {
        let mut at = start;
        for line in paragraph.split_inclusive('\n') {
            let found = line.match_indices(code).find(|(i, _)| {
                let before = line[..*i].chars().next_back();
                let after = line[i + code.len()..].chars().next();
                before.is_none_or(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'))
                    && after.is_some_and(|c| matches!(c, ' ' | '-'))
            });
            if let Some((i, _)) = found {
                let hit = (line[i + code.len() + 1..].trim(), at + i);
                if line.contains(recipient) || paragraph.contains(recipient) {
                    return Some(hit);
                }
                first = first.or(Some(hit));
            }
            at += line.len();
        }
        start += paragraph.len();
    }
    first
}

/// The step that the bounce names near the reply; RCPT if it names none.
fn phase(text: &str, at: usize) -> Phase {
    let near = |from: usize, to: usize| {
        let floor = |i: usize| {
            (0..=i.min(text.len()))
                .rev()
                .find(|i| text.is_char_boundary(*i))
        };
        &text[floor(from).unwrap_or(0)..floor(to).unwrap_or(0)]
    };
    let before = near(at.saturating_sub(160), at);
    let after = near(at, at + 400);
    let after = after.split("\n\n").next().unwrap_or("");
    for (words, phase) in [
        ("in reply to MAIL", Phase::Mail),
        ("in reply to RCPT", Phase::Rcpt),
        ("in reply to DATA", Phase::Data),
        ("in reply to end of DATA", Phase::Dot),
        ("[MAIL_FROM]", Phase::Mail),
    ] {
        if after.contains(words) {
            return phase;
        }
    }
    let asked = [
        ("MAIL F", Phase::Mail),
        ("RCPT T", Phase::Rcpt),
        (">>> DATA", Phase::Dot),
        ("end of data", Phase::Dot),
        ("after end of", Phase::Dot),
    ];
    let last = asked
        .iter()
        .filter_map(|(words, phase)| Some((before.rfind(words)?, *phase)))
        .max_by_key(|(i, _)| *i);
    last.map_or(Phase::Rcpt, |(_, phase)| phase)
}

#[test]
fn the_senders_affairs_never_cost_a_reader_the_subscription() {
    let Some(corpus) = corpus("bounces-sisimai") else {
        return;
    };
    let cases = cases(&corpus);
    assert!(cases.len() > 200, "only {} replies were found", cases.len());
    let mut by_reason: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut wrong, mut agreed, mut hard, mut hard_found, mut false_hard) =
        (Vec::new(), 0, 0, 0, 0);
    for case in &cases {
        let verdict = decide(case.phase, &case.reply);
        let suppresses = verdict == Verdict::FailRecipient(Bounce::Hard);
        let entry = by_reason.entry(case.reason.clone()).or_default();
        entry.0 += 1;
        entry.1 += usize::from(suppresses == case.hard);
        agreed += usize::from(suppresses == case.hard);
        hard += usize::from(case.hard);
        hard_found += usize::from(case.hard && suppresses);
        false_hard += usize::from(!case.hard && suppresses);
        if suppresses != case.hard {
            println!(
                "{}: {} ({}) → {verdict:?} at {}: {}",
                case.file,
                case.reason,
                if case.hard { "hard" } else { "soft" },
                case.phase,
                case.reply
            );
        }
        if suppresses && SENDERS.contains(&case.reason.as_str()) {
            wrong.push(format!("{}: {}", case.file, case.reply));
        }
    }
    for (reason, (all, right)) in &by_reason {
        println!("{reason}: {right} of {all}");
    }
    println!(
        "{agreed} of {} agree; hard found {hard_found} of {hard}, hard where it is not {false_hard}",
        cases.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        agreed * 100 >= cases.len() * 80,
        "{agreed} of {}",
        cases.len()
    );
}
