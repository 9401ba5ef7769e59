//! Fair share: single mails overtake issues, and an issue that is slow or throttled holds up no other.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::mailer::mailing::MailingState;
use canvass::newsletters::Newsletter;
use canvass::types::IssueId;
use tokio::time::Instant;

use crate::support::app::TestApp;
use crate::support::issues::{app_with, hand_over, many_readers_at, progress, readers_at, until};
use crate::support::single_mails::enqueue;
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::{self, Waiting};

/// Every mail of the issue is slow, all lanes are busy, and one single mail blocks the reserved lane.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_mails_overtake_a_slow_issue_also_when_the_reserved_lane_is_stuck() {
    const SINGLES: usize = 200;
    let server = SmtpServer::start().await;
    let slow = Act::Wait(Duration::from_millis(500));
    server.rule(At::Dot, "@slow.example", slow, None);
    let stuck = Act::Wait(Duration::from_secs(60));
    server.rule(At::Dot, "stuck@", stuck, Some(1));
    let app = app_with(&server, |config| config.mail.connections = 10).await;
    let daily = app.newsletter("daily").await;
    many_readers_at(&app, &daily, "slow.example", 10_000).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.sent >= 10).await;
    enqueue(&app, "stuck@example.org").await;
    // In the hands of the reserved lane.
    app.wait_until("SELECT fence FROM outbox", 1).await;

    let mut asked = BTreeMap::new();
    let mut took = Vec::new();
    for n in 0..SINGLES {
        let to = format!("s{n}@example.org");
        enqueue(&app, &to).await;
        asked.insert(to, Instant::now());
        // Fifty a second, as on a lively day.
        tokio::time::sleep(Duration::from_millis(20)).await;
        collect(&server, &mut asked, &mut took);
    }
    // Less than the mail that is stuck takes.
    let waiting = Waiting::within(Duration::from_secs(30), "every single mail has come");
    while !asked.is_empty() {
        waiting.still(asked.len()).await;
        collect(&server, &mut asked, &mut took);
    }
    took.sort_unstable();
    let (median, p99) = (took[SINGLES / 2], took[SINGLES * 99 / 100]);
    println!(
        "single mails: median {median:?}, p99 {p99:?}, worst {:?}",
        took[SINGLES - 1]
    );
    // What is promised is two seconds for 99 of 100 (`cargo bench --bench mail -- long` says whether they do); here the
    // whole machine may hang for as long. Without overtaking, a mail would wait for a batch: two minutes.
    assert!(median < Duration::from_secs(2), "{median:?}");
    assert!(p99 < Duration::from_secs(10), "{p99:?}");
    assert!(
        progress(&app, issue).await.counts.queued > 0,
        "the issue was still going out"
    );
}

fn collect(server: &SmtpServer, asked: &mut BTreeMap<String, Instant>, took: &mut Vec<Duration>) {
    for to in server.recipients() {
        if let Some(since) = asked.remove(&to) {
            took.push(since.elapsed());
        }
    }
}

/// Issue A goes to a tarpit, issue B to a server that takes 20 ms per mail: compares B beside A with B alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_issue_takes_at_most_a_tenth_of_the_lanes() {
    let server = SmtpServer::start().await;
    let tarpit = Act::Wait(Duration::from_millis(1_500));
    server.rule(At::Dot, "@tarpit.example", tarpit, None);
    let app = app_with(&server, |config| config.mail.connections = 10).await;
    let _time = passing(&app);
    let b_alone = alone(&app, &server).await;
    let slow = app.newsletter("slow").await;
    readers_at(&app, &slow, "tarpit.example", 3_000).await;
    let beside = readers_of_b(&app, &server, "beside", B).await;
    let a = hand_over(&app, &slow, Duration::ZERO).await;
    until(&app, a, |p| p.counts.sent >= 10).await;
    let began = Instant::now();
    let b = hand_over(&app, &beside, Duration::ZERO).await;
    // Until B is prepared, A has all the lanes, and on a busy machine that takes a while.
    until(&app, b, |p| p.counts.sent > 0).await;
    // Those that A had begun before are gone when its slowest mail is.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, since) = (progress(&app, a).await.counts.sent, Instant::now());
    let b_beside = finished(&app, &server, &beside, b, began).await;
    let ratio = b_beside.as_secs_f64() / b_alone.as_secs_f64();
    println!("B alone {b_alone:?}, beside a tarpit {b_beside:?}: {ratio:.3}");
    let (counts, shared) = (progress(&app, a).await.counts, since.elapsed());
    println!("A meanwhile: {counts:?}");
    assert!(counts.queued > 0, "A was there all the time");
    assert!(counts.sent > before, "A was not starved");
    // A's share of the lanes, which does not depend on what else this machine does meanwhile.
    let taken = (counts.sent - before) as f64 * 1.5 / (10.0 * shared.as_secs_f64());
    println!("A had {:.1} % of the lanes' time", taken * 100.0);
    assert!(taken <= 0.1, "{taken}");
    not_far_off(ratio);
}

const B: i64 = 6_000;
/// Enough to know how long B would take alone.
const SAMPLE: i64 = B / 4;

/// The promise is a tenth. The assertions above hold it, by counting the lanes' time that A took or the mails it
/// attempted. The wall clock cannot: on two busy cores, in one run, B took 7.1 to 9.4 s alone and 6.8 to 24.6 s beside
/// A. This only finds gross violations.
fn not_far_off(ratio: f64) {
    assert!(ratio < 6.0, "{ratio}");
}

/// Advances the manual clock with real time, until it is dropped.
fn passing(app: &TestApp) -> tokio_util::task::AbortOnDropHandle<()> {
    let clock = app.app.clock.clone();
    tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let step = Duration::from_millis(50);
            tokio::time::sleep(step).await;
            clock.advance(step);
        }
    }))
}

/// Readers for issue B, at a server that takes 20 ms per mail.
async fn readers_of_b(app: &TestApp, server: &SmtpServer, name: &str, n: i64) -> Newsletter {
    let domain = format!("{name}.example");
    let usual = Act::Wait(Duration::from_millis(20));
    server.rule(At::Dot, &format!("@{domain}"), usual, None);
    let newsletter = app.newsletter(name).await;
    readers_at(app, &newsletter, &domain, n).await;
    newsletter
}

/// How long B would take alone, by what a part of it takes.
async fn alone(app: &TestApp, server: &SmtpServer) -> Duration {
    let newsletter = readers_of_b(app, server, "alone", SAMPLE).await;
    let began = Instant::now();
    let issue = hand_over(app, &newsletter, Duration::ZERO).await;
    until(app, issue, |p| p.state == MailingState::Finished).await;
    began.elapsed() * (B / SAMPLE) as u32
}

async fn finished(
    app: &TestApp,
    server: &SmtpServer,
    newsletter: &Newsletter,
    issue: IssueId,
    began: Instant,
) -> Duration {
    until(app, issue, |p| p.state == MailingState::Finished).await;
    let took = began.elapsed();
    let domain = format!("@{}.example", newsletter.slug);
    let got = server.recipients();
    let got = got.iter().filter(|to| to.ends_with(&domain)).count();
    assert_eq!(got as i64, B);
    took
}

/// As above, but A's provider refuses most mails for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_issue_costs_another_a_few_tries() {
    let server = SmtpServer::start().await;
    let throttled = Act::Say("421 4.7.0 [TSS04] temporarily deferred".to_owned());
    server.rule(At::Rcpt, "@throttled.example", throttled, None);
    let app = app_with(&server, |config| config.mail.connections = 10).await;
    let _time = passing(&app);
    let b_alone = alone(&app, &server).await;
    let slow = app.newsletter("slow").await;
    readers_at(&app, &slow, "throttled.example", 3_000).await;
    let beside = readers_of_b(&app, &server, "beside", B).await;
    let a = hand_over(&app, &slow, Duration::ZERO).await;
    let began = Instant::now();
    let b = hand_over(&app, &beside, Duration::ZERO).await;
    let b_beside = finished(&app, &server, &beside, b, began).await;
    let ratio = b_beside.as_secs_f64() / b_alone.as_secs_f64();
    println!("B alone {b_alone:?}, beside a throttled issue {b_beside:?}: {ratio:.3}");
    let counts = progress(&app, a).await.counts;
    assert_eq!(
        (counts.queued, counts.deferred),
        (3_000, 0),
        "no attempt is spent"
    );
    let batches = "SELECT COUNT(*) FROM mail_batch WHERE state = 0 AND provider <> ''";
    assert!(app.count(batches).await <= 40, "no tiny batches");
    let refused = server.commands("RCPT") as i64 - SAMPLE - B;
    assert!(
        refused < 60,
        "{refused} mails to a provider that wants none"
    );
    not_far_off(ratio);
}

/// A lane has taken several mails, and the first of them needs the database while that is busy: the others are put back
/// meanwhile, without a deadlock between the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_waits_for_the_database_does_not_hold_it_up() {
    let server = SmtpServer::start().await;
    let first = Act::Wait(Duration::from_millis(150));
    server.rule(At::Rcpt, "@example.org", first, Some(1));
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    for n in 0..4 {
        enqueue(&app, &format!("s{n}@example.org")).await;
    }
    wait::until("the first mail is at the relay", async || {
        server.commands("RCPT") > 0
    })
    .await;
    let busy = app.app.db.write_txn("test").await.unwrap();
    // The relay replies meanwhile, and then the lane wants the database twice: for the first mail and for the others.
    tokio::time::sleep(Duration::from_millis(800)).await;
    busy.commit().await.unwrap();
    let freed = Instant::now();
    app.app
        .db
        .write_txn("test")
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    let held_up = freed.elapsed();
    assert!(held_up < Duration::from_secs(5), "{held_up:?}");
    server.wait_for(4, Duration::from_secs(15)).await;
}
