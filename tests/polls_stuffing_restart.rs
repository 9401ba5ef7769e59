//! The stuffing drill after a restart and after quiet hours, when this process has seen none of the other answers; and
//! bursts that count so far, because nobody else has answered.

use std::time::Duration;

use canvass::db::Backend;
use canvass::polls::{Tier, watch_tick};
use canvass::types::Random;

use crate::polls_stuffing::{Drill, hand};
use crate::polls_stuffing_changes::marked;
use crate::support::crowd::{run, ticks};

const BURSTS: &str = "/admin/polls/trust/bursts";

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_hand_after_a_restart_moves_nothing() {
    let drill = Drill::begin(51).await.restarted().await;
    let ran = run(&drill.app, &hand(&Random::seeded(52), 2, true)).await;
    drill.repelled("hand after a restart", &ran).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_hand_after_quiet_hours_moves_nothing() {
    let drill = Drill::begin(53).await;
    drill.app.advance(Duration::from_secs(3 * 60 * 60));
    watch_tick(&drill.app.app).await.unwrap();
    let ran = run(&drill.app, &hand(&Random::seeded(54), 2, true)).await;
    drill.repelled("hand after quiet hours", &ran).await;
}

/// The page shows how many there are by now, and the editor need not wait for other answers.
#[tokio::test(flavor = "multi_thread")]
async fn polls_an_editor_leaves_out_a_burst_that_counts_so_far() {
    let drill = Drill::fresh().await;
    let app = &drill.app;
    run(app, &hand(&Random::seeded(55), 2, false)).await;
    assert_eq!(drill.voters(Tier::Anonymous).await, 64);
    let page = drill.editor.get(BURSTS).await.expect(200);
    let page = page
        .says("64 answers for “Yes”")
        .says("Counted so far")
        .says("They count for now");
    let form = page.form("form.form[action$='/bursts']");
    let without = form.clone().button("then", "remove");
    drill.editor.submit(without).await.expect(422);
    assert_eq!(drill.voters(Tier::Anonymous).await, 64);
    let form = form.fill("reason", "One browser, one answer every two seconds.");
    let page = drill.editor.submit(form.button("then", "remove")).await;
    page.expect(200)
        .says("readers see your reason")
        .says("Removed");
    assert_eq!(drill.voters(Tier::Anonymous).await, 0);
    // So are those that come after.
    run(app, &hand(&Random::seeded(56), 1, false)).await;
    assert_eq!(drill.voters(Tier::Anonymous).await, 0);
    app.reader().get("/p/trust/results").await.expect(200).says(
        "96 answers were left out by the editors: One browser, one answer every two seconds.",
    );
    app.assert_the_count_agrees("trust").await;
}

/// What a program makes of its answers once they are left out does not count, so there is nothing to report.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_burst_that_was_left_out_does_not_count_once_it_is_changed() {
    let drill = Drill::fresh().await;
    let app = &drill.app;
    run(app, &marked(60, |_| ticks(&[1]))).await;
    let page = drill.editor.get(BURSTS).await.expect(200);
    let page = page.says("Counted so far");
    let form = page.form("form.form[action$='/bursts']");
    let form = form.fill("reason", "One script.").button("then", "remove");
    drill.editor.submit(form).await.expect(200);
    assert_eq!(drill.voters(Tier::Anonymous).await, 0);
    // Long after the watch has forgotten how they came.
    app.advance(Duration::from_secs(20 * 60));
    watch_tick(&app.app).await.unwrap();
    run(app, &marked(60, |_| ticks(&[2]))).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_burst").await, 1);
    assert_eq!(drill.voters(Tier::Anonymous).await, 0);
}

/// The editor's request reached another node: the one that knows the ballots follows.
#[tokio::test(flavor = "multi_thread")]
async fn polls_what_an_editor_leaves_out_on_another_node_is_set_aside() {
    let drill = Drill::fresh().await;
    let app = &drill.app;
    run(app, &hand(&Random::seeded(57), 1, false)).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let decision = "UPDATE poll_burst SET state = 4, reason = 'One hand.'";
    canvass::db::run(&*txn, decision, []).await.unwrap();
    txn.commit().await.unwrap();
    let page = drill.editor.get(BURSTS).await.expect(200);
    page.says("Still counted")
        .says("You decided to leave them out");
    for _ in 0..2 {
        app.advance(Duration::from_secs(15));
        watch_tick(&app.app).await.unwrap();
    }
    assert_eq!(drill.voters(Tier::Anonymous).await, 0);
    let page = drill.editor.get(BURSTS).await.expect(200);
    page.says("32 answers for “Yes”").says("Removed");
}

/// Which answers they were is lost with the process, which the page says. They are no other answers for those that come
/// later, either.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_burst_that_counts_so_far_is_not_forgotten_by_a_restart() {
    let drill = Drill::fresh().await;
    run(&drill.app, &hand(&Random::seeded(58), 1, false)).await;
    let drill = drill.restarted().await;
    let app = &drill.app;
    let page = drill.editor.get(BURSTS).await.expect(200);
    if app.app.db.backend() == Backend::Sqlite {
        let page = page.says("Canvass was restarted");
        assert!(page.all("form.form[action$='/bursts']").is_empty());
        let removals = page.links();
        let (hours, _) = removals
            .iter()
            .find(|(href, _)| href.contains("/removals?from="))
            .unwrap();
        let found = drill.editor.get(hours).await.expect(200);
        found.says("32 answers");
    }
    run(app, &hand(&Random::seeded(59), 1, false)).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_burst").await, 2);
    assert_eq!(drill.voters(Tier::Anonymous).await, 64);
    let page = drill.editor.get(BURSTS).await.expect(200);
    let counted = page.form("form.inline-form[action$='/bursts']");
    let page = drill.editor.submit(counted.button("then", "count")).await;
    page.expect(200).says("These answers count again");
}
