use proptest::prelude::*;

use super::*;

type Read = Vec<(String, Vec<String>, Vec<Option<String>>)>;

fn tried(sql: &[u8]) -> Result<Read, Unreadable> {
    let mut dump = Dump::new(sql);
    let mut rows = Vec::new();
    while let Some(row) = dump.next_row()? {
        rows.push((row.table, row.columns, row.values));
    }
    Ok(rows)
}

fn rows(sql: &[u8]) -> Read {
    tried(sql).expect("a whole dump")
}

#[test]
fn a_dump_as_mysqldump_writes_it() {
    let sql = b"-- MySQL dump 10.13; it's a comment\n/*!40101 SET NAMES utf8mb4 */;\nDROP TABLE IF EXISTS `a`;\n\
        CREATE TABLE `a` (\n  `id` int(10) NOT NULL AUTO_INCREMENT,\n  `t` enum('x','y;') DEFAULT ',',\n  PRIMARY KEY (`id`),\n  KEY `k` (`t`,`id`)\n) ENGINE=InnoDB COMMENT='a;b';\n\
        LOCK TABLES `a` WRITE;\n/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n\
        INSERT INTO `a` VALUES (1,'it\\'s; \\\"so\\\"\\n(''x'')'),(-2,NULL),(3,0x4869);\nUNLOCK TABLES;\n\
        INSERT IGNORE INTO `db`.`b` (`x`, y) VALUES\n(_binary 'q', X'4869'),\n(1.5e+3, 'caf\xe9 \x80');";
    let some = |text: &str| Some(text.to_owned());
    let columns = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        rows(sql),
        [
            (
                "a".to_owned(),
                columns(&["id", "t"]),
                vec![some("1"), some("it's; \"so\"\n('x')")]
            ),
            (
                "a".to_owned(),
                columns(&["id", "t"]),
                vec![some("-2"), None]
            ),
            (
                "a".to_owned(),
                columns(&["id", "t"]),
                vec![some("3"), some("Hi")]
            ),
            (
                "b".to_owned(),
                columns(&["x", "y"]),
                vec![some("q"), some("Hi")]
            ),
            (
                "b".to_owned(),
                columns(&["x", "y"]),
                vec![some("1.5e+3"), some("café €")]
            ),
        ]
    );
}

#[test]
fn a_dump_in_another_character_set_is_refused() {
    for (set, text, read) in [
        ("/*!40101 SET NAMES cp1251 */", &b"\xc4\xe0"[..], None),
        ("SET NAMES 'latin2'", b"\xb1", None),
        ("set names GBK", b"\xd6\xd0", None),
        ("/*!40101 SET NAMES latin1 */", b"caf\xe9", Some("café")),
        ("/* SET NAMES cp1251 */", b"caf\xe9", Some("café")),
        ("SET time_zone = '+00:00'", b"caf\xe9", Some("café")),
        // It was converted, or was in UTF-8 all along.
        ("SET NAMES cp1251", "Да".as_bytes(), Some("Да")),
        ("SET NAMES cp1251;SET NAMES utf8mb4", b"\x80", Some("€")),
    ] {
        let mut sql = format!("{set};\nINSERT INTO t (a) VALUES ('").into_bytes();
        sql.extend(text);
        sql.extend(b"');");
        let found = tried(&sql).ok().map(|rows| rows[0].2[0].clone());
        assert_eq!(found, read.map(|text| Some(text.to_owned())), "{set}");
    }
}

/// A dump that is cut anywhere, except right after a statement, is not taken for a complete one.
#[test]
fn a_dump_that_was_cut_off_is_refused() {
    let sql = "/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `t` (`a` int, `b` text COMMENT 'x;y');\nLOCK TABLES `t` WRITE;\n\
               INSERT INTO `t` VALUES (1,'one; (two)'),(2,'th\\'ree');\nUNLOCK TABLES;\n";
    assert_eq!(rows(sql.as_bytes()).len(), 2);
    let unlocked = sql.rfind("UNLOCK").expect("there");
    let locked = sql.find("LOCK").expect("there");
    let mut whole = Vec::new();
    for end in 0..sql.len() {
        let read = tried(&sql.as_bytes()[..end]);
        let between = sql[..end].trim_end().ends_with("*/;")
            || sql[..end].trim_end().ends_with("*/")
            || sql[..end].trim_end().ends_with("');");
        let may = end == 0 || (between && end <= locked) || end > unlocked + "UNLOCK TABLES".len();
        assert_eq!(read.is_ok(), may, "{:?} {:?}", &sql[..end], read.err());
        whole.extend(may.then_some(end));
    }
    assert!(whole.len() < 10, "{whole:?}");
    let said = tried(b"-- x\nINSERT INTO t (a) VALUES ('one'),\n('tw").expect_err("torn");
    assert_eq!(
        said.to_string(),
        "is cut short: it ends at byte 43 within a text that begins in line 3. Dump or download it again"
    );
    let said = tried(b"CREATE TABLE t (a").expect_err("torn").to_string();
    assert!(
        said.contains("within a statement that begins in line 1"),
        "{said}"
    );
}

#[test]
fn what_mysqldump_says_of_its_end_is_heard() {
    for (sql, missed) in [
        (
            &b"-- MySQL dump 10.13\nSET x;\n-- Dump completed on 2026-01-01\n"[..],
            false,
        ),
        (b"-- MariaDB dump 10.19\nSET x;\n", true),
        (b"-- phpMyAdmin SQL Dump\nSET x;\n", false),
    ] {
        let mut dump = Dump::new(sql);
        while dump.next_row().expect("whole").is_some() {}
        assert_eq!(dump.misses_an_end(), missed);
    }
}

#[test]
fn names_stand_between_double_quotes_too() {
    let sql = b"CREATE TABLE \"t\" (\"a\" int, \"b\" text, PRIMARY KEY (\"a\"));\n\
        INSERT INTO \"t\" VALUES (1,'x');\nINSERT INTO \"t\" (\"b\", \"a\") VALUES ('y',CONV(2,10)),(\"z\",3);\n";
    let found = rows(sql);
    assert_eq!(found[0].1, ["a", "b"]);
    assert_eq!(found[1].1, ["b", "a"]);
    assert!(
        found
            .iter()
            .all(|(table, _, values)| table == "t" && values.len() == 2)
    );
    assert_eq!(found[2].2[0].as_deref(), Some("z"));
}

proptest! {
    #[test]
    fn no_bytes_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = tried(&bytes);
    }

    #[test]
    fn whatever_a_dump_holds_comes_out_again(text in "\\PC*") {
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
        let sql = format!("INSERT INTO t (a, b) VALUES ('{escaped}', 7);");
        let found = rows(sql.as_bytes());
        prop_assert_eq!(&found[0].2, &vec![Some(text), Some("7".to_owned())]);
    }

    /// Whatever precedes a statement, it is either read, or the file is refused.
    #[test]
    fn broken_statements_hide_no_other(junk in proptest::collection::vec(proptest::sample::select(
        vec!["insert", "into", "values", "create", "table", "lock", "t", "(", ")", ",", "'x'", "`t`", "\"", "'", "/*", ";"]
    ), 0..14)) {
        let sql = format!("{}\n;INSERT INTO good (a) VALUES (1);\n", junk.join(" "));
        if let Ok(found) = tried(sql.as_bytes()) {
            prop_assert_eq!(found.last().map(|row| row.0.as_str()), Some("good"), "{}", sql);
        }
    }
}
