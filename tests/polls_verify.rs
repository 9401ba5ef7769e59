//! The log of the ballot box: it records everything, and and a single changed bit in it, in a ballot
//! or in a number is found.

use std::process::{Command, Output};
use std::time::Duration;

use canvass::db::{self, Backend, Db};
use canvass::polls::ballots::removal::{Selection, give_back};
use canvass::polls::ballots::{self, Slip, Verified, adopt, verify, verify_in_shares};
use canvass::polls::{Place, Tier};
use canvass::types::Random;

use crate::polls_ballot_box::{Box, opened};
use crate::polls_set_aside::set_aside;
use crate::support::database::TestDatabase;

/// A poll in which everything has happened: three nodes, changed answers, ballots set aside and given back.
pub async fn eventful() -> Box {
    let ballots = opened(&["yes", "no", "maybe"], 2, None).await;
    for who in 0..60 {
        let mut answer = ballots.answer(who, &[["1", "2", "3"][who % 3]]);
        answer.network = (who % 4 > 0).then_some([who as u8 % 5; 8]);
        if who % 6 == 0 {
            (answer.tier, answer.place) = (Tier::Subscriber, Place::Mail);
        }
        put(&ballots, who as i64 % 3, answer).await;
        ballots.clock.advance(Duration::from_millis(7));
    }
    let poll = ballots.poll.id;
    for round in 0..3 {
        let network = Selection {
            networks: vec![vec![round; 8]],
            ..Selection::default()
        };
        let now = ballots.clock.now();
        let slot = i64::from(round);
        let removed = set_aside((&ballots.db, slot), now, poll, &network, "A burst");
        assert!(removed.await.unwrap().ballots > 5);
        // Some voters change their answer, on another node than before; some of their ballots are set aside.
        for who in (0..60).step_by(7) {
            let answer = ballots.answer(who, &["1", ["2", "3", "2"][usize::from(round)]]);
            put(&ballots, (slot + 1) % 3, answer).await;
            ballots.clock.advance(Duration::from_millis(3));
        }
    }
    let now = ballots.clock.now();
    assert!(give_back(&ballots.db, now, 0, poll, 2).await.unwrap() > 5);
    ballots
}

async fn put(ballots: &Box, slot: i64, answer: ballots::Answer) {
    let slips = [Slip::from(answer)];
    ballots::commit(&ballots.db, &ballots.clock, slot, &slips)
        .await
        .unwrap();
}

pub async fn verified(ballots: &Box) -> Verified {
    let poll = ballots.poll.id;
    let verified = verify(&ballots.db, poll).await.unwrap().unwrap();
    // Verifying in shares finds the same.
    let shares = verify_in_shares(&ballots.db, poll, 11).await;
    let shares = shares.unwrap().unwrap();
    let told = |verified: &Verified| {
        let mut findings = verified.findings.clone();
        findings.sort();
        let numbers = [
            verified.pages,
            verified.entries,
            verified.ballots,
            verified.set_aside,
            verified.linked,
        ];
        let tally = verified.tally.clone();
        (findings, numbers, tally, verified.head, verified.root)
    };
    assert_eq!(told(&shares), told(&verified));
    verified
}

async fn count(db: &Db, sql: &str) -> i64 {
    let row = db::fetch_one(db.read(), sql, []).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn sql(db: &Db, statements: &[String]) -> Result<(), db::DbErr> {
    let txn = db.write_txn("test").await?;
    for statement in statements {
        db::run(&*txn, statement.as_str(), []).await?;
    }
    txn.commit().await
}

#[tokio::test]
async fn polls_the_log_tells_the_whole_story() {
    let ballots = eventful().await;
    let verified = verified(&ballots).await;
    assert_eq!(verified.findings, Vec::<String>::new());
    let counting = "SELECT COUNT(*) FROM ballot WHERE removed IS NULL";
    let aside = "SELECT COUNT(*) FROM ballot WHERE removed IS NOT NULL";
    assert_eq!(verified.ballots, count(&ballots.db, counting).await);
    assert_eq!(verified.set_aside, count(&ballots.db, aside).await);
    assert!(verified.set_aside > 10 && verified.ballots > 20);
    assert_eq!(verified.chains.len(), 3);
    assert_eq!(ballots.counts().await[0], verified.ballots);
}

/// Columns with information, by the type of their content: a Number, Small number, Bytes, Text, the Poll.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("ballot", "voter_key", "b"),
    ("ballot", "poll_id", "p"),
    ("ballot", "choices", "b"),
    ("ballot", "tier", "s"),
    ("ballot", "source", "s"),
    ("ballot", "network", "b"),
    ("ballot", "cast_ms", "n"),
    ("ballot", "changed_ms", "n"),
    ("ballot", "revision", "n"),
    ("ballot", "removed", "n"),
    ("tally", "poll_id", "p"),
    ("tally", "option_id", "n"),
    ("tally", "tier", "s"),
    ("tally", "slot", "n"),
    ("tally", "n", "n"),
    ("poll_source", "poll_id", "p"),
    ("poll_source", "source", "s"),
    ("poll_source", "slot", "n"),
    ("poll_source", "n", "n"),
    ("poll_source", "first_ms", "n"),
    ("poll_source", "last_ms", "n"),
    ("poll_hour", "poll_id", "p"),
    ("poll_hour", "hour_ms", "n"),
    ("poll_hour", "tier", "s"),
    ("poll_hour", "slot", "n"),
    ("poll_hour", "n", "n"),
    ("ballot_log", "poll_id", "p"),
    ("ballot_log", "slot", "n"),
    ("ballot_log", "seq", "n"),
    ("ballot_log", "at_ms", "n"),
    ("ballot_log", "entries", "b"),
    ("ballot_log", "hash", "b"),
    ("ballot_chain", "poll_id", "p"),
    ("ballot_chain", "slot", "n"),
    ("ballot_chain", "seq", "n"),
    ("ballot_chain", "hash", "b"),
    ("ballot_removal", "poll_id", "p"),
    ("ballot_removal", "number", "n"),
    ("ballot_removal", "at_ms", "n"),
    ("ballot_removal", "reason", "t"),
    ("ballot_removal", "ballots", "n"),
    ("ballot_removal", "undone_ms", "n"),
    ("poll_question", "wording", "t"),
    ("poll_option", "label", "t"),
];

/// The primary keys, by which single rows are changed.
fn key(table: &str) -> &'static [(&'static str, bool)] {
    match table {
        "ballot" => &[("voter_key", true)],
        "tally" => &[("option_id", false), ("tier", false), ("slot", false)],
        "poll_source" => &[("source", false), ("slot", false)],
        "poll_hour" => &[("hour_ms", false), ("tier", false), ("slot", false)],
        "ballot_log" => &[("slot", false), ("seq", false)],
        "ballot_chain" => &[("slot", false)],
        "ballot_removal" => &[("number", false)],
        _ => &[("id", false)],
    }
}

struct Tamper<'a> {
    db: &'a Db,
    random: Random,
    poll: i64,
    other: i64,
}

impl Tamper<'_> {
    fn bytes(&self, bytes: &[u8]) -> String {
        let hex = data_encoding::HEXLOWER.encode(bytes);
        match self.db.backend() {
            Backend::Sqlite => format!("X'{hex}'"),
            Backend::Postgres => format!("CAST('\\x{hex}' AS BYTEA)"),
        }
    }

    /// A condition for one of the poll's rows, and the value of `column` in it with one bit changed.
    async fn flip(&self, table: &str, column: &str, kind: &str) -> (String, String) {
        let keys = key(table);
        let keyed: Vec<String> = keys
            .iter()
            .map(|(name, bytes)| match bytes {
                true => format!("{name} AS key_{name}"),
                false => format!("CAST({name} AS BIGINT) AS key_{name}"),
            })
            .collect();
        let value = match kind {
            "n" | "s" | "p" => format!("CAST({column} AS BIGINT)"),
            _ => column.to_owned(),
        };
        let sql = format!(
            "SELECT {}, {value} AS value FROM {table} WHERE poll_id = {}",
            keyed.join(", "),
            self.poll
        );
        let rows = db::fetch_all(self.db.read(), sql, []).await.unwrap();
        let row = &rows[self.random.below(rows.len() as u64) as usize];
        let mut condition = format!("poll_id = {}", self.poll);
        for (name, bytes) in keys {
            let field = format!("key_{name}");
            let value = if *bytes {
                self.bytes(&row.try_get::<Vec<u8>>("", &field).unwrap())
            } else {
                row.try_get::<i64>("", &field).unwrap().to_string()
            };
            condition.push_str(&format!(" AND {name} = {value}"));
        }
        let flipped = match kind {
            "p" => self.other.to_string(),
            "t" => {
                let text: String = row.try_get("", "value").unwrap();
                format!("'{text}.'")
            }
            "b" => match row.try_get::<Option<Vec<u8>>>("", "value").unwrap() {
                None => self.bytes(&[1]),
                Some(mut bytes) => {
                    let bit = self.random.below(bytes.len() as u64 * 8) as usize;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    self.bytes(&bytes)
                }
            },
            _ => match row.try_get::<Option<i64>>("", "value").unwrap() {
                None => "1".to_owned(),
                Some(n) => {
                    let bits = if kind == "s" { 15 } else { 63 };
                    (n ^ (1 << self.random.below(bits))).to_string()
                }
            },
        };
        (condition, flipped)
    }

    async fn is_found(&self) -> Vec<String> {
        let id = canvass::types::PollId(self.poll);
        verify(self.db, id).await.unwrap().unwrap().findings
    }
}

/// One bit in each column, and one row less in each table: the unchanged database verifies before and after,
/// the changed one does not.
#[tokio::test]
async fn polls_one_changed_bit_anywhere_is_found() {
    let ballots = eventful().await;
    let seed = u64::from_le_bytes(Random::System.bytes());
    println!("seed {seed}");
    let copy = "INSERT INTO poll (slug, title, state, created_ms, updated_ms) SELECT 'other', title, 0, 1, 1 FROM poll".to_owned();
    sql(&ballots.db, &[copy]).await.unwrap();
    let tamper = Tamper {
        db: &ballots.db,
        random: Random::seeded(seed),
        poll: ballots.poll.id.0,
        other: count(&ballots.db, "SELECT id FROM poll WHERE slug = 'other'").await,
    };
    let mut tables: Vec<&str> = COLUMNS.iter().map(|(table, ..)| *table).collect();
    tables.dedup();
    for table in &tables {
        let keep = format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}");
        sql(&ballots.db, &[keep]).await.unwrap();
    }
    // The questions' ids are referenced, so their rows are updated back; other rows are reinserted.
    let restore = |table: &str, column: &str| match table {
        "poll_question" | "poll_option" => format!(
            "UPDATE {table} SET {column} = (SELECT {column} FROM kept_{table} k WHERE k.id = {table}.id)"
        ),
        _ => format!("DELETE FROM {table}"),
    };
    let refill = |table: &str| match table {
        "poll_question" | "poll_option" => "SELECT 1".to_owned(),
        _ => format!("INSERT INTO {table} SELECT * FROM kept_{table}"),
    };
    let mut changed = 0;
    for (table, column, kind) in COLUMNS {
        for round in 0..4 {
            let (row, value) = tamper.flip(table, column, kind).await;
            let mut change = format!("UPDATE {table} SET {column} = {value} WHERE {row}");
            if round == 3 && !table.starts_with("poll_q") && !table.starts_with("poll_o") {
                change = format!("DELETE FROM {table} WHERE {row}");
            }
            // A key that another row already has cannot be used.
            if sql(&ballots.db, std::slice::from_ref(&change))
                .await
                .is_err()
            {
                continue;
            }
            changed += 1;
            let found = tamper.is_found().await;
            let zero = change.starts_with("DELETE FROM tally") && {
                let n = format!("SELECT n FROM kept_tally WHERE {row}");
                count(&ballots.db, &n).await == 0
            };
            assert!(
                !found.is_empty() || zero,
                "seed {seed}: not found: {change}"
            );
            let back = [restore(table, column), refill(table)];
            sql(&ballots.db, &back).await.unwrap();
        }
    }
    assert!(changed > COLUMNS.len() * 3, "{changed} changes");
    assert_eq!(tamper.is_found().await, Vec::<String>::new());
}

/// Ballots of a version without a log are recorded as found, and later ones join them.
#[tokio::test]
async fn polls_ballots_from_before_the_log_verify_too() {
    let ballots = eventful().await;
    let before = verified(&ballots).await;
    // As an older version left it: without a log, and before ballots could be set aside.
    let older = [
        "DELETE FROM ballot_log",
        "DELETE FROM ballot_chain",
        "DELETE FROM ballot WHERE removed IS NOT NULL",
        "DELETE FROM ballot_removal",
        "UPDATE poll SET unchained = 1",
    ];
    sql(&ballots.db, &older.map(str::to_owned)).await.unwrap();
    assert!(!verified(&ballots).await.findings.is_empty());
    for _ in 0..2 {
        adopt(&ballots.db, ballots.clock.now()).await.unwrap();
        let adopted = verified(&ballots).await;
        assert_eq!(adopted.findings, Vec::<String>::new());
        assert_eq!(adopted.tally, before.tally);
        assert_eq!(adopted.chains.len(), 1);
    }
    for who in 40..80 {
        ballots.clock.advance(Duration::from_millis(1));
        put(&ballots, 0, ballots.answer(who, &["2"])).await;
    }
    let later = verified(&ballots).await;
    assert_eq!(later.findings, Vec::<String>::new());
    assert!(later.ballots > before.ballots);
}

/// Answers may come in during the verification: it sees one snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn polls_are_verified_while_they_are_answered() {
    let ballots = std::sync::Arc::new(opened(&["yes", "no"], 1, None).await);
    let voting = {
        let ballots = ballots.clone();
        tokio::spawn(async move {
            for who in 0..400 {
                ballots.cast(who % 300, &[["1", "2"][who % 2]]).await;
            }
        })
    };
    let mut looks = 0;
    while !voting.is_finished() {
        let shares = verify_in_shares(&ballots.db, ballots.poll.id, 40).await;
        assert_eq!(shares.unwrap().unwrap().findings, Vec::<String>::new());
        looks += 1;
    }
    voting.await.unwrap();
    let last = verified(&ballots).await;
    assert_eq!((last.findings.len(), last.ballots), (0, 300));
    println!("{looks} looks");
}

fn command(database: &TestDatabase, slug: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_canvass"))
        .args(["verify", "poll", slug])
        .env_clear()
        .env("CANVASS_DATA_DIR", database.dir.path())
        .env("CANVASS_DATABASE__URL", &database.url)
        .env(
            "CANVASS_SECRET_KEY",
            "a secret key of at least 32 characters",
        )
        .env("CANVASS_MAIL__TRANSPORT", "mailbox")
        .env("CANVASS_MAIL__ALLOW_CAPTURE", "true")
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_the_command_says_so_and_fails_on_a_difference() {
    let ballots = eventful().await;
    let fine = command(&ballots.database, "trust");
    let text = String::from_utf8(fine.stdout).unwrap();
    assert_eq!(fine.status.code(), Some(0), "{text}");
    for words in ["head: ", "ballot root: ", "ballots counted", "verified: "] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    let swap = "UPDATE tally SET n = n + 1 WHERE option_id <> 0 AND slot = 1 AND tier = 0";
    sql(&ballots.db, &[swap.to_owned()]).await.unwrap();
    let differs = command(&ballots.database, "trust");
    let text = String::from_utf8(differs.stdout).unwrap();
    assert_eq!(differs.status.code(), Some(1), "{text}");
    assert!(text.contains("differs: option 1 (yes)") && text.contains("NOT verified"));
    assert_eq!(command(&ballots.database, "nothing").status.code(), Some(1));
}
