//! Mail scanners that run a browser and its scripts, against a real issue; and a person, in the same kind of browser.

use std::time::Duration;

use fantoccini::Locator;

use crate::support::browser::{Browser, Look};
use crate::support::scanner::{Scanner, Sent, VOTE_PAGES, option};
use crate::support::wait::Waiting;

const SUBMIT: &str = "for (const form of document.forms) form.submit();";
/// Everything that a script can do to look like a finger.
const CLICK: &str = "for (const target of document.querySelectorAll('main button, main label.option, main input[type=radio], main select, main [name=link]')) {
       for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {
         const made = type.startsWith('pointer') ? PointerEvent : MouseEvent;
         target.dispatchEvent(new made(type, {bubbles: true, cancelable: true, isPrimary: true, button: 0}));
       }
       if (target.matches('select')) target.selectedIndex = 1;
       target.click();
     }
     for (const form of document.forms) form.requestSubmit();";

/// Opens every link of every mail in a browser, gives the page all the time it needs, and runs `act` on it, and again
/// on the resulting page.
async fn scan(sent: &Sent, browser: &Browser, act: &str) {
    let scanner = Scanner::new(&sent.app, "browser");
    for mail in sent.inboxes() {
        for link in scanner.ours(mail) {
            browser.goto(&link).await;
            for _ in 0..2 {
                sent.app.advance(Duration::from_secs(2));
                if !act.is_empty() {
                    // The page may be gone before the script has returned.
                    browser.client.execute(act, Vec::new()).await.ok();
                    loaded(browser).await;
                }
            }
        }
    }
}

/// Waits until the page that a script has navigated to is loaded.
async fn loaded(browser: &Browser) {
    let waiting = Waiting::until("the page has loaded");
    loop {
        // First, because a page that is about to be left is complete, too.
        waiting.still("not").await;
        let state = browser
            .client
            .execute("return document.readyState", Vec::new());
        if state.await.is_ok_and(|state| state == "complete") {
            return;
        }
    }
}

/// A person on a phone: a tap in the mail, a tap on the page.
async fn a_person_votes(sent: &Sent, browser: &Browser) {
    browser.goto(&option(&sent.mails[0], "No")).await;
    sent.app.advance(Duration::from_secs(1));
    browser.click("main form button").await;
    browser.wait_for_text("Your answer has been counted").await;
    assert_eq!(sent.harm().await, [1, 0, 0]);
}

async fn a_class_that_fakes_no_gesture(act: &str) {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let sent = Sent::to(1).await;
    scan(&sent, &browser, act).await;
    assert_eq!(sent.harm().await, [0, 0, 0]);
    a_person_votes(&sent, &browser).await;
    assert_eq!(sent.numbers().await, [1, 0, 1]);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_scanners_that_only_look_cast_nothing() {
    a_class_that_fakes_no_gesture("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_scanners_that_submit_every_form_cast_nothing() {
    a_class_that_fakes_no_gesture(SUBMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_scanners_that_click_by_script_cast_nothing() {
    a_class_that_fakes_no_gesture(CLICK).await;
}

/// Pages with ranks, several questions or a box: no tap on an answer sends them, neither a program's nor a person's.
#[tokio::test(flavor = "multi_thread")]
async fn browser_scanners_of_other_vote_pages_cast_nothing() {
    for page in VOTE_PAGES {
        let Some(browser) = Browser::open(Look::phone()).await else {
            return;
        };
        let sent = Sent::asking(1, page.ask).await;
        for act in ["", SUBMIT, CLICK] {
            scan(&sent, &browser, act).await;
            assert_eq!(sent.harm().await, [0, 0, 0], "{}: {act}", page.name);
        }
        browser.goto(&sent.mails[0].link("/v/")).await;
        let text = browser.text().await;
        assert!(!text.contains("tap your answer once more"), "{text}");
        for (name, value) in page.chosen {
            let chosen = format!(
                "const field = document.querySelector('[name=\"{name}\"][value=\"{value}\"]');
                 if (field) field.checked = true;
                 else document.querySelector('[name=\"{name}\"]').value = '{value}';"
            );
            browser.run(&chosen).await;
        }
        let options = Locator::Css("main .option-text");
        let options = browser.client.find_all(options).await.unwrap();
        browser.run("window.stayed = true;").await;
        for _ in 0..2 {
            options[0].click().await.unwrap();
        }
        // A quick press would wait for three quarters of a second.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let stayed = browser.run("return window.stayed;").await;
        assert_eq!(stayed, true, "{}: a tap sent the form", page.name);
        sent.app.advance(Duration::from_secs(1));
        browser.click("main form button").await;
        browser.wait_for_text("Your answer has been counted").await;
        assert_eq!(sent.harm().await, [1, 0, 0], "{}", page.name);
        browser.close().await;
    }
}

/// To a server, the last class is indistinguishable from a person. What is measured: it casts one ballot, however often
/// it clicks, and the reader's own press changes that.
#[tokio::test(flavor = "multi_thread")]
async fn browser_scanners_that_fake_a_hand_cast_one_ballot_that_the_reader_changes() {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let sent = Sent::to(1).await;
    let scanner = Scanner::new(&sent.app, "hand");
    for link in scanner.ours(&sent.mails[0]) {
        if !link.contains("/v/") {
            continue;
        }
        browser.goto(&link).await;
        sent.app.advance(Duration::from_secs(2));
        browser.click("main form button").await;
        browser.wait_for_text("Your answer has been counted").await;
    }
    let [false_votes, ..] = sent.harm().await;
    println!("a scanner with a hand of its own: {false_votes} false vote of 1 reader");
    assert_eq!(false_votes, 1);
    a_person_votes(&sent, &browser).await;
    let no = "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = (SELECT id FROM poll_option WHERE position = 2)";
    assert_eq!(sent.app.count(no).await, 1);
    browser.close().await;
}

/// With scripts, a tap on the answer that is selected sends it; a tap on another selects that one and sends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn browser_a_second_tap_on_the_own_answer_sends_it() {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let sent = Sent::to(1).await;
    browser.goto(&option(&sent.mails[0], "No")).await;
    browser.wait_for_text("or tap your answer once more").await;
    browser.assert_accessible().await;
    browser.assert_no_sideways_scroll().await;
    sent.app.advance(Duration::from_secs(1));
    let options = Locator::Css("main label.option");
    let options = browser.client.find_all(options).await.unwrap();
    options[2].click().await.unwrap();
    let chosen = "return document.querySelector('main input:checked').value";
    assert_eq!(browser.run(chosen).await, "3");
    assert_eq!(sent.harm().await, [0, 0, 0], "another answer was selected");
    options[2].click().await.unwrap();
    browser.wait_for_text("Your answer has been counted").await;
    let sql = "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = (SELECT id FROM poll_option WHERE position = 3)";
    assert_eq!(sent.app.count(sql).await, 1);
    browser.close().await;
}

/// A tap that is quicker than the server allows is delayed, and the reader is not asked to press again.
#[tokio::test(flavor = "multi_thread")]
async fn browser_a_quick_thumb_is_not_asked_twice() {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let sent = Sent::to(1).await;
    let mut tapped = f64::MAX;
    // On a busy machine the tap may come too late to count as quick: then try again, which changes the answer.
    for _ in 0..30 {
        browser.goto(&option(&sent.mails[0], "No")).await;
        browser
            .run("const since = () => String(performance.now() - performance.getEntriesByType('navigation')[0].responseStart);
                  addEventListener('click', () => localStorage.setItem('tapped', since()), true);
                  addEventListener('pagehide', () => localStorage.setItem('left', since()));")
            .await;
        sent.app.advance(Duration::from_secs(1));
        browser.click("main form button").await;
        browser.wait_for_text("Your answer has been counted").await;
        let kept = browser
            .run("return [localStorage.getItem('tapped'), localStorage.getItem('left')]")
            .await;
        let at = |which: usize| kept[which].as_str().unwrap().parse::<f64>().unwrap();
        tapped = at(0);
        assert!(
            at(1) >= 750.0,
            "tapped after {tapped} ms, sent after {} ms",
            at(1)
        );
        if tapped < 700.0 {
            break;
        }
    }
    assert!(tapped < 700.0, "no thumb was quick");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_mailed_answer_needs_no_script_and_no_mouse() {
    for look in [Look::default().without_javascript(), Look::default()] {
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        let sent = Sent::to(1).await;
        if look.javascript {
            browser.goto(&option(&sent.mails[0], "Unsure")).await;
            sent.app.advance(Duration::from_secs(1));
            keys(&browser).await;
            browser.wait_for_text("Your answer has been counted").await;
            assert_eq!(sent.harm().await, [1, 0, 0]);
        } else {
            a_person_votes(&sent, &browser).await;
        }
        browser.close().await;
    }
}

/// Tab to the selected answer, Enter.
async fn keys(browser: &Browser) {
    for _ in 0..20 {
        browser.press(&['\u{e004}']).await;
        let on = browser
            .run("return document.activeElement.name === 'option'")
            .await;
        if on == true {
            break;
        }
    }
    browser.press(&['\u{e007}']).await;
}

/// The hidden trap links cannot be reached by keyboard, are not read by screen readers, and take no space.
#[tokio::test(flavor = "multi_thread")]
async fn browser_nobody_meets_the_unseen_link() {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let sent = Sent::to(1).await;
    let mail = &sent.mails[0];
    assert!(!mail.text.contains("/c/"), "people read the text part");
    let html: String = form_urlencoded::byte_serialize(mail.html.as_bytes()).collect();
    let page = format!("data:text/html;charset=utf-8,{}", html.replace('+', "%20"));
    browser.goto(&page).await;
    let found = browser
        .run(
            "return [...document.querySelectorAll('a[href*=\"/c/\"]')].map(a => {
               const box = a.getBoundingClientRect(), style = getComputedStyle(a);
               return [box.width, a.tabIndex, a.getAttribute('aria-hidden'), a.textContent, style.display, style.visibility];
             });",
        )
        .await;
    let unseen = serde_json::json!([0, -1, "true", "", "inline", "visible"]);
    assert_eq!(found, serde_json::json!([unseen, unseen]));
    let height = "return document.querySelector('table').getBoundingClientRect().height";
    let with = browser.run(height).await;
    browser
        .run("document.querySelectorAll('a[href*=\"/c/\"]').forEach(a => a.remove())")
        .await;
    assert_eq!(browser.run(height).await, with, "it takes room");
    browser.close().await;
}
