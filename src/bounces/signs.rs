//! The signs by which a report is told from a letter, and its words from the copy of our own mail.

use mail_parser::Message;

/// The words for people, up to the copy of the mail that bounced.
pub(super) fn text_of(message: &Message<'_>) -> String {
    let text = message.body_text(0).unwrap_or_default();
    let ends = |line: &str| {
        let lower = line
            .trim_start_matches(['-', ' ', '>', '*', '='])
            .to_ascii_lowercase();
        lower.starts_with("received: ")
            || lower.starts_with("return-path: <")
            || lower.contains("copy of the message")
            || lower.contains("copy of your message")
            || lower.starts_with("original message")
            || lower.starts_with("unsent message")
            || lower.starts_with("message header")
            || lower.starts_with("returned message")
            || lower.starts_with("undelivered message")
    };
    let lines: Vec<&str> = text.lines().take_while(|line| !ends(line)).collect();
    lines.join("\n")
}

/// Whether a machine that delivers mail wrote it.
pub(super) fn looks_like_a_bounce(message: &Message<'_>) -> bool {
    let lower = |text: Option<&str>| text.unwrap_or_default().to_ascii_lowercase();
    let from = message.from().and_then(|from| from.first());
    let from = lower(from.and_then(|a| a.address())) + " " + &lower(from.and_then(|a| a.name()));
    let subject = lower(message.subject());
    let path = message
        .header_raw("Return-Path")
        .is_some_and(|p| p.trim() == "<>");
    let of = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    path || of(
        &from,
        &[
            "mailer-daemon",
            "mailerdaemon",
            "postmaster",
            "mail delivery",
            "mail-daemon",
            "bounce",
            "mdaemon",
        ],
    ) || of(
        &subject,
        &[
            "undeliver",
            "delivery status",
            "delivery failure",
            "delivery fail",
            "delivery notification",
            "delivery has failed",
            "failure notice",
            "returned mail",
            "returned to sender",
            "mail delivery",
            "could not be delivered",
            "non-delivery",
            "nondeliverable",
            "not delivered",
            "mail failure",
            "delivery error",
            "user unknown",
            "delivery problem",
            "message status",
            "permanent fail",
            "failed mail",
            "warning: could not send",
        ],
    )
}

/// Mail servers call their notifications automatic replies, too: the header alone says nothing of them.
pub(super) fn says_that_it_answers(
    message: &Message<'_>,
    subject: &str,
    looks_like_a_bounce: bool,
) -> bool {
    let header = |name: &str| {
        let value = message.header_raw(name).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    };
    let marked = header("Auto-Submitted").starts_with("auto-replied")
        || !header("X-Autoreply").is_empty()
        || !header("X-Autorespond").is_empty()
        || !header("X-AutoReply-From").is_empty()
        || header("Precedence") == "auto_reply";
    let words = [
        "auto:",
        "auto reply",
        "auto-reply",
        "autoreply",
        "automatic reply",
        "out of office",
        "out of the office",
        "vacation",
        "away from",
    ];
    let away = |start: &str| subject.starts_with(start) || subject.contains(&format!(" {start}"));
    (marked && !looks_like_a_bounce) || words.iter().any(|word| away(word))
}
