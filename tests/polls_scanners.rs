//! Programs that check mails, against a real issue: what they open costs nobody a vote and casts none.
//!
//! These are the ones that use only HTTP; those that run a browser are in `browser_scanners`.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::db;
use canvass::mailer::mime::{Edition, Recipient, Sending, View};
use canvass::types::{ReaderId, UnixMillis};
use reqwest::Method;

use crate::support::dump::Dump;
use crate::support::editor::signed_in;
use crate::support::reader::Form;
use crate::support::scanner::{Scanner, Sent, VOTE_PAGES, option, options};

const READERS: i64 = 12;
const ANSWERS: [&str; 3] = ["Yes", "No", "Unsure"];

/// Every reader opens their own answer and presses the button: two taps. Then they use the other links of their mails.
async fn people_do_what_they_came_for(sent: &Sent) {
    for (n, mail) in sent.mails.iter().enumerate() {
        let reader = sent.app.reader();
        let page = reader.get(&option(mail, ANSWERS[n % 3])).await.expect(200);
        sent.app.advance(Duration::from_secs(1));
        let done = reader.submit(page.the_form()).await.expect(200);
        done.says("Your answer has been counted");
    }
    assert_eq!(sent.harm().await, [READERS, 0, 0]);
    for key in 1..=3 {
        let sql = format!(
            "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE tier = 2 AND option_id = (SELECT id FROM poll_option WHERE position = {key})"
        );
        assert_eq!(sent.app.count(&sql).await, READERS / 3, "option {key}");
    }
    let reader = sent.app.reader();
    let page = reader.get(&sent.confirmation.link("/confirm/")).await;
    reader.submit(page.expect(200).the_form()).await.expect(200);
    let page = reader.get(&sent.mails[0].link("/unsubscribe/")).await;
    let form = page.expect(200).the_form().button("action", "leave");
    reader.submit(form).await.expect(200);
    assert_eq!(sent.harm().await, [READERS, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_ask_for_the_head_of_every_link_change_nothing() {
    let sent = Sent::to(READERS).await;
    let before = Dump::of(&sent.app.app.db).await;
    let scanner = Scanner::new(&sent.app, "head");
    for mail in sent.inboxes() {
        scanner.open_all(Method::HEAD, mail).await;
    }
    let after = Dump::of(&sent.app.app.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    people_do_what_they_came_for(&sent).await;
    assert_eq!(sent.numbers().await, [READERS, 0, READERS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_open_every_link_change_nothing() {
    let sent = Sent::to(READERS).await;
    let before = Dump::of(&sent.app.app.db).await;
    let scanner = Scanner::new(&sent.app, "get");
    for mail in sent.inboxes() {
        scanner.open_all(Method::GET, mail).await;
    }
    let after = Dump::of(&sent.app.app.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    people_do_what_they_came_for(&sent).await;
    assert_eq!(sent.numbers().await, [READERS, 0, READERS]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_of_other_vote_pages_change_nothing() {
    for page in VOTE_PAGES {
        let sent = Sent::asking(1, page.ask).await;
        let before = Dump::of(&sent.app.app.db).await;
        let scanner = Scanner::new(&sent.app, "head and get");
        for method in [Method::HEAD, Method::GET] {
            for mail in sent.inboxes() {
                scanner.open_all(method.clone(), mail).await;
            }
        }
        let after = Dump::of(&sent.app.app.db).await;
        let changed = before.differences(&after, &[]);
        assert_eq!(changed, Vec::<String>::new(), "{}", page.name);
        let reader = sent.app.reader();
        let opened = reader.get(&sent.mails[0].link("/v/")).await.expect(200);
        let mut form = opened.the_form();
        for (name, value) in page.chosen {
            form = form.choose(name, value);
        }
        sent.app.advance(Duration::from_secs(1));
        let done = reader.submit(form).await.expect(200);
        done.says("Your answer has been counted");
        assert_eq!(sent.harm().await, [1, 0, 0], "{}", page.name);
        assert_eq!(sent.numbers().await, [1, 0, 1], "{}", page.name);
    }
}

/// Coming first is no disadvantage: a person's page is open while the scanner works.
#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_work_while_a_person_reads_take_nothing_away() {
    let sent = Sent::to(3).await;
    for (n, mail) in sent.mails.iter().enumerate() {
        let reader = sent.app.reader();
        let page = reader.get(&option(mail, ANSWERS[n])).await.expect(200);
        let scanner = Scanner::new(&sent.app, "get");
        scanner.open_all(Method::HEAD, mail).await;
        scanner.open_all(Method::GET, mail).await;
        sent.app.advance(Duration::from_millis(700));
        let (done, ()) = tokio::join!(
            reader.submit(page.the_form()),
            scanner.open_all(Method::GET, mail)
        );
        done.expect(200).says("Your answer has been counted");
    }
    assert_eq!(sent.harm().await, [3, 0, 0]);
    assert_eq!(sent.numbers().await, [3, 0, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_open_the_first_link_open_the_unseen_one() {
    let sent = Sent::to(READERS).await;
    let before = Dump::of(&sent.app.app.db).await;
    let scanner = Scanner::new(&sent.app, "first");
    for mail in sent.inboxes() {
        let links = scanner.ours(mail);
        if mail.to.starts_with("reader") {
            assert!(links[0].contains("/c/"), "{links:?}");
        }
        scanner.open(Method::GET, &links[0]).await;
    }
    let after = Dump::of(&sent.app.app.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    people_do_what_they_came_for(&sent).await;
    assert_eq!(sent.numbers().await, [READERS, 0, READERS]);
}

/// Some scanners check a link again at the moment it is clicked.
#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_come_with_the_click_take_nothing_away() {
    let sent = Sent::to(READERS).await;
    let scanner = Scanner::new(&sent.app, "at the click");
    for (n, mail) in sent.mails.iter().enumerate() {
        let link = option(mail, ANSWERS[n % 3]);
        let reader = sent.app.reader();
        let (page, _) = tokio::join!(reader.get(&link), scanner.open(Method::GET, &link));
        sent.app.advance(Duration::from_secs(1));
        let form = page.expect(200).the_form();
        let (done, _) = tokio::join!(reader.submit(form), scanner.open(Method::GET, &link));
        done.expect(200).says("Your answer has been counted");
    }
    assert_eq!(sent.harm().await, [READERS, 0, 0]);
    assert_eq!(sent.numbers().await, [READERS, 0, 0]);
}

/// Image proxies and prefetching browsers: nobody has looked.
#[tokio::test(flavor = "multi_thread")]
async fn polls_scanners_that_fetch_images_or_ahead_have_seen_nothing() {
    let sent = Sent::to(READERS).await;
    let before = Dump::of(&sent.app.app.db).await;
    let proxy = Scanner::new(&sent.app, "image proxy");
    for mail in sent.inboxes() {
        let html = scraper::Html::parse_document(&mail.html);
        let images = scraper::Selector::parse("[src], [background]").unwrap();
        for image in html.select(&images) {
            let source = image.attr("src").or(image.attr("background")).unwrap();
            assert!(
                !source.starts_with(&sent.app.url("/")),
                "no image of ours tells who reads: {source}"
            );
        }
        for ahead in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-moz", "prefetch"),
            ("x-purpose", "preview"),
        ] {
            for link in proxy.ours(mail) {
                proxy.open_with(Method::GET, &link, &[ahead]).await;
            }
        }
    }
    let after = Dump::of(&sent.app.app.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    people_do_what_they_came_for(&sent).await;
    assert_eq!(sent.numbers().await, [READERS, 0, 0]);
}

/// The counted looks name nobody, and are counted once.
#[tokio::test(flavor = "multi_thread")]
async fn polls_looks_are_counted_and_the_reader_forgotten() {
    let sent = Sent::to(3).await;
    let before = Dump::of(&sent.app.app.db).await;
    for mail in &sent.mails {
        let reader = sent.app.reader();
        reader.get(&option(mail, "Yes")).await.expect(200);
        sent.app.advance(Duration::from_secs(5));
        reader.get(&option(mail, "No")).await.expect(200);
    }
    canvass::polls::count_looks(&sent.app.app).await.unwrap();
    let meanwhile = Dump::of(&sent.app.app.db).await;
    assert_eq!(before.differences(&meanwhile, &[]), Vec::<String>::new());
    assert_eq!(sent.numbers().await, [0, 3, 0]);
    assert_eq!(sent.numbers().await, [0, 3, 0]);
    let after = Dump::of(&sent.app.app.db).await;
    assert_eq!(after.rows("mail_vote"), 1);
    assert_eq!(
        before.differences(&after, &["mail_vote"]),
        Vec::<String>::new()
    );
    // A server that stops counts what it still has in memory.
    let link = option(&sent.mails[0], "Yes");
    sent.app.reader().get(&link).await.expect(200);
    let database = sent.app.stop().await;
    let db = database.open().await;
    let row = db::fetch_one(
        db.read(),
        "SELECT CAST(SUM(seen) AS BIGINT) FROM mail_vote",
        [],
    );
    let seen: i64 = row.await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(seen, 4);
}

/// Editors see the three numbers on the issue's page and on the poll's.
#[tokio::test(flavor = "multi_thread")]
async fn polls_editors_see_counted_seen_and_scanned() {
    let sent = Sent::to(4).await;
    let editor = signed_in(&sent.app).await;
    let issue = format!("/admin/issues/{}", sent.issue);
    let cells = "section[aria-labelledby=answers-head] td";
    let none = editor.get(&issue).await.expect(200).all(cells);
    assert_eq!(none, ["0", "0", "0"]);
    let reader = sent.app.reader();
    let page = reader.get(&option(&sent.mails[0], "No")).await.expect(200);
    sent.app.advance(Duration::from_secs(1));
    reader.submit(page.the_form()).await.expect(200);
    for mail in &sent.mails[1..3] {
        let looking = sent.app.reader();
        looking.get(&option(mail, "No")).await.expect(200);
    }
    let scanner = Scanner::new(&sent.app, "get");
    scanner.open_all(Method::GET, &sent.mails[3]).await;
    assert_eq!(sent.numbers().await, [1, 2, 1]);
    let seen = editor.get(&issue).await.expect(200).all(cells);
    assert_eq!(seen, ["1", "2", "1"]);
    let poll = editor.get("/admin/polls/trust").await.expect(200);
    let seen = poll.all("section[aria-labelledby=from-mail] dd");
    assert_eq!(seen, ["1", "2", "1"]);
}

/// What the page's own script reports about a form that nobody touched, and the way out for a reader whose button
/// is pressed by a program.
#[tokio::test(flavor = "multi_thread")]
async fn polls_an_untouched_page_is_asked_once_more() {
    let sent = Sent::to(1).await;
    let (mail, reader) = (&sent.mails[0], sent.app.reader());
    let untouched = |mut form: Form| {
        form.fields.push(("untouched".to_owned(), "1".to_owned()));
        form
    };
    let links = [
        option(mail, "Yes"),
        sent.confirmation.link("/confirm/"),
        mail.link("/unsubscribe/"),
        mail.link("/manage/"),
    ];
    for link in &links {
        let form = reader.get(link).await.expect(200).the_form();
        sent.app.advance(Duration::from_secs(1));
        let page = reader.submit(untouched(form)).await.expect(409);
        page.clone()
            .says("It looks as if a program had pressed the button");
        // A program that continues gets the same response.
        sent.app.advance(Duration::from_secs(1));
        reader.submit(untouched(page.the_form())).await.expect(409);
    }
    assert_eq!(sent.harm().await, [0, 0, 0]);
    let recorded = "SELECT CAST(SUM(n) AS BIGINT) FROM refusal WHERE reason = 21";
    assert_eq!(sent.app.count(recorded).await, 2);
    for link in &links[..3] {
        let form = reader.get(link).await.expect(200).the_form();
        sent.app.advance(Duration::from_secs(1));
        let page = reader.submit(untouched(form)).await.expect(409);
        sent.app.advance(Duration::from_secs(1));
        let ticked = untouched(page.the_form().tick("person", "1"));
        reader.submit(ticked).await.expect(200);
    }
    assert_eq!(sent.harm().await, [1, 1, 1]);
}

/// The link is the ballot, even for somebody who has unsubscribed.
#[tokio::test(flavor = "multi_thread")]
async fn polls_who_has_left_still_votes_from_an_old_mail() {
    let sent = Sent::to(1).await;
    let (mail, reader) = (&sent.mails[0], sent.app.reader());
    let leave = reader.get(&mail.link("/unsubscribe/")).await.expect(200);
    let leave = leave.the_form().button("action", "leave");
    reader.submit(leave).await.expect(200);
    let page = reader.get(&option(mail, "No")).await.expect(200);
    sent.app.advance(Duration::from_secs(1));
    let done = reader.submit(page.the_form()).await.expect(200);
    let done = done.says("Your answer has been counted");
    // Changing the answer leads back to the reader's own link, so it remains one ballot.
    let page = reader.follow(&done, "Change my answer").await.expect(200);
    sent.app.advance(Duration::from_secs(1));
    let form = page.the_form().choose("option", "1");
    reader.submit(form).await.expect(200);
    assert_eq!(sent.harm().await, [1, 0, 1]);
    assert_eq!(sent.numbers().await, [1, 0, 0]);
}

/// Both parts of a mail show the options in the reader's own order, so a program that takes the first option
/// takes each equally often.
#[tokio::test(flavor = "multi_thread")]
async fn polls_no_option_gains_by_standing_first() {
    const MAILS: i64 = 10_000;
    let sent = Sent::to(6).await;
    let orders: Vec<Vec<String>> = sent
        .mails
        .iter()
        .map(|mail| {
            let order: Vec<String> = options(mail).into_iter().map(|(words, _)| words).collect();
            let text: Vec<&str> = mail
                .text
                .lines()
                .filter_map(|l| l.strip_prefix("* "))
                .collect();
            assert_eq!(text, order, "{}", mail.text);
            order
        })
        .collect();
    assert!(orders.iter().any(|order| *order != orders[0]), "{orders:?}");

    // The exact edition that was mailed, for ten thousand readers.
    let sql = format!(
        "SELECT edition FROM mailing WHERE issue_id = {}",
        sent.issue
    );
    let row = db::fetch_one(sent.app.app.db.read(), sql, [])
        .await
        .unwrap();
    let edition: Vec<u8> = row.unwrap().try_get_by_index(0).unwrap();
    let edition: Edition = serde_json::from_slice(&edition).unwrap();
    let sending = Sending {
        keys: &sent.app.app.keys,
        public_url: "https://news.example.org",
        now: UnixMillis(1_772_442_000_000),
        message_id: "<a@example.org>",
        mailto: None,
    };
    let (mut first, mut raw) = (BTreeMap::<&str, u32>::new(), Vec::new());
    for reader in 1..=MAILS {
        let recipient = Recipient {
            reader: ReaderId(reader),
            address: "reader@example.org",
            name: None,
        };
        edition.fill(&recipient, &sending, &mut raw);
        let html = View::of(&raw).html;
        let places = ANSWERS.map(|words| (html.find(&format!(">{words}</a>")).unwrap(), words));
        *first.entry(places.iter().min().unwrap().1).or_default() += 1;
        if reader <= 6 {
            let mailed = &orders[usize::try_from(reader).unwrap() - 1][0];
            assert_eq!(mailed, places.iter().min().unwrap().1);
        }
    }
    for (words, n) in &first {
        let bias = (f64::from(*n) * 100.0 / MAILS as f64 - 100.0 / 3.0).abs();
        println!("{words} stands first in {n} of {MAILS} mails: off by {bias:.3} points");
        assert!(bias < 0.5, "{first:?}");
    }
    assert_eq!(first.len(), 3);
}
