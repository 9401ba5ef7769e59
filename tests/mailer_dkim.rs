//! Signed mails, checked by an independent verifier; keys that are rotated while the server runs.

use std::time::Duration;

use canvass::app::{App, Role, StartError};
use canvass::config::Config;
use canvass::db::{self, AccessError, fetch_all};
use canvass::mailer::dkim::{self, DkimError, Key, State};
use canvass::mailer::mailing::MailingState;
use canvass::mailer::refresh_signing_keys;
use canvass::types::{Clock, Keys, Purpose, Random, Secret};

use crate::support::app::{START, TestApp};
use crate::support::dkim::{Verdict, records, verdicts};
use crate::support::issues::{app_with, hand_over, subscribe, until};
use crate::support::smtp_server::{Received, SmtpServer};
use crate::support::wait::{PATIENCE, Waiting};

/// Creates and activates keys for a domain.
async fn keys_for(app: &TestApp, domain: &str) -> Vec<Key> {
    let keys = dkim::create(&app.app, domain).await.unwrap();
    for key in &keys {
        dkim::activate(&app.app, &key.selector, None).await.unwrap();
    }
    keys
}

/// Sends one issue to `n` readers and returns its mails.
async fn issue(app: &TestApp, server: &SmtpServer, slug: &str, n: i64) -> Vec<Received> {
    let newsletter = app.newsletter(slug).await;
    if app.count("SELECT COUNT(*) FROM reader").await == 0 {
        subscribe(app, &newsletter, n).await;
    } else {
        let sql =
            "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
                   SELECT $1, id, 1, 1, 1 FROM reader";
        let txn = app.app.db.write_txn("test").await.unwrap();
        db::run(&*txn, sql, [newsletter.id.0.into()]).await.unwrap();
        txn.commit().await.unwrap();
    }
    let before = server.count();
    let issue = hand_over(app, &newsletter, Duration::ZERO).await;
    until(app, issue, |p| p.state == MailingState::Finished).await;
    server.received()[before..].to_vec()
}

fn raw(mails: &[Received]) -> Vec<String> {
    mails.iter().map(|mail| mail.raw.clone()).collect()
}

fn good(algorithm: &str, selector: &str) -> Verdict {
    Verdict {
        good: true,
        algorithm: algorithm.to_owned(),
        selector: selector.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_and_single_mails_are_signed_twice_and_verify_elsewhere() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let keys = keys_for(&app, "example.org").await;
    refresh_signing_keys(&app.app).await;
    let mut mails = issue(&app, &server, "daily", 5).await;
    let reader = app.reader();
    let form = reader.get("/subscribe/daily").await.the_form();
    app.advance(Duration::from_secs(5));
    let form = form.fill("email", "zoe@example.org").tick("consent", "1");
    reader.submit(form).await.expect(200);
    mails.push(server.mail_to("zoe@example.org", PATIENCE).await);
    let Some(said) = verdicts(&records(&keys), &raw(&mails)) else {
        return;
    };
    assert_eq!(said.len(), 6);
    for verdict in said {
        assert_eq!(
            verdict,
            [
                good("rsa-sha256", &keys[0].selector),
                good("ed25519-sha256", &keys[1].selector),
            ]
        );
    }

    // The verifier does reject exactly what a forger would do.
    let mail = mails[0].raw.clone();
    let forged = [
        mail.replacen("Subject: ", "Subject: You won\r\nSubject: ", 1),
        mail.replacen("From: ", "From: boss@example.org\r\nFrom: ", 1),
        mail.replacen("Date: ", "Reply-To: thief@example.net\r\nDate: ", 1),
        mail.replacen("<http://127.0.0.1", "<http://127.0.0.2", 1),
        mail.replacen("List-Unsubscribe-Post: ", "X-Was: ", 1),
        mail.replacen("Reader 1=", "Robber 1=", 1),
        format!("{mail}An appendix\r\n"),
    ];
    for forged in forged {
        assert_ne!(forged, mail);
        let said = verdicts(&records(&keys), &[forged]).unwrap().remove(0);
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|v| !v.good), "{said:?}");
    }
    // Relays' changes to white space and to empty lines at the end do no harm.
    let handled = mail.replacen("Subject: ", "Subject:   ", 1) + "\r\n\r\n";
    let said = verdicts(&records(&keys), &[handled]).unwrap().remove(0);
    assert!(said.iter().all(|v| v.good), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_change_while_the_server_runs_and_old_mails_go_on_verifying() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let unsigned = issue(&app, &server, "one", 2).await;
    assert!(unsigned.iter().all(|m| !m.raw.contains("DKIM-Signature")));

    let first = keys_for(&app, "example.org").await;
    // Nothing notifies the server: it checks by itself.
    let waiting = Waiting::until("the mails are signed").every(Duration::from_millis(250));
    let mut n = 0;
    let signed = loop {
        let mails = issue(&app, &server, &format!("try{n}"), 2).await;
        if mails[0].raw.contains("DKIM-Signature") {
            break mails;
        }
        n += 1;
        waiting.still(&mails[0].raw).await;
    };
    app.advance(Duration::from_secs(1));
    let second = keys_for(&app, "example.org").await;
    assert_ne!(first[0].selector, second[0].selector);
    refresh_signing_keys(&app.app).await;
    let later = issue(&app, &server, "later", 2).await;

    let listed = dkim::list(&app.app.db).await.unwrap();
    let state = |key: &Key| {
        let same = |k: &&Key| k.selector == key.selector;
        listed
            .iter()
            .find(same)
            .map(|k| (k.state, k.stopped.is_some()))
    };
    assert_eq!(state(&first[0]), Some((State::Waiting, true)));
    assert_eq!(state(&second[0]), Some((State::Signing, false)));

    if let Some(said) = verdicts(&records(&listed), &raw(&[signed, later].concat())) {
        let selectors = |mail: &[Verdict]| -> Vec<String> {
            assert!(mail.iter().all(|v| v.good), "{mail:?}");
            mail.iter().map(|v| v.selector.clone()).collect()
        };
        let of = |keys: &[Key]| keys.iter().map(|k| k.selector.clone()).collect::<Vec<_>>();
        assert_eq!(selectors(&said[0]), of(&first));
        assert_eq!(selectors(said.last().unwrap()), of(&second));
    }

    // A retired key has no private half, and cannot come back.
    dkim::retire(&app.app, &first[0].selector, None)
        .await
        .unwrap();
    let erased = "SELECT COUNT(*) FROM dkim_key WHERE state = 2 AND sealed = ''";
    assert_eq!(app.count(erased).await, 1);
    assert!(matches!(
        dkim::activate(&app.app, &first[0].selector, None).await,
        Err(DkimError::Retired(_))
    ));
    for key in &second {
        dkim::retire(&app.app, &key.selector, None).await.unwrap();
    }
    refresh_signing_keys(&app.app).await;
    let last = issue(&app, &server, "last", 2).await;
    assert!(last.iter().all(|m| !m.raw.contains("DKIM-Signature")));
}

#[tokio::test]
async fn a_key_signs_for_its_domain_and_those_below_it() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    keys_for(&app, "org.example").await;
    refresh_signing_keys(&app.app).await;
    let foreign = issue(&app, &server, "one", 1).await;
    assert!(!foreign[0].raw.contains("DKIM-Signature"), "another domain");
    for (domain, refused) in [("", true), ("example", true), ("Bücher.example", false)] {
        assert_eq!(dkim::create(&app.app, domain).await.is_err(), refused);
    }
    let stored = "SELECT COUNT(*) FROM dkim_key WHERE domain = 'xn--bcher-kva.example'";
    assert_eq!(app.count(stored).await, 2, "the domain is an A-label");
}

/// The private keys are stored encrypted, and can be re-encrypted under a new secret key.
#[tokio::test(flavor = "multi_thread")]
async fn keys_survive_a_new_secret_key() {
    let app = TestApp::start().await;
    keys_for(&app, "example.org").await;
    let mut config: Config = app.app.config.clone();
    let old = config.secret_key.expose().to_owned();
    let new = "quite another secret key of more than 32 characters";
    let database = app.stop().await;
    config.secret_key = Secret::new(format!("{new},{old}"));
    // The last task of the stopped server may hold the data directory for a moment longer.
    let waiting = Waiting::until("the data directory is free");
    let rotated = loop {
        let clock = Clock::manual(START);
        match App::build(config.clone(), Role::Server, clock, Random::System).await {
            Ok(app) => break app,
            Err(StartError::Access(AccessError::Lock(_))) => waiting.still("it is locked").await,
            Err(error) => panic!("{error}"),
        }
    };
    let sql = "SELECT sealed FROM dkim_key WHERE state = 1";
    let rows = fetch_all(rotated.db.read(), sql, []).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let sealed: String = row.try_get_by_index(0).unwrap();
        let open = |key: &str| {
            let keys = Keys::new(&Secret::new(key)).unwrap();
            keys.open(Purpose::Dkim, &sealed)
        };
        let inside = open(new).expect("the old key is not needed any more");
        assert!(open(&old).is_err());
        // A part of this length is not in both by chance.
        let mut parts = sealed.as_bytes().windows(16);
        let is_inside = |part| inside.windows(16).any(|other| other == part);
        assert!(!parts.any(is_inside), "nothing of it is to be read");
    }
    drop(rotated);
    drop(database);
}
