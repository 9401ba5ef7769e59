//! Dumps in the formats of MariaDB's mysqldump, phpMyAdmin and old sites, from the tables that WP-Polls 2 and 3 and
//! YOP Poll 6 and 7 create.

use canvass::polls::{ImportOrder as Order, ImportSystem as System, import as run};
use tempfile::TempDir;

use crate::support::app::TestApp;

/// Imports a dump. Returns the summary's polls, ballots, logged and left out, and the output on the terminal.
async fn import(app: &TestApp, sql: &[u8], from: System, open: bool) -> ([u64; 4], String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("dump.sql");
    std::fs::write(&path, sql).unwrap();
    let order = Order {
        files: vec![path],
        from,
        time_zone: "Europe/Berlin".to_owned(),
        open,
        without_orphans: false,
        without_end: false,
        dry_run: false,
    };
    let mut said = Vec::new();
    let done = run(&app.app, &order, &mut said).await.unwrap();
    (
        [done.polls, done.ballots, done.logged, done.left_out],
        String::from_utf8(said).unwrap(),
    )
}

async fn counts(app: &TestApp, slug: &str) -> (Vec<String>, Vec<String>) {
    let page = app.reader().get(&format!("/p/{slug}/results")).await;
    let page = page.expect(200);
    (page.all(".result-label"), page.all(".result-count"))
}

/// Two sites of one network, as MariaDB 10.11's mysqldump writes them: a sandbox line, keys after the columns, a
/// whole table in one INSERT, and no column names in it. The second site has the columns of 2005, where "no
/// expiry" was an empty text.
const MARIADB: &str = r#"/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: wordpress
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;

DROP TABLE IF EXISTS `wp_2_pollsa`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `wp_2_pollsa` (
  `polla_aid` int(10) NOT NULL AUTO_INCREMENT,
  `polla_qid` int(10) NOT NULL DEFAULT 0,
  `polla_answers` varchar(200) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci NOT NULL DEFAULT '',
  `polla_votes` int(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`polla_aid`)
) ENGINE=MyISAM AUTO_INCREMENT=3 DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
LOCK TABLES `wp_2_pollsa` WRITE;
/*!40000 ALTER TABLE `wp_2_pollsa` DISABLE KEYS */;
INSERT INTO `wp_2_pollsa` VALUES
(1,1,'GrÃ¼n',2),
(2,1,'SchÃ¶n â€“ \"so\"',1);
/*!40000 ALTER TABLE `wp_2_pollsa` ENABLE KEYS */;
UNLOCK TABLES;
CREATE TABLE `wp_2_pollsip` (
  `pollip_id` int(10) NOT NULL AUTO_INCREMENT,
  `pollip_qid` varchar(10) NOT NULL DEFAULT '',
  `pollip_aid` varchar(10) NOT NULL DEFAULT '',
  `pollip_ip` varchar(100) NOT NULL DEFAULT '',
  `pollip_host` varchar(200) NOT NULL DEFAULT '',
  `pollip_timestamp` varchar(20) NOT NULL DEFAULT '',
  `pollip_user` tinytext NOT NULL,
  `pollip_userid` int(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`pollip_id`),
  KEY `pollip_ip` (`pollip_ip`),
  KEY `pollip_ip_qid_aid` (`pollip_ip`,`pollip_qid`,`pollip_aid`)
) ENGINE=MyISAM AUTO_INCREMENT=2 DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci;
INSERT INTO `wp_2_pollsip` VALUES
(1,'1','1','3fae0ed5d6d5b5a7d1f63d5aef2ecb5b','example.net','1119700800','Guest',0);
CREATE TABLE `wp_2_pollsq` (
  `pollq_id` int(10) NOT NULL AUTO_INCREMENT,
  `pollq_question` varchar(200) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci NOT NULL DEFAULT '',
  `pollq_timestamp` varchar(20) NOT NULL DEFAULT '',
  `pollq_totalvotes` int(10) NOT NULL DEFAULT 0,
  `pollq_active` tinyint(1) NOT NULL DEFAULT 1,
  `pollq_expiry` varchar(20) NOT NULL DEFAULT '',
  `pollq_multiple` tinyint(3) NOT NULL DEFAULT 0,
  `pollq_totalvoters` int(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`pollq_id`)
) ENGINE=MyISAM AUTO_INCREMENT=2 DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci;
INSERT INTO `wp_2_pollsq` VALUES
(1,'Welche Farbe fÃ¼r die StraÃŸenbahn?','1119614400',3,1,'',0,3);
CREATE TABLE `wp_pollsa` (
  `polla_aid` int(10) NOT NULL AUTO_INCREMENT,
  `polla_qid` int(10) NOT NULL DEFAULT 0,
  `polla_answers` varchar(200) NOT NULL DEFAULT '',
  `polla_votes` int(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`polla_aid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `wp_pollsa` VALUES (1,1,'Oui',1),(2,1,'Non \\\\ jamais; (1,2,3)',0),(3,2,'A',0),(4,2,'B',0);
CREATE TABLE `wp_pollsq` (
  `pollq_id` int(10) NOT NULL AUTO_INCREMENT,
  `pollq_question` varchar(200) NOT NULL DEFAULT '',
  `pollq_timestamp` varchar(20) NOT NULL DEFAULT '',
  `pollq_totalvotes` int(10) NOT NULL DEFAULT 0,
  `pollq_active` tinyint(1) NOT NULL DEFAULT 1,
  `pollq_expiry` int(10) NOT NULL DEFAULT 0,
  `pollq_multiple` tinyint(3) NOT NULL DEFAULT 0,
  `pollq_totalvoters` int(10) NOT NULL DEFAULT 0,
  PRIMARY KEY (`pollq_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `wp_pollsq` VALUES (1,'Déjà vu — «&nbsp;vraiment&nbsp;»&nbsp;?','1719835200',1,0,0,0,1),(2,'Not begun','1919835200',0,-1,0,0,0);
-- Dump completed on 2026-11-20 10:00:00
"#;

#[tokio::test]
async fn polls_import_of_a_network_of_sites_as_mariadb_dumps_it() {
    let app = TestApp::start().await;
    let (done, said) = import(&app, MARIADB.as_bytes(), System::WpPolls, true).await;
    assert_eq!(done, [3, 4, 1, 0], "{said}");
    // The old site's texts were UTF-8 in latin1 columns; the other site's were correct.
    let slug = "welche-farbe-fur-die-strassenbahn";
    let page = app.reader().get(&format!("/p/{slug}")).await.expect(200);
    let page = page.says("Welche Farbe für die Straßenbahn?");
    assert!(
        !page.text().contains("Closed"),
        "no expiry, and open: it goes on"
    );
    let (labels, numbers) = counts(&app, slug).await;
    assert_eq!(labels, ["Grün", "Schön – \"so\""]);
    assert_eq!(numbers, ["2", "1"]);
    app.assert_the_count_agrees(slug).await;
    let (labels, numbers) = counts(&app, "deja-vu-vraiment").await;
    assert_eq!(labels, ["Oui", "Non \\ jamais; (1,2,3)"]);
    assert_eq!(numbers, ["1", "0"]);
    // The vote of 25 June 2005, 12:00 local time, is in the hour of 10:00 UTC.
    let sql = "SELECT COUNT(*) FROM ballot WHERE cast_ms = 1119693600000";
    assert_eq!(app.count(sql).await, 1);
    // A poll that had not started is not open here.
    app.reader().get("/p/not-begun").await.expect(404);
}

/// As phpMyAdmin exports it: column names in the INSERT, one line per row, keys added afterwards; with its option
/// INSERT IGNORE. YOP Poll 6: serialized, with lengths in UTF-8 bytes.
const YOP_6: &str = r#"-- phpMyAdmin SQL Dump
-- version 5.2.1
SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
SET time_zone = "+00:00";
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE IF NOT EXISTS `wp_yoppoll_elements` (
  `id` int(11) NOT NULL,
  `poll_id` int(11) NOT NULL,
  `etext` text COLLATE utf8mb4_unicode_ci NOT NULL,
  `author` bigint(20) NOT NULL,
  `etype` varchar(20) COLLATE utf8mb4_unicode_ci NOT NULL,
  `status` varchar(20) COLLATE utf8mb4_unicode_ci NOT NULL,
  `sorder` int(11) NOT NULL,
  `meta_data` longtext COLLATE utf8mb4_unicode_ci NOT NULL,
  `added_date` datetime NOT NULL,
  `modified_date` datetime NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
INSERT IGNORE INTO `wp_yoppoll_elements` (`id`, `poll_id`, `etext`, `author`, `etype`, `status`, `sorder`, `meta_data`, `added_date`, `modified_date`) VALUES
(1, 1, 'Which of these, dear readers\' friends?', 1, 'text-question', 'active', 1, 'a:4:{s:17:\"allowOtherAnswers\";s:3:\"yes\";s:15:\"addOtherAnswers\";s:3:\"yes\";s:20:\"allowMultipleAnswers\";s:3:\"yes\";s:20:\"multipleAnswersMaxim\";s:1:\"2\";}', '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(2, 1, 'Your name', 1, 'custom-field', 'active', 2, 'a:1:{s:12:\"makeRequired\";s:2:\"no\";}', '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(3, 2, 'Thrown away?', 1, 'text-question', 'active', 1, 'a:0:{}', '2024-05-01 10:00:00', '2024-05-01 10:00:00');
INSERT IGNORE INTO `wp_yoppoll_polls` (`id`, `name`, `template`, `template_base`, `skin_base`, `author`, `stype`, `status`, `meta_data`, `total_submits`, `total_submited_answers`, `added_date`, `modified_date`) VALUES
(1, 'Größe', 1, 'basic', 'basic', 1, 'poll', 'published', 'a:1:{s:7:\"options\";a:1:{s:4:\"poll\";a:4:{s:15:\"startDateOption\";s:3:\"now\";s:15:\"startDateCustom\";s:0:\"\";s:13:\"endDateOption\";s:6:\"custom\";s:13:\"endDateCustom\";s:16:\"2024-06-01 18:30\";}}}', 3, 5, '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(2, 'Gone', 1, 'basic', 'basic', 1, 'poll', 'deleted', 'a:0:{}', 0, 0, '2024-05-01 10:00:00', '2024-05-01 10:00:00');
INSERT IGNORE INTO `wp_yoppoll_subelements` (`id`, `poll_id`, `element_id`, `stext`, `author`, `stype`, `status`, `sorder`, `meta_data`, `total_submits`, `added_date`, `modified_date`) VALUES
(1, 1, 1, 'Tram', 1, 'text', 'active', 1, 'a:0:{}', 2, '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(2, 1, 1, 'Bus', 1, 'text', 'active', 2, 'a:0:{}', 1, '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(3, 1, 1, 'Fähre', 1, 'other', 'active', 3, 'a:0:{}', 2, '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(4, 1, 1, 'Old', 1, 'text', 'deleted', 4, 'a:0:{}', 9, '2024-05-01 10:00:00', '2024-05-01 10:00:00'),
(5, 2, 3, 'Yes', 1, 'text', 'active', 1, 'a:0:{}', 0, '2024-05-01 10:00:00', '2024-05-01 10:00:00');
INSERT IGNORE INTO `wp_yoppoll_votes` (`id`, `poll_id`, `user_id`, `user_email`, `user_type`, `ipaddress`, `tracking_id`, `voter_id`, `voter_fingerprint`, `vote_data`, `status`, `added_date`) VALUES
(1, 1, 0, NULL, 'anonymous', '203.0.113.4', 'abc', 'v1', 'f1', 'a:2:{s:8:\"elements\";a:2:{i:0;a:3:{s:2:\"id\";s:1:\"1\";s:4:\"type\";s:8:\"question\";s:4:\"data\";a:2:{i:0;a:2:{s:2:\"id\";s:1:\"1\";s:4:\"data\";b:1;}i:1;a:2:{s:2:\"id\";s:1:\"0\";s:4:\"data\";s:6:\"Fähre\";}}}i:1;a:3:{s:2:\"id\";s:1:\"2\";s:4:\"type\";s:12:\"custom-field\";s:4:\"data\";a:1:{i:0;s:9:\"Anna K. 7\";}}}s:4:\"user\";a:2:{s:10:\"first_name\";s:0:\"\";s:9:\"last_name\";s:0:\"\";}}', 'active', '2024-05-02 09:15:00'),
(2, 1, 0, NULL, 'anonymous', '203.0.113.5', 'abd', 'v2', 'f2', '{\"elements\":[{\"id\":\"1\",\"type\":\"question\",\"data\":[{\"id\":\"2\",\"data\":[\"Bus\"]},{\"id\":\"0\",\"data\":[\"Fähre\"]}]}],\"user\":{\"weight\":1}}', 'active', '2024-06-01 18:45:00'),
(3, 1, 0, NULL, 'anonymous', '203.0.113.6', 'abe', 'v3', 'f3', 'a:0:{}', 'deleted', '2024-05-02 11:00:00');
ALTER TABLE `wp_yoppoll_elements`
  ADD PRIMARY KEY (`id`);
ALTER TABLE `wp_yoppoll_elements`
  MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=4;
COMMIT;
"#;

#[tokio::test]
async fn polls_import_of_yop_poll_in_the_middle_of_its_upgrade_as_phpmyadmin_exports_it() {
    let app = TestApp::start().await;
    let (done, said) = import(&app, YOP_6.as_bytes(), System::Yop, false).await;
    // Two votes from the log, one in the old format and one in the new; and one more vote for the tram
    // that only the count has.
    assert_eq!(done, [1, 3, 2, 1], "{said}");
    assert!(said.contains("it was deleted there"), "{said}");
    let slug = "which-of-these-dear-readers-friends";
    let (labels, numbers) = counts(&app, slug).await;
    assert_eq!(labels, ["Tram", "Bus", "Fähre"]);
    assert_eq!(
        numbers,
        ["2", "1", "2"],
        "an answer of a voter's own that became one of the poll's"
    );
    app.assert_the_count_agrees(slug).await;
    let page = app.reader().get(&format!("/p/{slug}")).await.expect(200);
    page.says("Closed on 1 June 2024, 18:30 CEST")
        .says("3 readers");
    // No data of the voters was imported, nor their own fields.
    let dump = crate::support::dump::Dump::of(&app.app.db).await;
    assert!(!format!("{dump:?}").contains("Anna"));
}

/// Written by a client that used latin1: bytes that are not UTF-8.
#[tokio::test]
async fn polls_import_of_a_dump_in_latin1() {
    let app = TestApp::start().await;
    let sql = "INSERT INTO `wp_pollsq` (`pollq_id`,`pollq_question`,`pollq_timestamp`,`pollq_totalvotes`,`pollq_active`,`pollq_expiry`,`pollq_multiple`,`pollq_totalvoters`) \
               VALUES (7,'Sch\u{f6}n?','1719835200',1,0,0,0,1);\n\
               INSERT INTO `wp_pollsa` (`polla_aid`,`polla_qid`,`polla_answers`,`polla_votes`) VALUES (1,7,'Ja \u{80}',1),(2,7,'N\u{f6}',0);\n";
    // One byte per letter.
    let bytes: Vec<u8> = sql
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let (done, said) = import(&app, &bytes, System::WpPolls, false).await;
    assert_eq!(done, [1, 1, 0, 0], "{said}");
    let (labels, numbers) = counts(&app, "schon").await;
    assert_eq!(
        (labels, numbers),
        (
            vec!["Ja €".to_owned(), "Nö".to_owned()],
            vec!["1".to_owned(), "0".to_owned()]
        )
    );
}
