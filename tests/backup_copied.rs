//! A database that was copied by other means than a backup: the copy sends no issue that the original may have sent.

use canvass::db::run;

use crate::backup::{at_work, number, write};
use crate::support::app::TestApp;
use crate::support::database::{TestDatabase, server_needed, sqlite_needed};
use crate::support::editor::signed_in;

const SCHEDULED: &str = "SELECT COUNT(*) FROM issue WHERE state = 1";
const HELD: &str =
    "SELECT COUNT(*) FROM issue WHERE state = 2 AND held_reason LIKE '%copied or moved%'";
const PAUSED: &str =
    "SELECT COUNT(*) FROM mailing WHERE state = 2 AND reason LIKE '%copied or moved%'";

#[tokio::test]
async fn a_copy_of_a_database_starts_with_its_issues_held_back() {
    // Another start in the same place changes nothing.
    let app = at_work().await.restarted().await;
    assert_eq!(app.count(SCHEDULED).await, 1);
    let database = app.stop().await;
    let db = database.open().await;
    write(
        &db,
        "INSERT INTO mailing (issue_id, newsletter_id, state, edition, not_before_ms, expires_ms, frozen_ms) \
         SELECT id, newsletter_id, 1, '', 1, 4000000000000, 1 FROM issue WHERE subject = 'now'",
    )
    .await;
    db.close().await.unwrap();

    let app = TestApp::on(database.copied().await).await;
    assert_eq!(app.count(HELD).await, 1);
    assert_eq!(app.count(PAUSED).await, 1);

    // Somebody decided that it is to be sent: the next start respects that.
    write(&app.app.db, "UPDATE issue SET state = 1 WHERE state = 2").await;
    let app = app.restarted().await;
    assert_eq!(app.count(SCHEDULED).await, 1);
    let copy = app.stop().await;
    let db = copy.open().await;
    assert_eq!(number(&db, PAUSED).await, 1, "it was left as it was");
    db.close().await.unwrap();
}

/// A kernel, or a file system, that begins to tell when a file was created.
#[tokio::test]
async fn a_file_whose_age_becomes_known_is_no_copy() {
    if !sqlite_needed() {
        return;
    }
    let database = at_work().await.stop().await;
    let db = database.open().await;
    let place = db.place().await.unwrap().unwrap();
    let (inode, _) = place.split_once(' ').unwrap();
    let txn = db.write_txn("test").await.unwrap();
    let untold = format!("UPDATE setting SET value = '{inode} 0' WHERE name = 'home'");
    run(&*txn, untold, []).await.unwrap();
    txn.commit().await.unwrap();
    db.close().await.unwrap();
    let app = TestApp::on(database).await;
    assert_eq!(app.count(SCHEDULED).await, 1);
    let now_told =
        format!("SELECT COUNT(*) FROM setting WHERE name = 'home' AND value = '{place}'");
    assert_eq!(app.count(&now_told).await, 1);
}

#[tokio::test]
async fn the_page_of_an_issue_that_a_copy_paused_gives_the_reason() {
    let database = at_work().await.stop().await;
    let db = database.open().await;
    write(
        &db,
        "INSERT INTO mailing (issue_id, newsletter_id, state, edition, audience, not_before_ms, expires_ms, frozen_ms) \
         SELECT id, newsletter_id, 1, '', 3, 1, 4000000000000, 1 FROM issue WHERE subject = 'now'",
    )
    .await;
    // An editor has paused and resumed it.
    write(
        &db,
        "INSERT INTO mailing_order (issue_id, kind, who, at_ms) \
         SELECT issue_id, 1, 'Omar', 1 FROM mailing UNION ALL SELECT issue_id, 2, 'Omar', 2 FROM mailing",
    )
    .await;
    db.close().await.unwrap();
    let app = TestApp::on(database.copied().await).await;
    let id = app.count("SELECT issue_id FROM mailing").await;
    let editor = signed_in(&app).await;
    let page = editor.get(&format!("/admin/issues/{id}")).await.expect(200);
    let page = page
        .says("The reason: this database was copied or moved")
        .says("paused by itself: this database was copied or moved");
    assert!(!page.text().contains("It was paused by"), "{}", page.text());
}

/// A host may withdraw the function from its users. Here another of the same name takes its place, because what is
/// withdrawn from everybody still works for a superuser.
#[tokio::test]
async fn a_server_that_does_not_identify_itself_is_no_obstacle() {
    if server_needed().is_none() {
        return;
    }
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    write(
        &db,
        "CREATE FUNCTION public.pg_control_system() RETURNS TABLE (system_identifier bigint) LANGUAGE plpgsql \
         AS $$ BEGIN RAISE EXCEPTION 'permission denied'; END $$",
    )
    .await;
    write(
        &db,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); \
         END $$",
    )
    .await;
    db.close().await.unwrap();
    let app = TestApp::on(database).await;
    assert_eq!(app.app.db.place().await.unwrap(), None);
}
