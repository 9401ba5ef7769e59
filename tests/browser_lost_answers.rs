//! An answer arrives but the response is lost: the reader sends it again, and it is one ballot.

use crate::browser_embeds::{Embedding, choose_and_send, wait_for_module, wait_for_result};
use crate::support::browser::{Browser, Look};
use crate::support::elsewhere::Trouble;

const WORKED: &str = "SELECT COUNT(*) FROM ballot WHERE tier = 1";

async fn opened(here: &Embedding, url: &str) -> Option<Browser> {
    here.road.trouble("POST /p/trust", Trouble::Lost);
    let browser = Browser::open(Look::phone()).await?;
    browser.goto(url).await;
    Some(browser)
}

/// On our own pages, where the cookie was lost together with the response.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_on_our_own_page_is_sent_again_as_the_same() {
    let here = Embedding::of(&["trust"]).await;
    let article = format!("{}/articles/trust", here.road.origin);
    let Some(browser) = opened(&here, &article).await else {
        return;
    };
    wait_for_module(&browser).await;
    choose_and_send(&browser, 2).await;
    wait_for_result(&browser, "could not be sent").await;
    assert_eq!(here.ballots().await, 1, "it had arrived");
    here.road.mend();
    browser.click("canvass-poll button").await;
    wait_for_result(&browser, "No your answer").await;
    assert_eq!(here.ballots().await, 1, "sent again it is a second ballot");
    assert_eq!(here.app.count(WORKED).await, 1, "with its work");
    // Also after the page was reloaded before any response arrived.
    let other = Embedding::of(&["trust"]).await;
    other.road.trouble("POST /p/trust", Trouble::Lost);
    let article = format!("{}/articles/trust", other.road.origin);
    for words in ["could not be sent", "No your answer"] {
        browser.goto(&article).await;
        wait_for_module(&browser).await;
        choose_and_send(&browser, 2).await;
        wait_for_result(&browser, words).await;
        other.road.mend();
    }
    assert_eq!(other.ballots().await, 1);
    // With the cookie, a changed answer is the same ballot.
    browser.goto(&article).await;
    wait_for_module(&browser).await;
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Yes your answer").await;
    assert_eq!(other.ballots().await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_on_another_site_is_sent_again_as_the_same() {
    let here = Embedding::of(&["trust"]).await;
    here.publish(&here.snippet("trust", "element").await);
    let Some(browser) = opened(&here, &here.publisher.article()).await else {
        return;
    };
    wait_for_module(&browser).await;
    choose_and_send(&browser, 2).await;
    wait_for_result(&browser, "could not be sent").await;
    here.road.mend();
    browser.click("canvass-poll button").await;
    wait_for_result(&browser, "No your answer").await;
    assert_eq!((here.ballots().await, here.app.count(WORKED).await), (1, 1));
    browser.close().await;
}

/// The plain form of the poll's own page: reopened in the same tab and submitted again.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_from_a_plain_form_is_sent_again_as_the_same() {
    let here = Embedding::of(&["trust"]).await;
    let page = format!("{}/p/trust", here.road.origin);
    let Some(browser) = opened(&here, &page).await else {
        return;
    };
    browser.click("[name=option][value='2']").await;
    browser.click("main form button").await;
    here.app.wait_until("SELECT COUNT(*) FROM ballot", 1).await;
    here.road.mend();
    browser.goto(&page).await;
    browser.click("[name=option][value='2']").await;
    browser.click("main form button").await;
    browser.wait_for_text("Your answer has been counted").await;
    assert_eq!(here.ballots().await, 1, "sent again it is a second ballot");
    browser.close().await;
}
