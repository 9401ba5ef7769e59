//! The editors' pages about readers.

use std::collections::BTreeSet;

use canvass::db::run;
use canvass::types::EmailAddress;

use super::support::app::TestApp;
use super::support::editor::signed_in;
use super::support::reader::Reader;
use crate::support::paging::assert_pages_are_quick;

/// Writes `n` readers with addresses from the whole alphabet, each subscribed to newsletter 1 and every third to 2 as
/// well; one in 997 has left, one in 20,011 has complained.
async fn many_readers(app: &TestApp, n: i64) {
    let letter = |of: &str| {
        format!("SUBSTR('abcdefghijklmnopqrstuvwxyz', 1 + CAST(({of}) % 26 AS INTEGER), 1)")
    };
    let address = format!(
        "{} || {} || {} || i || '@example.org'",
        letter("i * 7919"),
        letter("i / 26"),
        letter("i / 676")
    );
    let numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    let state = "CASE WHEN id % 20011 = 0 THEN 5 WHEN id % 997 = 0 THEN 2 ELSE 1 END";
    let txn = app.app.db.write_txn("test").await.unwrap();
    let readers = format!(
        "INSERT INTO reader (id, email_key, email, name, created_ms) {numbers} SELECT i, {address}, {address}, '', 1772442000000 FROM n"
    );
    run(&*txn, readers, [n.into()]).await.unwrap();
    for (newsletter, which) in [(1, "id > 0"), (2, "id % 3 = 0")] {
        let subscriptions = format!(
            "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms) \
             SELECT {newsletter}, id, {state}, 1772442000000, 1772442000000 FROM reader WHERE {which}"
        );
        run(&*txn, subscriptions, []).await.unwrap();
    }
    txn.commit().await.unwrap();
}

fn thousands(n: usize) -> String {
    match (n / 1_000, n % 1_000) {
        (0, n) => n.to_string(),
        (k, n) => format!("{k},{n:03}"),
    }
}

/// Walks through all pages; fails if a reader is listed twice.
async fn all_pages(browser: &Reader, query: &str) -> BTreeSet<String> {
    let mut page = browser
        .get(&format!("/admin/readers?{query}"))
        .await
        .expect(200);
    let mut seen = BTreeSet::new();
    loop {
        for address in page.all("tbody th a") {
            assert!(seen.insert(address.clone()), "{address} twice");
        }
        if !page.links().iter().any(|(_, text)| text == "Next page") {
            return seen;
        }
        page = browser.follow(&page, "Next page").await.expect(200);
    }
}

#[tokio::test]
async fn every_filter_shows_every_match_once() {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    app.newsletter("evening").await;
    let browser = signed_in(&app).await;
    browser
        .get("/admin/readers")
        .await
        .expect(200)
        .says("No readers yet");
    many_readers(&app, 1_207).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let odd = "UPDATE subscription SET state = 4 WHERE reader_id % 2 = 1 AND newsletter_id = 2";
    run(&*txn, odd, []).await.unwrap();
    run(
        &*txn,
        "UPDATE reader SET erased_ms = 1, email_key = 'erased:x' WHERE id = 7",
        [],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();

    let count = async |condition: &str| {
        let sql = format!(
            "SELECT COUNT(DISTINCT r.id) FROM reader r LEFT JOIN subscription s ON s.reader_id = r.id WHERE erased_ms IS NULL AND {condition}"
        );
        usize::try_from(app.count(&sql).await).unwrap()
    };
    for (query, condition) in [
        ("", "1 = 1"),
        ("newsletter=evening", "newsletter_id = 2"),
        (
            "newsletter=evening&state=bounced",
            "newsletter_id = 2 AND state = 4",
        ),
        ("state=left", "state = 2"),
        ("state=active", "state = 1"),
        ("q=A", "email_key LIKE 'a%'"),
        (
            "q=ab&newsletter=morning&state=active",
            "email_key LIKE 'ab%' AND newsletter_id = 1 AND state = 1",
        ),
        ("q=b&state=bounced", "email_key LIKE 'b%' AND state = 4"),
        ("q=%25", "1 = 0"),
        ("q=%C3%A4", "1 = 0"),
    ] {
        let seen = all_pages(&browser, query).await;
        assert_eq!(seen.len(), count(condition).await, "{query}");
        // The number above the list matches its rows.
        let told = match (query, seen.len()) {
            (_, 0) => continue,
            ("", n) => format!("{} readers.", thousands(n)),
            (_, 1) => "1 reader matches.".to_owned(),
            (_, n) => format!("{} readers match.", thousands(n)),
        };
        let page = browser.get(&format!("/admin/readers?{query}")).await;
        page.says(&told);
    }
    browser
        .get("/admin/readers?q=a")
        .await
        .says("readers match.");
    browser.get("/admin/readers").await.says("1,206 readers.");
    for odd in [
        "after=x",
        "after=%00",
        "newsletter=none&state=none",
        "q=%00",
        "q=%27",
        "state=active&after=AAAA",
    ] {
        browser
            .get(&format!("/admin/readers?{odd}"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_reader_shows_what_was_agreed_to_and_can_be_stopped() {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    many_readers(&app, 1).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let consent = "INSERT INTO consent (reader_id, newsletter_id, consent_text_id, page, source, requested_ms, confirmed_ms) \
        VALUES (1, 1, 1, 'https://news.example/article', 'poll', 1772441000000, 1772442000000)";
    run(&*txn, consent, []).await.unwrap();
    txn.commit().await.unwrap();

    let browser = signed_in(&app).await;
    let list = browser.get("/admin/readers").await.expect(200);
    let page = browser.follow(&list, "@example.org").await.expect(200);
    let page = page
        .says("Send me this newsletter by mail.")
        .says("text version 1")
        .says("https://news.example/article");
    let address = page.all("h1")[0].clone();

    let form = page.form("form[action$='/stop']");
    assert_eq!(page.all("form[action$='/stop'] button"), ["Stop the mails"]);
    let page = browser
        .submit(form.clone().fill("reason", "asked by phone"))
        .await
        .expect(422)
        .says("Choose what to do");
    let described = page.attributes("fieldset#what", "aria-describedby");
    assert_eq!(described, ["what-error"]);
    let page = browser
        .submit(form.clone().choose("what", "morning"))
        .await
        .expect(422)
        .says("Give a reason");
    assert_eq!(
        page.form("form[action$='/stop']").value("what"),
        Some("morning"),
        "kept"
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM subscription WHERE state = 1")
            .await,
        1
    );

    let page = browser
        .submit(
            form.choose("what", "morning")
                .fill("reason", "asked by phone"),
        )
        .await
        .expect(200);
    let page = page
        .says("This reader gets no more issues")
        .says("Removed")
        .says("asked by phone")
        .says("Withdrawn");
    let form = page
        .form("form[action$='/stop']")
        .choose("what", "!suppress")
        .fill("reason", "a lawyer's letter");
    let page = browser
        .submit(form)
        .await
        .expect(200)
        .says("Never mailed")
        .says("a lawyer's letter");

    let key = EmailAddress::parse(&address).unwrap();
    let hash = app.app.keys.address_hash(key.key());
    let row = canvass::db::fetch_one(
        app.app.db.read(),
        "SELECT reason FROM suppression WHERE address_hash = $1",
        [hash.to_vec().into()],
    );
    assert_eq!(
        row.await
            .unwrap()
            .unwrap()
            .try_get_by_index::<i16>(0)
            .unwrap(),
        3
    );

    let form = page.form("form[action$='/stop']").fill("reason", "settled");
    assert_eq!(
        page.all("form[action$='/stop'] button"),
        ["Allow mails again"]
    );
    browser
        .submit(form)
        .await
        .expect(200)
        .says("can be mailed again");
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 0);
    for unknown in [
        "/admin/readers/2",
        "/admin/readers/x",
        "/admin/readers/-1",
        "/admin/readers/99999999999999999999",
    ] {
        browser.get(unknown).await.expect(404);
    }
}

/// `cargo test --test canvass a_million_readers -- --ignored --nocapture`
#[tokio::test]
#[ignore = "writes a million readers and measures; about a minute"]
async fn a_million_readers_are_listed_within_a_tenth_of_a_second() {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    app.newsletter("evening").await;
    many_readers(&app, 1_000_000).await;
    if canvass::db::Backend::Postgres == app.app.db.backend() {
        let txn = app.app.db.write_txn("test").await.unwrap();
        run(&*txn, "ANALYZE", []).await.unwrap();
        txn.commit().await.unwrap();
    }
    let browser = signed_in(&app).await;
    for query in [
        "",
        "newsletter=morning",
        "newsletter=evening&state=active",
        "newsletter=morning&state=complained",
        "state=left",
        "state=active",
        "q=a",
        "q=abc",
        "q=a&newsletter=evening&state=active",
        "q=a&newsletter=morning&state=complained",
        "q=a&state=left",
        "q=zzzz",
    ] {
        let path = format!("/admin/readers?{query}");
        assert_pages_are_quick(&browser, &path).await;
    }
}
