//! What arrives at a mail server: every rule of headers and MIME, with hostile content; return paths; notifications.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::db;
use canvass::mailer::mailing::MailingState;
use canvass::mailer::mime::View;
use canvass::mailer::verp::{self, Mail};
use canvass::types::ReaderId;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::issues::{app_with, at_rest, hand_over, subscribe, until};
use crate::support::smtp_server::{Act, At, Offers, Received, SmtpServer};
use crate::support::wait::PATIENCE;

/// Checks the rules that hold for every mail, whatever it contains, and returns its headers.
fn strict(mail: &Received) -> BTreeMap<String, String> {
    let raw = &mail.raw;
    assert!(raw.is_ascii(), "{raw}");
    assert!(!raw.contains('\0'));
    let rest = raw.replace("\r\n", "");
    assert!(!rest.contains(['\r', '\n']), "a bare CR or LF: {raw:?}");
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    assert!(raw.ends_with("\r\n"));
    for line in body.split("\r\n") {
        assert!(line.len() <= 76, "{} octets: {line}", line.len());
    }
    let mut headers = BTreeMap::new();
    let mut last = String::new();
    for line in head.split("\r\n") {
        assert!(
            !line.trim().is_empty(),
            "a blank line in the header: {head}"
        );
        let long = line.starts_with("List-Unsubscribe: ");
        assert!(line.len() <= if long { 998 } else { 78 }, "{line}");
        for word in line.split(' ').filter(|word| word.starts_with("=?")) {
            assert!(word.len() <= 75 && line.len() <= 76, "{line}");
        }
        if line.starts_with(' ') {
            *headers.get_mut(&last).unwrap() += line;
            continue;
        }
        let (name, value) = line.split_once(": ").unwrap();
        last = name.to_owned();
        let before = headers.insert(last.clone(), value.to_owned());
        assert_eq!(before, None, "{name} twice: {head}");
    }
    headers
}

async fn script(app: &TestApp, path: &str, body: Value) -> Value {
    let client = Client::builder().no_proxy().build().unwrap();
    let token = app.api_token().await;
    let url = app.url(&format!("/api/v1{path}"));
    let answer = client.request(Method::POST, url).bearer_auth(token);
    let answer = answer.json(&body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn sql(app: &TestApp, sql: &str, values: Vec<sea_orm::Value>) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(&*txn, sql, values).await.unwrap();
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn an_issue_arrives_with_every_header_and_nothing_breaks_out() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let weekly = app.newsletter("weekly").await;
    let name = "Die „Woche“ aus Zürich, mit allem, was dazugehört: Politik \u{1f5de} und mehr";
    let from = "Redaktion \"Linde\" <boss@example.net>\r\nBcc: all@example.org";
    sql(
        &app,
        "UPDATE newsletter SET name = $1, from_name = $2, reply_to = $3 WHERE slug = 'weekly'",
        vec![name.into(), from.into(), "desk@example.org".into()],
    )
    .await;
    subscribe(&app, &weekly, 2).await;
    let evil = "Zoë \u{202e}\r\nX-Evil: 1\r\n\r\n.\r\n<script>";
    sql(
        &app,
        "UPDATE reader SET name = $1 WHERE email = 'reader1@example.org'",
        vec![evil.into()],
    )
    .await;
    let subject = "Größe zählt: ".repeat(12) + "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let body = format!(
        "Hello {{{{name|reader}}}}\n\n.\n\n..\n\nFrom here on: {} \u{1f389}\t \n\nMore https://example.org/{}\n",
        "x".repeat(3_000),
        "y".repeat(500),
    );
    let order = json!({ "newsletter": "weekly", "subject": subject, "body": body });
    let id = script(&app, "/issues", order).await["id"].clone();
    script(&app, &format!("/issues/{id}/send"), json!({})).await;
    let mails = server.wait_for(2, PATIENCE).await;
    for mail in &mails {
        let headers = strict(mail);
        let header = |name: &str| headers.get(name).map(String::as_str);
        let view = View::of(mail.raw.as_bytes());
        assert_eq!(view.subject, subject);
        assert_eq!(view.to, mail.to);
        assert_eq!(header("To"), Some(mail.to.as_str()), "the recipient alone");
        assert!(
            header("From").unwrap().ends_with(" <news@example.org>"),
            "{headers:?}"
        );
        assert!(header("Reply-To").unwrap().ends_with(" <desk@example.org>"));
        assert!(header("Message-ID").unwrap().ends_with("@example.org>"));
        assert_eq!(header("Date"), Some("Mon, 02 Mar 2026 09:00:00 +0000"));
        let unsubscribe = header("List-Unsubscribe").unwrap();
        assert!(unsubscribe.starts_with("<http://127.0.0.1:") && unsubscribe.ends_with('>'));
        assert!(
            unsubscribe.contains("/u/") && unsubscribe.len() <= 60,
            "{unsubscribe}"
        );
        assert_eq!(
            header("List-Unsubscribe-Post"),
            Some("List-Unsubscribe=One-Click")
        );
        assert!(header("List-Id").unwrap().ends_with("<weekly.localhost>"));
        assert!(header("List-Help").unwrap().ends_with("/subscribe/weekly>"));
        assert_eq!(header("List-Owner"), Some("<mailto:desk@example.org>"));
        assert!(
            header("List-Archive")
                .unwrap()
                .ends_with("/archive/weekly>")
        );
        assert_eq!(header("List-Post"), Some("NO"));
        assert_eq!(header("Precedence"), Some("bulk"));
        assert_eq!(header("X-Auto-Response-Suppress"), Some("All"));
        assert_eq!(header("MIME-Version"), Some("1.0"));
        let feedback = header("Feedback-ID").unwrap();
        assert_eq!(feedback, format!("{id}:weekly:issue:canvass"));
        for absent in [
            "Bcc",
            "X-Evil",
            "Auto-Submitted",
            "Sender",
            "Cc",
            "Return-Path",
        ] {
            assert_eq!(header(absent), None);
        }
        // Readable without HTML, in the order of the mail.
        let text = view.text.replace("\r\n", "\n");
        assert!(text.contains("\n.\n") && text.contains("\n..\n") && text.contains("From here on"));
        assert!(!text.contains("</") && text.contains("https://example.org/yyy"));
        let first = mail.raw.find("text/plain").unwrap();
        assert!(first < mail.raw.find("text/html").unwrap());
    }
    let evil = mails
        .iter()
        .find(|m| m.to == "reader1@example.org")
        .unwrap();
    let view = View::of(evil.raw.as_bytes());
    assert!(view.text.contains("Hello Zoë"), "{}", view.text);
    assert!(!view.html.contains("<script>") && view.html.contains("&lt;script&gt;"));
}

#[tokio::test]
async fn a_confirmation_says_that_a_machine_wrote_it_and_nothing_that_was_typed() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    app.newsletter("daily").await;
    let reader = app.reader();
    let form = reader.get("/subscribe/daily").await.the_form();
    app.advance(Duration::from_secs(5));
    let form = form
        .fill("email", "ada+buy-pills@example.org")
        .tick("consent", "1");
    reader.submit(form).await.expect(200);
    let mail = server.mail_to("ada+buy-pills@example.org", PATIENCE).await;
    let headers = strict(&mail);
    let header = |name: &str| headers.get(name).map(String::as_str);
    assert_eq!(header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(header("X-Auto-Response-Suppress"), Some("All"));
    assert_eq!(header("From"), Some("The newsroom <news@example.org>"));
    for absent in ["List-Unsubscribe", "Precedence", "Feedback-ID", "List-Id"] {
        assert_eq!(header(absent), None);
    }
    let view = View::of(mail.raw.as_bytes());
    for part in [&view.subject, &view.text, &view.html] {
        assert!(!part.contains("pills"), "{part}");
    }
    // Its link has one token, the same in both parts.
    let link = view
        .text
        .split_whitespace()
        .find(|w| w.contains("/confirm/"));
    assert!(view.html.contains(link.unwrap()));
}

#[tokio::test]
async fn a_return_path_names_its_mail_and_stays_the_same() {
    let server = SmtpServer::start().await;
    let greylisted = Act::Say("450 4.2.0 greylisted".into());
    server.rule(At::Rcpt, "reader2@", greylisted, Some(1));
    let app = app_with(&server, |config| {
        config.mail.bounce_domain = "bounces.example.org".to_owned();
    })
    .await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 3).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| {
        p.counts.deferred == 1 && p.counts.sent == 2
    })
    .await;
    at_rest(&app, issue).await;
    app.advance(Duration::from_secs(15 * 60));
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    let mails = server.received();
    assert_eq!(mails.len(), 3);
    for mail in &mails {
        let found = app
            .count(&format!(
                "SELECT id FROM reader WHERE email = '{}'",
                mail.to
            ))
            .await;
        let named = verp::read(&app.app.keys, &mail.from);
        assert_eq!(named, Some(Mail::Issue(issue, ReaderId(found))));
        assert_eq!(
            mail.from,
            verp::address(&app.app.keys, "bounces.example.org", named.unwrap()),
            "a second attempt bears the same"
        );
        // The Message-ID is at the sender's domain, and identifies the mail in notifications.
        let id = mail.message_id.trim_matches(['<', '>']);
        let (local, domain) = id.split_once('@').unwrap();
        assert_eq!(domain, "example.org");
        let unsubscribe = mail
            .raw
            .split("\r\n")
            .find(|l| l.starts_with("List-Unsubscribe: "));
        assert!(
            unsubscribe
                .unwrap()
                .ends_with(&format!(">, <mailto:{}?subject=unsubscribe>", mail.from)),
            "{unsubscribe:?}"
        );
        let [begin, to] = &mail.commands;
        assert!(
            begin.ends_with(&format!("> RET=HDRS ENVID={local}")),
            "{begin}"
        );
        assert_eq!(
            *to,
            format!("RCPT TO:<{0}> NOTIFY=FAILURE ORCPT=rfc822;{0}", mail.to)
        );
    }

    let reader = app.reader();
    let form = reader.get("/subscribe/daily").await.the_form();
    app.advance(Duration::from_secs(5));
    let form = form.fill("email", "zoe@example.org").tick("consent", "1");
    reader.submit(form).await.expect(200);
    let mail = server.mail_to("zoe@example.org", PATIENCE).await;
    let id = app.count("SELECT MAX(id) FROM outbox").await;
    match verp::read(&app.app.keys, &mail.from) {
        Some(Mail::Single(single)) => assert_eq!(single.0, id),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_relay_without_dsn_is_not_asked_and_without_a_bounce_domain_the_sender_answers() {
    let server = SmtpServer::offering(Offers {
        dsn: false,
        ..Offers::default()
    })
    .await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 1).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    let mail = server.received().remove(0);
    assert_eq!(mail.commands[0], "MAIL FROM:<news@example.org>");
    assert_eq!(mail.commands[1], "RCPT TO:<reader1@example.org>");
}

/// Forms refuse such an address; if one gets in otherwise, its failure is reported and does not affect anybody else.
#[tokio::test]
async fn a_local_part_beyond_ascii_needs_a_relay_that_speaks_smtputf8() {
    for smtputf8 in [true, false] {
        let server = SmtpServer::offering(Offers {
            smtputf8,
            ..Offers::default()
        })
        .await;
        let app = app_with(&server, |_| {}).await;
        let daily = app.newsletter("daily").await;
        subscribe(&app, &daily, 2).await;
        sql(
            &app,
            "UPDATE reader SET email = 'jürgen@example.org' WHERE email = 'reader1@example.org'",
            vec![],
        )
        .await;
        let issue = hand_over(&app, &daily, Duration::ZERO).await;
        let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
        if smtputf8 {
            assert_eq!(done.counts.sent, 2);
            let mail = server.mail_to("jürgen@example.org", PATIENCE).await;
            assert!(mail.commands[0].contains(" SMTPUTF8 BODY=8BITMIME"));
            assert!(mail.raw.contains("To: jürgen@example.org\r\n"));
        } else {
            assert_eq!((done.counts.sent, done.counts.failed), (1, 1));
            let told = "SELECT COUNT(*) FROM delivery_attempt WHERE reply LIKE '%does not speak SMTPUTF8%'";
            assert_eq!(app.count(told).await, 1);
        }
    }
}

/// The declared size is that of the mail that is sent.
#[tokio::test]
async fn the_size_is_told_before_the_mail_is_sent() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let weekly = app.newsletter("weekly").await;
    subscribe(&app, &weekly, 1).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let token = app.api_token().await;
    let told = async |url: &str| -> Value {
        let asked = client.get(url).bearer_auth(&token).send().await;
        asked.unwrap().json().await.unwrap()
    };
    let mut seen = Vec::new();
    for paragraphs in [1, 700, 1_000] {
        let body =
            "A paragraph of words that an editor wrote, and some more of them to fill it.\n\n"
                .repeat(paragraphs);
        let order = json!({ "newsletter": "weekly", "subject": "Size", "body": body });
        let id = script(&app, "/issues", order).await["id"].clone();
        let path = format!("/issues/{id}");
        let url = app.url(&format!("/api/v1{path}"));
        let draft = told(&url).await;
        let number = |name: &str| draft["size"][name].as_u64().unwrap();
        let (html, whole) = (number("html_bytes"), number("mail_bytes"));
        assert_eq!(draft["size"]["clipped_by_gmail"], html > 102_000);
        script(&app, &format!("{path}/send"), json!({})).await;
        let mails = server.wait_for(seen.len() + 1, PATIENCE).await;
        let mail = &mails.last().unwrap().raw;
        let near = |told: u64, real: usize| told.abs_diff(real as u64) < 200;
        assert!(near(whole, mail.len()), "{whole} told, {} sent", mail.len());
        assert!(near(html, View::of(mail.as_bytes()).html.len()));
        seen.push(html);
        let sent = told(&url).await;
        assert_eq!(sent["size"], Value::Null, "then there are counts");
    }
    assert!(seen[0] < 20_000 && seen[2] > 102_000, "{seen:?}");
}
