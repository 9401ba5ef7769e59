//! Importing polls from WP-Polls and YOP Poll: dumps in the format of mysqldump and phpMyAdmin.

use std::path::PathBuf;

use canvass::polls::{
    Definition, ImportOrder as Order, ImportSummary as Summary, ImportSystem as System, PollState,
    QuestionText, Stored, by_slug, import as run, replace_draft, set_state,
};
use tempfile::TempDir;

use crate::polls_pictures::{png, upload};
use crate::polls_sample::{draw, newsroom};
use crate::support::app::TestApp;

/// Two polls, with an unusual table prefix. Times are the site's local time (Berlin) read as UTC: the first poll opened
/// on 1 July 2024 at 12:00 and expired on 8 July at 12:00; the second, with several answers, has no end.
const WP_POLLS: &str = r"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
DROP TABLE IF EXISTS `blog_pollsa`;
CREATE TABLE `blog_pollsa` (
  `polla_aid` int(10) NOT NULL AUTO_INCREMENT,
  `polla_qid` int(10) NOT NULL DEFAULT '0',
  `polla_answers` varchar(200) NOT NULL DEFAULT '',
  `polla_votes` int(10) NOT NULL DEFAULT '0',
  PRIMARY KEY (`polla_aid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `blog_pollsa` VALUES (1,1,'Yes &amp; always',4),(2,1,'No, I don\\\'t',2),(3,2,'News',3),(4,2,'Sport',2),(5,2,'Arts',0);
CREATE TABLE `blog_pollsip` (
  `pollip_id` int(10) NOT NULL AUTO_INCREMENT,
  `pollip_qid` int(10) NOT NULL DEFAULT '0',
  `pollip_aid` int(10) NOT NULL DEFAULT '0',
  `pollip_ip` varchar(100) NOT NULL DEFAULT '',
  `pollip_host` varchar(200) NOT NULL DEFAULT '',
  `pollip_timestamp` int(10) NOT NULL DEFAULT '0',
  `pollip_user` tinytext NOT NULL,
  `pollip_userid` int(10) NOT NULL DEFAULT '0',
  PRIMARY KEY (`pollip_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `blog_pollsip` VALUES (1,1,1,'203.0.113.9','host.example',1719835260,'Guest',0),(2,1,2,'203.0.113.9','host.example',1719835260,'Guest',0),(3,1,1,'198.51.100.7','h2.example',1720436400,'anna.k',7);
INSERT INTO `blog_pollsip` VALUES (4,2,3,'203.0.113.9','x',1719900000,'Guest',0),(5,2,4,'203.0.113.9','x',1719900000,'Guest',0),(6,2,3,'203.0.113.9','x',1719900000,'Guest',0);
CREATE TABLE `blog_pollsq` (
  `pollq_id` int(10) NOT NULL AUTO_INCREMENT,
  `pollq_question` varchar(200) NOT NULL DEFAULT '',
  `pollq_timestamp` varchar(20) NOT NULL DEFAULT '',
  `pollq_totalvotes` int(10) NOT NULL DEFAULT '0',
  `pollq_active` tinyint(1) NOT NULL DEFAULT '1',
  `pollq_expiry` int(10) NOT NULL DEFAULT '0',
  `pollq_multiple` tinyint(3) NOT NULL DEFAULT '0',
  `pollq_totalvoters` int(10) NOT NULL DEFAULT '0',
  PRIMARY KEY (`pollq_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `blog_pollsq` VALUES (1,'Don\\\'t you <b>trust</b> the press?','1719835200',6,0,1720440000,0,6),(2,'What do you read?','1719835200',5,1,0,2,3);
INSERT INTO `blog_posts` VALUES (1,'A post; with ''quotes'' and (1,1,1)');
-- Dump completed on 2024-07-20 10:00:00
";

fn order(dir: &TempDir, files: &[(&str, &str)], from: System) -> Order {
    let write = |(name, text): &(&str, &str)| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    Order {
        files: files.iter().map(write).collect(),
        from,
        time_zone: "Europe/Berlin".to_owned(),
        open: false,
        without_orphans: false,
        without_end: false,
        dry_run: false,
    }
}

async fn import(app: &TestApp, order: &Order) -> Summary {
    run(&app.app, order, &mut std::io::sink()).await.unwrap()
}

#[tokio::test]
async fn polls_of_wp_polls_come_with_their_counts_and_times() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let mut asked = order(&dir, &[("dump.sql", WP_POLLS)], System::WpPolls);
    asked.dry_run = true;
    let summary = import(&app, &asked).await;
    assert_eq!((summary.polls, summary.ballots, summary.logged), (2, 9, 5));
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0, "a dry run");

    asked.dry_run = false;
    assert_eq!(import(&app, &asked).await.polls, 2);
    let page = app
        .reader()
        .get("/p/dont-you-trust-the-press")
        .await
        .expect(200)
        .says("Don't you trust the press?")
        .says("Closed on 8 July 2024, 12:00 CEST")
        .says("6 readers chose to answer, between 1 July 2024 and 8 July 2024, in another poll system, from which it was imported.");
    assert_eq!(page.all(".result-label"), ["Yes & always", "No, I don't"]);
    assert_eq!(page.all(".result-count"), ["4", "2"]);
    // Several answers: three voters gave five.
    let page = app.reader().get("/p/what-do-you-read/results").await;
    let page = page.expect(200).says("3 readers");
    assert_eq!(page.all(".result-count"), ["3", "2", "0"]);

    // Tally and ballots agree; no data of the voters was imported.
    for slug in ["dont-you-trust-the-press", "what-do-you-read"] {
        app.assert_the_count_agrees(slug).await;
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE network IS NOT NULL")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE cast_ms % 3600000 <> 0")
            .await,
        0,
        "times are kept by the hour"
    );
    // Nobody can add an answer.
    let late = app.reader();
    late.post("/p/what-do-you-read", &[("option", "1")])
        .await
        .expect(409);

    let again = import(&app, &asked).await;
    assert_eq!((again.polls, again.already_there), (0, 2));
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 9);
}

#[tokio::test]
async fn polls_an_import_that_was_cut_off_goes_on() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let asked = order(&dir, &[("dump.sql", WP_POLLS)], System::WpPolls);
    import(&app, &asked).await;
    // The state that a crash before the last commit leaves.
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE poll_import SET done_ms = NULL",
        "UPDATE poll SET closes_ms = NULL",
    ] {
        canvass::db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    let again = import(&app, &asked).await;
    assert_eq!((again.polls, again.already_there), (2, 0));
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 9);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 2);
}

const BALLOTS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM ballot";

/// An import of the poll `big` that is killed when a part of its ballots is in.
async fn killed_in_between(app: &TestApp, dir: &TempDir) -> Order {
    let big = "INSERT INTO wp_pollsq (pollq_id, pollq_question, pollq_timestamp) VALUES (1,'Big?','1719835200');
        INSERT INTO wp_pollsa (polla_aid, polla_qid, polla_answers, polla_votes) VALUES (1,1,'Yes',9000),(2,1,'No',5000);";
    let asked = order(dir, &[("dump.sql", big)], System::WpPolls);
    {
        let mut terminal = std::io::sink();
        let importing = run(&app.app, &asked, &mut terminal);
        tokio::pin!(importing);
        let begun = async {
            while app.count(BALLOTS).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = begun => {}
            done = &mut importing => panic!("it was too quick to be looked at: {done:?}"),
        }
    }
    let part = app.count(BALLOTS).await;
    assert!(part > 0 && part < 14_000, "killed in between: {part}");
    asked
}

/// A partial result is never shown, even if an import is killed.
#[tokio::test]
async fn polls_nobody_sees_a_poll_before_all_of_it_is_in() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let asked = killed_in_between(&app, &dir).await;
    let reader = app.reader();
    reader.get("/p/big").await.expect(404);
    // An editor who finds the draft can neither publish it nor remove its options while ballots refer to them.
    let draft = by_slug(&app.app.db, "big").await.unwrap().unwrap();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let (now, open) = (app.app.clock.now(), PollState::Published);
    let published = set_state(&txn, now, draft.id, None, PollState::Draft, open).await;
    assert!(!published.unwrap());
    let other = Definition::new("big", vec![QuestionText::default()]);
    let (id, revision) = (draft.id, draft.revision);
    let replaced = replace_draft(&txn, now, id, revision, &other).await;
    assert_eq!(replaced.unwrap(), Stored::Conflict);
    drop(txn);
    reader.get("/p/big/results").await.expect(404);
    reader.post("/p/big", &[("option", "2")]).await.expect(404);

    let again = import(&app, &asked).await;
    assert_eq!((again.polls, app.count(BALLOTS).await), (1, 14_000));
    // A cached definition is at most a second old.
    app.advance(std::time::Duration::from_secs(1));
    let page = app.reader().get("/p/big/results").await.expect(200);
    assert_eq!(page.all(".result-count"), ["9,000", "5,000"]);
    app.assert_the_count_agrees("big").await;
}

/// The log refers to the draft as it was, and confirmed subscribers cannot take over a poll with answers.
#[tokio::test]
async fn polls_an_import_in_progress_gets_no_pictures_and_no_sample() {
    let (app, editor) = newsroom(40).await;
    let dir = TempDir::new().unwrap();
    let asked = killed_in_between(&app, &dir).await;
    let page = editor.get("/admin/polls/big/pictures").await.expect(200);
    let fields = [("option", "1"), ("alt", "A red tram")];
    let placed = upload(&editor, &page, &fields, &png(1_200, 800)).await;
    assert_eq!(placed.status(), 409);
    draw(&editor, "big", 30).await.expect(409);
    let again = import(&app, &asked).await;
    assert_eq!((again.polls, app.count(BALLOTS).await), (1, 14_000));
    app.advance(std::time::Duration::from_secs(1));
    app.assert_the_count_agrees("big").await;
}

#[tokio::test]
async fn polls_that_were_open_stay_open_if_asked() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let mut asked = order(&dir, &[("dump.sql", WP_POLLS)], System::WpPolls);
    asked.open = true;
    import(&app, &asked).await;
    let reader = app.reader();
    let page = reader.get("/p/what-do-you-read").await.expect(200);
    let form = page.the_form().tick("option", "3");
    reader.submit(form).await.expect(200).says("4 readers");
    // The poll that had expired is closed as well.
    let closed = app.reader().get("/p/dont-you-trust-the-press").await;
    closed.expect(200).says("Closed on");
}

#[tokio::test]
async fn polls_tables_come_as_csv_too() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let files = [
        (
            "q.csv",
            "\"pollq_id\";\"pollq_question\";\"pollq_timestamp\";\"pollq_active\";\"pollq_expiry\";\"pollq_multiple\";\"pollq_totalvoters\"\n\"1\";\"Tram; or bus?\";\"1719835200\";\"1\";\"0\";\"0\";\"3\"\n",
        ),
        (
            "a.csv",
            "polla_aid,polla_qid,polla_answers,polla_votes\n1,1,\"Tram, please\",2\n2,1,Bus,1\n",
        ),
    ];
    let summary = import(&app, &order(&dir, &files, System::WpPolls)).await;
    assert_eq!((summary.polls, summary.ballots, summary.logged), (1, 3, 0));
    let page = app.reader().get("/p/tram-or-bus").await.expect(200);
    assert_eq!(page.all(".result-label"), ["Tram, please", "Bus"]);
}

#[tokio::test]
async fn polls_of_yop_come_with_all_their_questions() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let dump = r#"
INSERT INTO `wp_yoppoll_polls` (`id`, `name`, `status`, `meta_data`, `total_submits`, `added_date`) VALUES
(3, 'Readers', 'published', 'a:1:{s:7:\"options\";a:1:{s:4:\"poll\";a:4:{s:15:\"startDateOption\";s:3:\"now\";s:15:\"startDateCustom\";s:0:\"\";s:13:\"endDateOption\";s:6:\"custom\";s:13:\"endDateCustom\";s:16:\"2024-10-27 02:30\";}}}', 3, '2024-10-01 09:00:00');
INSERT INTO `wp_yoppoll_elements` (`id`, `poll_id`, `etext`, `etype`, `status`, `sorder`, `meta_data`) VALUES
(10, 3, 'Do you pay for news?', 'text-question', 'active', 1, 'a:1:{s:20:\"allowMultipleAnswers\";s:2:\"no\";}'),
(11, 3, 'Where do you read?', 'question-text', 'active', 2, '{\"allowMultipleAnswers\":\"1\",\"multipleAnswersMaxim\":\"2\"}'),
(12, 3, 'Your town', 'custom-field', 'active', 3, '');
INSERT INTO `wp_yoppoll_subelements` (`id`, `poll_id`, `element_id`, `stext`, `status`, `sorder`, `total_submits`) VALUES
(20, 3, 10, 'Yes', 'active', 1, 2),(21, 3, 10, 'No', 'active', 2, 1),
(22, 3, 11, 'Paper', 'active', 1, 1),(23, 3, 11, 'Phone', 'active', 2, 3);
INSERT INTO `wp_yoppoll_votes` (`id`, `poll_id`, `user_id`, `user_email`, `ipaddress`, `vote_data`, `status`, `added_date`) VALUES
(1, 3, 5, 'a@example.org', '203.0.113.9', '{\"elements\":[{\"id\":\"10\",\"data\":[{\"id\":\"20\",\"data\":[\"Yes\"]}]},{\"id\":\"11\",\"data\":[{\"id\":\"22\",\"data\":[\"Paper\"]},{\"id\":\"23\",\"data\":[\"Phone\"]}]}]}', 'active', '2024-10-02 10:20:30'),
(2, 3, 0, '', '203.0.113.9', '{\"elements\":[]}', 'deleted', '2024-10-02 10:20:30');
"#;
    let summary = import(&app, &order(&dir, &[("yop.sql", dump)], System::Yop)).await;
    assert_eq!((summary.polls, summary.logged), (1, 1));
    let page = app
        .reader()
        .get("/p/do-you-pay-for-news")
        .await
        .expect(200)
        // 02:30 occurred twice that night: the first one is meant.
        .says("Closed on 27 October 2024, 02:30 CEST")
        .says("3 readers chose to answer, between 1 October 2024 and 27 October 2024");
    assert_eq!(page.all(".result-count"), ["2", "1", "1", "3"]);
    let kept = "SELECT COUNT(*) FROM poll WHERE intro LIKE '%example.org%' OR title LIKE '%203.0%'";
    assert_eq!(app.count(kept).await, 0);
}

#[tokio::test]
async fn polls_what_cannot_be_imported_is_said() {
    let app = TestApp::start().await;
    let dir = TempDir::new().unwrap();
    let mut terminal = Vec::new();
    let one_answer = "INSERT INTO wp_pollsq (pollq_id, pollq_question) VALUES (1,'Alone?');
        INSERT INTO wp_pollsa (polla_aid, polla_qid, polla_answers, polla_votes) VALUES (1,1,'Yes',1);";
    let asked = order(&dir, &[("one.sql", one_answer)], System::WpPolls);
    let summary = run(&app.app, &asked, &mut terminal).await.unwrap();
    assert_eq!((summary.polls, summary.left_out), (0, 1));
    let said = String::from_utf8(terminal).unwrap();
    assert!(
        said.contains("Alone?") && said.contains("at least two answers"),
        "{said}"
    );

    let refused = |asked: Order| {
        let app = &app;
        async move {
            let done = run(&app.app, &asked, &mut std::io::sink()).await;
            done.unwrap_err().to_string()
        }
    };
    let other = order(
        &dir,
        &[("other.sql", "INSERT INTO x VALUES (1);")],
        System::Yop,
    );
    assert!(
        refused(other)
            .await
            .contains("contains none of the tables of YOP Poll")
    );
    let mut nowhere = asked.clone();
    nowhere.time_zone = "Europe/Atlantis".to_owned();
    assert!(refused(nowhere).await.contains("Europe/Atlantis"));
    let mut gone = asked;
    gone.files = vec![dir.path().join("gone.sql")];
    assert!(refused(gone).await.contains("gone.sql cannot be read"));
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0);
}
