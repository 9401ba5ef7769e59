//! Hand-written reports in the words of many servers, grouped: whose fault it is, where the report ends and the copy
//! begins, automatic replies, delays.

use super::*;

const DAEMON: &str = "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>";
const ADA: &str = "Ada <ada@example.net>";

fn mail(from: &str, subject: &str, header: &str, body: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: {from}\nTo: b1@bounces.example.org\nSubject: {subject}\n{header}\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}\n"
    )
}

/// A notification with a machine-readable part; `fields` are the recipient's.
fn dsn(words: &str, fields: &str) -> String {
    format!(
        "Return-Path: <>\nFrom: {DAEMON}\nTo: b1@bounces.example.org\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\nContent-Type: text/plain; charset=utf-8\n\n\
         {words}\n--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n\
         Final-Recipient: rfc822; ada@example.net\n{fields}\n--B\nContent-Type: message/rfc822\n\n\
         From: News <news@example.org>\nSubject: Room 550: user unknown\n\nThe city does not exist.\n--B--\n"
    )
}

/// A refusal as Postfix quotes it.
fn postfix(status: &str, said: &str) -> String {
    dsn(
        &format!(
            "This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\n\
             be delivered to one or more recipients. It's attached below.\n\n\
             <ada@example.net>: host mx.example.net[192.0.2.1] said: {said} (in reply to RCPT TO command)"
        ),
        &format!("Action: failed\nStatus: {status}\nDiagnostic-Code: smtp; {said}\n"),
    )
}

#[track_caller]
fn all(cases: &[(&str, String, Kind)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, raw, expected)| {
            let kind = read(raw.as_bytes(), "bounces.example.org").kind;
            (kind != *expected).then(|| format!("{name}: {kind:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[rustfmt::skip]
fn our_own_dns_and_names_are_no_readers_fault() {
    let of = |status: &str, said: &str| postfix(status, said);
    all(&[
        ("sender's domain", of("5.1.8", "550 5.1.8 <b1@bounces.example.org>: Sender address rejected: Domain not found"), Kind::Ours),
        ("HELO", of("5.7.1", "550 5.7.1 <news.example.org>: Helo command rejected: Host not found"), Kind::Ours),
        ("reverse name", of("5.7.1", "554 5.7.1 Client host rejected: cannot find your reverse hostname: host not found"), Kind::Ours),
        ("no code", of("5.0.0", "550 sender domain does not exist"), Kind::Ours),
        ("sender in DNS", of("5.7.1", "550 5.7.1 Sender domain not found in DNS"), Kind::Ours),
        ("our domain by name", of("5.0.0", "550 domain bounces.example.org does not exist"), Kind::Ours),
        ("our domain, other words", of("5.4.4", "550 5.4.4 bounces.example.org: unknown domain"), Kind::Ours),
        ("return path", of("5.0.0", "550 unroutable return path: unknown domain"), Kind::Ours),
        ("MAIL FROM", of("5.0.0", "550 MAIL FROM domain does not exist"), Kind::Ours),
        ("spam", of("5.7.1", "554 5.7.1 Message rejected as spam"), Kind::Ours),
        ("Barracuda", of("5.0.0", "550 permanent failure for one or more recipients (ada@example.net:blocked)"), Kind::Ours),
        ("authentication", of("5.7.26", "550-5.7.26 Your email has been blocked because the sender is unauthenticated."), Kind::Ours),
        ("Office 365 policy", of("5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.1]"), Kind::Ours),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_domain_is_no_address() {
    all(&[
        ("Office 365", postfix("5.4.310", "550 5.4.310 DNS domain example.net does not exist [Message=InfoDomainNonexistent]"), Kind::NoDomain),
        ("relay", postfix("5.4.4", "550 5.4.4 The domain example.net does not exist"), Kind::NoDomain),
        ("Sendmail", postfix("5.1.2", "550 5.1.2 <ada@example.net>... Host unknown (Name server: example.net: host not found)"), Kind::NoDomain),
        ("Gmail", dsn("Address not found", "Action: failed\nStatus: 5.1.2\nDiagnostic-Code: smtp; DNS Error: DNS type 'mx' lookup of example.net responded with code NXDOMAIN\n"), Kind::NoDomain),
        ("Postfix null MX", dsn("", "Action: failed\nStatus: 5.1.0\nDiagnostic-Code: X-Postfix; Domain example.net does not accept mail (nullMX)\n"), Kind::NoDomain),
        ("Postfix, later", dsn("", "Action: failed\nStatus: 4.4.3\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for name=example.net type=MX: Host not found, try again\n"), Kind::Soft),
        ("Exim", mail(DAEMON, "Mail delivery failed: returning message to sender", "", "This is a permanent error. The following address(es) failed:\n\n  ada@example.net\n    all relevant MX records point to non-existent hosts"), Kind::NoDomain),
        ("Yahoo", mail("MAILER-DAEMON@yahoo.com", "Failure Notice", "", "Sorry, we were unable to deliver your message to the following address.\n\n<ada@example.net>:\nNo MX or A records for example.net"), Kind::NoDomain),
        ("German", mail(DAEMON, "Unzustellbar: Brief", "", "Die Domain example.net existiert nicht."), Kind::NoDomain),
    ]);
}

#[test]
#[rustfmt::skip]
fn addresses_that_do_not_exist_are_known_in_many_words() {
    let failed = "Mail delivery failed: returning message to sender";
    all(&[
        ("Postfix gateway", postfix("5.1.1", "550 5.1.1 <ada@example.net>: Recipient address rejected: User unknown in relay recipient table"), Kind::Hard),
        ("Domino", dsn("", "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: X-Notes; User ada (ada@example.net) not listed in Domino Directory\n"), Kind::Hard),
        ("Lotus", postfix("5.0.0", "550 user not listed in public Name & Address book"), Kind::Hard),
        ("Outlook.com", postfix("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."), Kind::Hard),
        ("advice", postfix("5.1.1", "550 5.1.1 user unknown; if this is an error contact abuse@example.net or read our sender policy"), Kind::Hard),
        ("your email", postfix("5.1.1", "550 5.1.1 Your email to <ada@example.net> could not be delivered: mailbox not found"), Kind::Hard),
        ("Mimecast", postfix("5.0.0", "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550"), Kind::Hard),
        ("Yahoo", postfix("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account (ada@yahoo.com) [0] - mta1"), Kind::Hard),
        ("German, 5.0.0", postfix("5.0.0", "550 Benutzer unbekannt"), Kind::Hard),
        ("French, 5.0.0", postfix("5.0.0", "550 adresse inconnue"), Kind::Hard),
        ("5.0.0", postfix("5.0.0", "550 unknown rcpt"), Kind::Hard),
        ("no reason, 5.0.0", postfix("5.0.0", "550 Address rejected"), Kind::Soft),
        ("unavailable, 5.0.0", postfix("5.0.0", "550 Mailbox unavailable"), Kind::Soft),
        ("qmail", mail(DAEMON, "failure notice", "", "Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ada@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message."), Kind::Hard),
        ("Exim", mail(DAEMON, failed, "", "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  ada@example.net\n    Unrouteable address"), Kind::Hard),
        ("GMX", mail("GMX Mailer Daemon <mailer-daemon@gmx.de>", "Mail delivery failed", "", "The following address failed:\n\nada@gmx.net:\nSMTP error from remote server for RCPT TO command, host: mx00.gmx.net (192.0.2.1) reason: 550 Requested action not taken: mailbox unknown"), Kind::Hard),
        ("OpenSMTPD", mail(DAEMON, "Delivery status notification: error", "", "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\nada@example.net: 550 Invalid recipient\n\n    Below is a copy of the original message:\n\nSubject: x"), Kind::Hard),
        ("French Exchange", mail("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>", "Non remis : Lettre", "", "Échec de la remise pour ces destinataires :\nada@example.net\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##"), Kind::Hard),
        ("Dutch Exchange without a null path", mail("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>", "Onbestelbaar: Brief", "", "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##").replace("Return-Path: <>", "Return-Path: <x@example.net>"), Kind::Hard),
        ("Spanish", mail(DAEMON, "Correo devuelto", "", "El usuario ada@example.net no existe."), Kind::Hard),
        ("Italian", mail(DAEMON, "Mancato recapito", "", "Utente sconosciuto: ada@example.net"), Kind::Hard),
        ("Polish", mail(DAEMON, "Niedostarczona wiadomość", "", "Adres ada@example.net nie istnieje."), Kind::Hard),
        ("Japanese", mail(DAEMON, "配信不能", "", "メールを送信できませんでした。\n宛先のメールアドレスが見つかりません。"), Kind::Hard),
        ("Chinese", mail("PostMaster@qq.com", "来自qq.com的退信", "", "您的邮件被退回。\n\nhost mx1.qq.com[192.0.2.1] said: 550 Mailbox not found. http://service.mail.qq.com (in reply to RCPT TO command)"), Kind::Hard),
        ("relay's name", mail(DAEMON, "failure notice", "", "<ada@example.net>: host relay.spam-filter.example[192.0.2.1] said: 550 No such user"), Kind::Hard),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_copy_of_our_mail_says_nothing() {
    let failed = "Undelivered Mail Returned to Sender";
    let of = |words: &str| mail(DAEMON, failed, "", words);
    all(&[
        ("OpenSMTPD", of("ada@example.net: 552 5.2.2 mailbox full\n\n    Below is a copy of the original message:\n\nSubject: Room 550 user unknown"), Kind::Soft),
        ("GMX", of("ada@gmx.net:\nQuota\n\n--- The header of the original message is following. ---\n\nSubject: x\nThe city that does not exist is in 550 user unknown"), Kind::Soft),
        ("German", of("Das Postfach ist voll.\n\n---- Ursprüngliche Nachricht ----\n\nThe form 550 for the user does not exist, says the ministry."), Kind::Soft),
        ("quoted", of("Reason: Quota\n\nYour original message:\n> The mayor: no account of the night is true.\n> User not found."), Kind::Soft),
        ("quoted, no heading", of("Reason: Quota\n\n> 550 user unknown"), Kind::Soft),
        ("its header alone", of("Reason: Quota\n\nFrom: News\nSubject: User unknown\nMIME-Version: 1.0\n\nThe user does not exist."), Kind::Soft),
        ("its subject first", of("Your message\n\n  To: ada@example.net\n  Subject: The user does not exist\n\ndid not reach the following recipient(s): the mailbox is full"), Kind::Soft),
        ("French", of("La boîte aux lettres est pleine.\n\n----- Message d'origine -----\nL'utilisateur n'existe pas."), Kind::Soft),
        ("Spanish", of("El buzón está lleno.\n\n--- Mensaje original ---\nEl usuario no existe."), Kind::Soft),
        ("Italian", of("La casella è piena.\n\nMessaggio originale:\nL'utente non esiste."), Kind::Soft),
        ("Dutch", of("De mailbox is vol.\n\n-----Oorspronkelijk bericht-----\nDe gebruiker bestaat niet."), Kind::Soft),
        ("Polish", of("Skrzynka jest pełna.\n\n--- Oryginalna wiadomość ---\nAdres nie istnieje."), Kind::Soft),
        ("Japanese", of("メールボックスがいっぱいです。\n\n--- 元のメッセージ ---\nユーザーが見つかりません"), Kind::Soft),
        ("Sendmail's first line is none", of("The original message was received at Thu, 1 Jan 2026\nfrom localhost\n\n   ----- The following addresses had permanent fatal errors -----\n<ada@example.net>\n    (reason: 550 5.1.1 User unknown)"), Kind::Hard),
        ("a link in HTML", "Return-Path: <>\nFrom: postmaster@example.net\nSubject: Undeliverable: x\nContent-Type: text/html; charset=utf-8\n\n<p>The mailbox is full.</p><hr><blockquote>Received: x<br>550 user unknown</blockquote>".to_owned(), Kind::Soft),
    ]);
}

#[test]
#[rustfmt::skip]
fn the_diagnosis_stands_before_the_advice() {
    let of = |words: &str| mail(DAEMON, "Undelivered Mail Returned to Sender", "", words);
    all(&[
        ("coded", of("552 Mailbox quota exceeded.\n\nOther common reasons: 550 user unknown - the address does not exist."), Kind::Soft),
        ("coded, next line", of("552 Mailbox quota exceeded.\nOther common reasons: 550 user unknown."), Kind::Soft),
        ("uncoded", of("The mailbox is full.\n\nOther mails come back as the user does not exist."), Kind::Soft),
        ("what may be", of("Delivery failed.\nThis may be because the user does not exist."), Kind::Soft),
        ("hard first", of("550 5.1.1 user unknown\n554 5.0.0 Service unavailable"), Kind::Hard),
        ("a link", of("Delivery failed, see https://example.net/c?550&spam=1"), Kind::Soft),
    ]);
}

#[test]
#[rustfmt::skip]
fn machines_that_answer_for_somebody_bounce_nothing() {
    let replied = "Auto-Submitted: auto-replied\n";
    let exchange = "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n";
    let gone = "I have left the company. My address does not exist any more; write to bob.\n550 5.1.1 user unknown";
    let receipt = "Return-Path: <>\nFrom: ada@example.net\nSubject: Gelesen: Brief\nMIME-Version: 1.0\n\
        Content-Type: multipart/report; report-type=disposition-notification; boundary=B\n\n--B\nContent-Type: text/plain\n\nread\n--B\n\
        Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;ada@example.net\n\
        Disposition: manual-action/MDN-sent-manually; displayed\n\n--B--\n";
    let path = |raw: String| raw.replace("Return-Path: <>", "Return-Path: <ada@example.net>");
    all(&[
        ("left", mail(ADA, "I am on leave", replied, gone), Kind::AutoReply),
        ("German", mail(ADA, "Automatische Antwort: Brief", exchange, "Ich bin nicht da."), Kind::AutoReply),
        ("French", mail(ADA, "Réponse automatique : Lettre", exchange, ""), Kind::AutoReply),
        ("Spanish", mail(ADA, "Respuesta automática: Carta", "", ""), Kind::AutoReply),
        ("Italian", mail(ADA, "Risposta automatica: Lettera", "", ""), Kind::AutoReply),
        ("Dutch", mail(ADA, "Automatisch antwoord: Brief", "", ""), Kind::AutoReply),
        ("Polish", mail(ADA, "Odpowiedź automatyczna: List", "", ""), Kind::AutoReply),
        ("Japanese", mail(ADA, "自動応答: 手紙", "", ""), Kind::AutoReply),
        ("Gmail", mail(ADA, "Urlaub Re: Brief", "X-Autoreply: yes\nPrecedence: bulk\n", ""), Kind::AutoReply),
        ("ticket", mail("help@example.net", "[Ticket 550] Ihre Anfrage", "Auto-Submitted: auto-generated\n", "Ticket 550 wurde angelegt."), Kind::AutoReply),
        ("a domain named bounce", path(mail("Ada <ada@bouncehouse.example>", "Out: Brief", replied, "")), Kind::AutoReply),
        ("challenge", mail(ADA, "Please confirm your message", "", "I use a spam blocker. Click to prove you are human: https://x.example/c?550"), Kind::Nothing),
        ("receipt", receipt.to_owned(), Kind::Nothing),
        ("letter", path(mail(ADA, "Re: Mail delivery strike", "", "Thanks, nice piece. User unknown!")), Kind::Nothing),
        ("a postmaster's letter", path(mail("postmaster@kleinverein.example", "Re: Brief", "", "Danke für den Newsletter!")), Kind::Nothing),
        ("held by a list", path(mail("list-bounces@example.net", "Your message to List awaits moderator approval", replied, "")), Kind::AutoReply),
        ("our subject in a bounce", mail(DAEMON, "Undelivered: Best vacation spots", "", "550 5.1.1 user unknown"), Kind::Hard),
        ("Sieve's mark on a bounce", mail(DAEMON, "Returned mail", replied, "550 5.1.1 user unknown"), Kind::Hard),
        ("Dovecot's refusal", receipt.replace("ada@example.net\nS", "Mail Delivery Subsystem <postmaster@example.net>\nS").replace("\n\nread\n", "\n\nYour message was automatically rejected: Quota exceeded\n"), Kind::Soft),
    ]);
}

#[test]
#[rustfmt::skip]
fn a_delay_is_no_failure() {
    let of = |subject: &str, words: &str| mail(DAEMON, subject, "", words);
    all(&[
        ("Sendmail", of("Warning: could not send message for past 4 hours", "    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n\n<ada@example.net>... Deferred: Connection timed out with mx.example.net.\nWill keep trying until message is 5 days old"), Kind::Delayed),
        ("Exim", of("Warning: message 1abcde-0001-XY delayed 24 hours", "A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\n    Delay reason: SMTP error after RCPT TO: 451 4.7.1 Greylisted\n\nNo action is required on your part. Eventually the mail delivery software will give up."), Kind::Delayed),
        ("Gmail", of("Delivery Status Notification (Delay)", "** Delivery incomplete **\n\nThere was a temporary problem. Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently."), Kind::Delayed),
        ("Exchange", of("Delivery delayed: Brief", "Delivery to these recipients has been delayed.\nYou do not need to resend."), Kind::Delayed),
        ("German", of("Zustellung verzögert: Brief", "Die Zustellung ist verzögert."), Kind::Delayed),
        ("French", of("Remise retardée", "Votre message n'a pas encore été remis. Le message est retardé."), Kind::Delayed),
        ("moderation", of("[Postmaster] Messages on hold for you", "Your message has been held for review."), Kind::Delayed),
        ("success", of("Delivery Status Notification (Success)", "Your message was successfully delivered to the destination(s) listed below."), Kind::Delivered),
        ("given up", of("Undeliverable: Brief", "The message was delayed for 5 days; giving up.\nConnection timed out"), Kind::Soft),
        ("given up, and why", of("Returned mail", "Delivery was delayed. 550 5.1.1 user unknown. I've given up."), Kind::Hard),
        ("DSN", dsn("", "Action: delayed\nStatus: 4.4.1\n"), Kind::Delayed),
        ("DSN, delivered", dsn("", "Action: relayed\nStatus: 2.0.0\n"), Kind::Delivered),
        ("DSN, expired", dsn("", "Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 550 4.4.7 QUEUE.Expired; message expired\n"), Kind::Soft),
    ]);
}

#[test]
#[rustfmt::skip]
fn parts_are_read_however_they_are_labelled() {
    let two = |first: &str, second: &str| {
        format!(
            "Return-Path: <>\nFrom: postmaster@example.net\nSubject: Undeliverable: x\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary=B\n\n--B\n{first}\n--B\n{second}\n--B--\n"
        )
    };
    let plain = "Content-Type: text/plain\n\n";
    all(&[
        ("an empty text first", two(plain, "Content-Type: text/html\n\n<p>550 5.1.1 user unknown</p>"), Kind::Hard),
        ("fields as text", two(&format!("{plain}failed"), "Content-Type: text/plain; name=details.txt\n\nFinal-Recipient: rfc822;ada@example.net\nAction: failed\nStatus: 5.1.1"), Kind::Hard),
        ("fields attached", two(&format!("{plain}failed"), "Content-Type: text/plain\nContent-Disposition: attachment; filename=details.txt\n\nFinal-Recipient: rfc822;ada@example.net\nAction: failed\nStatus: 5.1.1"), Kind::Hard),
        ("our mail as text", two(&format!("{plain}The mailbox is full."), "Content-Type: text/rfc822-headers\n\nSubject: 550 user unknown"), Kind::Soft),
        ("a semicolon", dsn("", "Action: failed\nStatus: 5.1.1;\n"), Kind::Hard),
        ("no type", dsn("", "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: 550 5.1.1 user unknown; contact postmaster\n"), Kind::Hard),
        ("no status", dsn("", "Action: failed\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n"), Kind::Hard),
        ("no action", dsn("", "Status: 5.1.1\n"), Kind::Hard),
        ("nothing but the words", dsn("<ada@example.net>: 550 5.1.1 no such user", "Action: failed\n"), Kind::Hard),
        ("neither", dsn("It failed.", "Action: failed\nStatus: 5.0.0\n"), Kind::Soft),
    ]);
}

#[test]
fn whoever_asks_to_be_taken_off_is() {
    for subject in [
        "unsubscribe",
        "Unsubscribe",
        "Re: unsubscribe",
        "Unsubscribe me",
        "Fwd: AW: Unsubscribe please",
    ] {
        let raw = format!("Return-Path: <ada@example.net>\nFrom: {ADA}\nSubject: {subject}\n\n");
        assert_eq!(read(raw.as_bytes(), "").kind, Kind::OptOut, "{subject}");
    }
    for subject in [
        "I do not want to unsubscribe",
        "Subscribe",
        "Unsubscribe from fear",
        "Re: Unsubscribe culture: an essay",
        "How do I unsubscribe my aunt",
    ] {
        let raw = format!("Return-Path: <ada@example.net>\nFrom: {ADA}\nSubject: {subject}\n\n");
        assert_eq!(read(raw.as_bytes(), "").kind, Kind::Nothing, "{subject}");
    }
}
