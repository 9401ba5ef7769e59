//! Files that are truncated, or something else: nothing of them is imported, and the error says what is wrong.

use canvass::polls::{ImportOrder as Order, ImportSystem as System, import as run};
use tempfile::TempDir;

use crate::support::app::TestApp;

const HEAD: &str = "-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)\n/*!40101 SET NAMES utf8mb4 */;\n";
const QUESTIONS: &str = "LOCK TABLES `wp_pollsq` WRITE;\nINSERT INTO `wp_pollsq` VALUES (1,'Trust the media?','1700000000',5,0,1700086400,0,5),(2,'Which; of these?','1700000100',7,1,0,2,4);\nUNLOCK TABLES;\n";
const ANSWERS: &str = "LOCK TABLES `wp_pollsa` WRITE;\nINSERT INTO `wp_pollsa` VALUES (1,1,'Yes, (mostly); it\\'s so',3),(2,1,'No',2),(3,2,'Größe',3),(4,2,'日本語',4);\nUNLOCK TABLES;\n";
const LOG: &str = "LOCK TABLES `wp_pollsip` WRITE;\nINSERT INTO `wp_pollsip` VALUES (1,1,1,'203.0.113.7','h',1700000500,'Ann',0),(2,1,2,'203.0.113.8','h',1700000600,'Guest',0);\nUNLOCK TABLES;\n";
const END: &str = "-- Dump completed on 2026-11-01 12:00:00\n";

struct Desk {
    app: TestApp,
    dir: TempDir,
}

impl Desk {
    async fn open() -> Self {
        let app = TestApp::start().await;
        let dir = TempDir::new().unwrap();
        Self { app, dir }
    }

    fn order(&self, name: &str, file: &[u8]) -> Order {
        let path = self.dir.path().join(name);
        std::fs::write(&path, file).unwrap();
        Order {
            files: vec![path],
            from: System::WpPolls,
            time_zone: "Europe/Berlin".to_owned(),
            open: false,
            without_orphans: false,
            without_end: false,
            dry_run: false,
        }
    }

    /// The output of an import, and its polls and ballots; or why it stopped.
    async fn import(&self, order: &Order) -> Result<(String, u64, u64), String> {
        let mut said = Vec::new();
        let done = run(&self.app.app, order, &mut said).await;
        let done = done.map_err(|e| e.to_string())?;
        Ok((String::from_utf8(said).unwrap(), done.polls, done.ballots))
    }

    /// Why a file is refused; checks that nothing of it was imported.
    async fn refused(&self, file: &[u8]) -> String {
        let said = self
            .import(&self.order("dump.sql", file))
            .await
            .unwrap_err();
        for table in ["poll", "ballot", "poll_import"] {
            let rows = self
                .app
                .count(&format!("SELECT COUNT(*) FROM {table}"))
                .await;
            assert_eq!(rows, 0, "{table}: {said}");
        }
        said
    }
}

/// Truncated anywhere within the tables, whichever table comes first.
#[tokio::test]
async fn polls_a_torn_dump_is_refused_whole() {
    let desk = Desk::open().await;
    for tables in [[QUESTIONS, ANSWERS, LOG], [ANSWERS, LOG, QUESTIONS]] {
        let whole = format!("{HEAD}{}{}{}", tables[0], tables[1], tables[2]);
        let from = whole.rfind("INSERT").unwrap();
        let cuts = (from..whole.len() - 3).step_by(7);
        let first = whole.find("),(").unwrap();
        for end in [first + 1, first + 2, first + 20].into_iter().chain(cuts) {
            let said = desk.refused(&whole.as_bytes()[..end]).await;
            assert!(
                said.contains("dump.sql is cut short: it ends at byte") && said.contains("in line"),
                "{end}: {said}"
            );
        }
        // The correct file can be imported afterwards.
        let order = desk.order("whole.sql", whole.as_bytes());
        let mut dry = order.clone();
        dry.dry_run = true;
        // Its last line is missing, so whole tables may be missing too.
        let said = desk.import(&dry).await.unwrap_err();
        assert!(
            said.contains("whole.sql does not end with mysqldump’s “Dump completed”"),
            "{said}"
        );
        dry.without_end = true;
        let (_, polls, ballots) = desk.import(&dry).await.unwrap();
        assert_eq!((polls, ballots), (2, 9));
        let order = desk.order("whole.sql", format!("{whole}{END}").as_bytes());
        let (said, polls, _) = desk
            .import(&Order {
                dry_run: true,
                ..order
            })
            .await
            .unwrap();
        assert!(polls == 2 && !said.contains("Dump completed"), "{said}");
    }
}

#[tokio::test]
async fn polls_answers_of_a_poll_that_is_missing_stop_an_import() {
    let desk = Desk::open().await;
    let one =
        "INSERT INTO `wp_pollsq` VALUES (1,'Trust the media?','1700000000',5,0,1700086400,0,5);\n";
    let file =
        format!("{one}{ANSWERS}{LOG}INSERT INTO `wp_pollsip` VALUES (9,7,1,'x','h',1,'x',0);\n");
    let said = desk.refused(file.as_bytes()).await;
    assert!(
        said.contains("3 rows")
            && said.contains("wp_2, wp_7")
            && said.contains("--without-orphans"),
        "{said}"
    );
    // Answers without any poll do not mean that a poll was deleted.
    let said = desk.refused(ANSWERS.as_bytes()).await;
    assert!(said.contains("wp_1, wp_2"), "{said}");

    let mut order = desk.order("dump.sql", file.as_bytes());
    order.without_orphans = true;
    let (said, polls, ballots) = desk.import(&order).await.unwrap();
    assert_eq!((polls, ballots), (1, 5));
    assert!(said.contains("wp_2, wp_7: left out"), "{said}");
}

#[tokio::test]
async fn polls_a_damaged_row_is_named() {
    let desk = Desk::open().await;
    let short = "INSERT INTO `wp_pollsa` VALUES (1,1,'Yes',3),\n(2,1,'No');\n";
    let said = desk.refused(format!("{QUESTIONS}{short}").as_bytes()).await;
    assert!(
        said.contains("the row of wp_pollsa in line 5 has 3 values for 4 columns"),
        "{said}"
    );
    let csv = desk.order(
        "a.csv",
        b"polla_aid,polla_qid,polla_answers,polla_votes\n1,1,Yes,3\n2,1,\"No",
    );
    let said = desk.import(&csv).await.unwrap_err();
    assert!(said.contains("line 3 has 3 values for 4 columns"), "{said}");
    let yop = Order {
        from: System::Yop,
        ..desk.order(
            "yop.sql",
            b"INSERT INTO `wp_yoppoll_polls` VALUES (1,'x');\n",
        )
    };
    let said = desk.import(&yop).await.unwrap_err();
    assert!(
        said.contains("does not name the columns of wp_yoppoll_polls"),
        "{said}"
    );
}

#[tokio::test]
async fn polls_other_files_are_called_what_they_are() {
    let desk = Desk::open().await;
    for (file, words) in [
        (&b""[..], "is empty"),
        (b"\x1f\x8b\x08\0", "unpack it first (gunzip)"),
        (b"PK\x03\x04", "unpack it first (unzip)"),
        (b"\xff\xfe-\0-\0", "is in UTF-16"),
        (b"SELECT 1;\n", "contains none of the tables of WP-Polls"),
    ] {
        let said = desk.refused(file).await;
        assert!(said.contains(words) && !said.contains("YOP"), "{said}");
    }
    let yop = Order {
        from: System::Yop,
        ..desk.order("yop.sql", b"SELECT 1;\n")
    };
    let said = desk.import(&yop).await.unwrap_err();
    assert!(said.contains("versions before 6"), "{said}");
}

/// As `mysqldump --no-create-info`, as `--compatible=ansi`, and from a site with an offset instead of a time zone.
#[tokio::test]
async fn polls_dumps_of_other_shapes_come_in() {
    let desk = Desk::open().await;
    let bare = format!("{QUESTIONS}{ANSWERS}{LOG}");
    let ansi = bare.replace('`', "\"").replace(
        "\"wp_pollsa\" VALUES",
        "\"wp_pollsa\" (\"polla_aid\", \"polla_qid\", \"polla_answers\", \"polla_votes\") VALUES",
    );
    for (file, zone, closed) in [
        (
            &bare,
            "Europe/Berlin",
            "Closed on 15 November 2023, 22:13 CET",
        ),
        (&ansi, "UTC+2", "Closed on 15 November 2023, 22:13 +02"),
        (&bare, "+05:30", "Closed on 15 November 2023, 16:43 UTC"),
        (&bare, "-03:30", "Closed on 16 November 2023, 01:43 UTC"),
    ] {
        let desk = Desk::open().await;
        let mut order = desk.order("dump.sql", file.as_bytes());
        order.time_zone = zone.to_owned();
        let (said, polls, ballots) = desk.import(&order).await.unwrap();
        assert_eq!((polls, ballots), (2, 9), "{zone}: {said}");
        let page = desk.app.reader().get("/p/trust-the-media").await;
        let page = page.expect(200).says(closed);
        assert_eq!(page.all(".result-label"), ["Yes, (mostly); it's so", "No"]);
    }
    let mut wrong = desk.order("dump.sql", bare.as_bytes());
    wrong.time_zone = "+25:00".to_owned();
    let said = desk.import(&wrong).await.unwrap_err();
    assert!(said.contains("+25:00") && said.contains("offset"), "{said}");
}

/// The same table twice, in one file or in two, would double its counts.
#[tokio::test]
async fn polls_a_row_that_comes_twice_stops_an_import() {
    let desk = Desk::open().await;
    let whole = format!("{HEAD}{QUESTIONS}{ANSWERS}{LOG}{END}");
    for (file, table) in [
        (
            format!("{whole}{whole}"),
            "row 1 of wp_pollsq again, in line 16",
        ),
        (
            format!("{QUESTIONS}{ANSWERS}{LOG}{LOG}"),
            "row 1 of wp_pollsip again",
        ),
        (
            format!("{QUESTIONS}{ANSWERS}{ANSWERS}"),
            "row 1 of wp_pollsa again",
        ),
    ] {
        let said = desk.refused(file.as_bytes()).await;
        assert!(said.contains(table), "{said}");
    }
    let mut order = desk.order("site.sql", whole.as_bytes());
    order
        .files
        .extend(desk.order("table.sql", ANSWERS.as_bytes()).files);
    let said = desk.import(&order).await.unwrap_err();
    assert!(
        said.contains("table.sql has row 1 of wp_pollsa again"),
        "{said}"
    );
    // Another site's rows may have the same numbers.
    let other = [QUESTIONS, ANSWERS, LOG].concat().replace("wp_", "wp_2_");
    let both = desk.order("both.sql", format!("{whole}{other}").as_bytes());
    let (said, polls, ballots) = desk.import(&both).await.unwrap();
    assert_eq!((polls, ballots), (4, 18), "{said}");
}

/// Windows programs put one before a text; it hides neither the header nor the first statement.
#[tokio::test]
async fn polls_a_byte_order_mark_hides_nothing() {
    let desk = Desk::open().await;
    let cut = format!("\u{feff}-- MariaDB dump 10.19\n{QUESTIONS}{ANSWERS}");
    let said = desk.refused(cut.as_bytes()).await;
    let plain = desk
        .refused(cut.trim_start_matches('\u{feff}').as_bytes())
        .await;
    assert_eq!(said, plain);
    let begins = QUESTIONS.split_once('\n').unwrap().1;
    let begins = begins.replace("UNLOCK TABLES;\n", "");
    let order = desk.order("dump.sql", format!("\u{feff}{begins}{ANSWERS}").as_bytes());
    let (said, polls, ballots) = desk.import(&order).await.unwrap();
    assert_eq!((polls, ballots), (2, 9), "{said}");
}
