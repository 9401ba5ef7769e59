//! Crowds that must be counted whole, however many come, from wherever, and although nearly all of them say the same.

use canvass::polls::Tier;
use canvass::types::Random;

use crate::polls_stuffing::Drill;
use crate::support::crowd::{
    EMBEDDER, Visitor, beside_one_another, people, readers_agent, run, ticks,
};

/// Lets a crowd come, nine of ten of whom say the same, unlike the readers before them.
async fn counted_whole(name: &str, crowd: &[Visitor]) {
    let drill = Drill::begin(41).await;
    let ran = run(&drill.app, crowd).await;
    let counted = drill.voters(Tier::Anonymous).await - 550;
    println!("{name}: {} answers taken, {counted} counted", ran.accepted);
    assert_eq!(counted, crowd.len() as i64, "{name}");
    assert_eq!(ran.warned_after_ms, None, "{name}");
}

fn nine_of_ten(i: usize) -> u8 {
    if i % 10 == 9 { 2 } else { 1 }
}

/// 300 a minute, a third of them from one provider's network; one of twenty has JavaScript disabled.
#[tokio::test(flavor = "multi_thread")]
async fn polls_the_rush_after_a_viral_article_is_counted_whole() {
    let random = Random::seeded(42);
    let address = |i: usize| match i % 3 {
        0 => format!("100.64.0.{}", i % 250),
        _ => format!("10.{}.{}.7", i % 7, i % 211),
    };
    let mut readers = people(&random, 1_500, 5, address, nine_of_ten);
    for (i, reader) in readers.iter_mut().enumerate() {
        reader.agent = readers_agent(&random);
        if i % 20 == 0 {
            reader.touches = None;
        }
    }
    counted_whole("viral article", &readers).await;
}

/// The browser inside an app names the phone's model and the app's version, so that hardly two are alike.
#[tokio::test(flavor = "multi_thread")]
async fn polls_readers_inside_an_app_are_counted_whole() {
    let random = Random::seeded(46);
    let mut readers = people(&random, 400, 2, |_| "100.64.0.9".into(), nine_of_ten);
    for (i, reader) in readers.iter_mut().enumerate() {
        reader.agent = format!("Mozilla/5.0 (Linux; Android 15; SM-{i} Build/AP3A; wv) [FB_IAB]");
    }
    counted_whole("readers inside an app", &readers).await;
}

/// The plain form on another site's page: there is neither a page of ours to open nor a puzzle to solve. All who have the
/// most frequent browser are of one opinion. On the night of a debate, more than one a second has that browser.
#[tokio::test(flavor = "multi_thread")]
async fn polls_an_embedders_readers_are_counted_whole() {
    let cases = [
        ("embedder, one network", 1, 400, 2),
        ("embedder", 300, 400, 2),
        ("embedder, debate night", 1_500, 1_500, 4),
    ];
    let drills = cases
        .into_iter()
        .map(|(name, networks, n, minutes)| async move {
            let random = Random::seeded(44);
            let address = |i: usize| format!("10.{}.{}.7", i % networks / 250, i % networks % 250);
            let mut readers = people(&random, n, minutes, address, nine_of_ten);
            for reader in &mut readers {
                reader.agent = readers_agent(&random);
                if reader.agent.contains("OS 18_1 ") {
                    reader.says = ticks(&[1]);
                }
                (reader.opens, reader.touches) = (None, None);
                reader.origin = EMBEDDER;
            }
            counted_whole(name, &readers).await;
        });
    beside_one_another(drills).await;
}
