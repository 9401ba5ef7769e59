//! An editor's decisions about recipients affect exactly those that the page showed.

use canvass::db::run;
use canvass::types::IssueId;

use crate::digests_recipients::sent_to;
use crate::support::app::TestApp;
use crate::support::editor::signed_in;

/// One more recipient comes into this state, as while an issue is being sent.
async fn one_more(app: &TestApp, issue: IssueId, state: i16, reason: i16) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let moved = "UPDATE delivery SET state = $2, reason = $3 WHERE issue_id = $1 AND reader_id =
        (SELECT MIN(reader_id) FROM delivery WHERE issue_id = $1 AND state = 2)";
    let values = [issue.0.into(), state.into(), reason.into()];
    run(&*txn, moved, values).await.unwrap();
    for (state, reason, n) in [(2i16, 0i16, -1i64), (state, reason, 1)] {
        let sql = "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, $2, $3, 99, $4)
            ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n";
        let values = [issue.0.into(), state.into(), reason.into(), n.into()];
        run(&*txn, sql, values).await.unwrap();
    }
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn a_button_for_all_does_nothing_if_more_are_in_doubt_than_it_says() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    let left = "SELECT COUNT(*) FROM delivery WHERE state = 5";
    let shown = app.count(left).await;
    let page = browser
        .get(&format!("/admin/issues/{}/settle", issue.0))
        .await
        .expect(200);
    one_more(&app, issue, 5, 12).await;
    for how in ["accept-all", "resend-all"] {
        let form = page.form("form[action$='/settle']").button("how", how);
        browser
            .submit(form)
            .await
            .expect(409)
            .says(&format!("Now it is {}.", shown + 1));
        assert_eq!(app.count(left).await, shown + 1, "{how}");
    }
    let form = page
        .form("form[action$='/settle']")
        .button("how", "accept-all");
    let again = browser.submit(form).await.expect(409);
    again
        .clone()
        .says(&format!("Take all {} as handed over", shown + 1));
    let form = again
        .form("form[action$='/settle']")
        .button("how", "accept-all");
    browser
        .submit(form)
        .await
        .expect(200)
        .says(&format!("{} readers are taken as handed over.", shown + 1));
    assert_eq!(app.count(left).await, 0);
}

#[tokio::test]
async fn only_as_many_are_sent_to_again_as_the_page_showed() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    let refused = "SELECT COUNT(*) FROM delivery WHERE state = 4 AND reason = 9";
    let shown = app.count(refused).await;
    let page = browser
        .get(&format!("/admin/issues/{}/resend", issue.0))
        .await
        .expect(200);
    one_more(&app, issue, 4, 9).await;
    let again = browser
        .submit(page.form("form[action$='/resend']"))
        .await
        .expect(409);
    assert_eq!(app.count(refused).await, shown + 1, "nothing was sent");
    again.clone().says(&format!(
        "{} readers: refused by the receiving side",
        shown + 1
    ));
    browser
        .submit(again.form("form[action$='/resend']"))
        .await
        .expect(200)
        .says(&format!("{} readers are sent to again.", shown + 1));
}
