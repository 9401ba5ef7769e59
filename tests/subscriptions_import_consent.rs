//! Exports of other systems that say which readers have left: those are not subscribed.

use canvass::db::{Backend, fetch_all, run};
use canvass::subscriptions::import::{Order, Summary, run as import};

use crate::support::app::TestApp;
use crate::support::editor::signed_in;

struct Desk {
    app: TestApp,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let app = TestApp::start().await;
        app.newsletter("premium").await;
        let dir = tempfile::TempDir::new().unwrap();
        Self { app, dir }
    }

    async fn import(&self, csv: &str) -> Result<(Summary, String, String), String> {
        let order = Order {
            file: self.dir.path().join("readers.csv"),
            newsletter: "premium".to_owned(),
            consent: "Ticked the box on the old site.".to_owned(),
            report: Some(self.dir.path().join("report.csv")),
        };
        std::fs::write(&order.file, csv).unwrap();
        let mut said = Vec::new();
        let app = &self.app.app;
        let done = import(&app.db, &app.keys, &app.clock, &order, &mut said).await;
        let done = done.map_err(|e| e.to_string())?;
        let report = std::fs::read_to_string(order.report.unwrap()).unwrap();
        Ok((done, String::from_utf8(said).unwrap(), report))
    }

    async fn column(&self, sql: &str) -> Vec<String> {
        let rows = fetch_all(self.app.app.db.read(), sql, []).await.unwrap();
        rows.iter()
            .map(|row| row.try_get_by_index(0).unwrap())
            .collect()
    }

    async fn subscribed(&self) -> Vec<String> {
        let sql = "SELECT r.email_key FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE s.state = 1 ORDER BY 1";
        self.column(sql).await
    }

    /// The reason for which an address is suppressed.
    async fn suppressed(&self, address: &str) -> Option<i16> {
        let hash = self.app.app.keys.address_hash(address).to_vec();
        let sql = "SELECT reason FROM suppression WHERE address_hash = $1";
        let rows = fetch_all(self.app.app.db.read(), sql, [hash.into()])
            .await
            .unwrap();
        rows.first().map(|row| row.try_get_by_index(0).unwrap())
    }
}

const GHOST: &str = "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers
64,stays@example.org,Ann,,true,false,,2022-12-04T18:10:59.000Z,,,
65,unsub@example.org,Gone,,false,false,,2022-12-04T18:10:59.000Z,,,
66,del@example.org,Gone,,true,false,,2022-12-04T18:10:59.000Z,2023-01-01T00:00:00.000Z,,
";

#[tokio::test]
async fn who_left_another_system_is_not_subscribed_here() {
    let desk = Desk::open().await;
    let (done, _, report) = desk.import(GHOST).await.unwrap();
    assert_eq!((done.subscribed, done.gone, done.rows()), (1, 2, 3));
    assert_eq!(desk.subscribed().await, ["stays@example.org"]);
    assert_eq!(
        desk.column("SELECT email_key FROM reader").await,
        ["stays@example.org"]
    );
    let shown = done.to_string();
    assert!(
        shown.contains("2 not subscribed: the file says that they left"),
        "{shown}"
    );
    assert!(
        shown.contains("Ignored columns: id, note, complimentary_plan, stripe_customer_id, created_at, labels, tiers"),
        "{shown}"
    );
    assert!(report.contains("1,ignored columns,\"id, note,"), "{report}");
    assert!(
        report.contains("3,kept out,the file says: has left"),
        "{report}"
    );
    assert!(!report.contains('@'), "{report}");
}

#[tokio::test]
async fn who_bounced_complained_or_was_blocked_is_suppressed() {
    let desk = Desk::open().await;
    let csv = "uuid,email,name,attributes,status,created_at\n\
        a,fine@example.org,Ann,\"{\"\"a\"\":1}\",enabled,2023-01-01\n\
        b,block@example.org,B,{},blocklisted,2023-01-01\n\
        c,bounce@example.org,B,{},Bounced,2023-01-01\n\
        d,spam@example.org,B,{},complained,2023-01-01\n\
        e,off@example.org,B,{},disabled,2023-01-01\n\
        f,odd@example.org,B,{},churned,2023-01-01\n\
        g,none@example.org,B,{},,2023-01-01\n";
    let (done, said, report) = desk.import(csv).await.unwrap();
    let counts = (done.subscribed, done.gone, done.gone_for_good, done.bad);
    assert_eq!((counts, done.rows()), ((1, 1, 3, 2), 7));
    assert_eq!(desk.subscribed().await, ["fine@example.org"]);
    for (address, reason) in [
        ("bounce@example.org", Some(1)),
        ("spam@example.org", Some(2)),
        ("block@example.org", Some(3)),
        ("off@example.org", None),
        ("odd@example.org", None),
        ("fine@example.org", None),
    ] {
        assert_eq!(desk.suppressed(address).await, reason, "{address}");
    }
    assert!(
        said.contains("line 7: status: “churned” does not show whether"),
        "{said}"
    );
    assert!(
        report.contains("8,bad,status: an empty cell does not"),
        "{report}"
    );
    // They stay out, even if another list does not say so.
    let (done, _, _) = desk
        .import("email\nspam@example.org\nbounce@example.org\n")
        .await
        .unwrap();
    assert_eq!((done.subscribed, done.suppressed), (0, 2));
}

/// However far apart the two rows are, and in either order.
#[tokio::test]
async fn who_is_gone_in_one_row_is_gone_in_all() {
    let desk = Desk::open().await;
    let mut csv =
        String::from("email,status\nbefore@example.org,unsubscribed\nafter@example.org,active\n");
    for n in 0..2_500 {
        csv += &format!("reader{n}@example.org,active\n");
    }
    csv += "BEFORE@example.org,active\nAfter@example.org,unsubscribed\n";
    let (done, _, _) = desk.import(&csv).await.unwrap();
    assert_eq!((done.subscribed, done.gone, done.rows()), (2_500, 4, 2_504));
    let subscribed = desk.subscribed().await;
    assert!(
        !subscribed
            .iter()
            .any(|a| a == "before@example.org" || a == "after@example.org")
    );
}

/// A row that is not understood is not guessed at, and another row cannot make up for it, in either order.
#[tokio::test]
async fn who_is_not_understood_in_one_row_is_subscribed_by_none() {
    let desk = Desk::open().await;
    let csv = "email,status,bounced\na@example.org,active,\nA@example.org,churned,\n\
        b@example.org,active,perhaps\nb@example.org,active,\nc@example.org,,\nc@example.org,complained,\nd@example.org,active,\n";
    let (done, _, report) = desk.import(csv).await.unwrap();
    assert_eq!(desk.subscribed().await, ["d@example.org"]);
    let counts = (done.subscribed, done.gone, done.gone_for_good, done.bad);
    assert_eq!((counts, done.rows()), ((1, 2, 1, 3), 7));
    assert!(
        report.contains("2,kept out,the file: another row"),
        "{report}"
    );
    assert_eq!(desk.suppressed("a@example.org").await, None);
    assert_eq!(desk.suppressed("c@example.org").await, Some(2));
}

/// The column `state` of a list of postal addresses is not about consent: the error says what to do about it.
#[tokio::test]
async fn a_column_that_says_something_else_is_told_to_be_renamed() {
    let desk = Desk::open().await;
    let csv = "email,state\nann@example.org,TX\n";
    let (done, said, _) = desk.import(csv).await.unwrap();
    assert_eq!((done.subscribed, done.bad), (0, 1));
    assert!(
        said.contains("“tx”") && said.contains("rename the column"),
        "{said}"
    );
}

/// A complaint elsewhere outweighs a bounce or an erasure here, as one here would, so that no opt-in lifts it
/// unnoticed.
#[tokio::test]
async fn a_complaint_elsewhere_outweighs_what_is_known_here() {
    let desk = Desk::open().await;
    let csv = "email,status\nbounced@example.org,bounced\nerased@example.org,bounced\nblocked@example.org,blocked\n";
    desk.import(csv).await.unwrap();
    let erased = desk
        .app
        .app
        .keys
        .address_hash("erased@example.org")
        .to_vec();
    let txn = desk.app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE suppression SET reason = 4 WHERE address_hash = $1";
    run(&*txn, sql, [erased.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let csv = "email,status\nbounced@example.org,complained\nerased@example.org,spam\nblocked@example.org,spam\nnew@example.org,spam\n";
    let (done, ..) = desk.import(csv).await.unwrap();
    assert_eq!(done.gone_for_good, 4);
    for (address, reason) in [("bounced", 2), ("erased", 2), ("blocked", 3), ("new", 2)] {
        let address = format!("{address}@example.org");
        assert_eq!(desk.suppressed(&address).await, Some(reason), "{address}");
    }
}

/// Two imports at once, one of which says *bounced* where the other says *complained*. Addresses are locked in one
/// order, so that an import that waits for one holds no later one.
#[tokio::test]
async fn addresses_are_suppressed_in_one_order_whatever_the_reason() {
    let desk = Desk::open().await;
    let db = &desk.app.app.db;
    if db.backend() == Backend::Sqlite {
        return;
    }
    let mut both = ["a@example.org", "b@example.org"]
        .map(|address| (desk.app.app.keys.address_hash(address).to_vec(), address));
    both.sort();
    let [(first, complained), (second, bounced)] = both;
    let csv = format!("email,status\n{complained},complained\n{bounced},bounced\n");
    let other = db.write_txn("test").await.unwrap();
    let insert =
        "INSERT INTO suppression (address_hash, reason, note, created_ms) VALUES ($1, 1, '', 1)";
    run(&*other, insert, [first.into()]).await.unwrap();
    let look = async {
        let waits = "SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                     WHERE a.datname = current_database() AND l.locktype = 'transactionid' AND NOT l.granted";
        desk.app.wait_until(waits, 1).await;
        run(&*other, insert, [second.into()]).await.unwrap();
        other.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(desk.import(&csv), look);
    assert_eq!(done.unwrap().0.gone_for_good, 2);
    assert_eq!(desk.suppressed(complained).await, Some(2));
    assert_eq!(desk.suppressed(bounced).await, Some(1));
}

/// Only the reader or an editor can end a subscription here; the report says that the file disagrees.
#[tokio::test]
async fn who_is_subscribed_here_stays_and_is_told_of() {
    let desk = Desk::open().await;
    desk.import("email\nanna@example.org\n").await.unwrap();
    let csv = "email,complained\nanna@example.org,yes\nbo@example.org,no\n";
    let (done, _, report) = desk.import(csv).await.unwrap();
    assert_eq!((done.subscribed, done.stay_here), (1, 1));
    assert_eq!(
        desk.subscribed().await,
        ["anna@example.org", "bo@example.org"]
    );
    assert_eq!(desk.suppressed("anna@example.org").await, None);
    assert!(
        report.contains(
            "2,already there,\"remains subscribed here, although the file says otherwise"
        ),
        "{report}"
    );
}

#[tokio::test]
async fn a_column_about_consent_that_is_not_understood_stops_the_import() {
    let desk = Desk::open().await;
    for title in ["UNSUB_REASON", "contact status", "soft_bounces"] {
        let csv = format!("email,{title}\nanna@example.org,x\n");
        let said = desk.import(&csv).await.unwrap_err();
        assert!(
            said.contains(title) && said.contains("nothing was imported"),
            "{said}"
        );
    }
    assert_eq!(desk.column("SELECT email_key FROM reader").await, [""; 0]);
}

/// An editor's page never shows the internal version of an imported consent text, nor a time of confirmation that is
/// unknown.
#[tokio::test]
async fn imported_evidence_says_where_it_is_from_and_what_is_not_known() {
    let desk = Desk::open().await;
    desk.import("email,confirmed_at\nbare@example.org,\ndated@example.org,2024-05-06T07:08:09Z\n")
        .await
        .unwrap();
    let editor = signed_in(&desk.app).await;
    let list = editor.get("/admin/readers").await.expect(200);
    let page = editor.follow(&list, "bare@example.org").await.expect(200);
    let page = page
        .says("in words that came with an import")
        .says("the date of the consent is not known");
    let facts = page.all(".facts dt");
    assert!(
        !facts
            .iter()
            .any(|dt| dt == "Asked for" || dt == "Confirmed"),
        "{facts:?}"
    );
    let page = editor.follow(&list, "dated@example.org").await.expect(200);
    let page = page
        .says("Confirmed, according to the import")
        .says("6 May 2024");
    assert!(!page.text().contains("version -1") && !page.text().contains("Asked for"));
    let form = editor.get("/admin/newsletters/premium").await.expect(200);
    let form = form.says("From an import or a form elsewhere");
    assert!(!form.text().contains("Version -"));
}
