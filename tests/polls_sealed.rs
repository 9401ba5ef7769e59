//! Once a poll's key is destroyed, an attacker who has everything else cannot join a ballot to a reader.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::db::{self, Backend, Db};
use canvass::polls::ballots::record::{self, record_closed};
use canvass::polls::ballots::seal::seal_due;
use canvass::polls::ballots::{self, Outcome};
use canvass::polls::{self, Poll, Voter};
use canvass::types::{OptionId, Random, ReaderId};

use crate::polls_ballot_box::{Box, NOON};
use crate::polls_elsewhere::link;
use crate::polls_verify::{eventful, verified};
use crate::support::app::{START, TestApp};
use crate::support::attacker::{self, Known, Loot, key_in_file};
use crate::support::wait;

const HOUR: Duration = Duration::from_secs(60 * 60);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn poll(db: &Db) -> Poll {
    polls::by_slug(db, "trust").await.unwrap().unwrap()
}

/// An app with a poll that was answered by 20 readers who requested the newsletter in the same form, one of them on
/// another site's page, and by six from their mails. Returns what each of them is known by, and what each answered.
async fn answered(app: &TestApp) -> Vec<(Known, OptionId)> {
    let newsletter = app.newsletter("morning").await;
    let id = app
        .poll_with("trust", |poll| {
            poll.newsletter = Some(newsletter.id);
            poll.closes_at = Some(START + HOUR);
        })
        .await;
    let options: Vec<OptionId> = poll(&app.app.db).await.options().map(|o| o.id).collect();
    let random = Random::seeded(11);
    let mut readers = Vec::new();
    for who in 0..20 {
        app.advance(Duration::from_millis(7_000 + random.below(60_000)));
        let marker = format!("{who:022}");
        let reader = app
            .reader()
            .with_header("cookie", &format!("canvass_voter={marker}"));
        // Only one reader says "Unsure", on another site's page.
        let (said, place) = match who {
            13 => (2, 2),
            _ => (random.below(2) as usize, 0),
        };
        let mut form = reader.get("/p/trust").await.expect(200).the_form();
        form = form.choose("option", &(said + 1).to_string());
        let mail = format!("r{who}@example.org");
        form = form.fill("email", &mail).tick("consent", "1");
        if place == 2 {
            form.fields.push(("place".into(), "embed".into()));
        }
        let asked = app.app.clock.now();
        reader.submit(form).await.expect(200);
        let mail = app.mail_to(&mail, 1).await.link("/confirm/");
        let page = reader.get(&mail).await.expect(200);
        reader.submit(page.the_form()).await.expect(200);
        let known = Known {
            voter: Voter::Browser(marker),
            asked: Some(asked),
            kind: (0, place),
        };
        readers.push((known, options[said]));
    }
    for who in 0..6 {
        app.advance(Duration::from_millis(7_000 + random.below(60_000)));
        let mail = format!("m{who}@example.org");
        let path = link(app, id, 1, &mail).await;
        let page = app.reader().get(&path).await.expect(200);
        app.advance(Duration::from_secs(1));
        let said = random.below(2) as usize;
        let form = page.the_form().choose("option", &(said + 1).to_string());
        app.reader().submit(form).await.expect(200).says("counted");
        let sql = format!("SELECT id FROM reader WHERE email_key = '{mail}'");
        let known = Known {
            voter: Voter::Subscriber(ReaderId(app.count(&sql).await)),
            asked: None,
            kind: (2, 3),
        };
        readers.push((known, options[said]));
    }
    readers
}

/// The bytes of the database's files; for PostgreSQL those of the tables, if its data directory can be read.
async fn files(app: &TestApp) -> Option<Vec<u8>> {
    let db = &app.app.db;
    let paths: Vec<_> = match db.backend() {
        Backend::Sqlite => ["", "-wal", "-shm"]
            .iter()
            .map(|end| app.database.dir.path().join(format!("canvass.db{end}")))
            .collect(),
        Backend::Postgres => {
            // Unlinks deleted files and flushes written data to the files.
            db::run(db.read(), "CHECKPOINT", []).await.ok()?;
            let sql = "SELECT current_setting('data_directory') || '/base/' || oid AS dir FROM pg_database \
                       WHERE datname = current_database()";
            let row = db::fetch_one(db.read(), sql, []).await.ok()??;
            let dir: String = row.try_get("", "dir").unwrap();
            let names = std::fs::read_dir(dir).ok()?.map(|entry| entry.unwrap());
            // Smaller numbers are the server's own tables.
            let ours = |name: &str| name.split(['.', '_']).next()?.parse().ok();
            names
                .filter(|entry| {
                    ours(&entry.file_name().to_string_lossy()).is_some_and(|n: u32| n >= 16_384)
                })
                .map(|entry| entry.path())
                .collect()
        }
    };
    let read = |path| std::fs::read(path).unwrap_or_default();
    Some(paths.iter().flat_map(read).collect())
}

async fn seal(app: &TestApp) {
    canvass::polls::ballots::watch_closes(&app.app.db, app.app.clock.now())
        .await
        .unwrap();
    app.advance(DAY * 7);
    scrubbed(app).await;
}

/// Waits until what a poll's sealing has destroyed is overwritten. The background tasks may be reading, or doing it,
/// just now.
pub async fn scrubbed(app: &TestApp) {
    wait::until("it is scrubbed", async || {
        canvass::polls::seal_tick(&app.app).await.unwrap();
        let done = "SELECT COUNT(*) FROM poll WHERE scrubbed_ms IS NOT NULL";
        app.count(done).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_whoever_has_all_but_the_destroyed_key_knows_no_more_than_the_result() {
    let app = TestApp::start().await;
    let db = &app.app.db;
    let (readers, truth): (Vec<Known>, Vec<OptionId>) = answered(&app).await.into_iter().unzip();
    let before = poll(db).await;
    // All other secrets.
    let others = vec![
        Vec::new(),
        vec![0; 32],
        b"a secret key of at least 32 characters".to_vec(),
        readers.len().to_be_bytes().to_vec(),
    ];
    let right = |guesses: &[Option<OptionId>]| {
        let pairs = guesses.iter().zip(&truth);
        pairs
            .filter(|(guess, said)| **guess == Some(**said))
            .count()
    };
    let guessed = |guesses: &[Option<OptionId>]| guesses.iter().flatten().count();

    // The same attacker a moment earlier: nobody's answer is safe.
    let loot = Loot::of(db, &before).await;
    assert_eq!(right(&loot.by_key(&readers, &others)), 26);
    assert_eq!(right(&loot.by_time(&readers)), 20);
    assert!(right(&loot.by_order(&readers)) > 12);
    let by_kind = loot.by_kind(&readers);
    assert_eq!(
        by_kind[13],
        Some(truth[13]),
        "the only one on a page of another site"
    );
    let secret = before.secret.bytes().to_vec();
    let keys: Vec<_> = readers.iter().map(|r| r.voter.key(&before)).collect();
    let file = files(&app).await;
    if let Some(file) = &file {
        assert!(attacker::contains(file, &secret) && attacker::contains(file, &keys[3]));
        assert!(key_in_file(file, &before, &readers[3].voter));
    }
    let moments = attacker::moments(db, START, START + HOUR).await;
    assert!(
        moments.iter().any(|column| column == "ballot.cast_ms"),
        "{moments:?}"
    );

    app.advance(HOUR);
    seal(&app).await;
    let after = poll(db).await;
    assert!(after.secret.is_destroyed() && after.sealed_at.is_some());
    let mut loot = Loot::of(db, &after).await;
    assert!(loot.ballots.is_empty(), "no ballot has a row of its own");
    attacker::left(db, &after, &mut loot).await;
    for guesses in [
        loot.by_key(&readers, &others),
        loot.by_time(&readers),
        loot.by_kind(&readers),
    ] {
        assert_eq!(guessed(&guesses), 0);
    }
    // What is left has no order: pairing it with the readers is a guess, and no better than
    // guessing the most common answer.
    let mut said: BTreeMap<OptionId, usize> = BTreeMap::new();
    truth
        .iter()
        .for_each(|option| *said.entry(*option).or_default() += 1);
    let most = said.values().max().unwrap();
    assert!(right(&loot.by_order(&readers)) <= *most);
    // Nothing kept about the poll has a time of the voting, except the turnout and what the newsletter has to know.
    assert_eq!(
        attacker::moments(db, START, START + HOUR).await,
        [
            "subscription_request.confirmed_ms",
            "subscription_request.created_ms"
        ]
    );
    let file = files(&app).await.unwrap();
    assert!(
        !attacker::contains(&file, &secret),
        "the key is in the files"
    );
    for key in &keys {
        assert!(
            !attacker::contains(&file, key),
            "a voter's key is in the files"
        );
    }
    assert!(!key_in_file(&file, &before, &readers[3].voter));
}

/// The poll after it was closed, recorded and sealed.
pub async fn sealed(ballots: &Box) -> Poll {
    close(ballots).await;
    ballots.clock.advance(DAY * 7);
    let done = seal_due(&ballots.db, ballots.clock.now(), 7).await.unwrap();
    assert_eq!(done.polls.len(), 1);
    poll(&ballots.db).await
}

/// An editor closes it.
pub async fn close(ballots: &Box) {
    let txn = ballots.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2, closed_ms = $1";
    let now = ballots.clock.now();
    db::run(&*txn, sql, [now.into()]).await.unwrap();
    txn.commit().await.unwrap();
    record_closed(&ballots.db, now).await.unwrap();
}

pub async fn count(db: &Db, sql: &str) -> i64 {
    let row = db::fetch_one(db.read(), sql, []).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn polls_what_is_sealed_counts_as_before_and_verifies() {
    let ballots = eventful().await;
    let before = (ballots.counts().await, verified(&ballots).await);
    close(&ballots).await;
    let code = record::latest(&ballots.db, ballots.poll.id)
        .await
        .unwrap()
        .unwrap();
    let open = poll(&ballots.db).await;
    let after = sealed(&ballots).await;
    assert_eq!(ballots::audit(&ballots.db, &after).await.unwrap(), []);
    // Also for a caller that knows the poll from before the sealing, and looks now.
    assert_eq!(ballots::audit(&ballots.db, &open).await.unwrap(), []);
    let now = verified(&ballots).await;
    assert_eq!(now.findings, Vec::<String>::new());
    assert_eq!(
        (now.root, now.ballots, now.set_aside),
        (before.1.root, before.1.ballots, before.1.set_aside)
    );
    assert_eq!((now.head, &now.chains), (before.1.head, &before.1.chains));
    assert_eq!(now.tally, before.1.tally);
    let totals = canvass::polls::results::totals(&ballots.db, &after)
        .await
        .unwrap();
    assert_eq!(totals.voters(canvass::polls::Tier::Anonymous), before.0[0]);
    // The code that readers see is still the one they were shown at the close.
    assert_eq!(
        record::latest(&ballots.db, after.id).await.unwrap(),
        Some(code)
    );
    // Nobody can answer, set aside or give back.
    assert!(matches!(
        ballots.cast(99, &["1"]).await,
        Outcome::NotOpen(_)
    ));
    let back = ballots::removal::give_back(&ballots.db, NOON, 0, after.id, 1).await;
    assert!(matches!(back, Err(ballots::removal::NotRemoved::Sealed)));
}

/// What is kept of a sealed poll, and what readers see of it: one changed bit in any of it is found.
const COLUMNS: &[(&str, &str)] = &[
    ("sealed_ballot", "tier = tier + 10"),
    ("sealed_ballot", "set_aside = set_aside + 2"),
    ("sealed_ballot", "n = n + 1"),
    ("tally", "n = n + 1"),
    ("tally", "tier = tier + 10"),
    ("tally", "option_id = option_id + 1000"),
    ("poll_source", "n = n + 1"),
    ("poll_source", "source = source + 10"),
    ("poll_source", "last_ms = last_ms + 86400000"),
    ("poll_hour", "n = n + 1"),
    ("poll_hour", "hour_ms = hour_ms + 3600000"),
    ("ballot_removal", "reason = reason || '.'"),
    ("ballot_removal", "ballots = ballots - 1"),
    ("ballot_removal", "undone_ms = 7"),
    ("ballot_chain", "seq = seq + 1"),
    ("ballot_chain", "slot = slot + 100"),
    ("poll_record", "ballots = ballots + 1"),
    ("poll_record", "at_ms = at_ms + 1"),
    ("poll_record", "set_aside = set_aside + 1"),
    ("poll_record", "hash = root"),
    ("poll_record", "root = head"),
    ("poll_record", "counters = hash"),
    ("poll_record", "number = number + 1"),
    ("poll_option", "label = label || '.'"),
    ("poll_question", "wording = wording || '.'"),
];

#[tokio::test]
async fn polls_what_is_changed_after_the_sealing_is_found() {
    let ballots = eventful().await;
    sealed(&ballots).await;
    let change = |sql: String| {
        let db = &ballots.db;
        async move {
            let txn = db.write_txn("test").await.unwrap();
            db::run(&*txn, sql, []).await.unwrap();
            txn.commit().await.unwrap();
        }
    };
    for (table, change_to) in COLUMNS {
        change(format!("CREATE TABLE kept AS SELECT * FROM {table}")).await;
        change(format!("UPDATE {table} SET {change_to}")).await;
        let findings = verified(&ballots).await.findings;
        assert!(!findings.is_empty(), "not found: {table} {change_to}");
        let column = change_to.split(' ').next().unwrap();
        if table.starts_with("poll_q") || table.starts_with("poll_o") {
            change(format!(
                "UPDATE {table} SET {column} = (SELECT {column} FROM kept WHERE kept.id = {table}.id)"
            ))
            .await;
        } else {
            change(format!("DELETE FROM {table}")).await;
            let findings = verified(&ballots).await.findings;
            assert!(!findings.is_empty(), "not found: {table} is empty");
            change(format!("INSERT INTO {table} SELECT * FROM kept")).await;
        }
        change("DROP TABLE kept".to_owned()).await;
        assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
    }
}
