//! Interprets a report's text for people, for reports without a machine-readable part. Pure.

use super::read::Kind;
use super::writer::Writer;
use crate::mailer::reply::{Bounce, Phase, Reply, Verdict, blames_the_sender, decide};

/// The server is still trying.
#[rustfmt::skip]
const DELAYED: &[&str] = &[
    "delivery incomplete", "delivery delayed", "delivery is delayed", "delivery has been delayed", "has been delayed",
    "message delayed", "warning message only", "will keep trying",
    "continue to try", "continue trying", "keep trying to deliver", "not yet been delivered", "will be retried", "will retry",
    "still undelivered", "still being retried", "attempts will continue", "no action is required", "do not need to resend",
    "need not resend", "has been postponed", "temporarily delayed", "is delayed", "held for review", "held for moderation",
    "awaits moderator", "messages on hold", "quarantined",
    "verzögert", "wird weiterhin versucht", "weitere zustellversuche", "noch nicht zugestellt", "müssen sie nicht erneut senden",
    "a été retardé", "est retardé", "pas encore été remis", "nouvelles tentatives",
    "se ha retrasado", "se retrasó", "aún no se ha entregado", "seguirá intentando",
    "è in ritardo", "in ritardo", "non è stato ancora recapitato", "non è ancora stato recapitato", "verrà ritentat",
    "vertraagd", "nog niet bezorgd", "wordt opnieuw geprobeerd", "opóźnion", "jeszcze nie została dostarczona",
    "配信が遅れ", "遅延", "まだ配信されていません", "再送を試み",
];

const GIVEN_UP: &[&str] = &["giving up", "given up", "gave up"];

/// The server has given up, whatever else the text says about trying.
#[rustfmt::skip]
const OVER: &[&str] = &[
    "permanent error", "permanent fatal", "permanent failure", "permanently failed",
    "failed permanently", "timeout exceeded", "time-out exceeded", "no further attempts", "no longer attempt", "delivery has failed",
    "has been returned", "returned to sender", "was not delivered", "message expired", "queue time exceeded",
    "endgültig", "aufgegeben", "définitivement", "definitivamente", "definitief", "ostatecznie",
];

/// In a subject: the server has given up.
const OVER_BY_SUBJECT: &[&str] = &[
    "undeliver",
    "non-delivery",
    "returned mail",
    "failure notice",
    "delivery failed",
    "delivery failure",
    "(failure)",
];

/// The beginning of a warning's subject. Later in the subject, the same words may be from our own.
#[rustfmt::skip]
const DELAYED_BY_SUBJECT: &[&str] = &[
    "warning: could not send", "warning: message", "delivery delayed", "delayed", "delay notification", "delivery incomplete",
    "delivery status notification (delay", "mail delivery warning", "delivery warning", "message delayed", "mail delayed",
    "zustellung verzögert", "verzögert", "remise retardée", "retard", "entrega retrasada", "retraso", "recapito ritardato", "ritardo",
    "vertraagd", "bezorging vertraagd", "opóźnion", "配信遅延",
];

/// The mail arrived.
#[rustfmt::skip]
const DELIVERED: &[&str] = &[
    "was successfully delivered", "were successfully delivered", "been successfully delivered", "successfully delivered to the",
    "successfully relayed to", "wurde erfolgreich zugestellt", "a été remis avec succès", "entregado correctamente",
    "recapitato correttamente", "is met succes bezorgd",
];

/// Words of speculation: a sentence with one names a possible reason, not the actual one.
#[rustfmt::skip]
const MAYBE: &[&str] = &[
    " may ", " might ", " maybe ", " perhaps ", " could be ", " reasons", " possible ", " possibly ", " usually ", " often ", " if the ",
    " if you ", " if this ", " möglich", " könnte", " eventuell ", " vielleicht ", " gründe", " wenn ", " falls ", " peut-être ",
    " raisons", " si le ", " posible", " razones", " puede que ", " forse ", " potrebbe ", " mogelijk", " redenen", " może ", "可能性",
    "場合",
];

/// The text says that a mail did not arrive.
#[rustfmt::skip]
const FAILED: &[&str] = &[
    "could not be delivered", "couldn't be delivered", "was not delivered", "has not been delivered", "not deliverable",
    "undeliverable", "unable to deliver", "delivery has failed", "delivery failed", "failed to deliver", "konnte nicht zugestellt",
    "nicht zugestellt werden", "unzustellbar", "n'a pas pu être remis", "n'a pas pu être distribué", "no se pudo entregar",
    "no ha podido ser entregado", "non è stato recapitato", "non è stato possibile recapitare", "kon niet worden bezorgd",
    "niet worden afgeleverd", "nie została dostarczona", "nie mogła zostać dostarczona", "配信できません", "送信できません",
];

/// Whether the text says that a mail did not arrive.
pub(super) fn reports_a_failure(text: &str) -> bool {
    let text = text.to_lowercase();
    FAILED.iter().any(|words| text.contains(words))
}

/// Recognises a warning of a delay or a report of success.
pub(super) fn not_failed(subject: &str, text: &str) -> Option<Kind> {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let warns = DELAYED_BY_SUBJECT
        .iter()
        .any(|word| subject.starts_with(word))
        || subject.contains("(delay)");
    if warns && !has(GIVEN_UP) {
        return Some(Kind::Delayed);
    }
    if has(GIVEN_UP) || has(OVER) || OVER_BY_SUBJECT.iter().any(|word| subject.contains(word)) {
        return None;
    }
    // A server that quotes "user unknown" does not try again.
    if has(DELAYED) && failure_in(&text, Writer::Perhaps) != Some(Kind::Hard) {
        return Some(Kind::Delayed);
    }
    let success = [
        "successful mail delivery",
        "delivery status notification (success",
        "delivery status notification (relay",
    ];
    let success = success.iter().any(|words| subject.starts_with(words))
        || (has(DELIVERED) && !text.contains(" not "));
    success.then_some(Kind::Delivered)
}

pub(super) fn meaning(verdict: Verdict) -> Kind {
    match verdict {
        Verdict::FailRecipient(Bounce::Hard) => Kind::Hard,
        Verdict::FailRecipient(Bounce::NoDomain) => Kind::NoDomain,
        Verdict::FailOurs => Kind::Ours,
        Verdict::FailRecipient(Bounce::Soft)
        | Verdict::Defer
        | Verdict::SlowProvider
        | Verdict::PauseRelay => Kind::Soft,
    }
}

/// The meaning of a reply, if it has one regardless of the phase: without known words, a reply means one thing after
/// RCPT and another after the message.
pub(super) fn understood(phase: Phase, reply: &Reply) -> Option<Kind> {
    let to_rcpt = meaning(decide(Phase::Rcpt, reply));
    let to_message = meaning(decide(Phase::Dot, reply));
    let silent = to_rcpt == Kind::Soft && to_message == Kind::Ours;
    match phase {
        _ if silent => None,
        Phase::Dot => Some(to_message),
        _ => Some(to_rcpt),
    }
}

/// The phase in which the server refused, as far as the text says: after the message, "user unknown" often means a
/// filter.
pub(super) fn phase_of(text: &str) -> Phase {
    let text = text.to_ascii_lowercase();
    let message = text.contains("end of data") || text.contains(">>> data");
    if message && !text.contains(">>> rcpt") {
        Phase::Dot
    } else {
        Phase::Rcpt
    }
}

/// The first reply code in a text, and its position: three digits, alone or before a hyphen, and not part of a link or
/// a price.
pub(super) fn reply_code(words: &str) -> Option<(u16, usize)> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@');
    let mut from = 0;
    while let Some(begin) = words.get(from..)?.find(part).map(|at| from + at) {
        let rest = words.get(begin..)?;
        let word = rest.get(..rest.find(|c| !part(c)).unwrap_or(rest.len()))?;
        let before = words.get(..begin)?.chars().next_back();
        let alone = word.len() == 3 && !before.is_some_and(|c| "?=/&$€+%".contains(c));
        let code = word.parse().ok().filter(|code| (400..600).contains(code));
        if let Some(code) = code.filter(|_| alone) {
            return Some((code, begin));
        }
        from = begin + word.len();
    }
    None
}

/// The reason that the text gives; `None` if there is none that we know.
///
/// Lines that quote a reply take precedence, and among them the first that is understood: the diagnosis comes before
/// the advice, which names other possible reasons.
pub(super) fn failure_in(text: &str, writer: Writer) -> Option<Kind> {
    let lines: Vec<&str> = text.lines().map(str::trim).take(200).collect();
    let phase = phase_of(text);
    let quoted = quoted(&lines);
    let coded = quoted
        .iter()
        .find_map(|(code, words)| understood(phase, &Reply::new(*code, words)));
    if coded.is_some() || writer == Writer::Perhaps {
        return coded;
    }
    // The server's own words are about the address; ignore `Ours`, because every report contains "your message could
    // not".
    let uncoded = |words: &str| {
        let sure = sentences(words).filter(|sentence| !is_a_maybe(sentence));
        let mut kinds = sure.filter_map(|sentence| understood(phase, &Reply::new(550, sentence)));
        kinds.find(|kind| *kind != Kind::Ours)
    };
    let alone = lines.iter().find_map(|line| uncoded(line));
    let alone = alone.or_else(|| lines.windows(2).find_map(|pair| uncoded(&pair.join(" "))));
    alone.or_else(|| {
        lines
            .iter()
            .any(|line| blames_the_sender(line))
            .then_some(Kind::Ours)
    })
}

/// The most sentences that are read of a line; a paragraph of a report has fewer.
const MOST_SENTENCES: usize = 20;

/// Splits a line into sentences: in text converted from HTML, a line is a whole paragraph.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split_inclusive(". ");
    let parts = parts.flat_map(|part| part.split_inclusive('。'));
    parts.take(MOST_SENTENCES)
}

fn is_a_maybe(sentence: &str) -> bool {
    let sentence = format!(" {} ", sentence.to_lowercase());
    MAYBE.iter().any(|maybe| sentence.contains(maybe))
}

/// The replies quoted in the lines, with the next line, which may continue them.
fn quoted(lines: &[&str]) -> Vec<(u16, String)> {
    let mut replies = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((code, begin)) = reply_code(line).or_else(|| status_of(line)) else {
            continue;
        };
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let words = line.get(begin..).unwrap_or(line);
        replies.push((code, format!("{words} {next}")));
        replies.push((code, format!("{line} {next}")));
    }
    replies
}

/// An enhanced code without a reply code, as qmail quotes it: `(#5.1.1)`.
fn status_of(line: &str) -> Option<(u16, usize)> {
    line.split_whitespace().find_map(|word| {
        let word = word.trim_matches(|c: char| !c.is_ascii_digit());
        let mut numbers = word.split('.').map(|number| number.parse::<u16>().ok());
        let code = match (numbers.next()??, numbers.next()??, numbers.next()??) {
            // Other numbers are versions.
            (4, 0..=7, 0..=99) => 450,
            (5, 0..=7, 0..=99) => 550,
            _ => return None,
        };
        numbers.next().is_none().then_some((code, 0))
    })
}
