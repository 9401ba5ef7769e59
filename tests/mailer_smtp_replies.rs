//! Replies that are SMTP only by their code: non-UTF-8 octets, and replies to another command.

use canvass::mailer::reply::{Phase, Reply};
use canvass::mailer::smtp::{Envelope, Outcome, Refusal, RefusalKind, Session};

use crate::mailer_smtp::{accepted, relay, send};
use crate::support::smtp_server::{Act, At, Offers, SmtpServer};

async fn server(latin1: bool, pipelining: bool) -> SmtpServer {
    SmtpServer::offering(Offers {
        latin1,
        pipelining,
        ..Offers::default()
    })
    .await
}

#[tokio::test]
async fn a_server_that_speaks_latin1_is_understood() {
    for (latin1, pipelining) in [(true, true), (true, false), (false, true), (false, false)] {
        let server = server(latin1, pipelining).await;
        server.say(At::Greeting, "", "220 grüß Gott");
        server.say(
            At::Rcpt,
            "gone",
            "550-5.1.1 Empfänger\r\n550 5.1.1 unbekannt, user unknown",
        );
        server.say(At::Dot, "", "250 2.0.0 übernommen");
        let mut session = Session::connect(&relay(&server.url())).await.unwrap();
        match send(&mut session, "gone@example.org").await {
            Err(Refusal {
                phase: Phase::Rcpt,
                kind: RefusalKind::Refused(reply),
            }) => {
                let expected = Reply::new(550, "5.1.1 Empfänger 5.1.1 unbekannt, user unknown");
                assert_eq!(reply, expected);
            }
            other => panic!("{other:?}"),
        }
        match send(&mut session, "r@example.org").await {
            Ok(Outcome::Accepted(reply)) => assert_eq!(reply.text, "2.0.0 übernommen"),
            other => panic!("{other:?}"),
        }
        assert_eq!((server.count(), server.connections()), (1, 1));
    }
}

#[tokio::test]
async fn foreign_octets_hide_no_feature() {
    let server = server(true, false).await;
    server.say(
        At::Ehlo,
        "",
        "250-schöner Gruß\r\n250-PIPELINING\r\n250 DSN",
    );
    let mut session = Session::connect(&relay(&server.url())).await.unwrap();
    assert!(accepted(&send(&mut session, "r@example.org").await));
    assert!(server.received()[0].commands[1].contains("NOTIFY="));
}

#[tokio::test]
async fn no_message_is_given_to_a_server_that_answers_another_question() {
    for pipelining in [true, false] {
        for (at, reply, phase) in [
            (At::Data, "250 2.1.5 ok", Phase::Data),
            (At::Rcpt, "354 go on", Phase::Rcpt),
            (At::Mail, "354 go on", Phase::Mail),
            // A surplus line: every later reply is one command behind.
            (At::Rcpt, "250 2.1.5 ok\r\n250 2.1.5 ok", Phase::Data),
        ] {
            let server = server(false, pipelining).await;
            server.rule(at, "", Act::Say(reply.into()), Some(1));
            let mut session = Session::connect(&relay(&server.url())).await.unwrap();
            let envelope = Envelope::new("news@example.org", "r@example.org").unwrap();
            match session.open(&envelope).await {
                Err(Refusal {
                    phase: at,
                    kind: RefusalKind::Lost(_),
                }) => assert_eq!(at, phase, "{reply}"),
                Err(other) => panic!("{reply}: {other:?}"),
                Ok(_) => panic!("{reply}: it would be given the message"),
            }
            assert!(!session.takes(&envelope), "{reply}");
            assert_eq!(server.count(), 0);
        }
    }
}
