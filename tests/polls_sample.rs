//! Probability mode, walked through as an editor and as readers with an inbox, and what nobody may learn from it.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::db::{fetch_all, run};
use canvass::polls::by_slug;
use canvass::types::varint::pack;
use canvass::types::{Purpose, ReaderId};
use serde_json::{Value, json};

use crate::polls_linked_segments::in_no_archive;
use crate::support::app::TestApp;
use crate::support::dump::Dump;
use crate::support::editor::signed_in;
use crate::support::inbox::Mail;
use crate::support::issues::subscribe;
use crate::support::reader::{Page, Reader};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A newsletter with this many confirmed subscribers, an open poll, and an editor.
pub async fn newsroom(subscribers: i64) -> (TestApp, Reader) {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    subscribe(&app, &newsletter, subscribers).await;
    app.poll("trust").await;
    let editor = signed_in(&app).await;
    (app, editor)
}

/// The editor looks at the expected precision, and draws.
pub async fn draw(editor: &Reader, poll: &str, size: i64) -> Page {
    let path = format!("/admin/polls/{poll}/sample?newsletter=morning&size={size}&seed=lottery");
    let page = editor.get(&path).await.expect(200);
    editor
        .submit(page.form("form[method=post][action$='/sample']"))
        .await
}

/// The readers who were drawn, with their addresses.
pub async fn drawn(app: &TestApp, slug: &str) -> Vec<(ReaderId, String)> {
    let poll = by_slug(&app.app.db, slug).await.unwrap().unwrap();
    let readers = poll.sample().expect("a sample").readers.clone();
    let mut found = Vec::new();
    for reader in readers.iter() {
        let sql = "SELECT email FROM reader WHERE id = $1";
        let rows = fetch_all(app.app.db.read(), sql, [reader.0.into()]).await;
        found.push((*reader, rows.unwrap()[0].try_get_by_index(0).unwrap()));
    }
    found
}

/// Writes the next mail from the sample's page and sends it.
async fn send(editor: &Reader, poll: &str, button: &str) -> Page {
    let page = editor
        .get(&format!("/admin/polls/{poll}/sample"))
        .await
        .expect(200)
        .says(button);
    let draft = editor
        .submit(page.form("form[action$='/sample/mail']"))
        .await
        .expect(200)
        .says("goes only to the random sample");
    let send = format!("{}/send", draft.url.path());
    let page = editor.get(&send).await.expect(200);
    editor.submit(page.form("form[action$='/send']")).await
}

/// How many mails each address got.
async fn inboxes(app: &TestApp) -> Vec<(String, i64)> {
    let sql = "SELECT envelope_to, CAST(COUNT(*) AS BIGINT) FROM captured_mail WHERE envelope_to LIKE 'reader%' \
               GROUP BY envelope_to ORDER BY envelope_to";
    let rows = fetch_all(app.app.db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get_by_index(0).unwrap(),
                row.try_get_by_index(1).unwrap(),
            )
        })
        .collect()
}

fn option(mail: &Mail, at: usize) -> String {
    let links = mail.links();
    let mut votes = links.iter().filter(|link| link.contains("/v/"));
    votes.nth(at).expect("a link to vote").clone()
}

/// A drawn reader opens a link in the mail and presses the button.
async fn answers(app: &TestApp, address: &str) -> Page {
    let mail = app.mail_to(address, 1).await;
    let reader = app.reader();
    let page = reader.get(&option(&mail, 0)).await.expect(200);
    app.advance(Duration::from_secs(1));
    reader.submit(page.the_form()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_asks_those_who_were_drawn_and_says_how_far_they_carry() {
    let (app, editor) = newsroom(90).await;
    let page = editor.get("/admin/polls/trust/sample").await.expect(200);
    page.says("The morning letter (90 subscribers)");
    draw(&editor, "trust", 60)
        .await
        .expect(200)
        .says("The sample is drawn")
        .says("Nobody has been asked yet");
    let asked = drawn(&app, "trust-sample").await;
    assert_eq!(asked.len(), 60);

    send(&editor, "trust-sample", "Write the invitation")
        .await
        .expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    let mut addresses: Vec<String> = asked.iter().map(|(_, address)| address.clone()).collect();
    addresses.sort();
    let expected: Vec<(String, i64)> = addresses.iter().map(|a| (a.clone(), 1)).collect();
    assert_eq!(
        inboxes(&app).await,
        expected,
        "exactly those who were drawn"
    );
    let mail = app.mail_to(&addresses[0], 1).await;
    assert!(mail.header("list-unsubscribe-post").is_some(), "bulk mail");
    assert!(
        !app.reader()
            .get("/archive/morning")
            .await
            .text()
            .contains("Picked at random")
    );
    assert!(!mail.text.contains("Read it on the web"), "{}", mail.text);
    in_no_archive(&app).await;

    // Nobody else can answer: not by the page, not by a script, not by a link of somebody who was not drawn.
    let stranger = app.reader();
    let page = stranger.get("/p/trust-sample").await.expect(200);
    assert!(page.says("is for a random sample").all("form").is_empty());
    let refused = stranger.post("/p/trust-sample", &[("option", "1")]).await;
    refused.expect(409).says("was not counted");
    let data: Value =
        serde_json::from_str(&stranger.get("/embed/p/trust-sample/data").await.body).unwrap();
    assert_eq!(
        (&data["open"], data["results"]["voters"].as_i64()),
        (&json!(false), Some(0))
    );
    let token = app.api_token().await;
    let url = app.url("/api/v1/polls/trust-sample/ballots");
    let script = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = script
        .post(url)
        .bearer_auth(&token)
        .json(&json!({ "option": 1 }))
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 409);
    let poll = by_slug(&app.app.db, "trust-sample").await.unwrap().unwrap();
    let left_out = (1..=90)
        .find(|id| asked.iter().all(|(reader, _)| reader.0 != *id))
        .unwrap();
    let link = app
        .app
        .keys
        .seal(Purpose::Vote, &pack(&[poll.id.0, 1, 1, left_out]));
    let page = stranger.get(&format!("/v/{link}")).await.expect(200);
    assert!(page.says("you were not selected").all("form").is_empty());
    let ballots = "SELECT COUNT(*) FROM ballot";
    assert_eq!(app.count(ballots).await, 0);

    // The open poll stays open, has no margin, and shows the sample beside it.
    stranger
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    for address in &addresses[..29] {
        answers(&app, address)
            .await
            .expect(200)
            .says("Your answer has been counted");
    }
    stranger
        .get("/p/trust-sample/results")
        .await
        .says("29 answered, too few for an estimate");
    for address in &addresses[29..40] {
        answers(&app, address)
            .await
            .expect(200)
            .says("Your answer has been counted");
    }
    let page = stranger.get("/p/trust-sample/results").await.expect(200);
    let line = "A random sample of 60 of 90 subscribers: 40 answered, ± 11.4 points.";
    let page = page.says(line).says("a response rate of 67%");
    let page = page.says("or about anyone who does not subscribe");
    assert_eq!(page.all(".result-range").len(), 3);
    // In a list of all links on a page, each says where it leads.
    let open = stranger.get("/p/trust/results").await.expect(200);
    for (page, link, leads) in [
        (&page, "The open poll", "/p/trust"),
        (&open, "The poll of the random sample", "/p/trust-sample"),
    ] {
        assert_eq!(page.all(".beside p a"), [link]);
        assert_eq!(page.attributes(".beside p a", "href"), [leads]);
    }
    assert!(
        !page
            .text()
            .contains("selected themselves; no margin of error applies. A random")
    );
    let open = stranger.get("/p/trust/results").await.expect(200);
    let own = open.all(".poll-results").remove(0);
    assert!(
        own.contains("no margin of error applies") && !own.contains('±'),
        "{own}"
    );
    // In the language of the newsletter whose subscribers were asked.
    let lang = open.attributes(".beside .result-label", "lang");
    assert_eq!(lang, ["en"; 3]);
    open.says("We also asked a random sample of subscribers")
        .says(line);

    // The same numbers for editors and for scripts.
    editor
        .get("/admin/polls/trust-sample/sample")
        .await
        .expect(200)
        .says("± 11.4")
        .says("66.7%");
    editor
        .get("/admin/polls/trust-sample/weigh")
        .await
        .expect(200)
        .says("95 of 100 draws from the 90");
    let url = app.url("/api/v1/polls/trust-sample/export/poll.json");
    let taken: Value = script
        .get(url)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let told = &taken["draw"][0];
    assert_eq!(
        [&told["population"], &told["drawn"], &told["answered"]],
        [90, 60, 40]
    );
    assert_eq!(
        (&told["seed"], &told["margin"]),
        (&json!("lottery"), &json!(11.4))
    );
    assert!(
        taken["sample"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["low"].as_f64() <= row["share"].as_f64())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_reminds_who_has_not_answered_once_and_writes_nothing_down() {
    let (app, editor) = newsroom(50).await;
    draw(&editor, "trust", 40).await.expect(200);
    send(&editor, "trust-sample", "Write the invitation")
        .await
        .expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    let mut asked = drawn(&app, "trust-sample").await;
    let gone = asked.pop().unwrap();

    // When somebody answers, only the ballot box and its counters change, and none of them contains a reader.
    let before = Dump::of(&app.app.db).await;
    answers(&app, &asked[0].1)
        .await
        .expect(200)
        .says("Your answer has been counted");
    let changed: BTreeSet<String> = before
        .differences(&Dump::of(&app.app.db).await, &[])
        .iter()
        .map(|line| line[2..].split(':').next().unwrap_or_default().to_owned())
        .collect();
    let allowed = [
        "ballot",
        "ballot_chain",
        "ballot_log",
        "mail_vote",
        "poll_hour",
        "poll_source",
        "tally",
    ];
    assert!(
        changed
            .iter()
            .all(|table| allowed.contains(&table.as_str())),
        "{changed:?}"
    );

    for (_, address) in &asked[1..12] {
        answers(&app, address).await.expect(200);
    }
    let page = editor
        .get("/admin/polls/trust-sample/sample")
        .await
        .expect(200);
    let page = page.says("three days after the invitation");
    assert!(page.all("form[action$='/sample/mail']").is_empty());
    // A handwritten request cannot send it early either.
    let csrf = page.attributes("input[name=csrf]", "value").remove(0);
    let fields = [("csrf", csrf.as_str()), ("round", "reminder")];
    let draft = editor
        .post("/admin/polls/trust-sample/sample/mail", &fields)
        .await
        .expect(200);
    let send_page = format!("{}/send", draft.url.path());
    let page = editor
        .get(&send_page)
        .await
        .expect(200)
        .says("three days after");
    assert!(page.attributes(".button-primary", "disabled").len() == 1);
    editor
        .post("/admin/polls/trust-sample/sample/mail", &fields)
        .await
        .expect(409)
        .says("already such a mail");

    app.advance(3 * DAY);
    // One of those who have not answered has unsubscribed meanwhile.
    let txn = app.app.db.write_txn("test").await.unwrap();
    let left = "UPDATE subscription SET state = 2 WHERE reader_id = $1";
    run(&*txn, left, [gone.0.0.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let page = editor
        .get(&send_page)
        .await
        .expect(200)
        .says("drawn, but no longer subscribed");
    editor
        .submit(page.form("form[action$='/send']"))
        .await
        .expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 2)
        .await;
    let twice: BTreeSet<String> = inboxes(&app)
        .await
        .into_iter()
        .filter(|(_, n)| *n == 2)
        .map(|(address, _)| address)
        .collect();
    let expected: BTreeSet<String> = asked[12..]
        .iter()
        .map(|(_, address)| address.clone())
        .collect();
    assert_eq!(twice, expected);
    editor
        .get("/admin/polls/trust-sample/sample")
        .await
        .says("reminded once, and not again");
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing_only").await, 0);
    // A reader who unsubscribed still counts as drawn: the response rate is that of all who were drawn.
    editor
        .get("/admin/polls/trust-sample/sample")
        .await
        .says("30.0%");
}
