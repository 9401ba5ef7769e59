//! What a report says. Pure.
//!
//! The machine-readable part decides (RFC 3464, RFC 5965). Half of the real ones have none: then the lines that hold a
//! reply code, then words; the copy of our own mail at the end is never read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mail_parser::{Message, MessageParser, MimeHeaders as _};

use super::signs::{looks_like_a_bounce, says_that_it_answers, text_of};
use crate::mailer::reply::{Bounce, Phase, Reply, Verdict, decide};

/// What a report means for the address it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such address.
    Hard = 1,
    /// There is no such domain, as far as that server could tell.
    NoDomain = 2,
    /// It may be good on another day.
    Soft = 3,
    /// The sender or the message was refused.
    Ours = 4,
    /// The reader pressed "this is spam".
    Complaint = 5,
    /// The reader asked their provider to be taken off.
    OptOut = 6,
    /// A machine that answers for somebody.
    AutoReply = 7,
    /// It arrived.
    Delivered = 8,
    /// It may still arrive.
    Delayed = 9,
    /// A report about DKIM, SPF or DMARC, for the operator.
    Authentication = 10,
    /// Nothing that we know.
    Nothing = 11,
}

/// A report, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it means.
    pub kind: Kind,
    /// The enhanced status code, or empty.
    pub status: String,
}

type Fields = BTreeMap<String, String>;

/// Reads a mail.
#[must_use]
pub fn read(raw: &[u8]) -> Report {
    let raw = with_line_ends(raw);
    let Some(message) = MessageParser::default().parse(raw.as_ref()) else {
        return Report::of(Kind::Nothing);
    };
    let text = text_of(&message);
    if let Some(part) = machine_part(&message, &["feedback-report"]) {
        return Report::of(feedback(&part));
    }
    let looks_like_one = looks_like_a_bounce(&message);
    let status = machine_part(&message, &["delivery-status", "global-delivery-status"])
        // Some servers forget to say what it is.
        .or_else(|| looks_like_one.then(|| groups(&text)));
    let recipients: Vec<Fields> = status
        .unwrap_or_default()
        .into_iter()
        .filter(|group| group.contains_key("action") || group.contains_key("status"))
        .collect();
    // Of several, the one that failed counts.
    let failed = recipients.iter().find(|r| action(r) == "failed");
    if let Some(recipient) = failed.or(recipients.first()) {
        return delivery_status(recipient, &text);
    }
    let subject = message
        .subject()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if subject == "unsubscribe" {
        // What mail programs send to the `mailto:` of List-Unsubscribe; some of them call it an automatic reply.
        return Report::of(Kind::OptOut);
    }
    if subject.starts_with("complaint about message from ") {
        // Microsoft's feedback loop has no machine-readable part.
        return Report::of(Kind::Complaint);
    }
    if says_that_it_answers(&message, &subject, looks_like_one) {
        return Report::of(Kind::AutoReply);
    }
    if !looks_like_one {
        return Report::of(Kind::Nothing);
    }
    Report::of(kind_of_text(&text).unwrap_or(Kind::Soft))
}

impl Report {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            status: String::new(),
        }
    }
}

/// Old systems end lines with CR alone.
fn with_line_ends(raw: &[u8]) -> Cow<'_, [u8]> {
    if raw.contains(&b'\n') {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(
        raw.iter()
            .map(|b| if *b == b'\r' { b'\n' } else { *b })
            .collect(),
    )
}

/// The fields of the first part of a kind, in groups.
fn machine_part(message: &Message<'_>, subtypes: &[&str]) -> Option<Vec<Fields>> {
    let part = message.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| {
            let subtype = kind.subtype().unwrap_or_default();
            subtypes.iter().any(|s| s.eq_ignore_ascii_case(subtype))
        })
    })?;
    let groups = groups(&String::from_utf8_lossy(part.contents()));
    (!groups.is_empty()).then_some(groups)
}

/// `Name: value` lines, unfolded, in the groups that empty lines make.
fn groups(text: &str) -> Vec<Fields> {
    let mut groups = vec![Fields::new()];
    let mut last = String::new();
    for line in text.lines() {
        let Some(group) = groups.last_mut() else {
            break;
        };
        if line.trim().is_empty() {
            if !group.is_empty() {
                groups.push(Fields::new());
            }
            last.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = group.get_mut(&last) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            let known = !name.contains(' ') && !group.contains_key(&last);
            if known {
                group.insert(last.clone(), value.trim().to_owned());
            }
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn feedback(part: &[Fields]) -> Kind {
    let kind = part.iter().find_map(|group| group.get("feedback-type"));
    match kind.map(|kind| kind.trim().to_ascii_lowercase()).as_deref() {
        Some("opt-out" | "opt-out-list" | "unsubscribe") => Kind::OptOut,
        Some("auth-failure" | "authfailure" | "dmarc" | "dkim") => Kind::Authentication,
        Some("not-spam") => Kind::Nothing,
        // Fraud, virus and other are told about the mail, by the one who got it.
        Some(_) => Kind::Complaint,
        None => Kind::Nothing,
    }
}

fn action(recipient: &Fields) -> String {
    let action = recipient.get("action").map_or("", String::as_str);
    let word = action.split(|c: char| !c.is_ascii_alphabetic()).next();
    word.unwrap_or_default().to_ascii_lowercase()
}

fn delivery_status(recipient: &Fields, text: &str) -> Report {
    let status = recipient.get("status").map_or("", String::as_str);
    let status = status
        .split_whitespace()
        .find(|word| is_status(word))
        .unwrap_or_default();
    let kind = match action(recipient).as_str() {
        "delivered" | "relayed" | "expanded" | "deliverable" => Kind::Delivered,
        "delayed" => Kind::Delayed,
        _ if status.starts_with('2') => Kind::Delivered,
        _ => {
            let said = recipient.get("diagnostic-code").map_or("", |said| {
                said.split_once(';').map_or(said.as_str(), |s| s.1)
            });
            failure(status, said, text)
        }
    };
    Report {
        kind,
        status: status.to_owned(),
    }
}

fn is_status(word: &str) -> bool {
    let mut numbers = word.split('.');
    let mut number = || {
        numbers
            .next()
            .filter(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(number(), Some("2" | "4" | "5")) && number().is_some() && number().is_some()
}

fn failure(status: &str, said: &str, text: &str) -> Kind {
    let class = if status.starts_with('4') { 450 } else { 550 };
    let code = reply_code(said).unwrap_or(class);
    // The words first: their code is that of the server, the status often one that the sender's server made of it.
    let said: String = said.chars().take(Reply::MAX_TEXT - 20).collect();
    let reply = Reply::new(code, &format!("{said} {status}"));
    let phase = phase_of(text);
    let bare = reply.enhanced.is_none_or(|(_, subject, _)| subject == 0);
    match understood(phase, &reply) {
        Some(kind) => kind,
        // It failed for good and says nothing of why: the words for people may.
        None if bare && code >= 500 => kind_of_text(text).unwrap_or(Kind::Soft),
        None => meaning(decide(phase, &reply)),
    }
}

fn meaning(verdict: Verdict) -> Kind {
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

/// What a reply says when it says something: one without known words means one thing after RCPT, and another after the message.
fn understood(phase: Phase, reply: &Reply) -> Option<Kind> {
    let to_rcpt = meaning(decide(Phase::Rcpt, reply));
    let to_message = meaning(decide(Phase::Dot, reply));
    let silent = to_rcpt == Kind::Soft && to_message == Kind::Ours;
    match phase {
        _ if silent => None,
        Phase::Dot => Some(to_message),
        _ => Some(to_rcpt),
    }
}

/// When the server refused, as far as the words for people tell: after the message "user unknown" often means a filter.
fn phase_of(text: &str) -> Phase {
    let text = text.to_ascii_lowercase();
    let message = text.contains("end of data") || text.contains(">>> data");
    if message && !text.contains(">>> rcpt") {
        Phase::Dot
    } else {
        Phase::Rcpt
    }
}

/// The first reply code in some words: three digits, alone or before a hyphen.
fn reply_code(words: &str) -> Option<u16> {
    words
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '@'))
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .find(|code| (400..600).contains(code))
}

/// What the words for people say; `None` when they say nothing we know. Lines with a reply code count before others.
fn kind_of_text(text: &str) -> Option<Kind> {
    let lines: Vec<&str> = text.lines().map(str::trim).take(200).collect();
    let mut said = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        if let Some(code) = reply_code(line) {
            said.push((code, format!("{line} {next}")));
        }
    }
    let phase = phase_of(text);
    let coded = strongest(phase, &said);
    if coded.is_some() {
        return coded;
    }
    let all: Vec<(u16, String)> = lines.iter().map(|l| (550, (*l).to_owned())).collect();
    strongest(phase, &all).or_else(|| {
        let pairs = lines.windows(2).map(|pair| (550, pair.join(" ")));
        strongest(phase, &pairs.collect::<Vec<_>>())
    })
}

/// Boilerplate speaks of senders and messages everywhere, so what speaks of the address is looked for first.
fn strongest(phase: Phase, said: &[(u16, String)]) -> Option<Kind> {
    let kinds: Vec<Kind> = said
        .iter()
        .filter(|(_, words)| !words.is_empty())
        .filter_map(|(code, words)| understood(phase, &Reply::new(*code, words)))
        .collect();
    let order = [Kind::NoDomain, Kind::Hard, Kind::Soft, Kind::Ours];
    order.into_iter().find(|kind| kinds.contains(kind))
}

#[cfg(test)]
mod tests;
