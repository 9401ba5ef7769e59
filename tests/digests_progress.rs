//! Watching an issue being sent: a stream of numbers for every viewer from one shared query, and the page without a
//! script.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::mailer::mailing::{self, MailingState, Steer};
use canvass::types::EmailAddress;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, signed_in, signed_in_as};
use crate::support::issues::{app_of, app_with, hand_over, relay, steer, subscribe, until};
use crate::support::page::Page;
use crate::support::reader::Reader;
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::{PATIENCE, Waiting};

/// A stream of events, read to its end.
struct Stream {
    answer: reqwest::Response,
    seen: String,
}

impl Stream {
    async fn open(app: &TestApp, editor: &Reader, issue: i64) -> Self {
        let url = app.url(&format!("/admin/issues/{issue}/live"));
        let answer = editor.client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Self {
            answer,
            seen: String::new(),
        }
    }

    /// The next event's name and data; `None` if the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.seen.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                let (name, data) = (field("event:"), field("data:"));
                self.seen = rest.to_owned();
                if name.is_empty() {
                    continue;
                }
                return Some((name, serde_json::from_str(&data).unwrap_or_default()));
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await;
            match chunk.expect("an event in time").unwrap() {
                Some(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                None => return None,
            }
        }
    }

    /// The next event that says something new: the watch may look, and say that the issue is going out, just before.
    async fn turn(&mut self) -> (String, Value) {
        let turn = async {
            loop {
                let (name, now) = self.next().await.expect("the stream goes on");
                if now["state"] != "Sending" {
                    return (name, now);
                }
            }
        };
        tokio::time::timeout(PATIENCE, turn).await.expect("in time")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_runs_with_the_issue_and_ends_with_it() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader7@", "450 4.2.0 greylisted, come back");
    server.say(At::Dot, "reader8@", "554 5.7.1 not from you");
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 500).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let mut stream = Stream::open(&app, &editor, issue.0).await;
    let (mut moved, mut paces, mut last) = (0, 0, 0);
    let (mut domains, mut named) = (Value::Null, false);
    loop {
        let (name, now) = stream.next().await.expect("an end is said");
        if name == "end" {
            break;
        }
        assert_eq!(name, "progress");
        let done = now["done"].as_i64().unwrap();
        assert!(done >= last, "never backwards: {now}");
        moved += i64::from(done > last);
        last = done;
        paces += i64::from(now["pace"].as_str().unwrap().contains("mails a"));
        if now["deferred"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
        {
            domains = now["deferred"].clone();
        }
        // Only the deferred mail is left, and the time of its retry is shown: now.
        if now["pace"]
            .as_str()
            .unwrap()
            .contains("The next attempt is at")
        {
            named = true;
            server.forgive();
            app.advance(Duration::from_secs(15 * 60));
        }
    }
    assert!(named);
    assert!(stream.next().await.is_none(), "and then nothing more");
    assert!(moved >= 3, "it moved {moved} times");
    assert!(paces >= 1, "a pace was shown");
    assert_eq!(domains[0]["domain"], "example.org");
    assert_eq!(domains[0]["count"], "1");
    assert!(
        domains[0]["said"]
            .as_str()
            .unwrap()
            .contains("450 4.2.0 greylisted"),
        "{domains}"
    );
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (499, 1));
    // A late viewer gets the final numbers at once.
    let mut late = Stream::open(&app, &editor, issue.0).await;
    let (name, now) = late.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &now["state"]),
        ("progress", &"Finished".into())
    );
    assert_eq!(late.next().await.unwrap().0, "end");
    assert!(late.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_viewers_share_one_look_and_the_server_can_stop() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(3_600)).await;
    until(&app, issue, |p| p.counts.audience == 5).await;
    let page = editor.get(&format!("/admin/issues/{}", issue.0)).await;
    let mail = page.expect(200).all("#facts-head ~ .actions .button-quiet");
    assert_eq!(mail[0], "The mail", "it has not been sent");
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut stream = Stream::open(&app, &editor, issue.0).await;
        assert_eq!(stream.next().await.unwrap().0, "progress");
        streams.push(stream);
    }
    let one = mailing::watch(&app.app, issue);
    let other = mailing::watch(&app.app, issue);
    assert!(one.same_channel(&other));
    steer(&app, issue, Steer::Pause).await;
    for stream in &mut streams {
        let (_, now) = stream.turn().await;
        assert_eq!(now["state"], "Paused", "a change reaches everybody");
    }
    tokio::time::timeout(Duration::from_secs(20), app.stop())
        .await
        .expect("stopped");
    for stream in &mut streams {
        let last = stream.next().await;
        assert!(last.is_none_or(|(name, _)| name == "end"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_editors_account() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let (editor, other) = (
        signed_in(&app).await,
        signed_in_as(&app, "jo@lindenpost.example").await,
    );
    let issue = hand_over(&app, &daily, Duration::from_secs(3_600)).await;
    until(&app, issue, |p| p.counts.audience == 5).await;
    let mut stream = Stream::open(&app, &editor, issue.0).await;
    let mut others = Stream::open(&app, &other, issue.0).await;
    for stream in [&mut stream, &mut others] {
        assert_eq!(stream.next().await.unwrap().0, "progress");
    }
    let (now, address) = (app.app.clock.now(), EmailAddress::parse(EDITOR).unwrap());
    let closed = canvass::admin::close(&app.app.db, now, &address).await;
    assert!(closed.unwrap());
    app.advance(Duration::from_secs(31));
    steer(&app, issue, Steer::Pause).await;
    let (_, seen) = others.turn().await;
    assert_eq!(seen["state"], "Paused", "those who are signed in go on");
    assert_eq!(stream.turn().await.0, "end");
    assert!(stream.next().await.is_none());
}

/// The page as soon as it says this: the first visitor starts the watch that measures the pace.
async fn once_it_says(editor: &Reader, path: &str, words: &str) -> Page {
    let waiting = Waiting::until(&format!("{path} says {words:?}"));
    loop {
        let page = editor.get(path).await.expect(200);
        if page.text().contains(words) {
            return page;
        }
        waiting.still(page.text()).await;
    }
}

/// Complete without a script: the numbers, the pace after a while, the headline of every state, and links onwards.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_without_a_script() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader3@", Act::Drop, Some(1));
    server.say(At::Dot, "reader8@", "554 5.7.1 not from you");
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(30)), None);
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 400).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let path = format!("/admin/issues/{}", issue.0);
    server.wait_for(20, PATIENCE).await;
    let page = once_it_says(&editor, &path, "mails a").await;
    let page = editor
        .submit(page.form("form[action$='/pause']"))
        .await
        .expect(200);
    let page = page
        .says("Nothing goes out until somebody resumes it.")
        .says("paused by Mara");
    let page = editor
        .submit(page.form("form[action$='/resume']"))
        .await
        .expect(200);
    page.says("Sending").says("Mara resumed it");
    let first = editor.get("/admin").await.expect(200);
    first.says("On its way").says("of 400 readers");
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    let page = editor.get(&path).await.expect(200);
    let page = page
        .says("Finished, with 1 reader in doubt.")
        .says("398 handed over + 1 failed + 1 in doubt = 400 in all.")
        .says("The mail as it was sent");
    assert_eq!(page.all(".bar-head .muted"), ["99%"]);
    assert_eq!(page.all(".bar-key"), ["1 failed, 1 in doubt"]);
    let first = editor.get("/admin").await.expect(200);
    let first = first
        .says("Needs you")
        .says("1 in doubt, 1 failed")
        .says("Decide about");
    assert!(first.all("#on-way").is_empty(), "nothing is on its way");
    assert_eq!(first.all("#last"), ["Last issue"]);
    assert_eq!(first.all("[aria-labelledby=last] .is-wait"), ["Finished"]);
    let list = editor.get("/admin/issues").await.expect(200);
    assert_eq!(list.all("tbody .badge.is-wait"), ["Finished"]);
    let settle = editor.follow(&page, "Settle 1 in doubt").await.expect(200);
    settle.says("reader3@example.org");
    let resend = editor
        .follow(&page, "Send again to 1 that failed")
        .await
        .expect(200);
    resend.says("1 reader: refused: our server or this message");
    let list = editor
        .get(&format!("{path}/recipients?state=failed"))
        .await
        .expect(200);
    list.says("reader8@example.org")
        .says("554 5.7.1 not from you");
}

/// An issue that stopped itself says so first, and why.
#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_stopped_itself_says_why() {
    let server = SmtpServer::start().await;
    server.say(At::Mail, "", "550 5.7.1 you may not send");
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 100).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Paused).await;
    let page = editor
        .get(&format!("/admin/issues/{}", issue.0))
        .await
        .expect(200);
    page.says("Canvass paused this issue automatically.")
        .says("the relay refuses our mail")
        .says("Resume");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_waits_for_tomorrow_says_so() {
    let server = SmtpServer::start().await;
    let mut limited = relay("relay", server.url());
    limited.per_day = 3;
    let app = app_of(vec![limited], |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 10).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.sent == 3).await;
    let path = format!("/admin/issues/{}", issue.0);
    let tomorrow = "as its daily limit allows. The others go out tomorrow";
    let page = once_it_says(&editor, &path, tomorrow).await;
    editor
        .follow(&page, "the mail queue")
        .await
        .expect(200)
        .says("3 of 3");
}
