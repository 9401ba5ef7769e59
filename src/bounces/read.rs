//! Finds out what a report says. Pure.
//!
//! The machine-readable part decides (RFC 3464, RFC 5965). Half of the real reports have none: then the lines with a
//! reply code decide, and after them the words. The copy of our own mail at the end is never read.

use std::borrow::Cow;

use mail_parser::MessageParser;

use super::fields::{Fields, action, diagnostic, groups, machine_part, status};
use super::said::{
    failure_in, meaning, not_failed, phase_of, reply_code, reports_a_failure, understood,
};
use super::text::text_of;
use super::writer::{Writer, is_a_receipt, subject_of, writer_of};
use crate::mailer::reply::{Reply, decide};

/// What a report means for the address it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such address.
    Hard = 1,
    /// There is no such domain, as far as that server could tell.
    NoDomain = 2,
    /// The address may work on another day.
    Soft = 3,
    /// The sender or the message was refused.
    Ours = 4,
    /// The reader reported the mail as spam.
    Complaint = 5,
    /// The reader unsubscribed through their provider or mail client.
    OptOut = 6,
    /// An automatic reply.
    AutoReply = 7,
    /// The mail arrived.
    Delivered = 8,
    /// The mail may still arrive.
    Delayed = 9,
    /// A report about DKIM, SPF or DMARC, for the operator.
    Authentication = 10,
    /// None of these.
    Nothing = 11,
}

/// The meaning of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The kind of the report.
    pub kind: Kind,
    /// The enhanced status code, or empty.
    pub status: String,
}

/// Reads a mail. `own` is the domain of our return path, or empty. If a server says that this domain does not exist,
/// the report is about us.
#[must_use]
pub fn read(raw: &[u8], own: &str) -> Report {
    let raw = with_line_ends(raw);
    let Some(message) = MessageParser::default().parse(raw.as_ref()) else {
        return Report::of(Kind::Nothing);
    };
    if let Some(part) = machine_part(&message, &["feedback-report"]) {
        return Report::of(feedback(&part));
    }
    let text = text_of(&message);
    let status = machine_part(&message, &["delivery-status", "global-delivery-status"]);
    if let Some(report) = status.and_then(|groups| delivery_status(&groups, &text, own)) {
        return report;
    }
    let (subject, _) = subject_of(&message);
    if asks_to_be_taken_off(&subject) {
        return Report::of(Kind::OptOut);
    }
    if subject.starts_with("complaint about message from ") {
        // Microsoft's feedback loop has no machine-readable part.
        return Report::of(Kind::Complaint);
    }
    let mut writer = writer_of(&message);
    if is_a_receipt(&message) && writer != Writer::Server {
        return Report::of(Kind::Nothing);
    }
    match writer {
        Writer::Answerer => return Report::of(Kind::AutoReply),
        Writer::Person => return Report::of(Kind::Nothing),
        Writer::Perhaps if reports_a_failure(&text) => writer = Writer::Claimed,
        Writer::Server | Writer::Claimed | Writer::Perhaps => {}
    }
    // Some servers send the fields without declaring their content type.
    if let Some(report) = delivery_status(&groups(&text), &text, own) {
        return report;
    }
    let kind = not_failed(&subject, &text)
        .or_else(|| failure_in(&text, writer))
        .map(|kind| about_us(kind, &text, own));
    let silent = match writer {
        Writer::Server => Kind::Soft,
        _ => Kind::Nothing,
    };
    Report::of(kind.unwrap_or(silent))
}

/// Whether this is the subject of a mail to the `mailto:` of List-Unsubscribe. Some clients mark such a mail as an
/// automatic reply.
fn asks_to_be_taken_off(subject: &str) -> bool {
    let mut words = subject
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.next() == Some("unsubscribe")
        && words.all(|word| {
            // With any other word it may be the subject of something else.
            [
                "me",
                "please",
                "now",
                "from",
                "this",
                "the",
                "my",
                "your",
                "list",
                "newsletter",
                "address",
                "email",
                "mail",
                "request",
                "thanks",
                "thank",
                "you",
                "immediately",
                "asap",
                "all",
                "at",
                "once",
            ]
            .contains(&word)
        })
}

impl Report {
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            status: String::new(),
        }
    }
}

/// Converts lone CRs, with which old systems end lines.
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

fn feedback(part: &[Fields]) -> Kind {
    let kind = part.iter().find_map(|group| group.get("feedback-type"));
    match kind.map(|kind| kind.trim().to_ascii_lowercase()).as_deref() {
        Some("opt-out" | "opt-out-list" | "unsubscribe") => Kind::OptOut,
        Some("auth-failure" | "authfailure" | "dmarc" | "dkim") => Kind::Authentication,
        Some("not-spam") => Kind::Nothing,
        // Fraud, virus and other are complaints of the recipient about the mail, too.
        Some(_) => Kind::Complaint,
        None => Kind::Nothing,
    }
}

/// Reads the recipient's fields. If there are several recipients, the one that failed counts.
fn delivery_status(groups: &[Fields], text: &str, own: &str) -> Option<Report> {
    let recipients = || {
        let told = |group: &&Fields| group.contains_key("action") || group.contains_key("status");
        groups.iter().filter(told)
    };
    let failed = recipients().find(|recipient| action(recipient) == "failed");
    let recipient = failed.or_else(|| recipients().next())?;
    let status = status(recipient);
    let kind = match action(recipient).as_str() {
        "delivered" | "relayed" | "expanded" | "deliverable" => Kind::Delivered,
        "delayed" => Kind::Delayed,
        _ if status.starts_with('2') => Kind::Delivered,
        _ => failure(status, diagnostic(recipient), text, own),
    };
    Some(Report {
        kind,
        status: status.to_owned(),
    })
}

fn failure(status: &str, said: &str, text: &str, own: &str) -> Kind {
    let class = if status.starts_with('4') { 450 } else { 550 };
    let code = reply_code(said).map_or(class, |(code, _)| code);
    // The diagnostic first: its code is from the receiving server; the status is often what the sending server made of
    // it.
    let said: String = said.chars().take(Reply::MAX_TEXT - 20).collect();
    let reply = Reply::new(code, &format!("{said} {status}"));
    let phase = phase_of(text);
    let bare = reply.enhanced.is_none_or(|(_, subject, _)| subject == 0);
    let vague = matches!(reply.enhanced, Some((_, 3..=5, _))) && said.trim().is_empty();
    if let Some(kind) = failure_in(text, Writer::Perhaps).filter(|_| vague) {
        return about_us(kind, text, own);
    }
    match understood(phase, &reply) {
        Some(kind) => about_us(kind, &said, own),
        // A permanent failure without a reason: the text for people may have one.
        None if bare && code >= 500 && !status.starts_with('4') => {
            failure_in(text, Writer::Server).map_or(Kind::Soft, |kind| about_us(kind, text, own))
        }
        None if status.starts_with('4') => Kind::Soft,
        None => meaning(decide(phase, &reply)),
    }
}

/// Turns "no such domain" into a report about us if the domain is ours.
fn about_us(kind: Kind, words: &str, own: &str) -> Kind {
    let named = || {
        words
            .to_ascii_lowercase()
            .contains(&own.to_ascii_lowercase())
    };
    if kind == Kind::NoDomain && !own.is_empty() && named() {
        return Kind::Ours;
    }
    kind
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;
