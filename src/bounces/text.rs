//! The text of a report, up to the copy of our own mail, which may contain any words.

use mail_parser::{Message, MessagePart, MimeHeaders as _, PartType};

/// Words that begin the copy, anywhere in a line that looks like a heading: it begins with punctuation, or ends with a
/// colon or dashes.
#[rustfmt::skip]
const HEADINGS: &[&str] = &[
    "original message", "original mail", "original e-mail", "original email", "message header", "copy of the message",
    "copy of your message", "your message reads", "message follows", "message text", "headers of the message",
    "message is attached", "mail header", "unsent message", "undelivered message", "returned message", "rejected message",
    "ursprüngliche nachricht", "ursprünglichen nachricht", "ursprüngliche mail", "originalnachricht", "original-nachricht",
    "nachricht im original", "kopie der nachricht", "kopie ihrer nachricht", "kopfzeilen",
    "message d'origine", "message d’origine", "message original", "message initial", "copie du message", "copie de votre message",
    "mensaje original", "mensaje de origen", "copia del mensaje", "copia de su mensaje", "mensagem original",
    "messaggio originale", "copia del messaggio",
    "oorspronkelijk bericht", "oorspronkelijke bericht", "originele bericht", "kopie van het bericht", "kopie van uw bericht",
    "oryginalna wiadomość", "oryginalnej wiadomości", "wiadomość oryginalna", "kopia wiadomości",
    "元のメッセージ", "オリジナルメッセージ", "元のメール", "原始邮件",
];

/// Words that begin the copy, at the beginning of a line.
#[rustfmt::skip]
const BEGINNINGS: &[&str] = &[
    "original message", "unsent message", "message header", "returned message", "undelivered message", "received:",
    "return-path:", "dkim-signature:", "list-unsubscribe:", "list-id:", "mime-version:", "feedback-id:",
    "x-auto-response-suppress:",
];

const DETAILS: &[&str] = &[
    "details",
    "détails",
    "detalles",
    "dettagli",
    "szczegóły",
    "の詳細",
];

/// Beginnings of lines that quote our mail's headers before the reason is given.
#[rustfmt::skip]
const ABOUT_OURS: &[&str] = &[
    "subject:", "the subject of the message is:", "betreff:", "objet:", "asunto:", "assunto:", "oggetto:", "onderwerp:", "temat:",
    "件名:", "件名：", "主题:", "主题：", "from:", "von:", "de:", "da:", "van:", "od:", "message-id:",
];

/// The longest text that is read, in bytes. Servers need less, and a hostile mail is not read to its end.
const LONGEST: usize = 100_000;

/// The text for people, up to the copy of the mail that bounced.
pub(super) fn text_of(message: &Message<'_>) -> String {
    let of = |ids: &[u32], others: bool| {
        let shown = message
            .parts
            .iter()
            .enumerate()
            .take_while(|(_, part)| !is_copy(part));
        let shown = shown.filter(|(id, part)| {
            let id = u32::try_from(*id).unwrap_or(u32::MAX);
            ids.contains(&id) || (others && is_unlabelled(part) && !message.html_body.contains(&id))
        });
        let words: Vec<String> = shown.filter_map(|(_, part)| words_of(part)).collect();
        let text = words.join("\n\n");
        let end = text.floor_char_boundary(LONGEST);
        up_to_the_copy(text.get(..end).unwrap_or_default())
    };
    let text = of(&message.text_body, true);
    if text.trim().is_empty() {
        return of(&message.html_body, false);
    }
    text
}

fn words_of(part: &MessagePart<'_>) -> Option<String> {
    match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        PartType::Html(html) => Some(mail_parser::decoders::html::html_to_text(html)),
        _ => None,
    }
}

fn is_copy(part: &MessagePart<'_>) -> bool {
    let subtype = part.content_type().and_then(|kind| kind.subtype());
    let described = part
        .content_description()
        .unwrap_or_default()
        .to_ascii_lowercase();
    matches!(part.body, PartType::Message(_))
        || ["undelivered", "original", "returned"]
            .iter()
            .any(|word| described.starts_with(word))
        || subtype.is_some_and(|s| {
            ["rfc822", "rfc822-headers"]
                .iter()
                .any(|c| s.eq_ignore_ascii_case(c))
        })
}

/// A text part beside the body: some servers attach the machine-readable part without its proper type.
fn is_unlabelled(part: &MessagePart<'_>) -> bool {
    matches!(part.body, PartType::Text(_))
        && part
            .content_type()
            .is_none_or(|kind| kind.ctype().eq_ignore_ascii_case("text"))
}

fn up_to_the_copy(text: &str) -> String {
    let lines = text.lines().take_while(|line| !begins_the_copy(line));
    let lines: Vec<&str> = lines.filter(|line| !is_ours(line)).collect();
    lines.join("\n")
}

fn begins_the_copy(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    // Exchange Online gives the error below "Original Message Details".
    if DETAILS.iter().any(|words| line.contains(words)) {
        return false;
    }
    let bare = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    if BEGINNINGS.iter().any(|words| bare.starts_with(words)) {
        return true;
    }
    let heading = bare.len() < line.len()
        || [":", "：", "--", "=="]
            .iter()
            .any(|end| line.ends_with(end));
    // "This is a copy of the message, including all the headers", "the first 50 lines of your original message follow".
    let copy = [
        "copy of the message",
        "copy of your message",
        "copy of the original",
        "message follow",
    ];
    (heading && HEADINGS.iter().any(|words| line.contains(words)))
        || copy.iter().any(|words| line.contains(words))
}

/// Whether a line is quoted from our mail or describes it. Sendmail's `>>> RCPT` is not a quotation.
fn is_ours(line: &str) -> bool {
    let line = line.trim().to_lowercase();
    (line.starts_with('>') && !line.starts_with(">>>"))
        || ABOUT_OURS.iter().any(|words| line.starts_with(words))
}
