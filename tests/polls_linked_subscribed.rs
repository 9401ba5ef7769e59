//! Linked polls and addresses that are already subscribed: the tick is only in the mail until it is
//! confirmed, as for new addresses.

use std::time::Duration;

use crate::polls_linked::{ADDRESS, WORDS, agree, asked, is_ticked, links, one, signed_in};
use crate::support::app::TestApp;
use crate::support::dump::Dump;
use crate::support::page::Page;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A subscriber leaves the address again in a new browser. Returns the page behind the link in the mail.
async fn left_again(app: &TestApp, option: &str, agreed: bool) -> Page {
    app.advance(DAY);
    let count = app.mails_to(ADDRESS).await.len();
    let laptop = app.reader();
    let page = laptop.get("/p/trust").await.expect(200);
    let form = page.the_form().choose("option", option);
    let mut form = form.fill("email", ADDRESS).tick("consent", "1");
    if agreed {
        form = agree(&page, form);
    }
    laptop.submit(form).await.expect(200).says("inbox");
    let mail = app.mail_to(ADDRESS, count + 1).await;
    assert!(mail.subject.contains("already receive"), "{}", mail.subject);
    let page = app.reader().get(&mail.link("/v/")).await.expect(200);
    app.advance(SECOND);
    page
}

#[tokio::test]
async fn polls_linked_the_tick_of_a_subscriber_travels_in_the_mail() {
    let app = TestApp::start().await;
    asked(&app).await;
    signed_in(&app).await;
    assert_eq!(links(&app).await, []);
    // Nothing about the tick is in the database while the mail is unread.
    let before = Dump::of(&app.app.db).await;
    let page = left_again(&app, "3", true).await;
    let after = Dump::of(&app.app.db).await;
    assert_eq!(before.rows("ballot_link"), after.rows("ballot_link"));
    let phone = app.reader();
    // Viewing the page links nothing; neither does a program.
    let page = phone.get(page.url.as_str()).await.expect(200).says(WORDS);
    app.advance(SECOND);
    let mut program = page.the_form().tick("link", "1");
    program.fields.push(("untouched".into(), "1".into()));
    let asked = phone.submit(program).await.expect(409);
    let asked = asked
        .says("tick the box below")
        .says("It is ticked as it was");
    assert!(is_ticked(&asked) && !asked.text().contains("tick it again here"));
    assert_eq!(links(&app).await, []);
    let done = phone.submit(page.the_form().tick("link", "1")).await;
    done.expect(200)
        .says("counted")
        .says("Your answer is kept with your address");
    assert_eq!(links(&app).await, one(3));
    // Submitting again changes nothing.
    phone
        .submit(page.the_form().tick("link", "1"))
        .await
        .expect(200);
    assert_eq!(links(&app).await, one(3));
}

#[tokio::test]
async fn polls_linked_a_subscriber_decides_once_more_in_the_mail() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let closes = app.app.clock.now() + DAY * 7 / 2;
    app.poll_with("trust", |poll| {
        poll.newsletter = Some(newsletter.id);
        poll.linking = Some(WORDS.to_owned());
        poll.closes_at = Some(closes);
    })
    .await;
    signed_in(&app).await;
    let page = left_again(&app, "2", true).await.says(WORDS);
    let form = page.the_form();
    let done = app.reader().submit(form).await.expect(200);
    assert!(
        !done
            .says("counted")
            .text()
            .contains("kept with your address, as you agreed")
    );
    assert_eq!(links(&app).await, []);
    // If the box was not ticked with the answer, a tick cannot be slipped in.
    let page = left_again(&app, "1", false).await;
    assert!(!page.text().contains(WORDS));
    let mut form = page.the_form();
    form.fields.push(("link".into(), "1".into()));
    app.reader().submit(form).await.expect(200).says("counted");
    assert_eq!(links(&app).await, []);
    // After the close the answer remains as it was, and the page says so.
    let page = left_again(&app, "3", true).await;
    app.advance(DAY);
    let late = app.reader().submit(page.the_form()).await.expect(409);
    late.says("Your answer was not counted");
    assert_eq!(links(&app).await, []);
}
