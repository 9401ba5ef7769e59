//! Configurations that are refused, and how the errors name the setting.

use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).into(), (*v).into()))
        .collect()
}

#[test]
fn the_reference_alone_is_valid() {
    let config = load(None, &[]).expect("valid");
    assert_eq!(config.mail.connections, 10);
    assert!(keys().contains(&"mail.smtp_url".to_string()));
}

#[test]
fn the_environment_wins_and_is_typed() {
    let config = load(
        None,
        &env(&[
            ("CANVASS_HTTP__BIND", "0.0.0.0:9"),
            ("CANVASS_MAIL__CONNECTIONS", " 3 "),
            ("CANVASS_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
            ("CANVASS_TEST_DATABASE_URL", "not ours"),
            ("HOME", "/"),
        ]),
    )
    .expect("valid");
    assert_eq!(config.http.bind.to_string(), "0.0.0.0:9");
    assert_eq!(config.mail.connections, 3);
    assert_eq!(config.http.trusted_proxies.len(), 2);
}

#[test]
fn a_key_is_set_in_one_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("key");
    std::fs::write(&file, "k".repeat(32)).expect("a file");
    let file = ("CANVASS_SECRET_KEY_FILE", file.to_str().expect("UTF-8"));
    let config = load(None, &env(&[file])).expect("valid");
    assert_eq!(config.secret_key.expose(), "k".repeat(32));
    let both = [file, ("CANVASS_SECRET_KEY", "another key")];
    let refused = load(None, &env(&both)).expect_err("two keys").to_string();
    assert!(refused.contains("secret_key_file"), "{refused}");
    assert!(!refused.contains("another key"), "{refused}");
}

#[test]
fn an_address_is_no_name_for_mails() {
    for (given, hello, domain) in [
        ("https://news.example", "news.example", "news.example"),
        ("http://192.0.2.7:8080", "[192.0.2.7]", "localhost"),
        ("http://[2001:db8::7]:80", "[IPv6:2001:db8::7]", "localhost"),
    ] {
        let config = load(None, &env(&[("CANVASS_HTTP__PUBLIC_URL", given)])).expect("valid");
        assert_eq!(
            (config.hello_name(), config.domain()),
            (hello.into(), domain.into())
        );
    }
    let named = [
        ("CANVASS_HTTP__PUBLIC_URL", "http://192.0.2.7"),
        ("CANVASS_MAIL__HELLO_NAME", "mx.example"),
    ];
    assert_eq!(
        load(None, &env(&named)).expect("valid").hello_name(),
        "mx.example"
    );
    for name in ["mx", "mx_1.example", "[192.0.2.7]", "[IPv6:2001:db8::7]"] {
        let named = [("CANVASS_MAIL__HELLO_NAME", name)];
        assert_eq!(load(None, &env(&named)).expect(name).hello_name(), name);
    }
}

#[test]
fn tables_of_relays_are_read_and_what_is_wrong_with_one_is_named() {
    let given = |text: &str| {
        let mut table = reference();
        merge(&mut table, text.parse().expect("TOML"), "").map_err(|e| e.to_string())?;
        let config = typed(table).and_then(Config::checked);
        config.map_err(|e| e.to_string())
    };
    let good = "[[mail.relays]]\nname = \"a\"\nurl = \"smtp://a\"\nweight = 3\nper_day = 9\n\
                warm_up = { start = \"2026-12-01\", mails = 5 }\n[[mail.relays]]\nurl = \"smtp://b\"\n\
                [[mail.domains]]\nname = \"google\"\nconnections = 20";
    let config = given(good).expect("valid");
    let relays = config.mail.all_relays();
    assert_eq!(
        (relays[0].weight, relays[1].weight, relays.len()),
        (3, 1, 2)
    );
    let warm_up = relays[0].warm_up.as_ref().expect("given");
    assert!((warm_up.growth - 2.0).abs() < f64::EPSILON);
    assert_eq!(config.mail.domains[0].connections, Some(20));
    for (rest, words) in [
        ("weight = 0", "mail.relays.a.weight: is 0"),
        ("wieght = 1", "wieght"),
        (
            "warm_up = { start = \"soon\", mails = 5 }",
            "mail.relays.a.warm_up.start",
        ),
        (
            "warm_up = { start = \"2026-12-01\", mails = 5, growth = 3.0 }",
            "mail.relays.a.warm_up.growth",
        ),
        ("[mail]\nsmtp_url = \"smtp://c\"", "mail.relays"),
        (
            "[[mail.relays]]\nname = \"a\"\nurl = \"smtp://b\"",
            "another relay has this name",
        ),
        (
            "[[mail.domains]]\nname = \"x\"\ndomains = [\"a b\"]",
            "mail.domains[0].domains",
        ),
    ] {
        let (head, table) = match rest.strip_prefix("[mail]\n") {
            Some(head) => (format!("[mail]\n{head}\n"), ""),
            None => (String::new(), rest),
        };
        let text = format!("{head}[[mail.relays]]\nname = \"a\"\nurl = \"smtp://a\"\n{table}");
        let error = given(&text).expect_err("refused");
        assert!(error.contains(words), "{text} gave: {error}");
    }
    let variable = env(&[("CANVASS_MAIL__RELAYS", "smtp://a")]);
    let error = load(None, &variable).expect_err("refused").to_string();
    assert!(error.contains("CANVASS_MAIL__SMTP_URL"), "{error}");
}

#[test]
fn errors_name_the_setting_and_what_is_expected() {
    for (pairs, name, expected) in [
        (
            [("CANVASS_MAIL__CONNECTIONS", "many")],
            "CANVASS_MAIL__CONNECTIONS",
            "whole number",
        ),
        (
            [("CANVASS_MAIL__CONECTIONS", "3")],
            "CANVASS_MAIL__CONECTIONS",
            "no such setting; `canvass settings`",
        ),
        (
            [("CANVASS_HTTP_BIND", "0.0.0.0:9")],
            "CANVASS_HTTP_BIND",
            "CANVASS_HTTP__BIND is expected",
        ),
        (
            [("CANVASS_DATADIR", "x")],
            "CANVASS_DATADIR",
            "CANVASS_DATA_DIR is expected",
        ),
        (
            [("CANVASS_MAIL__CONNECTIONS", "0")],
            "mail.connections",
            "between 1 and",
        ),
        (
            [("CANVASS_MAIL__CONNECTIONS", "-1")],
            "mail.connections",
            "invalid value: integer `-1`",
        ),
        (
            [("CANVASS_MAIL__LEASE_SECONDS", "-1")],
            "mail.lease_seconds",
            "invalid value: integer `-1`",
        ),
        (
            [("CANVASS_HTTP__PUBLIC_URL", "news")],
            "http.public_url",
            "http",
        ),
        ([("CANVASS_HTTP__BIND", "x")], "http.bind", "address"),
        (
            [("CANVASS_MAIL__HELLO_NAME", "mx.example\r\nRSET")],
            "mail.hello_name",
            "mx.news.example",
        ),
        (
            [("CANVASS_MAIL__HELLO_NAME", "http://mx.example")],
            "mail.hello_name",
            "mx.news.example",
        ),
        (
            [("CANVASS_MAIL__IN_DOUBT", "maybe")],
            "mail.in_doubt",
            "resend or hold",
        ),
    ] {
        let error = load(None, &env(&pairs)).expect_err("refused").to_string();
        assert!(
            error.contains(name) && error.contains(expected),
            "{pairs:?} gave: {error}"
        );
    }
}

#[test]
fn sites_are_named_as_browsers_name_them() {
    let given = |sites| load(None, &env(&[("CANVASS_HTTP__EMBED_ORIGINS", sites)]));
    let sites = "https://x.example/, HTTPS://News.Example:443, https://münchen.example, http://y.example:8080, *";
    assert_eq!(
        given(sites).expect("valid").http.embed_origins,
        [
            "https://x.example",
            "https://news.example",
            "https://xn--mnchen-3ya.example",
            "http://y.example:8080",
            "*"
        ]
    );
    for site in [
        "y.example",
        "https://z.example/path",
        "https://z.example?",
        "https://me@z.example",
        "ftp://z.example",
        "https://",
        "*.example",
        "null",
        "https://a.example; script-src *",
    ] {
        let error = given(site).expect_err("refused").to_string();
        assert!(error.contains("http.embed_origins"), "{error}");
        let url = [("CANVASS_HTTP__PUBLIC_URL", site)];
        let error = load(None, &env(&url)).expect_err("refused").to_string();
        assert!(error.contains("http.public_url"), "{error}");
    }
    let url = [("CANVASS_HTTP__PUBLIC_URL", "HTTPS://News.Example:443/")];
    let config = load(None, &env(&url)).expect("valid");
    assert_eq!(config.origin(), "https://news.example");
}

#[test]
fn variables_of_others_are_left_alone_and_named() {
    let given = env(&[
        ("CANVASS_SERVICE_HOST", "10.0.0.1"),
        ("CANVASS_PORT", "tcp://10.0.0.1:80"),
        ("CANVASS_TEST_DATABASE_URL", "x"),
        ("CANVASS_HTTP__BIND", "0.0.0.0:9"),
        ("HOME", "/"),
    ]);
    load(None, &given).expect("nothing of ours is wrong");
    assert_eq!(ignored(&given), ["CANVASS_SERVICE_HOST", "CANVASS_PORT"]);
}

/// Errors are written to terminals and journals.
#[test]
fn no_error_shows_a_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("canvass.toml");
    for (content, line) in [
        ("secret_key = 7777777", ""),
        ("secret_key = [\"hunter7777777\"]", ""),
        ("[mail]\nsmtp_url = 7777777", ""),
        ("[database]\nurl = { a = 7777777 }", ""),
        ("[[mail.relays]]\nurl = 7777777", ""),
        ("[[mail.relays]]\nurl = [\"hunter7777777\"]", ""),
        ("secret_key = hunter7777777", "line 1, column 14: "),
        ("# one\nsecret_key = \"hunter7777777", "line 2"),
        ("# one\nsecret_key = 7777777hunter7777777", "line 2"),
        ("# one\n\nsmtps://a:hunter7777777@relay.example", "line 3"),
        ("secret_key = \"\\hunter7777777\"", "line 1"),
        (
            "secret_key = hunter7777777\n[mail\nsmtp_url = 7777777",
            "line",
        ),
    ] {
        std::fs::write(&file, content).expect("a file");
        let said = load(Some(&file), &[]).expect_err(content).to_string();
        assert!(!said.contains("7777777"), "{content}: {said}");
        assert!(said.contains(line), "{content}: {said}");
    }
}
