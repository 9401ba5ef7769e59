//! What the program refuses before it can do harm, with the same message from every command.

use crate::program::{canvass, words};

/// `check` reports whatever `serve` refuses.
#[test]
fn check_finds_what_serve_would_refuse() {
    let relay = ("CANVASS_MAIL__SMTP_URL", "smtp://127.0.0.1:1");
    for (settings, named) in [
        (
            &[("CANVASS_MAIL__TRANSPORT", "mailbox")][..],
            "mail.transport",
        ),
        (&[("CANVASS_MAIL__TRANSPORT", "file")], "mail.transport"),
        (
            &[relay, ("CANVASS_HTTP__BIND", "0.0.0.0:80")],
            "http.public_url",
        ),
        (&[("CANVASS_SECRET_KEY", ""), relay], "secret_key"),
        (&[], "mail.smtp_url"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let serve = canvass(dir.path(), &["serve"], settings).output().unwrap();
        assert_eq!(serve.status.code(), Some(2), "{}", words(&serve));
        let check = canvass(dir.path(), &["check"], settings).output().unwrap();
        let said = words(&check);
        assert_eq!(check.status.code(), Some(1), "{settings:?}: {said}");
        let line = said.lines().find(|line| line.contains(named));
        assert!(line.is_some_and(|l| l.starts_with("FAILED")), "{said}");
        assert_eq!(said.matches(named).count(), 1, "once: {said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let good = [
        ("CANVASS_MAIL__TRANSPORT", "mailbox"),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
        ("CANVASS_SERVICE_HOST", "10.0.0.1"),
    ];
    let check = canvass(dir.path(), &["check"], &good).output().unwrap();
    let said = words(&check);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(
        said.contains("not settings of Canvass: CANVASS_SERVICE_HOST"),
        "{said}"
    );
}

/// Ignored, it would leave its setting at the default.
#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let latin1 = OsStr::from_bytes(b"Die B\xfchne");
    let run = |variable: &str| {
        let mut command = canvass(dir.path(), &["migrate"], &[]);
        command.env(variable, latin1).output().unwrap()
    };
    let refused = run("CANVASS_SITE__NAME");
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("CANVASS_SITE__NAME"), "{said}");
    let ignored = run("THEATRE");
    assert_eq!(ignored.status.code(), Some(0), "{}", words(&ignored));
}

/// Each cause with its own remedy.
#[test]
fn an_address_that_cannot_be_bound_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    // Of a network for documents (RFC 5737), which no machine has.
    for (bind, said) in [
        ("192.0.2.7:8080", "an address of this machine"),
        (&taken, "another server"),
    ] {
        let settings = [
            ("CANVASS_HTTP__BIND", bind),
            ("CANVASS_HTTP__PUBLIC_URL", "https://letters.news.example"),
            ("CANVASS_MAIL__TRANSPORT", "mailbox"),
            ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
        ];
        let serve = canvass(dir.path(), &["serve"], &settings).output().unwrap();
        let words = words(&serve);
        assert_eq!(serve.status.code(), Some(1), "{words}");
        assert!(
            words.contains("http.bind") && words.contains(said),
            "{words}"
        );
    }
}

/// The service could not open files that root has written there. Only root can run this test.
#[test]
fn root_leaves_nothing_in_the_directory_of_another_user() {
    const NOBODY: u32 = 65_534;
    let dir = tempfile::tempdir().unwrap();
    if std::os::unix::fs::chown(dir.path(), Some(NOBODY), None).is_err() {
        return;
    }
    let refused = |arguments: &[&str]| {
        let output = canvass(dir.path(), arguments, &[]).output().unwrap();
        let said = words(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("runuser -u"), "{said}");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "{arguments:?}"
        );
    };
    refused(&["admin", "add", "you@news.example"]);
    refused(&["restore"]);
    refused(&["backup", "x.backup"]);
    std::os::unix::fs::chown(dir.path(), Some(0), None).unwrap();
    let output = canvass(dir.path(), &["migrate"], &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
}

/// In a mail server's pipe, whatever is wrong with the command, the mail is kept (`EX_TEMPFAIL`) and not bounced.
#[test]
fn a_bounce_waits_also_where_its_command_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (&["bounce", "--nonsense"][..], 75),
        (&["bounce", "--recipient"], 75),
        (&["bounce", "too", "much"], 75),
        (&["--confg", "canvass.toml", "bounce"], 75),
        (&["--config", "nowhere.toml", "bounce"], 75),
        (&["bounce", "--help"], 0),
        (&["serve", "--nonsense"], 2),
    ] {
        let output = canvass(dir.path(), arguments, &[]).output().unwrap();
        let said = words(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.len() > 20, "it says what is wrong: {said}");
    }
}

/// A restart would not help, so a service manager must not keep trying.
#[test]
fn a_server_with_the_key_of_another_database_says_so_and_stays_down() {
    let dir = tempfile::tempdir().unwrap();
    // Creates the database, under its key.
    let made = canvass(dir.path(), &["verify", "poll", "none"], &[]);
    assert!(words(&{ made }.output().unwrap()).contains("there is no poll none"));
    let other = "of another database and as long as a key has to be";
    let settings = [
        ("CANVASS_SECRET_KEY", other),
        ("CANVASS_MAIL__TRANSPORT", "mailbox"),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
    ];
    let serve = canvass(dir.path(), &["serve"], &settings).output().unwrap();
    let said = words(&serve);
    assert_eq!(serve.status.code(), Some(2), "{said}");
    assert!(
        said.contains("not the key the database was made with") && !said.contains(other),
        "{said}"
    );
}
