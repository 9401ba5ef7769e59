use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

fn read(input: impl AsRef<[u8]>) -> (Vec<Row>, Vec<String>) {
    let mut rows = Rows::open(input.as_ref(), now()).expect("a list of readers");
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.read_next().expect("bytes can be read") {
        match row {
            Ok(row) => good.push(row),
            Err(row) => bad.push(row.to_string()),
        }
    }
    (good, bad)
}

fn addresses(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.address.as_str()).collect()
}

#[test]
fn columns_come_in_any_order_with_a_byte_order_mark_and_crlf() {
    let (good, bad) = read(
        "\u{feff}Name,ignored, E\u{2d}Mail,confirmed_at,EMAIL,time_zone\r\n\
         \"Ørsted, Anna\",x,y,2024-02-29T23:59:59+01:00,anna@example.org,europe/berlin\r\n",
    );
    assert_eq!(bad, Vec::<String>::new());
    assert_eq!(good.len(), 1);
    assert_eq!(good[0].line, 2);
    assert_eq!(good[0].address.as_str(), "anna@example.org");
    assert_eq!(
        good[0].name.as_ref().map(ReaderName::as_str),
        Some("Ørsted, Anna")
    );
    assert_eq!(good[0].time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(
        good[0].confirmed_at,
        Some("2024-02-29T22:59:59Z".parse().expect("a time"))
    );
}

#[test]
fn semicolons_and_tabs_separate_too() {
    assert_eq!(
        addresses(&read("email;name\na@example.org;x,y\n").0),
        ["a@example.org"]
    );
    assert_eq!(
        addresses(&read("name\temail\nx\ta@example.org\n").0),
        ["a@example.org"]
    );
    assert_eq!(
        addresses(&read("email\na@example.org\n").0),
        ["a@example.org"]
    );
}

#[test]
fn every_bad_row_says_its_line_and_reason_and_no_good_one_is_lost() {
    let mut file = b"email,name,time_zone,confirmed_at\n".to_vec();
    file.extend(b"a@example.org,Anna\n"); // 2
    file.extend(b"nobody,Bo\n"); // 3
    file.extend(b"\n"); // 4: passed over
    file.extend(b"\"c@example.org,unclosed\n"); // 5
    file.extend(b"d@example.org,\"two\nlines\"\n"); // 6 and 7
    file.extend(b"e@example.org,\xe9\n"); // 8
    file.extend(b"f@example.org,,Mars/Base\n"); // 9
    file.extend(b"g@example.org,,,yesterday\n"); // 10
    file.extend(b"h@example.org,,,2030-01-01\n"); // 11
    file.extend(b",Ida\n"); // 12
    file.extend(b"j@example.org,x,UTC,2020-01-01 10:00:00,more,cells\n"); // 13
    file.extend("ké@example.org,x\n".as_bytes()); // 14
    file.extend(b"l@example.org"); // 15
    let (good, bad) = read(&file);
    assert_eq!(
        addresses(&good),
        [
            "a@example.org",
            "d@example.org",
            "j@example.org",
            "l@example.org"
        ]
    );
    assert_eq!(
        good.iter().map(|r| r.line).collect::<Vec<_>>(),
        [2, 6, 13, 15]
    );
    assert_eq!(
        good[1].name.as_ref().map(ReaderName::as_str),
        Some("two lines")
    );
    assert_eq!(
        bad,
        [
            "line 3: email: An email address needs an @, like name@example.org.",
            "line 5: a quotation mark is not closed, or is followed by text",
            "line 8: name: not UTF-8 (save the file as “CSV UTF-8”)",
            "line 9: time_zone: not a name from the time zone database, such as Europe/Berlin",
            "line 10: confirmed_at: not a time such as 2025-03-31T09:30:00Z or 2025-03-31",
            "line 11: confirmed_at: is in the future",
            "line 12: email: Enter your email address.",
            "line 14: email: The part before the @ has letters beyond a–z, which our mail service cannot send to yet. Please give another address.",
        ]
    );
}

#[test]
fn columns_about_consent_are_read_and_others_named() {
    let file = "email,status,Note,deleted_at\na@example.org,active,x,\nb@example.org,pending,x,2023-01-01\nc@example.org,odd,x,\n";
    let (good, bad) = read(file);
    let gone: Vec<_> = good.iter().map(|row| row.gone).collect();
    assert_eq!(gone, [None, Some(Gone::Left)], "the weightiest");
    assert_eq!(
        bad,
        [
            "line 4: status: “odd” does not show whether the reader may be mailed; rename the column if it means something else"
        ]
    );
    let rows = Rows::open(file.as_bytes(), now()).expect("a list");
    assert_eq!(rows.columns().ignored, ["Note"]);
}

#[test]
fn bytes_that_are_not_utf8_in_a_foreign_column_do_no_harm() {
    let (good, bad) = read(b"email,city\na@example.org,M\xfcnchen\n");
    assert_eq!((good.len(), bad.len()), (1, 0));
}

#[test]
fn a_file_that_is_no_list_of_readers_says_what_was_found() {
    let refused = |input: &[u8]| match Rows::open(input, now()) {
        Ok(_) => panic!("accepted"),
        Err(refused) => refused.to_string(),
    };
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"\xef\xbb\xbf").contains("empty"));
    assert!(refused(b"\xff\xfee\0m\0").contains("UTF-16"));
    assert!(refused(b"mail,name\n").ends_with("it has: mail, name"));
    assert!(refused(b"email,Email\n").contains("twice"));
    assert!(refused(b"email,UNSUB_REASON\n").contains("“UNSUB_REASON”"));
    assert!(refused(b"\"email\nx").contains("quotation mark"));
}

#[test]
fn the_rows_come_again_of_the_file_that_was_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("readers.csv");
    std::fs::write(&path, "\u{feff}email;status\na@example.org;active\n").expect("a file");
    let file = std::fs::File::open(&path).expect("a file");
    let mut rows = Rows::open(file, now()).expect("a list");
    let mut seen = Vec::new();
    for _ in 0..2 {
        while let Some(row) = rows.read_next().expect("it can be read") {
            seen.push(row.expect("good").address.as_str().to_owned());
        }
        // Another file replaces it in the directory.
        let other = dir.path().join("other.csv");
        std::fs::write(&other, "email\nb@example.org\n").expect("a file");
        std::fs::rename(&other, &path).expect("renamed");
        rows = rows.again().expect("again");
    }
    assert_eq!(seen, ["a@example.org"; 2]);

    let file = std::fs::File::open(&path).expect("a file");
    let rows = Rows::open(file, now()).expect("a list");
    std::fs::write(&path, "email,bounced\nb@example.org,no\n").expect("written over");
    assert!(matches!(rows.again(), Err(HeaderRefused::Changed)));
}
