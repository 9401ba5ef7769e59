use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

fn corpus(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/corpora")
        .join(name);
    if !folder.is_dir() {
        eprintln!("skipped: no corpus at ../shared/corpora/{name}");
        return None;
    }
    Some(folder)
}

/// Rows of `expected.tsv` without its header.
fn rows(folder: &std::path::Path) -> Vec<Vec<String>> {
    let table = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    table.lines().skip(1).map(row).collect()
}

/// The names in the corpus, where reports about us count as soft.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Hard | Kind::NoDomain => "hard",
        Kind::Soft | Kind::Ours | Kind::Delayed => "soft",
        Kind::Complaint => "complaint",
        Kind::OptOut => "optout",
        Kind::AutoReply => "autoreply",
        Kind::Delivered => "delivered",
        Kind::Authentication => "authreport",
        Kind::Nothing => "none",
    }
}

#[test]
fn real_bounces_are_mostly_understood() {
    let Some(folder) = corpus("bounces-sisimai") else {
        return;
    };
    let mut seen = BTreeMap::<(String, &str), usize>::new();
    let (mut right, mut all, mut wrong) = (0, 0, Vec::new());
    for row in rows(&folder) {
        let [file, recipients, _, class, ..] = &row[..] else {
            continue;
        };
        let Ok(raw) = std::fs::read(folder.join("eml").join(file)) else {
            continue;
        };
        // Our mails never have several recipients.
        if recipients != "1" || class == "unknown" {
            continue;
        }
        let said = word(read(&raw, "").kind);
        all += 1;
        right += usize::from(said == class);
        *seen.entry((class.clone(), said)).or_default() += 1;
        if said != class {
            wrong.push(format!("{file}: {class} ({}), not {said}", row[7]));
        }
    }
    eprintln!("{right} of {all}\n{seen:#?}\n{}", wrong.join("\n"));
    assert!(right * 100 >= all * 85, "{right} of {all}");
    // The only mistake that costs a reader something.
    let n = |class: &str, said| seen.get(&(class.to_owned(), said)).copied().unwrap_or(0);
    let (as_hard, soft) = (n("soft", "hard"), n("soft", "soft"));
    assert!(
        as_hard * 100 <= soft * 8,
        "{as_hard} called hard, {soft} not"
    );
}

#[test]
fn line_ends_change_nothing() {
    let Some(folder) = corpus("bounces-sisimai") else {
        return;
    };
    let mut seen = 0;
    for ends in ["dos", "mac"] {
        for file in std::fs::read_dir(folder.join(ends)).unwrap() {
            let file = file.unwrap();
            let Ok(usual) = std::fs::read(folder.join("eml").join(file.file_name())) else {
                continue;
            };
            let raw = std::fs::read(file.path()).unwrap();
            seen += 1;
            assert_eq!(
                read(&raw, ""),
                read(&usual, ""),
                "{ends}/{:?}",
                file.file_name()
            );
        }
    }
    assert!(seen > 20, "{seen} mails with other line ends");
}

#[test]
fn complaints_are_understood() {
    let Some(folder) = corpus("arf") else {
        return;
    };
    let (mut right, mut wrong) = (0, Vec::new());
    for row in rows(&folder) {
        let expected = match row[1].as_str() {
            "abuse" => Kind::Complaint,
            "opt-out" => Kind::OptOut,
            "auth-failure" | "authfailure" => Kind::Authentication,
            _ => continue,
        };
        let raw = std::fs::read(folder.join("eml").join(&row[0])).unwrap();
        let kind = read(&raw, "").kind;
        if kind == expected {
            right += 1;
        } else {
            wrong.push(format!("{}: {}, not {kind:?}", row[0], row[1]));
        }
    }
    eprintln!("{right} right; {}", wrong.join("\n"));
    assert!(wrong.len() <= 1, "{right} right; {}", wrong.join("\n"));
}

#[test]
fn failures_of_mailmans_corpus_are_failures() {
    let Some(folder) = corpus("bounces-flufl") else {
        return;
    };
    let (mut right, mut all) = (0, 0);
    for row in rows(&folder) {
        let raw = std::fs::read(folder.join("eml").join(&row[0])).unwrap();
        let failed = matches!(
            read(&raw, "").kind,
            Kind::Hard | Kind::NoDomain | Kind::Soft | Kind::Ours
        );
        match row[1].as_str() {
            "hard_or_failed" => {
                all += 1;
                right += usize::from(failed);
                if !failed {
                    eprintln!("{}: {:?}", row[0], read(&raw, "").kind);
                }
            }
            // Anything but "there is no such address".
            "temporary" => assert!(!matches!(read(&raw, "").kind, Kind::Hard), "{}", row[0]),
            _ => {}
        }
    }
    eprintln!("{right} of {all}");
    assert!(right * 100 >= all * 85, "{right} of {all}");
}

#[test]
fn no_mail_is_too_strange() {
    for raw in [
        &b""[..],
        b"\r",
        b"\0\xff",
        b"Content-Type: message/delivery-status\r\r",
        b"Subject: x",
    ] {
        assert_eq!(read(raw, "").kind, Kind::Nothing, "{raw:?}");
    }
}

/// Each of these once took half a minute or more, and anybody can send them.
#[test]
fn a_hostile_mail_is_read_in_no_time() {
    let began = std::time::Instant::now();
    let header = "Return-Path: <>\nFrom: MAILER-DAEMON@example.net\nSubject: Undeliverable\n\n";
    for body in [
        "a. ".repeat(1_300_000),
        "unknown a b c\n".repeat(250_000),
        format!("{}\n", "unknown. ".repeat(2_000)).repeat(220),
    ] {
        assert_eq!(
            read(format!("{header}{body}").as_bytes(), "").kind,
            Kind::Soft
        );
    }
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}
