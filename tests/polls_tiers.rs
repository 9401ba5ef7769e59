//! Whose answers make the result, and what a browser must present for its tier.

use std::time::Duration;

use canvass::polls::Tier;
use futures::future::join_all;
use serde_json::json;

use super::support::app::TestApp;
use super::support::browser::{Browser, Look};
use super::support::editor::signed_in;
use super::support::proof::{solved, solved_at};
use super::support::reader::Reader;
use super::support::wait;

/// The voters of exactly this tier, by the tally.
async fn voters(app: &TestApp, tier: i16) -> i64 {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0 AND tier = {tier}"
    );
    app.count(&sql).await
}

async fn bad_proofs(app: &TestApp) -> i64 {
    app.count("SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM refusal WHERE reason = 6")
        .await
}

/// Answers with a proof beside the option.
async fn prove(reader: &Reader, option: &str, proof: &str) {
    let fields = [("option", option), ("proof", proof)];
    reader.post("/p/trust", &fields).await.expect(200);
}

#[tokio::test]
async fn the_editor_says_before_the_opening_whose_answers_make_the_result() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await.expect(200);
    let form = page
        .form("main form.form")
        .fill("question.1", "Is the tram worth it?")
        .with_options(1, &["Yes", "No"])
        .choose("headline_tier", "subscriber");
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(200)
        .says("Confirmed subscribers");
    let page = browser.follow(&page, "Edit").await.expect(200);
    assert_eq!(
        page.attributes("input[name=headline_tier][checked]", "value"),
        ["subscriber"],
        "what was chosen is kept"
    );
    let page = browser.get("/admin/polls/is-the-tram-worth-it").await;
    browser
        .submit(page.form("form[action$='/publish']"))
        .await
        .expect(200);
    let page = browser
        .get("/admin/polls/is-the-tram-worth-it/edit")
        .await
        .expect(200);
    assert!(
        page.attributes("input[name=headline_tier]", "value")
            .is_empty(),
        "once it is open the choice stands"
    );

    let token = app.api_token().await;
    let new = |slug: &str, tier: &str| json!({ "slug": slug, "question": "Why?", "options": ["a", "b"], "headline_tier": tier });
    let post = |body: serde_json::Value| {
        let request = reqwest::Client::new().post(app.url("/api/v1/polls"));
        request.bearer_auth(&token).json(&body).send()
    };
    let made = post(new("worked", "worked")).await.unwrap();
    assert_eq!(made.status(), 201);
    let refused = post(new("forged", "editor")).await.unwrap();
    assert_eq!(refused.status(), 422);
    let sql = "SELECT CAST(SUM(headline_tier) AS BIGINT) FROM poll WHERE slug IN ('worked', 'is-the-tram-worth-it')";
    assert_eq!(app.count(sql).await, 3, "1 and 2");
}

#[tokio::test]
async fn work_makes_the_tier_and_a_later_answer_never_unmakes_it() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    reader
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (1, 0));

    // Fetched with the marker, so the proof belongs to this browser.
    let proof = solved(&reader, "trust").await;
    prove(&reader, "1", &proof).await;
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (0, 1));
    app.assert_the_count_agrees("trust").await;

    reader
        .post("/p/trust", &[("option", "2")])
        .await
        .expect(200);
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (0, 1));
    let second = "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE tier = 1 AND option_id = (SELECT id FROM poll_option WHERE position = 2)";
    assert_eq!(app.count(second).await, 1);
    app.assert_the_count_agrees("trust").await;
    assert_eq!(bad_proofs(&app).await, 0);
}

#[tokio::test]
async fn a_page_of_another_site_proves_for_the_marker_it_keeps() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    // What the page computes: the first seven bytes of SHA-256("trust\0" + the marker).
    let marker = "AAAAAAAAAAAAAAAAAAAAAA";
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        format!("trust\0{marker}").as_bytes(),
    );
    let bond = data_encoding::HEXLOWER.encode(&hash.as_ref()[..7]);
    let proof = solved_at(&app.reader(), &format!("/p/trust/proof?for={bond}")).await;
    let fields = |marker| {
        [
            ("option", "1"),
            ("proof", proof.as_str()),
            ("marker", marker),
        ]
    };
    app.reader()
        .post("/p/trust", &fields(marker))
        .await
        .expect(200);
    assert_eq!(voters(&app, 1).await, 1);
    // It is useless to anybody else.
    app.reader()
        .post("/p/trust", &fields("BBBBBBBBBBBBBBBBBBBBBB"))
        .await
        .expect(200);
    prove(&app.reader(), "1", &proof).await;
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (2, 1));
    assert_eq!(bad_proofs(&app).await, 2);
}

#[tokio::test]
async fn forged_tiers_are_counted_as_what_they_are() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    app.poll("other").await;
    let proof = solved(&app.reader(), "trust").await;
    let (token, number) = proof.split_once('.').unwrap();
    let next: u32 = number.parse::<u32>().unwrap() + 1;
    let mut forged = vec![
        solved(&app.reader(), "other").await,
        format!("{token}.{next}"),
        format!("{token}.0{number}"),
        format!("{token}."),
        token.to_owned(),
        format!("a{token}.{number}"),
        "x".repeat(100_000),
        "\u{202e}.1".to_owned(),
    ];
    // Another kind of sealed link is not a valid proof either.
    forged.push(format!(
        "{}.1",
        app.app.keys.seal(
            canvass::types::Purpose::VoteNonce,
            b"\x01\x01\x01\x01\x01\x01"
        )
    ));
    let stale = solved(&app.reader(), "trust").await;
    for proof in &forged {
        prove(&app.reader(), "1", proof).await;
    }
    app.advance(Duration::from_secs(30 * 60 + 1));
    prove(&app.reader(), "1", &stale).await;
    let sent = forged.len() as i64 + 1;
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (sent, 0));
    assert_eq!(bad_proofs(&app).await, sent);

    // Fields that claim a tier have no effect; the API rejects them.
    let claims = [
        ("option", "1"),
        ("tier", "2"),
        ("headline_tier", "0"),
        ("worked", "true"),
    ];
    app.reader().post("/p/trust", &claims).await.expect(200);
    let token = app.api_token().await;
    let url = app.url("/api/v1/polls/trust/ballots");
    let claim = json!({ "option": ["1"], "tier": 2 });
    let request = reqwest::Client::new().post(url).bearer_auth(token);
    let answer = request.json(&claim).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    assert_eq!(voters(&app, 0).await, sent + 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE tier <> 0")
            .await,
        0
    );
    app.assert_the_count_agrees("trust").await;
}

/// Days and places are not counted by tier, so they are those of all who answered, and the note says so.
#[tokio::test]
async fn the_note_under_a_higher_tier_does_not_say_where_its_readers_answered() {
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| poll.headline_tier = Tier::Worked)
        .await;
    prove(&app.reader(), "1", &solved(&app.reader(), "trust").await).await;
    let note = async || {
        let token = app.api_token().await;
        let url = app.url("/api/v1/polls/trust/results");
        let request = reqwest::Client::new().get(url).bearer_auth(token);
        let results: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        (results["note"].clone(), results["answered"].clone())
    };
    let (said, answered) = note().await;
    let all = "1 reader chose to answer, on 2 March 2026, on the poll’s page. They selected themselves; no margin of error applies.";
    assert_eq!(said, all);
    assert_eq!(
        (&answered["places"], &answered["all"]),
        (&json!(["page"]), &json!(true))
    );
    let embedded = [("option", "1"), ("place", "embed")];
    app.reader().post("/p/trust", &embedded).await.expect(200);
    let (said, answered) = note().await;
    let part = "1 reader who chose to answer is counted here. All answers, including those not counted here, were given on 2 March 2026, \
                on the poll’s page and on pages that embed it. Readers selected themselves; no margin of error applies.";
    assert_eq!(said, part);
    assert_eq!(
        (&answered["readers"], &answered["all"]),
        (&json!(1), &json!(false))
    );
}

/// Sent a hundred times at once by browsers without a cookie: it is one voter, on every node and after a restart,
/// because the proof itself names the voter.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_proof_is_the_same_voter() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let proof = solved(&app.reader(), "trust").await;
    let readers: Vec<Reader> = (0..100).map(|_| app.reader()).collect();
    join_all(readers.iter().map(|reader| prove(reader, "1", &proof))).await;
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (0, 1));
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    // In a browser with its own cookie, it is somebody else's work.
    let known = app.reader();
    known.post("/p/trust", &[("option", "2")]).await.expect(200);
    prove(&known, "2", &proof).await;
    assert_eq!((voters(&app, 0).await, voters(&app, 1).await), (1, 1));
    app.assert_the_count_agrees("trust").await;
}

#[tokio::test]
async fn a_puzzle_is_there_while_the_poll_takes_answers() {
    let app = TestApp::start_with(|config| config.polls.proof_work = 50).await;
    app.poll_with("closed", |poll| {
        poll.closes_at = Some(canvass::types::UnixMillis(1))
    })
    .await;
    let reader = app.reader();
    reader.get("/p/closed/proof").await.expect(204);
    reader.get("/p/unknown/proof").await.expect(404);
    app.poll("trust").await;
    let page = reader.get("/p/trust/proof").await.expect(200);
    assert_eq!(page.headers["cache-control"], "no-store");
    let off = TestApp::start_with(|config| config.polls.proof_work = 0).await;
    off.poll("trust").await;
    off.reader().get("/p/trust/proof").await.expect(204);
}

/// In a real browser: nothing is requested before the reader chooses, and the answer counts in its tier.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_works_while_its_reader_answers() {
    // Little enough work that even a busy machine finishes before the page stops waiting for it.
    let app = TestApp::start_with(|config| config.polls.proof_work = 300).await;
    app.poll("trust").await;
    for (look, tier, waits) in [
        (Look::default(), 1, false),
        (Look::phone(), 1, true),
        (Look::default().without_javascript(), 0, false),
    ] {
        // A machine that hangs for longer than the page waits is not to blame on the page. It is not that slow each time.
        for more_tries in (0..3).rev() {
            let Some(browser) = Browser::open(look).await else {
                return;
            };
            let before = voters(&app, tier).await;
            browser.goto(&app.url("/p/trust")).await;
            browser.click("#o1").await;
            if waits {
                let done = "return !!document.querySelector('form.poll').elements.proof";
                wait::until("the work is done", async || browser.run(done).await == true).await;
            }
            browser.click("form.poll button").await;
            browser.wait_for_text("Your answer has been counted").await;
            browser.close().await;
            if voters(&app, tier).await == before + 1 {
                break;
            }
            assert!(more_tries > 0 && tier == 1 && !waits, "{look:?}");
        }
    }
    assert_eq!(bad_proofs(&app).await, 0);
}
