//! The operator's commands for signing: keys are created, published, checked, activated and imported.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use canvass::mailer::dkim::{self, DkimError, State};

use crate::support::app::{START, TestApp};
use crate::support::database::TestDatabase;
use crate::support::dns_server::DnsServer;

fn canvass(dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_canvass"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("CANVASS_DATA_DIR", dir)
        .env(
            "CANVASS_SECRET_KEY",
            "a secret key of at least 32 characters",
        )
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_publishes_checks_and_activates_keys() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let dns = DnsServer::start().await;
    let server = dns.address.to_string();
    let settings = [
        ("CANVASS_DATABASE__URL", database.url.as_str()),
        ("CANVASS_MAIL__DNS_SERVER", server.as_str()),
        ("CANVASS_MAIL__BOUNCE_DOMAIN", "bounces.example.org"),
    ];
    let db = database.open().await;
    crate::support::issues::newsletter(&db, "daily", START).await;
    db.close().await.unwrap();
    let run = |arguments: &[&str]| {
        let output = canvass(dir, arguments, &settings);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let both = text(&output.stdout) + &text(&output.stderr);
        assert!(!both.contains("PRIVATE"), "{both}");
        (output.status.code(), text(&output.stdout), both)
    };

    let (code, _, said) = run(&["check", "dkim"]);
    assert_eq!(code, Some(1), "nobody takes the bounces: {said}");
    assert!(said.contains("no MX record"), "{said}");
    dns.mx("bounces.example.org", "mx.example.org");
    dns.txt("bounces.example.org", "v=spf1 include:relay.example -all");
    let (code, _, said) = run(&["check", "dkim"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("bounces go to mx.example.org"), "{said}");
    assert!(
        said.contains("not signed") && said.contains("dkim create"),
        "{said}"
    );

    let (code, zone, said) = run(&["dkim", "create", "--domain", "example.org"]);
    assert_eq!(code, Some(0), "{said}");
    let mut published = Vec::new();
    for line in zone.lines() {
        let (name, strings) = line.split_once(". 3600 IN TXT ( ").unwrap();
        let strings: Vec<&str> = strings.split('"').skip(1).step_by(2).collect();
        assert!(strings.iter().all(|s| s.len() <= 255), "{line}");
        published.push((name.to_owned(), strings.concat()));
    }
    assert_eq!(published.len(), 2, "{zone}");
    let selector = |n: usize| published[n].0.split('.').next().unwrap().to_owned();

    // Nothing is published: a key cannot be activated by mistake.
    let (code, _, said) = run(&["dkim", "activate", &selector(0)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("no TXT record") && said.contains("--anyway"),
        "{said}"
    );
    for (name, text) in &published {
        dns.txt(name, text);
    }
    dns.txt("example.org", "v=spf1 include:relay.example -all");
    dns.txt("_dmarc.example.org", "v=DMARC1; p=reject; adkim=s");
    for n in 0..2 {
        let (code, _, said) = run(&["dkim", "activate", &selector(n)]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, _, said) = run(&["dkim", "list"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("\tsigns").count(), 2, "{said}");
    let (code, _, said) = run(&["check", "dkim"]);
    assert_eq!(code, Some(0), "{said}");
    for wanted in [
        "it is published",
        "SPF says: v=spf1 include:relay.example",
        "p=reject; the signature of example.org aligns",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let (_, zone, _) = run(&["check", "dkim"]);
    assert!(zone.contains(" IN TXT ( \"v=DKIM1; k=rsa; p="), "{zone}");

    // Somebody changes the record: the check fails and says which.
    dns.txt(&published[1].0, "v=DKIM1; k=ed25519; p=AAAA");
    let (code, _, said) = run(&["check", "dkim"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!(
            "FAILED  {}: it contains another public key",
            published[1].0
        )),
        "{said}"
    );

    // No name server answers: one clear message, soon.
    drop(dns);
    let started = tokio::time::Instant::now();
    let (code, _, said) = run(&["check", "dkim"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("Nothing was compared with DNS: DNS cannot be reached"),
        "{said}"
    );
    assert!(started.elapsed() < Duration::from_secs(15));

    let (code, _, said) = run(&["dkim", "retire", &selector(0)]);
    assert_eq!(code, Some(0), "{said}");
    for wrong in [
        &["dkim", "activate", "nobody"][..],
        &["dkim", "create", "--domain", "not a domain"],
        &[
            "dkim",
            "import",
            "--domain",
            "example.org",
            "--selector",
            "a b",
            "--key",
            "/dev/null",
        ],
        &[
            "dkim",
            "import",
            "--domain",
            "example.org",
            "--selector",
            "a",
            "--key",
            "/nowhere",
        ],
    ] {
        let (code, _, said) = run(wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {said}");
    }
}

/// Keys made by another program, in both forms; and something that is not a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_from_elsewhere_is_taken_over() {
    let Some(openssl) = crate::support::require::program(&["openssl"]) else {
        crate::support::require::skip("openssl is not installed");
        return;
    };
    let app = TestApp::start().await;
    let make = |arguments: &[&str]| {
        let output = Command::new(&openssl).args(arguments).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    let rsa = ["genpkey", "-algorithm", "RSA", "-pkeyopt"];
    for (selector, pem) in [
        ("one", make(&[&rsa[..], &["rsa_keygen_bits:2048"]].concat())),
        ("two", make(&["genrsa", "-traditional", "2048"])),
        ("three", make(&["genpkey", "-algorithm", "ED25519"])),
    ] {
        let made = dkim::import(&app.app, "example.org", selector, &pem).await;
        let made = made.unwrap_or_else(|e| panic!("{selector}: {e}"));
        assert_eq!((made.len(), made[0].state), (1, State::Waiting));
        let public = std::fs::write(app.database.dir.path().join("key.pem"), &pem);
        public.unwrap();
        let file = app.database.dir.path().join("key.pem");
        let der = make(&[
            "pkey",
            "-in",
            file.to_str().unwrap(),
            "-pubout",
            "-outform",
            "DER",
        ]);
        let wanted = if selector == "three" {
            &der[12..]
        } else {
            &der[..]
        };
        use base64::Engine as _;
        let ours = base64::engine::general_purpose::STANDARD.decode(&made[0].public);
        assert_eq!(ours.unwrap(), wanted, "{selector}");
    }
    for (selector, pem) in [
        (
            "short",
            make(&[&rsa[..], &["rsa_keygen_bits:1024"]].concat()),
        ),
        (
            "curve",
            make(&[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ]),
        ),
        ("none", b"hello".to_vec()),
    ] {
        let made = dkim::import(&app.app, "example.org", selector, &pem).await;
        assert!(
            matches!(made, Err(DkimError::Key(_))),
            "{selector}: {made:?}"
        );
    }
    let pem = make(&["genpkey", "-algorithm", "ED25519"]);
    let again = dkim::import(&app.app, "example.org", "one", &pem).await;
    assert!(matches!(again, Err(DkimError::Taken(..))), "{again:?}");
}
