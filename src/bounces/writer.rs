//! Classifies the author of a mail: a mail server, an auto-responder or a person.

use mail_parser::{HeaderName, Message, MimeHeaders as _};

/// The author of a mail, as far as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// A mail server.
    Server,
    /// Only the subject says that it is a report, so its text must say so, too.
    Claimed,
    /// Perhaps a server: it counts only if it quotes a reply of another server.
    Perhaps,
    /// An auto-responder.
    Answerer,
    /// A person.
    Person,
}

/// Beginnings of the local parts of servers' addresses.
#[rustfmt::skip]
const DAEMONS: &[&str] = &[
    "mailer-daemon", "mailerdaemon", "mailer_daemon", "mailer.daemon", "mail-daemon", "maildaemon", "mail.daemon", "postmaster", "post_master",
    "poostmaster", "mdaemon", "mail.delivery.system", "mail-delivery", "maildelivery", "bounce", "double-bounce", "mailsystem",
    "mail-system", "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e",
];

/// Words in the display names of servers.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "mail delivery", "mailer-daemon", "mailer daemon", "mail daemon", "postmaster", "delivery subsystem", "delivery system",
    "mail system", "mail administrator", "system administrator", "systemadministrator", "mail router", "jetmail system",
    "mdaemon", "email administrator", "e-mail administrator", "ndr administrator",
];

/// Beginnings of reports' subjects.
#[rustfmt::skip]
const REPORTS: &[&str] = &[
    "undeliver", "undelivery", "[undeliver", "delivery status", "delivery failure", "delivery fail", "delivery notification",
    "delivery has failed", "delivery error", "delivery problem", "delivery report", "delivery delayed", "delivery incomplete",
    "failure notice", "failure delivery", "failed mail", "failed delivery", "failed to deliver", "returned mail", "returned to sender",
    "returned email", "returned message", "return mail", "mail delivery", "mail failed", "mail failure", "mail system error", "mail undeliver",
    "message delivery", "message status", "message undeliver", "message could not", "non-delivery", "nondeliver", "non delivery",
    "not delivered", "user unknown", "permanent fail", "permanent delivery", "warning: could not send", "warning: message",
    "could not be delivered", "could not deliver", "unable to deliver", "email delivery", "e-mail delivery", "error sending",
    "ndn:", "ndr:", "nachricht unzustellbar", "unzustellbar", "nicht zustellbar", "zustellung", "mail konnte nicht", "fehler bei der zustellung",
    "rückläufer", "non remis", "non distribu", "échec de la remise", "échec de remise", "echec de remise", "notification d'échec",
    "message non", "impossible de remettre", "no se puede entregar", "no entregado", "no se pudo entregar", "error de entrega",
    "devuelto", "correo devuelto", "notificación de estado de entrega", "não entregue", "falha na entrega", "mancato recapito",
    "non recapitabile", "non recapitato", "mancata consegna", "impossibile recapitare", "onbestelbaar", "niet bezorgd",
    "niet-bezorgbaar", "bezorging mislukt", "niedostarczon", "nie można dostarczyć", "zwrot", "olevererbart", "olevererbar", "kan ikke leveres",
    "ikke leveret", "toimittamaton", "kézbesíthetetlen", "недоставлен", "не доставлено", "не удалось доставить",
    "配信不能", "配信できません", "配達できません", "送信できません", "エラーメール", "退信", "系统退信", "无法投递", "未送达",
];

/// Beginnings of auto-responders' subjects.
#[rustfmt::skip]
const ANSWERS: &[&str] = &[
    "auto:", "auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "automatic reply", "automatic response",
    "automated reply", "automated response", "out of office", "out of the office", "out-of-office", "ooo:", "on vacation", "vacation reply",
    "vacation:", "vacation message", "away from", "automatische antwort", "automatische rückantwort", "automatische abwesenheit",
    "abwesen", "auto-antwort", "autoantwort", "réponse automatique", "reponse automatique", "absence", "absent du bureau",
    "respuesta automática", "respuesta automatica", "fuera de la oficina", "fuera de oficina", "resposta automática",
    "risposta automatica", "fuori sede", "fuori ufficio", "assenza", "automatisch antwoord", "automatische beantwoording",
    "afwezig", "afwezigheid", "niet aanwezig", "autosvar", "automatisk svar", "automatiskt svar", "automaattinen vastaus",
    "odpowiedź automatyczna", "automatyczna odpowiedź", "autoodpowiedź", "nieobecno", "automatikus válasz", "automatická odpověď",
    "automatická odpoveď", "răspuns automat", "автоответ", "автоматический ответ", "автоматична відповідь", "自動応答", "自動返信",
    "不在", "自动回复", "自動回覆", "자동 회신",
];

/// Prefixes before the actual subject.
const PREFIXES: &[&str] = &[
    "re:", "aw:", "sv:", "antw:", "odp:", "fwd:", "fw:", "wg:", "tr:", "rif:", "res:", "vs:", "r:",
];

/// The subject in lower case without `re:` and similar prefixes, and whether it had one.
pub(super) fn subject_of(message: &Message<'_>) -> (String, bool) {
    let subject = message.subject().unwrap_or_default().to_lowercase();
    let mut rest = subject.trim();
    let mut answers = false;
    while let Some(after) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = after.trim_start();
        answers = true;
    }
    (rest.to_owned(), answers)
}

/// Classifies the author from the header.
///
/// An empty return path is a necessary but not a sufficient sign of a report: RFC 3834 §3.3 asks for it in automatic
/// replies, too, and a mail server may write it into everything that it pipes. Auto-Submitted and similar headers are
/// not sufficient, either: servers and auto-responders both set them.
pub(super) fn writer_of(message: &Message<'_>) -> Writer {
    let (subject, answers) = subject_of(message);
    let begins = |words: &[&str]| words.iter().any(|word| subject.starts_with(word));
    let from_server = is_from_a_server(message);
    let path = message
        .header_raw("Return-Path")
        .map(|path| path.trim().to_lowercase());
    let no_path = path
        .as_deref()
        .is_some_and(|path| path == "<>" || path.starts_with("<mailer-daemon"));
    let reports = !answers
        && (begins(REPORTS) || (from_server && REPORTS.iter().any(|word| subject.contains(word))));
    if begins(ANSWERS) && !reports {
        return Writer::Answerer;
    }
    if from_server {
        // A postmaster may be a person.
        let person = is_a_postmaster(message) && path.is_some() && !no_path;
        return if person && !reports {
            Writer::Perhaps
        } else {
            Writer::Server
        };
    }
    let marked = is_marked(message);
    if reports && (no_path || marked) {
        return Writer::Server;
    }
    if reports {
        return if path.is_some() {
            Writer::Perhaps
        } else {
            Writer::Claimed
        };
    }
    let within = |word: &&str| subject.contains(&format!(" {word}"));
    if marked || ANSWERS.iter().any(within) {
        return Writer::Answerer;
    }
    if no_path {
        Writer::Perhaps
    } else {
        Writer::Person
    }
}

fn is_from_a_server(message: &Message<'_>) -> bool {
    let lower = |text: Option<&str>| text.unwrap_or_default().to_lowercase();
    let Some(from) = message.from().and_then(|from| from.first()) else {
        // `From: <>`.
        return message.header_raw(HeaderName::From.as_str()).is_some();
    };
    let (address, name) = (lower(from.address()), lower(from.name()));
    let local = address.trim_start_matches(['"', '<']);
    DAEMONS.iter().any(|daemon| local.starts_with(daemon))
        || NAMES.iter().any(|words| name.contains(words))
        || DAEMONS.iter().any(|daemon| name.starts_with(daemon))
}

fn is_a_postmaster(message: &Message<'_>) -> bool {
    let from = message.from().and_then(|from| from.first());
    let address = from.and_then(|from| from.address()).unwrap_or_default();
    address.to_lowercase().starts_with("postmaster")
}

/// Whether the mail is marked as automatic, by RFC 3834 or older conventions.
fn is_marked(message: &Message<'_>) -> bool {
    let header = |name: &str| {
        let value = message.header_raw(name).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    };
    let automatic = header("Auto-Submitted");
    let there = [
        "X-Autoreply",
        "X-Autorespond",
        "X-AutoReply-From",
        "X-Auto-Reply-From",
        "X-Autoresponder",
        "X-Auto-Response-Suppress",
        "X-Autogenerated-Reply",
    ];
    automatic.starts_with("auto-")
        || there.iter().any(|name| !header(name).is_empty())
        || ["auto_reply", "bulk", "junk"].contains(&header("Precedence").as_str())
}

/// Whether the mail is a receipt that ours was read, or deleted unread (RFC 8098).
pub(super) fn is_a_receipt(message: &Message<'_>) -> bool {
    let receipt = "disposition-notification";
    message.parts.iter().any(|part| {
        part.content_type().is_some_and(|kind| {
            kind.subtype()
                .is_some_and(|s| s.eq_ignore_ascii_case(receipt))
                || kind
                    .attribute("report-type")
                    .is_some_and(|s| s.eq_ignore_ascii_case(receipt))
        })
    })
}
