//! The caps on mails that others can trigger for an address, and that they keep no reader from what they want.

use std::time::Duration;

use crate::support::app::TestApp;

const MINUTE: Duration = Duration::from_secs(60);

/// A reader who asks for two newsletters gets two mails. Somebody who asks for one of them over and over, for any
/// address, does not keep its owner from the other, and does not fill the inbox, either.
#[tokio::test]
async fn each_newsletter_has_its_first_mail_and_an_address_its_most() {
    let app = TestApp::start().await;
    let slugs = ["brief", "culture", "daily", "premium", "sports", "weekly"];
    for slug in slugs {
        app.newsletter(slug).await;
    }
    let ask = async |slug: &str, address: &str| {
        let fields = [("email", address), ("consent", "on")];
        let path = format!("/subscribe/{slug}");
        app.reader().post(&path, &fields).await.expect(200);
    };
    let (anna, live) = (
        "anna@example.org",
        "SELECT COUNT(*) FROM outbox WHERE expires_ms > 0",
    );
    for slug in ["brief", "culture", "brief"] {
        ask(slug, anna).await;
    }
    let link = app.mail_to(anna, 2).await.link("/confirm/");
    assert_eq!(
        app.count(live).await,
        2,
        "the pause is each newsletter's own"
    );
    for _ in 0..3 {
        app.advance(11 * MINUTE);
        ask("brief", anna).await;
    }
    assert_eq!(app.count(live).await, 3, "the day's most");
    for slug in slugs {
        ask(slug, anna).await;
    }
    assert_eq!(
        app.count(live).await,
        6,
        "the first of a newsletter, up to twice as many"
    );
    // The mail in the inbox works although the daily cap is used up.
    let form = app.reader().get(&link).await.expect(200).the_form();
    app.reader()
        .submit(form)
        .await
        .expect(200)
        .says("You are subscribed");
    app.advance(1500 * MINUTE);
    ask("weekly", anna).await;
    assert_eq!(app.count(live).await, 7);
}
