//! The SMTP session against a server that speaks the protocol and misbehaves.

use std::time::Duration;

use canvass::mailer::{
    reply::Phase,
    smtp::{
        Envelope, Outcome, Patience, Refusal, RefusalKind, Relay, Session, trust_of_this_machine,
    },
};

use crate::support::smtp_server::{Act, At, Offers, SmtpServer};

pub const MAIL: &[u8] =
    b"Message-ID: <1@example.org>\r\nSubject: x\r\n\r\n.hidden dot\r\nlast line\r\n";

pub fn relay(url: &str) -> Relay {
    let mut relay =
        Relay::parse(url, "news.example.org", trust_of_this_machine().unwrap()).unwrap();
    relay.patience = Patience::of(Duration::from_secs(20));
    relay
}

/// For servers that do not reply.
fn impatient(url: &str) -> Relay {
    let mut relay = relay(url);
    relay.patience = Patience::of(Duration::from_millis(500));
    relay
}

fn to(address: &str) -> Envelope {
    Envelope::new("news@example.org", address).unwrap()
}

pub async fn send(session: &mut Session, address: &str) -> Result<Outcome, Refusal> {
    let envelope = to(address);
    let ready = session.open(&envelope).await?;
    Ok(ready.finish(MAIL, None).await)
}

pub fn accepted(outcome: &Result<Outcome, Refusal>) -> bool {
    matches!(outcome, Ok(Outcome::Accepted(_)))
}

fn refused_with(outcome: Result<Outcome, Refusal>, at: Phase, code: u16) {
    match outcome {
        Err(Refusal {
            phase,
            kind: RefusalKind::Refused(reply),
        }) => assert_eq!((phase, reply.code), (at, code)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_mails_go_over_one_connection_and_arrive_unchanged() {
    for pipelining in [true, false] {
        let server = SmtpServer::offering(Offers {
            pipelining,
            ..Offers::default()
        })
        .await;
        let mut session = Session::connect(&relay(&server.url())).await.unwrap();
        for n in 0..5 {
            assert!(accepted(
                &send(&mut session, &format!("r{n}@example.org")).await
            ));
        }
        session.quit().await;
        server.wait_for(5, Duration::from_secs(5)).await;
        assert_eq!((server.count(), server.connections()), (5, 1));
        assert_eq!(server.received()[0].raw.as_bytes(), MAIL);
        let last = server
            .mail_to("r4@example.org", Duration::from_secs(5))
            .await;
        assert_eq!(
            (last.from.as_str(), last.connection),
            ("news@example.org", 0)
        );
        assert_eq!(last.message_id, "<1@example.org>");
    }
}

#[tokio::test]
async fn a_refused_recipient_does_not_cost_the_connection() {
    for pipelining in [true, false] {
        let server = SmtpServer::offering(Offers {
            pipelining,
            ..Offers::default()
        })
        .await;
        server.say(At::Rcpt, "bad", "550-5.1.1 no such\r\n550 5.1.1 user");
        server.say(At::Data, "late", "451 4.3.0 later");
        let mut session = Session::connect(&relay(&server.url())).await.unwrap();
        refused_with(
            send(&mut session, "bad@example.org").await,
            Phase::Rcpt,
            550,
        );
        assert!(session.takes(&to("next@example.org")));
        refused_with(
            send(&mut session, "late@example.org").await,
            Phase::Data,
            451,
        );
        assert!(
            accepted(&send(&mut session, "good@example.org").await),
            "pipelining {pipelining}"
        );
        assert_eq!((server.count(), server.connections()), (1, 1));
    }
}

#[tokio::test]
async fn a_refused_message_is_an_outcome_and_the_connection_goes_on() {
    let server = SmtpServer::start().await;
    server.say(At::Dot, "spam", "554 5.7.1 no");
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    match send(&mut session, "spam@example.org").await {
        Ok(Outcome::Refused(reply)) => assert_eq!(reply.enhanced, Some((5, 7, 1))),
        other => panic!("{other:?}"),
    }
    assert!(accepted(&send(&mut session, "good@example.org").await));
}

#[tokio::test]
async fn only_a_loss_after_the_final_dot_is_in_doubt() {
    for act in [
        Act::Drop,
        Act::Wait(Duration::from_secs(5)),
        Act::Say("huh".into()),
    ] {
        let server = SmtpServer::start().await;
        server.rule(At::Dot, "", act, Some(1));
        let mut session = Session::connect(&impatient(&server.url())).await.unwrap();
        let outcome = send(&mut session, "r@example.org").await;
        assert!(matches!(outcome, Ok(Outcome::InDoubt(_))), "{outcome:?}");
        assert!(!session.takes(&to("next@example.org")));
        assert_eq!(server.count(), 1, "the server has it: that is the doubt");
    }
    for at in [At::Mail, At::Rcpt, At::Data] {
        for act in [
            Act::Drop,
            Act::Wait(Duration::from_secs(5)),
            Act::Say("huh".into()),
        ] {
            let server = SmtpServer::start().await;
            server.rule(at, "", act, Some(1));
            let mut session = Session::connect(&impatient(&server.url())).await.unwrap();
            let outcome = send(&mut session, "r@example.org").await;
            assert!(
                matches!(
                    &outcome,
                    Err(Refusal {
                        kind: RefusalKind::Lost(_),
                        ..
                    })
                ),
                "{at:?} {outcome:?}"
            );
            assert!(!session.takes(&to("next@example.org")));
        }
    }
}

#[tokio::test]
async fn replies_lettre_cannot_read_are_never_a_success() {
    for (reply, refused) in [
        ("571 no", true),
        ("250", false),
        ("2xx fine", false),
        ("550", true),
    ] {
        let server = SmtpServer::start().await;
        server.rule(At::Dot, "", Act::Say(reply.into()), Some(1));
        let mut session = Session::connect(&relay(&server.url())).await.unwrap();
        let outcome = send(&mut session, "r@example.org").await;
        let as_expected = match &outcome {
            Ok(Outcome::Refused(_)) => refused,
            Ok(Outcome::InDoubt(_)) => !refused,
            _ => false,
        };
        assert!(as_expected, "{reply}: {outcome:?}");
    }
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "", "571 5.1.1 no such user");
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    refused_with(send(&mut session, "r@example.org").await, Phase::Rcpt, 571);
}

#[tokio::test]
async fn a_421_ends_the_connection() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "", "421 4.7.0 enough");
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    refused_with(send(&mut session, "r@example.org").await, Phase::Rcpt, 421);
    assert!(!session.takes(&to("next@example.org")));
}

#[tokio::test]
async fn an_interrupted_mail_gives_the_connection_up() {
    let server = SmtpServer::start().await;
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    assert!(session.open(&to("r@example.org")).await.is_ok());
    assert!(
        !session.takes(&to("next@example.org")),
        "DATA cannot be taken back"
    );
}

/// Sends to all addresses, each mail opened together with the end of the previous one.
async fn send_on(session: &mut Session, addresses: &[&str]) -> Vec<Result<Outcome, Refusal>> {
    let mut results = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let next = addresses.get(index + 1).map(|next| to(next));
        results.push(match session.open(&to(address)).await {
            Ok(ready) => Ok(ready.finish(MAIL, next.as_ref()).await),
            Err(refusal) => Err(refusal),
        });
    }
    results
}

#[tokio::test]
async fn the_next_mail_is_opened_with_the_end_of_this_one() {
    for pipelining in [true, false] {
        let server = SmtpServer::offering(Offers {
            pipelining,
            ..Offers::default()
        })
        .await;
        server.say(At::Rcpt, "bad", "550 5.1.1 no such user");
        server.say(At::Dot, "spam", "554 5.7.1 looks like spam");
        let mut session = Session::connect(&relay(&server.url())).await.unwrap();
        let results = send_on(
            &mut session,
            &[
                "a@x.example",
                "bad@x.example",
                "b@x.example",
                "spam@x.example",
                "c@x.example",
            ],
        )
        .await;
        assert!(
            accepted(&results[0]) && accepted(&results[2]) && accepted(&results[4]),
            "{results:?}"
        );
        assert!(
            matches!(
                &results[1],
                Err(Refusal {
                    phase: Phase::Rcpt,
                    ..
                })
            ),
            "{results:?}"
        );
        assert!(
            matches!(&results[3], Ok(Outcome::Refused(reply)) if reply.code == 554),
            "{results:?}"
        );
        let to: Vec<String> = server.received().into_iter().map(|mail| mail.to).collect();
        assert_eq!(
            to,
            ["a@x.example", "b@x.example", "c@x.example"],
            "pipelining {pipelining}"
        );
        assert_eq!(server.connections(), 1);
        assert!(
            server
                .received()
                .iter()
                .all(|mail| mail.raw.as_bytes() == MAIL)
        );
    }
}

#[tokio::test]
async fn a_mail_that_was_opened_ahead_and_is_not_sent_reaches_nobody() {
    let server = SmtpServer::start().await;
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    let ready = session.open(&to("a@x.example")).await.unwrap();
    let outcome = ready.finish(MAIL, Some(&to("b@x.example"))).await;
    assert!(matches!(outcome, Outcome::Accepted(_)));
    assert!(session.takes(&to("b@x.example")) && !session.takes(&to("c@x.example")));
    let other = send(&mut session, "c@x.example").await;
    assert!(matches!(
        other,
        Err(Refusal {
            kind: RefusalKind::Lost(_),
            ..
        })
    ));
    session.quit().await;
    // Whatever was under way has arrived by then; that nothing was cannot be seen earlier.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_connection_that_ends_with_the_message_is_good_for_no_next_mail() {
    let server = SmtpServer::start().await;
    server.say(At::Dot, "a@", "421 4.3.2 closing");
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    let next = to("b@x.example");
    let ready = session.open(&to("a@x.example")).await.unwrap();
    let outcome = ready.finish(MAIL, Some(&next)).await;
    assert!(matches!(outcome, Outcome::Refused(reply) if reply.code == 421));
    assert!(!session.takes(&next));
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_connection_retires_after_its_mails() {
    let server = SmtpServer::start().await;
    let mut relay = relay(&server.url());
    relay.recycle.mails = 2;
    let mut session = Session::connect(&relay).await.unwrap();
    assert!(
        accepted(&send(&mut session, "a@example.org").await)
            && session.takes(&to("next@example.org"))
    );
    assert!(
        accepted(&send(&mut session, "b@example.org").await)
            && !session.takes(&to("next@example.org"))
    );
}

#[tokio::test]
async fn non_ascii_addresses_need_smtputf8() {
    let server = SmtpServer::offering(Offers {
        smtputf8: false,
        ..Offers::default()
    })
    .await;
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    let outcome = send(&mut session, "jürgen@example.org").await;
    assert!(matches!(
        outcome,
        Err(Refusal {
            kind: RefusalKind::Unusable(_),
            ..
        })
    ));
    assert!(session.takes(&to("next@example.org")));
}

#[tokio::test]
async fn credentials_are_given_and_a_refusal_is_told() {
    // base64 of \0news\0secret
    let offers = || Offers {
        auth: Some("AG5ld3MAc2VjcmV0".into()),
        ..Offers::default()
    };
    let server = SmtpServer::offering(offers()).await;
    let url = format!("smtp://news:secret@127.0.0.1:{}", server.port());
    assert!(Session::connect(&relay(&url)).await.is_ok());
    let url = format!("smtp://news:wrong@127.0.0.1:{}", server.port());
    match Session::connect(&relay(&url)).await.map(|_| ()) {
        Err(refusal) => {
            assert_eq!(refusal.phase, Phase::Auth);
            assert!(!refusal.to_string().contains("wrong"));
        }
        Ok(()) => panic!("logged in with a wrong password"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_apart() {
    let refusal = Session::connect(&relay("smtp://127.0.0.1:1"))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.phase, Phase::Connect);
    let server = SmtpServer::start().await;
    server.say(At::Greeting, "", "554 5.3.2 not today");
    let refusal = Session::connect(&relay(&server.url()))
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(
        refusal.to_string().contains("554 5.3.2 not today"),
        "{refusal}"
    );
    server.forgive();
    server.rule(At::Greeting, "", Act::Wait(Duration::from_secs(5)), None);
    let refusal = Session::connect(&impatient(&server.url()))
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refusal.kind, RefusalKind::Lost(_)));
    server.refuse_connections();
    let refusal = Session::connect(&relay(&server.url()))
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(refusal.kind, RefusalKind::Lost(_)), "{refusal}");
}
