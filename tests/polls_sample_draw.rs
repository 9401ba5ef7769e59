//! The draw of a random sample: once for each poll, and repeatable by anybody who wants to compare.

use canvass::db::run;
use canvass::polls::{self, by_slug};

use crate::polls_sample::{draw, drawn, newsroom};

#[tokio::test]
async fn polls_sample_is_drawn_once_and_can_be_drawn_again_to_be_compared() {
    let (app, editor) = newsroom(50).await;
    draw(&editor, "trust", 31).await.expect(200);
    let path = "/admin/polls/trust-sample/sample";
    editor
        .get(&format!("{path}/check"))
        .await
        .expect(200)
        .says("the same readers");
    // The page of the poll beside it leads to it, and no second sample can be drawn.
    let page = editor.get("/admin/polls/trust/sample").await.expect(200);
    assert_eq!(page.url.path(), path);
    let csrf = page.attributes("input[name=csrf]", "value").remove(0);
    let fields = [
        ("csrf", csrf.as_str()),
        ("newsletter", "morning"),
        ("size", "30"),
        ("seed", ""),
    ];
    for poll in ["trust", "trust-sample"] {
        let sent = editor
            .post(&format!("/admin/polls/{poll}/sample"), &fields)
            .await;
        sent.expect(409).says("drawn only once");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 2);

    // The same seed and list give the same readers; a changed list is detected.
    let poll = by_slug(&app.app.db, "trust-sample").await.unwrap().unwrap();
    let record = polls::sample_record(&app.app.db, poll.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((record.frame.len(), record.readers.len()), (50, 31));
    assert_eq!(
        polls::draw_sample(&record.frame, 31, "lottery"),
        record.readers
    );
    let txn = app.app.db.write_txn("test").await.unwrap();
    let swapped = "UPDATE poll_sample SET seed = 'another' WHERE poll_id = $1";
    run(&*txn, swapped, [poll.id.0.into()]).await.unwrap();
    txn.commit().await.unwrap();
    editor
        .get(&format!("{path}/check"))
        .await
        .expect(200)
        .says("gave other readers");
}

#[tokio::test]
async fn polls_sample_of_a_draft_opens_it_for_those_who_were_drawn() {
    let (app, editor) = newsroom(35).await;
    let page = editor.get("/admin/polls/new").await.expect(200);
    let form = page
        .form("main form.form")
        .fill("question.1", "Shall the tram be free?")
        .with_options(1, &["Yes", "No"])
        .button("then", "save");
    editor.submit(form).await.expect(200);
    let draft = "shall-the-tram-be-free";
    for (size, said) in [
        ("29", "Write a number from 30"),
        ("36", "35 confirmed subscribers"),
        ("x", "Write a number"),
    ] {
        let path = format!("/admin/polls/{draft}/sample?newsletter=morning&size={size}");
        let page = editor.get(&path).await.expect(200).says(said);
        assert!(page.all("form[method=post][action$='/sample']").is_empty());
        let csrf = page.attributes("input[name=csrf]", "value").remove(0);
        let fields = [
            ("csrf", csrf.as_str()),
            ("newsletter", "morning"),
            ("size", size),
            ("seed", ""),
        ];
        let sent = editor
            .post(&format!("/admin/polls/{draft}/sample"), &fields)
            .await;
        sent.expect(422).says(said);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_sample").await, 0);
    draw(&editor, draft, 35).await.expect(200).says("Margin");
    app.reader()
        .get(&format!("/p/{draft}"))
        .await
        .expect(200)
        .says("is for a random sample");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll").await,
        2,
        "no copy of a draft"
    );
    // Everybody was asked: the sample is the list, and nothing is left to chance.
    assert_eq!(drawn(&app, draft).await.len(), 35);
    // There is no open poll beside it, and the sample's own poll is not offered for embedding.
    let page = editor
        .get(&format!("/admin/polls/{draft}"))
        .await
        .expect(200);
    assert!(!page.text().contains("Put it into an article"));
}
