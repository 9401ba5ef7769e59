//! The stuffing drill with scripts that vary everything at once: each answer opens the page, leaves the script alone, has
//! its own description, and comes at a random time.

use canvass::types::Random;

use crate::polls_stuffing::Drill;
use crate::support::crowd::{
    EMBEDDER, Visitor, agents, beside_one_another, random_gap, run, ticks,
};

/// `n` answers of a script, `mean_ms` apart, from this many networks.
fn script(
    n: i64,
    mean_ms: f64,
    networks: i64,
    agent: impl Fn(i64) -> String,
    origin: &'static str,
) -> Vec<Visitor> {
    let random = Random::seeded(31);
    let mut at = 0;
    (0..n)
        .map(|i| {
            at += random_gap(&random, mean_ms);
            let network = i % networks;
            Visitor {
                // A form on another site's page need not be opened on ours.
                opens: origin.is_empty().then_some(at),
                touches: None,
                sends: at + 20 + random.below(4_000) as i64,
                address: format!("10.{}.{}.9", network / 250, network % 250),
                agent: agent(i),
                says: ticks(&[1]),
                marker: String::new(),
                origin,
            }
        })
        .collect()
}

fn unique(i: i64) -> String {
    format!("UA/{i}")
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_script_that_varies_all_from_one_address_moves_nothing() {
    let cases = [
        ("varied script", ""),
        ("varied script, as embedded", EMBEDDER),
    ];
    let drills = cases.into_iter().map(|(name, origin)| async move {
        let drill = Drill::begin(32).await;
        let ran = run(&drill.app, &script(2_000, 300.0, 1, unique, origin)).await;
        drill.repelled(name, &ran).await;
    });
    beside_one_another(drills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_script_that_varies_all_from_a_thousand_addresses_moves_nothing() {
    let drill = Drill::begin(33).await;
    let ran = run(&drill.app, &script(2_000, 300.0, 1_000, unique, "")).await;
    drill.repelled("varied script from everywhere", &ran).await;
}

/// The descriptions are those of real browsers, so that they say nothing; the rate from one network does.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_fast_script_with_real_descriptions_moves_nothing() {
    let all = agents();
    let real = |i: i64| all[i as usize % all.len()].clone();
    let drill = Drill::begin(34).await;
    let ran = run(&drill.app, &script(1_000, 120.0, 1, real, "")).await;
    drill
        .repelled("fast script with real descriptions", &ran)
        .await;
}

/// Slower than one a second it is found later, but no less.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_slow_script_that_varies_all_moves_nothing() {
    let drill = Drill::begin(35).await;
    run(&drill.app, &script(200, 4_000.0, 1, unique, "")).await;
    let moved = drill.moved().await;
    assert!(moved.iter().all(|points| *points <= 1.0), "{moved:?}");
}
