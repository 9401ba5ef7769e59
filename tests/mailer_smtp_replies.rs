//! Replies that are SMTP only by their code: non-UTF-8 octets, and replies to another command.

use std::time::Duration;

use canvass::mailer::reply::{Phase, Reply};
use canvass::mailer::smtp::{Envelope, Outcome, Patience, Refusal, RefusalKind, Session};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::mailer_smtp::{MAIL, accepted, relay, send};
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
            // It would be taken for the reply to the message.
            (At::Data, "354 go on\r\n250 2.0.0 ok", Phase::Data),
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

#[tokio::test]
async fn a_reply_to_ehlo_that_lettre_cannot_read_is_about_the_relay() {
    let server = SmtpServer::start().await;
    server.say(At::Ehlo, "", "250-x\r\n250- \r\n250 DSN");
    let refusal = Session::connect(&relay(&server.url())).await.map(|_| ());
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.phase, Phase::Hello);
    assert!(
        matches!(refusal.kind, RefusalKind::Unusable(_)),
        "{refusal}"
    );
}

#[tokio::test]
async fn keywords_of_ehlo_have_no_case() {
    let server = SmtpServer::offering(Offers {
        auth: Some("AG5ld3MAc2VjcmV0".into()),
        ..Offers::default()
    })
    .await;
    server.say(
        At::Ehlo,
        "",
        "250-x\r\n250-8bitmime\r\n250-smtputf8\r\n250 auth login plain",
    );
    let url = format!("smtp://news:secret@127.0.0.1:{}", server.port());
    let mut session = Session::connect(&relay(&url)).await.unwrap();
    assert!(accepted(&send(&mut session, "jürgen@example.org").await));
    assert!(server.received()[0].commands[0].contains("SMTPUTF8 BODY=8BITMIME"));
}

#[tokio::test]
async fn login_answers_one_question_after_the_other() {
    let server = SmtpServer::start().await;
    server.say(At::Ehlo, "", "250-x\r\n250 AUTH LOGIN");
    server.rule(At::Auth, "", Act::Say("334 VXNlcm5hbWU6".into()), Some(1));
    let url = format!("smtp://news:secret@127.0.0.1:{}", server.port());
    let refusal = Session::connect(&relay(&url)).await.map(|_| ());
    // This server knows no more of it: it takes the user name for a command.
    match refusal.unwrap_err() {
        Refusal {
            phase: Phase::Auth,
            kind: RefusalKind::Refused(reply),
        } => assert_eq!(reply.to_string(), "500 5.5.2 what?"),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.commands("BMV3CW=="), 1, "the user name");
}

#[tokio::test]
async fn a_question_without_an_answer_is_told() {
    for (offer, question) in [
        ("LOGIN", "334 "),
        ("LOGIN", "334 Zm9v"),
        ("PLAIN", "334 VXNlcm5hbWU6"),
    ] {
        let server = SmtpServer::start().await;
        server.say(At::Ehlo, "", &format!("250-x\r\n250 AUTH {offer}"));
        server.say(At::Auth, "", question);
        let url = format!("smtp://news:secret@127.0.0.1:{}", server.port());
        let refusal = Session::connect(&relay(&url)).await.map(|_| ());
        match refusal.unwrap_err() {
            Refusal {
                phase: Phase::Auth,
                kind: RefusalKind::Unusable(why),
            } => assert!(why.contains("asks a question"), "{why}"),
            other => panic!("{offer} {question}: {other:?}"),
        }
    }
}

/// The surplus line would be taken for the reply to the next command.
#[tokio::test]
async fn a_refusal_with_a_surplus_reply_costs_the_connection() {
    for pipelining in [true, false] {
        for (at, reply) in [
            (At::Rcpt, "550 5.1.1 no such user\r\n250 2.1.5 ok"),
            (At::Data, "451 4.3.0 later\r\n250 2.0.0 ok"),
            (At::Data, "354 go on\r\n250 2.0.0 ok"),
        ] {
            let server = server(false, pipelining).await;
            if reply.starts_with("354") {
                server.say(At::Rcpt, "", "550 5.1.1 no such user");
            }
            server.say(at, "", reply);
            let mut session = Session::connect(&relay(&server.url())).await.unwrap();
            let envelope = Envelope::new("news@example.org", "r@example.org").unwrap();
            assert!(session.open(&envelope).await.is_err());
            let asked = server.commands("DATA") > 0 || !reply.starts_with("354");
            assert_eq!(session.takes(&envelope), !asked, "{pipelining} {reply}");
        }
    }
}

/// A server that says this once it has read `octets` of the message, and closes the connection.
async fn closing_in_mid_message(octets: usize, says: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tcp = BufReader::new(tcp);
        tcp.write_all(b"220 test\r\n").await.unwrap();
        for reply in ["250 test\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"] {
            let mut line = String::new();
            tcp.read_line(&mut line).await.unwrap();
            tcp.write_all(reply.as_bytes()).await.unwrap();
        }
        let mut some = vec![0; octets];
        tcp.read_exact(&mut some).await.unwrap();
        tcp.write_all(says.as_bytes()).await.unwrap();
    });
    url
}

#[tokio::test]
async fn what_a_server_says_before_it_closes_in_mid_message_counts() {
    // Longer than the buffers of both sides.
    let message = "0123456789 ".repeat(2 << 20);
    for says in ["552 5.3.4 too big\r\n", "250 2.0.0 ok\r\n", ""] {
        let url = closing_in_mid_message(1_000, says).await;
        let mut relay = relay(&url);
        relay.patience = Patience::of(Duration::from_secs(20));
        let mut session = Session::connect(&relay).await.unwrap();
        let envelope = Envelope::new("news@example.org", "r@example.org").unwrap();
        let ready = session.open(&envelope).await.unwrap();
        let outcome = ready.finish(message.as_bytes(), None).await;
        let as_expected = match &outcome {
            Outcome::Refused(reply) => reply.enhanced == Some((5, 3, 4)),
            // It claims to have accepted what it did not read.
            Outcome::InDoubt(_) => says.starts_with("250"),
            Outcome::NotSent(_) => says.is_empty(),
            Outcome::Accepted(_) => false,
        };
        assert!(as_expected, "{says}: {outcome:?}");
        assert!(!session.takes(&envelope));
    }
}

#[tokio::test]
async fn a_line_without_an_end_does_not_fill_the_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let wrote = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut wrote = 0;
        while wrote < 64 << 20 && tcp.write_all(&[b'2'; 4096]).await.is_ok() {
            wrote += 4096;
        }
        wrote
    });
    let mut relay = relay(&url);
    relay.patience = Patience::of(Duration::from_secs(20));
    let refusal = Session::connect(&relay).await.map(|_| ()).unwrap_err();
    assert!(refusal.to_string().contains("does not end"), "{refusal}");
    assert!(wrote.await.unwrap() < 64 << 20, "it was read to its end");
}

#[tokio::test]
async fn a_message_that_is_accepted_late_is_accepted() {
    for pipelining in [true, false] {
        let server = SmtpServer::offering(Offers {
            pipelining,
            ..Offers::default()
        })
        .await;
        server.rule(At::Dot, "", Act::Wait(Duration::from_secs(3)), None);
        let mut relay = relay(&server.url());
        relay.patience = Patience {
            dot: Duration::from_millis(500),
            last_words: Duration::from_secs(60),
            ..Patience::of(Duration::from_secs(20))
        };
        let mut session = Session::connect(&relay).await.unwrap();
        let [this, next] =
            ["a@x.example", "b@x.example"].map(|to| Envelope::new("news@example.org", to).unwrap());
        let ready = session.open(&this).await.unwrap();
        let outcome = ready.finish(MAIL, Some(&next)).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        assert!(!session.takes(&next), "a reply may be missing");
    }
}
