//! The kill loop of the ballot box: `kill -9` at random moments while readers answer. Every answer that got its 303
//! must be in the log, the ballots and the tally afterwards.
//!
//! Every run does the short form. To run the long form: `tests/run --ignored polls_a_hundred_kills`

use std::time::Duration;

use canvass::polls::ballots::{self, audit, verify};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::polls_ballot_box::opened;
use crate::support::kill_loop::{KillLoop, Readers};

/// One reader after another, each with a different marker, until told to stop. In every second lane they send it in a
/// cookie, as browsers that have answered before: they are looked up first, while all others are committed in one trip.
/// Returns the markers that got a 303.
async fn readers(port: u16, lane: usize, all: Readers) -> Vec<String> {
    let mut counted = Vec::new();
    let mut n = 0;
    while all.go_on() {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        loop {
            let marker = format!("{lane:011}{n:011}");
            n += 1;
            let option = n % 2 + 1;
            let (cookie, body) = match lane % 2 {
                0 => (String::new(), format!("option={option}&marker={marker}")),
                _ => (
                    format!("Cookie: __Host-canvass_voter={marker}\r\n"),
                    format!("option={option}"),
                ),
            };
            let request = format!(
                "POST /p/trust HTTP/1.1\r\nHost: news.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 {cookie}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(request.as_bytes()).await.is_err() {
                break;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            if !head.starts_with(b"HTTP/1.1 303") || !head.ends_with(b"\r\n\r\n") {
                assert!(
                    head.len() < 12 || head.starts_with(b"HTTP/1.1 503"),
                    "{}",
                    String::from_utf8_lossy(&head)
                );
                break;
            }
            counted.push(marker);
            all.count();
            if !all.go_on() {
                break;
            }
        }
    }
    counted
}

async fn survive(kills: usize) {
    let ballots = opened(&["yes", "no"], 1, None).await;
    let program = KillLoop::new(&ballots.database);
    let seed = program.seed;
    let lanes: Vec<_> = (0..16)
        .map(|lane| tokio::spawn(readers(program.port, lane, program.readers.clone())))
        .collect();
    let counted = program.run(kills, 20..220, lanes, async || {}).await;
    assert!(counted.len() > kills * 20, "{} answers", counted.len());
    for marker in &counted {
        let key = canvass::polls::Voter::Browser(marker.clone()).key(&ballots.poll);
        let own = ballots::own_choice(&ballots.db, ballots.poll.id, key)
            .await
            .unwrap();
        assert!(own.is_some(), "seed {seed}: a 303 is lost");
    }
    let verified = verify(&ballots.db, ballots.poll.id).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new(), "seed {seed}");
    assert_eq!(audit(&ballots.db, &ballots.poll).await.unwrap(), []);
    // Answers in progress when the program died may have been counted; then they are counted everywhere.
    let all = usize::try_from(verified.ballots + verified.set_aside).unwrap();
    let extra = all - counted.len();
    println!(
        "{kills} kills, seed {seed}: {} answers with 303, 0 lost, {extra} more in the box",
        counted.len()
    );
    assert!(extra <= (kills + 2) * 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_kill_loses_no_answer() {
    survive(4).await;
}

#[ignore = "the long form, some minutes: tests/run --ignored polls_a_hundred_kills"]
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_hundred_kills() {
    survive(100).await;
}
