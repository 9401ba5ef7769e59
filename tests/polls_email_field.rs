//! The email field beside an answer: whoever types an address there learns nothing about it, and neither does a clock.

use canvass::polls::model::Visibility;
use canvass::types::NewsletterId;

use crate::subscriptions_at_the_door::{four_kinds, rows, without_address};
use crate::support::app::TestApp;
use crate::support::page::Page;

/// Sends the poll's form with an address, as a page or as its script does.
async fn leave(app: &TestApp, address: &str, script: bool) -> Page {
    let reader = app.reader();
    if script {
        let reader = reader.with_header("accept", "application/json");
        let form = [
            ("option", "1"),
            ("email", address),
            ("consent", "1"),
            ("newsletter", "premium"),
        ];
        return reader.post("/p/trust", &form).await.expect(200);
    }
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let form = form.choose("option", "1").fill("email", address);
    reader.submit(form.tick("consent", "1")).await.expect(200)
}

/// Known, pending, unknown and suppressed ones, twice each: the second time no mail may go out any more.
#[tokio::test]
async fn polls_every_kind_of_address_beside_an_answer_is_told_the_same_and_costs_the_same() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let newsletter = NewsletterId(app.count("SELECT id FROM newsletter").await);
    // Nobody sees numbers: they would be the only difference.
    app.poll_with("trust", |poll| {
        poll.newsletter = Some(newsletter);
        poll.visibility = Visibility::Never;
    })
    .await;
    for script in [false, true] {
        let (mut told, mut cost) = (Vec::new(), Vec::new());
        for address in addresses.into_iter().chain(addresses) {
            let ballots = "SELECT COUNT(*) FROM ballot";
            let before = (rows(&app).await, app.count(ballots).await);
            let page = leave(&app, address, script).await;
            let after = (rows(&app).await, app.count(ballots).await);
            let mut headers: Vec<_> = page.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            told.push((without_address(&page, address), headers));
            let written: Vec<i64> = after.0.iter().zip(before.0).map(|(a, b)| a - b).collect();
            cost.push((written, after.1 - before.1));
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:#?}");
        assert!(cost.iter().all(|cost| *cost == (vec![1; 3], 1)), "{cost:?}");
        assert!(told[0].0.contains("nbox"), "{}", told[0].0);
    }
}
