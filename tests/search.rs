//! A search finds what was typed, whatever the database's locale knows about letters.

use canvass::db::{Db, containing, fetch_one};

use crate::support::database::TestDatabase;

async fn finds(db: &Db, typed: &str) -> bool {
    let (condition, pattern) = containing(db.backend(), "title", 1, typed);
    let sql = format!(
        "SELECT 1 FROM (SELECT CAST('Über 50 % Zweifel' AS TEXT) AS title) AS t WHERE {condition}"
    );
    let found = fetch_one(db.read(), sql, [pattern.into()]).await.unwrap();
    found.is_some()
}

#[tokio::test]
async fn what_is_typed_as_it_stands_is_found_under_every_locale() {
    let (usual, plain) = (
        TestDatabase::empty().await,
        TestDatabase::of_plain_letters().await,
    );
    for (database, knows_letters) in [(usual, true), (plain, !on_postgres())] {
        let db = database.open().await;
        for typed in ["Über", "BER 50 %", "zweifel"] {
            assert!(finds(&db, typed).await, "{typed}");
        }
        assert_eq!(finds(&db, "üBER").await, knows_letters);
        assert!(!finds(&db, "50 _").await);
        db.close().await.unwrap();
    }
}

fn on_postgres() -> bool {
    crate::support::database::server().is_some()
}
