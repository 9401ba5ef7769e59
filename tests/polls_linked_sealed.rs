//! Linked polls some days after the close: the readers who agreed are known, and nobody else.

use std::time::Duration;

use canvass::polls::ballots::{verify, watch_closes};
use canvass::polls::{Voter, by_slug};
use canvass::types::{PollId, ReaderId, UnixMillis};

use crate::polls_elsewhere::link;
use crate::polls_linked::{agree, asked};
use crate::polls_sealed::scrubbed;
use crate::support::app::{START, TestApp};
use crate::support::attacker::{self, Known, Loot};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn address(who: usize) -> String {
    format!("r{who}@example.org")
}

/// Twelve readers answer from their mails, every third one with the link. Returns what each said.
async fn answered(app: &TestApp, poll: PollId) -> Vec<i64> {
    let mut said = Vec::new();
    for who in 0..12 {
        app.advance(Duration::from_secs(40));
        let path = link(app, poll, 1, &address(who)).await;
        let page = app.reader().get(&path).await.expect(200);
        app.advance(SECOND);
        let option = 1 + (who as i64 * 5 + 1) % 3;
        let mut form = page.the_form().choose("option", &option.to_string());
        if who % 3 == 0 {
            form = agree(&page, form);
        }
        app.reader().submit(form).await.expect(200).says("counted");
        said.push(option);
    }
    said
}

async fn seal(app: &TestApp) {
    app.advance(HOUR);
    let db = &app.app.db;
    let sql = "UPDATE poll SET closes_ms = $1, revision = revision + 1";
    let txn = db.write_txn("test").await.unwrap();
    let now = app.app.clock.now();
    canvass::db::run(&*txn, sql, [now.into()]).await.unwrap();
    txn.commit().await.unwrap();
    watch_closes(db, now).await.unwrap();
    app.advance(HOUR * 24 * 7);
    scrubbed(app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_after_the_sealing_a_dump_knows_those_who_agreed_and_nobody_else() {
    let app = TestApp::start().await;
    let id = asked(&app).await;
    let said = answered(&app, id).await;
    let db = &app.app.db;
    let before = by_slug(db, "trust").await.unwrap().unwrap();
    let mut readers = Vec::new();
    for who in 0..said.len() {
        let sql = format!("SELECT id FROM reader WHERE email_key = '{}'", address(who));
        readers.push(ReaderId(app.count(&sql).await));
    }
    let known: Vec<Known> = readers
        .iter()
        .map(|reader| Known {
            voter: Voter::Subscriber(*reader),
            asked: None,
            kind: (2, 3),
        })
        .collect();
    let verified = verify(db, id).await.unwrap().unwrap();
    assert_eq!((verified.findings.len(), verified.linked), (0, 4));
    let secret = before.secret.bytes().to_vec();
    let loot = Loot::of(db, &before).await;
    let by_key = loot.by_key(&known, std::slice::from_ref(&secret));
    assert_eq!(
        by_key.iter().flatten().count(),
        12,
        "before it all are known"
    );

    seal(&app).await;
    let after = by_slug(db, "trust").await.unwrap().unwrap();
    assert!(after.secret.is_destroyed());
    let mut loot = Loot::of(db, &after).await;
    attacker::left(db, &after, &mut loot).await;
    for guesses in [loot.by_key(&known, &[vec![0; 32]]), loot.by_time(&known)] {
        assert_eq!(guesses.iter().flatten().count(), 0);
    }
    // Times before the close are kept only for those who agreed.
    let moments = attacker::moments(db, START, START + HOUR).await;
    let of_links: Vec<_> = moments
        .iter()
        .filter(|column| !column.starts_with("ballot_link."))
        .collect();
    assert_eq!(of_links, Vec::<&String>::new());
    // Every table that names a reader: four of the twelve are beside an answer.
    let mut found = Vec::new();
    for (who, reader) in readers.iter().enumerate() {
        let sql = format!(
            "SELECT COUNT(*) FROM ballot_link WHERE reader_id = {} AND poll_id = {}",
            reader.0, id.0
        );
        if app.count(&sql).await == 1 {
            found.push(who);
        }
    }
    assert_eq!(found, [0, 3, 6, 9]);
    let verified = verify(db, id).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new());
    assert_eq!((verified.linked, verified.ballots), (4, 12));
    // A link that is added without a ballot behind it is found: no ballot of its kind is left for it.
    let unsaid = after.options().find(|o| !said.contains(&o.key));
    let forged = unsaid.map_or_else(|| vec![0x7f], |o| canvass::types::varint::pack(&[o.id.0]));
    assert_ne!(
        tampered(&app, readers[1], forged).await,
        Vec::<String>::new()
    );
    let page = app.reader().get("/p/trust/results").await.expect(200);
    page.says("Only the answers of readers who agreed");
}

/// The findings if somebody is linked who did not agree.
async fn tampered(app: &TestApp, reader: ReaderId, choices: Vec<u8>) -> Vec<String> {
    let db = &app.app.db;
    let poll = by_slug(db, "trust").await.unwrap().unwrap();
    let version = app.count("SELECT id FROM link_text").await;
    let at = UnixMillis(1);
    let txn = db.write_txn("test").await.unwrap();
    let sql = "INSERT INTO ballot_link (poll_id, reader_id, choices, link_text_id, agreed_ms, linked_ms, changed_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (poll_id, reader_id) DO UPDATE SET choices = excluded.choices";
    let values = [
        poll.id.into(),
        reader.into(),
        choices.into(),
        version.into(),
        at.into(),
        at.into(),
        at.into(),
    ];
    canvass::db::run(&*txn, sql, values).await.unwrap();
    txn.commit().await.unwrap();
    verify(db, poll.id).await.unwrap().unwrap().findings
}

#[tokio::test]
async fn polls_linked_a_link_that_is_not_the_ballots_is_found() {
    let app = TestApp::start().await;
    let id = asked(&app).await;
    answered(&app, id).await;
    let of = |who: usize| format!("SELECT id FROM reader WHERE email_key = '{}'", address(who));
    let (agreed, secret) = (app.count(&of(0)).await, app.count(&of(1)).await);
    let findings = tampered(&app, ReaderId(agreed), vec![0x7f]).await;
    assert_eq!(findings, ["a linked answer differs from its ballot"]);
    let findings = tampered(&app, ReaderId(secret), vec![0x7f]).await;
    assert_eq!(findings.len(), 2, "{findings:?}");
    link(&app, id, 1, "nobody@example.org").await;
    let nobody = "SELECT id FROM reader WHERE email_key = 'nobody@example.org'";
    let findings = tampered(&app, ReaderId(app.count(nobody).await), vec![0x7f]).await;
    assert!(findings.contains(&"a linked answer has no ballot".to_owned()));
    let sql = "UPDATE poll SET linked = 0";
    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let findings = tampered(&app, ReaderId(agreed), vec![0x7f]).await;
    assert!(findings.contains(&"the poll is secret, but answers are linked".to_owned()));
}
