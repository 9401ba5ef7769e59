//! The public form and the API against abuse: the same response for every address, limits, honeypots, bad input.

use std::time::Duration;

use canvass::db::run;
use canvass::subscriptions::Suppression;
use canvass::types::EmailAddress;

use crate::subscriptions_double_opt_in::{ask, state_of, subscribe};
use crate::support::app::TestApp;
use crate::support::page::Page;

const MINUTE: Duration = Duration::from_secs(60);

async fn suppress(app: &TestApp, address: &str, reason: Suppression) {
    let hash = app
        .app
        .keys
        .address_hash(EmailAddress::parse(address).unwrap().key());
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(
        &*txn,
        "INSERT INTO suppression (address_hash, reason, created_ms) VALUES ($1, $2, 0)",
        [hash.to_vec().into(), reason.code().into()],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
}

/// Four addresses of equal length, one of each kind. Enough time has passed since the mails that their set-up caused.
pub async fn four_kinds(app: &TestApp) -> [&'static str; 4] {
    let addresses = [
        "aaaa1@example.org",
        "aaaa2@example.org",
        "aaaa3@example.org",
        "aaaa4@example.org",
    ];
    app.newsletter("premium").await;
    subscribe(app, &app.reader(), addresses[0]).await;
    ask(app, &app.reader(), addresses[1]).await.expect(200);
    suppress(app, addresses[3], Suppression::Complaint).await;
    app.advance(11 * MINUTE);
    addresses
}

pub fn without_address(page: &Page, address: &str) -> String {
    page.body.replace(address, "…")
}

#[tokio::test]
async fn known_unknown_pending_and_suppressed_addresses_get_the_same_page() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let mut pages = Vec::new();
    for address in addresses {
        let page = ask(&app, &app.reader(), address).await.expect(200);
        let mut headers: Vec<_> = page.headers.keys().map(|k| k.to_string()).collect();
        headers.sort();
        pages.push((
            without_address(&page, address),
            headers,
            page.headers["content-length"].clone(),
        ));
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "{pages:#?}");
    // And again, now that the caps apply to all of them.
    for address in addresses {
        let page = ask(&app, &app.reader(), address).await.expect(200);
        assert_eq!(without_address(&page, address), pages[0].0);
    }
    // Only the mails differ, and only the owner of the inbox sees them.
    assert_eq!(
        app.mail_to(addresses[2], 1).await.subject,
        app.mail_to(addresses[1], 2).await.subject
    );
    assert!(
        app.mail_to(addresses[0], 2)
            .await
            .subject
            .contains("already")
    );
    assert_eq!(app.mails_to(addresses[3]).await.len(), 0);
}

/// The same rows are written for every kind, so it takes the same time. This counts the work, which unlike time does
/// not depend on what else the machine does.
#[tokio::test]
async fn every_kind_of_address_costs_the_same_rows() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let mut work = Vec::new();
    for round in 0..2 {
        for address in addresses {
            let before = rows(&app).await;
            ask(&app, &app.reader(), address).await.expect(200);
            let after = rows(&app).await;
            work.push((
                round,
                [
                    after[0] - before[0],
                    after[1] - before[1],
                    after[2] - before[2],
                ],
            ));
        }
    }
    assert!(work.iter().all(|(_, rows)| *rows == [1, 1, 1]), "{work:?}");
}

pub async fn rows(app: &TestApp) -> [i64; 3] {
    [
        app.count("SELECT COUNT(*) FROM triggered_mail").await,
        app.count("SELECT COUNT(*) FROM subscription_request").await,
        app.count("SELECT COUNT(*) FROM outbox").await,
    ]
}

/// A difference above the noise of the machine would be a leak. A leak is there whenever one looks; what the machine
/// does besides is gone the next time, so the kinds may look unlike once or twice.
#[tokio::test]
async fn no_kind_of_address_takes_half_as_long_again() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let mut looks = Vec::new();
    for _ in 0..3 {
        let typical = typical_ms(&app, addresses).await;
        let (least, most) = typical
            .iter()
            .fold((f64::MAX, 0.0_f64), |(a, b), &m| (a.min(m), b.max(m)));
        if most < least * 1.5 {
            return;
        }
        looks.push(typical);
    }
    panic!("ms: known, pending, unknown, suppressed = {looks:?}");
}

/// The tenth percentile of what a request takes, for each kind: other work of the machine makes some requests slower,
/// but none faster.
async fn typical_ms(app: &TestApp, addresses: [&str; 4]) -> [f64; 4] {
    let mut times = [const { Vec::new() }; 4];
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for round in 0..80 {
        app.advance(1500 * MINUTE);
        for kind in (0..4).map(|n| (round + n) % 4) {
            let form = [("email", addresses[kind]), ("consent", "1")];
            // A suppressed address causes no mail: whatever comes after it would be answered while nothing is sent.
            app.wait_until("SELECT COUNT(*) FROM outbox WHERE state IN (0, 1)", 0)
                .await;
            let started = tokio::time::Instant::now();
            let response = client
                .post(app.url("/subscribe/premium"))
                .form(&form)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status().as_u16(), 200);
            response.bytes().await.unwrap();
            times[kind].push(started.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 10].as_secs_f64() * 1000.0
    })
}

#[tokio::test]
async fn a_fresh_double_opt_in_ends_a_bounce_but_not_a_complaint() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    for (address, reason, ends) in [
        ("bounced@example.org", Suppression::HardBounce, true),
        ("erased@example.org", Suppression::Erased, true),
        ("complained@example.org", Suppression::Complaint, false),
        ("editor@example.org", Suppression::Editor, false),
    ] {
        suppress(&app, address, reason).await;
        if ends {
            subscribe(&app, &app.reader(), address)
                .await
                .says("You are subscribed");
            assert_eq!(state_of(&app, address).await, 1, "{address}");
        } else {
            ask(&app, &app.reader(), address).await.expect(200);
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 2);
    // A complaint between the request and the button.
    ask(&app, &app.reader(), "late@example.org")
        .await
        .expect(200);
    let link = app.mail_to("late@example.org", 1).await.link("/confirm/");
    let form = app.reader().get(&link).await.expect(200).the_form();
    suppress(&app, "late@example.org", Suppression::Complaint).await;
    app.reader()
        .submit(form)
        .await
        .expect(409)
        .says("cannot email this address");
    assert_eq!(state_of(&app, "late@example.org").await, 0);
    assert_eq!(app.mails_to("complained@example.org").await.len(), 0);
}

#[tokio::test]
async fn mistakes_are_named_and_what_was_typed_is_kept() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let form = reader
        .get("/subscribe/premium")
        .await
        .expect(200)
        .the_form();
    app.advance(MINUTE);
    let page = reader
        .submit(form.clone().fill("email", "anna example.org"))
        .await
        .expect(422);
    let page = page
        .says("needs an @")
        .says("Tick the box")
        .says("2 things need your attention");
    assert_eq!(page.the_form().value("email"), Some("anna example.org"));
    assert_eq!(
        page.attributes("input[name=email]", "aria-invalid"),
        ["true"]
    );
    assert_eq!(
        page.attributes("input[name=email]", "aria-describedby"),
        ["email-hint email-error"]
    );
    assert_eq!(
        page.attributes(".error-summary a", "href"),
        ["#email", "#consent"]
    );
    let page = reader
        .submit(
            page.the_form()
                .fill("email", "dörte@example.org")
                .tick("consent", "1"),
        )
        .await;
    let page = page.expect(422).says("letters beyond a–z");
    assert_eq!(
        page.attributes("input[name=consent][checked]", "value"),
        ["1"]
    );
    assert_eq!(rows(&app).await, [0, 0, 0]);
}

#[tokio::test]
async fn robots_that_are_too_fast_or_fill_in_everything_get_nothing() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let form = reader
        .get("/subscribe/premium")
        .await
        .the_form()
        .fill("email", "anna@example.org")
        .tick("consent", "1");
    let page = reader
        .submit(form.clone())
        .await
        .expect(422)
        .says("very fast");
    assert_eq!(page.the_form().value("email"), Some("anna@example.org"));
    app.advance(Duration::from_secs(2));
    let trapped = reader
        .submit(form.clone().fill("website", "http://spam.example"))
        .await
        .expect(200);
    assert_eq!(rows(&app).await, [0, 0, 0]);
    let tampered = form.value("form_time").unwrap().to_owned() + "A";
    reader
        .submit(form.clone().fill("form_time", &tampered))
        .await
        .expect(422);
    assert_eq!(rows(&app).await, [0, 0, 0]);
    let honest = reader.submit(form).await.expect(200);
    assert_eq!(trapped.body, honest.body, "the trap does not show");
    // A form that a site has embedded or cached for a month has no time, or an old one.
    reader
        .post(
            "/subscribe/premium",
            &[("email", "bo@example.org"), ("consent", "on")],
        )
        .await
        .expect(200);
    assert_eq!(rows(&app).await, [2, 2, 2]);
}

#[tokio::test]
async fn a_network_that_asks_too_often_waits_and_others_do_not() {
    let app = TestApp::start_with(|config| {
        config.limits.subscriptions_per_minute = 5;
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    app.newsletter("premium").await;
    let noisy = app.reader().with_header("x-forwarded-for", "198.51.100.7");
    for n in 0..5 {
        let address = format!("reader{n}@example.org");
        noisy
            .post(
                "/subscribe/premium",
                &[("email", &address), ("consent", "on")],
            )
            .await
            .expect(200);
    }
    let fields = [("email", "more@example.org"), ("consent", "on")];
    let page = noisy
        .post("/subscribe/premium", &fields)
        .await
        .expect(429)
        .says("12 seconds");
    assert_eq!(page.headers["retry-after"], "12");
    app.reader()
        .with_header("x-forwarded-for", "198.51.100.8")
        .post("/subscribe/premium", &fields)
        .await
        .expect(429);
    app.reader()
        .with_header("x-forwarded-for", "203.0.113.8")
        .post("/subscribe/premium", &fields)
        .await
        .expect(200);
    app.advance(Duration::from_secs(12));
    noisy.post("/subscribe/premium", &fields).await.expect(200);
}

#[tokio::test]
async fn nothing_a_stranger_sends_breaks_anything_or_reaches_a_mail() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    for email in [
        "anna@example.org\r\nBcc: all@example.org",
        "anna@example.org%0ABcc: x@example.org",
        "anna@example.org,bo@example.org",
        "anna@example.org\0",
        "Anna <anna@example.org>",
        "\"a\r\n\"@example.org",
        "anna@[127.0.0.1]",
        "",
        &format!("{}@example.org", "a".repeat(200_000)),
    ] {
        let page = reader
            .post("/subscribe/premium", &[("email", email), ("consent", "on")])
            .await;
        assert!(
            page.status.is_client_error(),
            "{:.60}: {}",
            email,
            page.status
        );
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = app.url("/subscribe/premium");
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, status) in [
        (form, b"email=%ff%fe&consent=on".to_vec(), 400),
        (
            form,
            b"email=a%40example.org&email=b%40example.org&consent=on".to_vec(),
            400,
        ),
        (form, vec![b'a'; 300_000], 413),
        (form, Vec::new(), 422),
        (
            "text/plain",
            b"email=a@example.org&consent=on".to_vec(),
            415,
        ),
        ("application/json", b"{}".to_vec(), 415),
    ] {
        let response = client
            .post(&url)
            .header("content-type", content_type)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{content_type}");
    }
    reader
        .post("/subscribe/nothing", &[("email", "a@example.org")])
        .await
        .expect(404);
    for consent in ["7", "-1"] {
        let fields = [("email", "a@example.org"), ("consent", consent)];
        reader.post("/subscribe/premium", &fields).await.expect(422);
    }
    assert_eq!(rows(&app).await, [0, 0, 0]);
}
