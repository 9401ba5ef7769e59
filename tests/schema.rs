//! The schema: migrated by two nodes at once, on tables with rows, and never downwards; the
//! entities agree with it.

use std::collections::BTreeMap;

use canvass::db::entities;
use canvass::db::migrate::{MigrateError, migrate};
use canvass::db::{Backend, fetch_all, run};
use canvass_migrations::{Migrator, MigratorTrait};
use sea_orm::{
    Database, EntityName, EntityTrait, IdenStatic, Iterable, QuerySelect, TransactionTrait,
};

use crate::support::database::{TestDatabase, sqlite_needed};
use crate::support::dump::{self, Dump};

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_at_once_migrate_once() {
    let database = TestDatabase::empty().await;
    // SQLite has one process for each file; two of its connections stand for two nodes.
    let (one, two) = (database.open().await, database.open().await);
    let (first, second) = tokio::join!(migrate(&one), migrate(&two));
    let mut applied = [first.unwrap().len(), second.unwrap().len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, Migrator::migrations().len()]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let database = TestDatabase::of_a_newer_version().await;
    let db = database.open().await;
    let before = Dump::of(&db).await;
    match migrate(&db).await {
        Err(MigrateError::Newer(name)) => assert_eq!(name, "m9999_later"),
        other => panic!("not refused: {other:?}"),
    }
    let after = Dump::of(&db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
}

/// Every migration after the first runs on rows that earlier versions wrote.
#[tokio::test]
async fn migrations_keep_the_rows_they_find() {
    let database = TestDatabase::empty().await;
    let db = database.open().await;
    // Not with our write transactions, which need a table of a later migration.
    let bare = Database::connect(&database.url).await.unwrap();
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    for step in 0..steps {
        let txn = bare.begin().await.unwrap();
        Migrator::up(&txn, Some(1)).await.unwrap();
        if step == 0 {
            for sql in ROWS {
                run(&txn, *sql, []).await.unwrap();
            }
        }
        txn.commit().await.unwrap();
    }
    bare.close().await.unwrap();
    let before = Dump::of(&db).await;
    for table in ["setting", "editor", "newsletter", "reader", "subscription"] {
        assert_eq!(before.rows(table), 1, "rows of {table}");
    }
    let sql = "SELECT unchained FROM poll";
    let poll = canvass::db::fetch_one(db.read(), sql, []).await.unwrap();
    let unchained: i16 = poll.unwrap().try_get_by_index(0).unwrap();
    assert_eq!(
        unchained, 1,
        "its ballots are written down at the next start"
    );
    assert_eq!(migrate(&db).await.unwrap(), Vec::<String>::new());
    assert_eq!(
        before.differences(&Dump::of(&db).await, &[]),
        Vec::<String>::new(),
        "a second start changes nothing"
    );
}

/// A server was killed while it wrote a table anew, and the next one is a newer version. SQLite drops no column that a
/// trigger names.
#[tokio::test]
async fn a_migration_meets_nothing_that_a_killed_scrub_left() {
    if !sqlite_needed() {
        return;
    }
    let database = TestDatabase::empty().await;
    let db = database.open().await;
    let bare = Database::connect(&database.url).await.unwrap();
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    let txn = bare.begin().await.unwrap();
    Migrator::up(&txn, Some(steps - 1)).await.unwrap();
    for end in ["anew", "old"] {
        for sql in [
            format!(
                "CREATE TABLE ballot_{end} (poll_id BIGINT, voter_key BLOB, PRIMARY KEY (poll_id, voter_key))"
            ),
            format!("INSERT INTO ballot_{end} VALUES (1, X'01'), (1, X'02')"),
            format!(
                "CREATE TRIGGER ballot_{end}_delete AFTER DELETE ON ballot BEGIN \
                 DELETE FROM ballot_{end} WHERE (poll_id, voter_key) = (OLD.poll_id, OLD.voter_key); END"
            ),
        ] {
            run(&txn, sql, []).await.unwrap();
        }
    }
    txn.commit().await.unwrap();
    bare.close().await.unwrap();
    assert_eq!(migrate(&db).await.unwrap().len(), 1);
    let left = "SELECT name FROM sqlite_master WHERE type = 'trigger' OR name IN ('ballot_anew', 'ballot_old')";
    assert_eq!(fetch_all(db.read(), left, []).await.unwrap().len(), 0);
}

/// A failed migration leaves nothing behind, on SQLite as well.
#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind() {
    let database = TestDatabase::empty().await;
    let db = database.open().await;
    // This table makes the first migration fail.
    let taken = "CREATE TABLE subscription (id INTEGER PRIMARY KEY)";
    let bare = Database::connect(&database.url).await.unwrap();
    run(&bare, taken, []).await.unwrap();
    bare.close().await.unwrap();
    assert!(matches!(migrate(&db).await, Err(MigrateError::Failed(_))));
    assert_eq!(dump::tables(&db).await, ["subscription"]);
}

#[tokio::test]
async fn every_entity_has_the_columns_of_its_table() {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let mut seen = vec![
        agrees(&db, entities::api_token::Entity).await,
        agrees(&db, entities::ballot::Entity).await,
        agrees(&db, entities::ballot_chain::Entity).await,
        agrees(&db, entities::ballot_link::Entity).await,
        agrees(&db, entities::ballot_log::Entity).await,
        agrees(&db, entities::ballot_removal::Entity).await,
        agrees(&db, entities::bounce::Entity).await,
        agrees(&db, entities::captured_mail::Entity).await,
        agrees(&db, entities::consent::Entity).await,
        agrees(&db, entities::consent_text::Entity).await,
        agrees(&db, entities::delivery::Entity).await,
        agrees(&db, entities::delivery_attempt::Entity).await,
        agrees(&db, entities::dkim_key::Entity).await,
        agrees(&db, entities::editor::Entity).await,
        agrees(&db, entities::editor_invite::Entity).await,
        agrees(&db, entities::editor_session::Entity).await,
        agrees(&db, entities::idempotency::Entity).await,
        agrees(&db, entities::issue::Entity).await,
        agrees(&db, entities::issue_segment::Entity).await,
        agrees(&db, entities::issue_tally::Entity).await,
        agrees(&db, entities::kept_count::Entity).await,
        agrees(&db, entities::link_export::Entity).await,
        agrees(&db, entities::link_text::Entity).await,
        agrees(&db, entities::relay_day::Entity).await,
        agrees(&db, entities::sealed_ballot::Entity).await,
        agrees(&db, entities::mail_batch::Entity).await,
        agrees(&db, entities::mail_vote::Entity).await,
        agrees(&db, entities::mailing::Entity).await,
        agrees(&db, entities::mailing_only::Entity).await,
        agrees(&db, entities::mailing_order::Entity).await,
        agrees(&db, entities::newsletter::Entity).await,
        agrees(&db, entities::outbox::Entity).await,
        agrees(&db, entities::picture::Entity).await,
        agrees(&db, entities::poll::Entity).await,
        agrees(&db, entities::poll_burst::Entity).await,
        agrees(&db, entities::poll_burst_removal::Entity).await,
        agrees(&db, entities::poll_hour::Entity).await,
        agrees(&db, entities::poll_import::Entity).await,
        agrees(&db, entities::poll_option::Entity).await,
        agrees(&db, entities::poll_question::Entity).await,
        agrees(&db, entities::poll_record::Entity).await,
        agrees(&db, entities::poll_sample::Entity).await,
        agrees(&db, entities::poll_secret::Entity).await,
        agrees(&db, entities::poll_source::Entity).await,
        agrees(&db, entities::poll_step::Entity).await,
        agrees(&db, entities::ranking_tally::Entity).await,
        agrees(&db, entities::reader::Entity).await,
        agrees(&db, entities::refusal::Entity).await,
        agrees(&db, entities::setting::Entity).await,
        agrees(&db, entities::subscription::Entity).await,
        agrees(&db, entities::subscription_request::Entity).await,
        agrees(&db, entities::suppression::Entity).await,
        agrees(&db, entities::tally::Entity).await,
        agrees(&db, entities::triggered_mail::Entity).await,
        agrees(&db, entities::words_ruling::Entity).await,
        agrees(&db, entities::words_tally::Entity).await,
        agrees(&db, entities::write_turn::Entity).await,
    ];
    seen.sort();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/db/entities");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|f| f.unwrap().path().file_stem()?.to_str().map(str::to_owned))
        .filter(|name| name != "mod")
        .collect();
    files.sort();
    assert_eq!(seen, files, "this test knows every entity");
}

async fn agrees<E: EntityTrait + EntityName>(db: &canvass::db::Db, entity: E) -> String {
    let table = entity.table_name().to_owned();
    let mut columns: Vec<String> = E::Column::iter().map(|c| c.as_str().to_owned()).collect();
    columns.sort();
    assert_eq!(
        columns,
        dump::columns(db, &table).await,
        "columns of {table}"
    );
    E::find().limit(1).all(db.read()).await.unwrap();
    table
}

/// A second index on the same columns costs writes and is never read.
#[tokio::test]
async fn no_list_of_columns_has_two_indexes() {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let sql = match db.backend() {
        // Partial indexes and those of expressions are different ones, so compare their definitions.
        Backend::Sqlite => {
            "SELECT i.name, i.tbl_name || COALESCE((SELECT GROUP_CONCAT(COALESCE(c.name, '?')) FROM pragma_index_info(i.name) c), '')
                || COALESCE(SUBSTR(i.sql, INSTR(i.sql, ' ON ')), '')
             FROM sqlite_master i WHERE i.type = 'index'"
        }
        Backend::Postgres => {
            "SELECT indexname, SUBSTR(indexdef, STRPOS(indexdef, ' ON ')) FROM pg_indexes WHERE schemaname = 'public'"
        }
    };
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for row in fetch_all(db.read(), sql, []).await.unwrap() {
        let (name, columns): (String, String) = (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
        );
        if let Some(other) = seen.insert(columns.clone(), name.clone()) {
            panic!("{name} and {other} are the same: {columns}");
        }
    }
    assert!(seen.len() > 20, "{seen:?}");
}

/// Rows that a first version may have written.
const ROWS: &[&str] = &[
    "INSERT INTO setting (name, value) VALUES ('a', 'b')",
    "INSERT INTO editor (id, email_key, email, name, created_ms) VALUES (1, 'e@x', 'E@x', 'E', 1)",
    "INSERT INTO newsletter (id, slug, name, from_name, from_address, created_ms)
     VALUES (1, 'morning', 'Morning', 'News', 'news@example.org', 1)",
    "INSERT INTO consent_text (id, newsletter_id, version, body, created_ms) VALUES (1, 1, 1, 'Yes', 1)",
    "INSERT INTO reader (id, email_key, email, created_ms) VALUES (1, 'r@x', 'R@x', 1)",
    "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
     VALUES (1, 1, 1, 1, 1)",
    "INSERT INTO consent (reader_id, newsletter_id, consent_text_id, page, source, requested_ms, confirmed_ms)
     VALUES (1, 1, 1, '/', 'form', 1, 1)",
    "INSERT INTO poll (id, slug, title, state, created_ms, updated_ms) VALUES (1, 'trust', 'Trust', 1, 1, 1)",
    "INSERT INTO poll_question (id, poll_id, position, wording, kind) VALUES (1, 1, 0, 'Do you?', 0)",
    "INSERT INTO poll_option (id, poll_id, question_id, position, label) VALUES (1, 1, 1, 0, 'Yes')",
    "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, cast_ms, changed_ms)
     VALUES (1, '0123456789abcdef', '1', 0, 0, 1, 1)",
    "INSERT INTO tally (poll_id, option_id, tier, slot, n) VALUES (1, 1, 0, 0, 3)",
    "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms)
     VALUES (1, 1, 'first', 'First', 'Words', 3, 1, 1)",
    "INSERT INTO delivery (issue_id, reader_id, state, fence, attempt, at_ms) VALUES (1, 1, 2, 1, 1, 1)",
    "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES (1, 2, 0, 0, 1)",
];
