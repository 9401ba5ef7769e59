//! Long names and long words on a narrow page: nothing is cut off, nothing leaves its card, and the menu covers nothing.

use std::time::Duration;

use canvass::polls::Picture;
use canvass::subscriptions::{manage_token, unsubscribe_token};
use canvass::types::ReaderId;
use serde_json::json;

use crate::polls_words::{decide, party, write};
use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::{EDITOR, PASSWORD, invited, signed_in};
use crate::support::issues::{hand_over, subscribe, until};

/// A script that finds texts wider than their containers.
const CUT: &str = "return [...document.querySelectorAll('.table-wrap, .card, .stats')].flatMap(box => {
    const edge = box.getBoundingClientRect().right - parseFloat(getComputedStyle(box).borderRightWidth);
    return [...box.querySelectorAll('td, th, dd, span, a')].filter(element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return !element.closest('.sr, thead') && range.getBoundingClientRect().right > edge + 0.5;
    }).map(element => element.textContent.slice(0, 60));
});";

/// A script that finds what is partly beyond the edge of a reader's page.
const WIDE: &str = "return [...document.querySelectorAll('main *')]
    .filter(e => e.checkVisibility() && !e.closest('.visually-hidden, .trap')
        && e.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map(e => e.outerHTML.slice(0, 80));";

/// Signs in through the set-up link, as an editor does the first time.
async fn sign_in(app: &TestApp, browser: &Browser) {
    let link = invited(app, EDITOR).await;
    browser.goto(&app.url(&link)).await;
    for field in ["password", "again"] {
        let field = browser.find(&format!("[name={field}]")).await;
        field.send_keys(PASSWORD).await.unwrap();
    }
    let button = browser.find("main form button").await;
    button.click().await.unwrap();
    browser.wait_for_path("/admin").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_cut_off_on_a_phone() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    subscribe(&app, &newsletter, 2).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE newsletter SET name = 'The Premium Newsletter of the Harwich and District Observer', \
         from_address = 'a-rather-long-name-of-a-sender@newsletters.harwich-observer.example'",
        "UPDATE reader SET email = 'somebody-with-a-very-long-address@a-provider-with-a-long-name.example' WHERE id = 1",
    ] {
        canvass::db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    app.poll("trust").await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    sign_in(&app, &browser).await;
    for page in [
        "/admin",
        "/admin/readers",
        "/admin/readers/1",
        "/admin/settings",
        "/admin/polls",
        "/admin/mail",
    ] {
        browser.goto(&app.url(page)).await;
        assert_eq!(browser.run(CUT).await, json!([]), "{page}");
        browser.assert_no_sideways_scroll().await;
    }
    browser.close().await;
}

/// The longest word of a question or an option does not determine the width of a page.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_forty_letters_is_no_wider_than_the_page() {
    const WORD: &str = "Verfassungsgerichtshofpräsidentschaftswahl";
    let app = TestApp::start().await;
    app.poll_with("long", |poll| {
        let question = &mut poll.questions[0];
        question.text = format!("{WORD}?");
        question.options[0].label = WORD.to_owned();
        let mut second = question.clone();
        second.options[1].label = format!("{WORD}en");
        poll.questions.push(second);
    })
    .await;
    let narrow = Look {
        width: 320,
        ..Look::default()
    };
    let Some(browser) = Browser::open(narrow).await else {
        return;
    };
    for page in ["/p/long", "/p/long/results", "/embed/p/long"] {
        browser.goto(&app.url(page)).await;
        browser.assert_no_sideways_scroll().await;
        // Nothing is cut off inside the page, either.
        assert_eq!(browser.run(WIDE).await, json!([]), "{page}");
    }
    browser.close().await;
}

/// Nor does the longest word of a name, a subject or a reader's answer.
#[tokio::test(flavor = "multi_thread")]
async fn names_and_readers_words_are_no_wider_than_the_page() {
    let long = "Verfassungsgerichtshofpräsidentschaftswahl".repeat(2);
    let app = TestApp::start_with(|config| config.site.name = long.clone()).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 1).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |now| now.finished.is_some()).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE newsletter SET name = $1, description = $1",
        "UPDATE consent_text SET body = $1",
        "UPDATE issue SET subject = $1",
    ] {
        canvass::db::run(&*txn, sql, [long.as_str().into()])
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
    party(&app).await;
    write(&app, &long).await;
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/party/words").await.expect(200);
    decide(&editor, &page, &[long.as_str()], None, "show")
        .await
        .expect(200);
    let keys = &app.app.keys;
    let narrow = Look {
        width: 320,
        ..Look::default()
    };
    let Some(browser) = Browser::open(narrow).await else {
        return;
    };
    for page in [
        "/archive/daily".to_owned(),
        "/archive/daily/trust--measured".to_owned(),
        "/subscribe/daily".to_owned(),
        format!("/manage/{}", manage_token(keys, ReaderId(1))),
        format!(
            "/unsubscribe/{}",
            unsubscribe_token(keys, daily.id, ReaderId(1))
        ),
        "/p/party/results".to_owned(),
    ] {
        browser.goto(&app.url(&page)).await;
        // At the top of every page, and at least once more.
        let text = browser.text().await;
        assert!(text.matches(long.as_str()).count() > 1, "{page}: {text}");
        browser.assert_no_sideways_scroll().await;
        assert_eq!(browser.run(WIDE).await, json!([]), "{page}");
    }
    browser.close().await;
}

/// A question that is written from right to left has its marks and its full stop on the correct sides.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_written_in_its_own_direction() {
    let app = TestApp::start().await;
    app.poll_with("hebrew", |poll| {
        poll.questions[0].text = "האם אתה סומך על התקשורת?".to_owned();
        // An option that begins in the other script has the direction of its question.
        poll.questions[0].options[0] = "CNN, BBC ודומיהם בלבד (2026)".into();
    })
    .await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&app.url("/p/hebrew")).await;
    let sides = "return [...document.querySelectorAll('.question, .option')].map(e => getComputedStyle(e).direction)
        .concat([...document.querySelectorAll('.option')].map(row => {
            const [mark, words] = [...row.children].map(e => e.getBoundingClientRect().left);
            return mark > words;
        })).concat(getComputedStyle(document.querySelector('.option-text')).direction);";
    let expected = json!(["rtl", "rtl", "rtl", "rtl", true, true, true, "rtl"]);
    assert_eq!(browser.run(sides).await, expected);
    browser.goto(&app.url("/p/hebrew/results")).await;
    let table = "return ['.results', '.result-label'].map(css => getComputedStyle(document.querySelector(css)).direction);";
    assert_eq!(browser.run(table).await, json!(["rtl", "rtl"]));
    browser.close().await;
}

/// However many lines an option's text has, none of them wraps under its picture.
#[tokio::test(flavor = "multi_thread")]
async fn words_stand_beside_their_picture_in_a_result() {
    let app = TestApp::start().await;
    app.poll_with("square", |poll| {
        for option in &mut poll.questions[0].options {
            option.label = format!(
                "{}, from the church to the river and back again",
                option.label
            );
            option.picture = Some(Picture {
                path: "/assets/icon.svg".into(),
                alt: "A square".into(),
                size: Some((32, 32)),
            });
        }
    })
    .await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&app.url("/p/square/results")).await;
    let beside = "return [...document.querySelectorAll('.result-picture')].map(picture => {
        const box = picture.getBoundingClientRect();
        const lines = [...picture.parentElement.querySelector('.result-label').getClientRects()];
        const row = picture.closest('tr').getBoundingClientRect();
        return lines.length > 1 && box.width >= 60 && box.top >= row.top && lines.every(line => line.left > box.right);
    });";
    assert_eq!(browser.run(beside).await, json!([true, true, true]));
    browser.close().await;
}

/// Elements that only scripts fill are hidden until they do.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_not_seen() {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    sign_in(&app, &browser).await;
    browser.goto(&app.url("/admin/issues/new")).await;
    let button = browser.find("main form button").await;
    button.click().await.unwrap();
    browser.find("#toolbar button").await;
    let shown = "const bar = document.getElementById('toolbar'); const before = bar.offsetHeight;
         bar.hidden = true; return [before >= 44, bar.offsetHeight];";
    assert_eq!(browser.run(shown).await, json!([true, 0]));

    // The reason why nothing is saved can be read without horizontal scrolling, and disappears once it is saved.
    let body = browser.find("#body").await;
    body.send_keys(&format!("{} deep", "> ".repeat(60)))
        .await
        .unwrap();
    browser.wait_for_text("is nested more than").await;
    browser.assert_no_sideways_scroll().await;
    let preview = browser.find("#preview-head").await;
    let heading = preview.text().await.unwrap();
    assert!(
        heading.starts_with("Preview of what was saved at"),
        "{heading}"
    );
    body.clear().await.unwrap();
    body.send_keys("flat").await.unwrap();
    browser.find("#trouble[hidden]").await;
    assert_eq!(preview.text().await.unwrap(), "Preview");

    // The menu pushes the page down, and Escape closes it.
    browser.run("scrollTo(0, 0);").await;
    browser.click(".menu summary").await;
    let under = "const panel = document.querySelector('.menu-panel').getBoundingClientRect();
        return [panel.height > 200, document.getElementById('main').getBoundingClientRect().top >= panel.bottom];";
    assert_eq!(browser.run(under).await, json!([true, true]));
    browser.press(&['\u{e00c}']).await;
    let closed = "return [document.querySelector('.menu').open, document.activeElement.tagName];";
    assert_eq!(browser.run(closed).await, json!([false, "SUMMARY"]));
    browser.close().await;
}
