//! The stuffing drill: a person, a script, a thousand proxies, a school; what readers see afterwards, and when
//! the editor was notified.
//!
//! `cargo test --test canvass polls_stuffing -- --nocapture` prints the figures.

use canvass::polls::results::totals;
use canvass::polls::{Answered, Definition, Place, Sent, Tier, Voter, answer, by_slug};
use canvass::types::{Random, ReaderId};

use super::support::app::TestApp;
use super::support::crowd::{
    EMBEDDER, Ran, Says, Visitor, agents, beside_one_another, people, random_gap, readers_agent,
    run, script, ticks,
};
use super::support::editor::{EDITOR, signed_in};
use super::support::reader::Reader;

const TIERS: [Tier; 3] = [Tier::Anonymous, Tier::Worked, Tier::Subscriber];
const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0";

/// A poll that 400 readers and 150 subscribers have answered, and an editor who watches.
pub struct Drill {
    pub app: TestApp,
    pub editor: Reader,
    before: Vec<Vec<f64>>,
}

impl Drill {
    /// A poll that nobody has answered.
    pub async fn fresh() -> Self {
        Self::of(|_| {}).await
    }

    async fn of(asking: impl FnOnce(&mut Definition)) -> Self {
        let app = TestApp::start_with(|config| {
            config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            config.polls.proof_work = 40;
            config.http.embed_origins = vec![EMBEDDER.to_owned()];
        })
        .await;
        app.newsletter("morning").await;
        app.poll_with("trust", asking).await;
        let editor = signed_in(&app).await;
        Self {
            app,
            editor,
            before: Vec::new(),
        }
    }

    /// Of the readers a third say Yes, half No.
    pub async fn begin(seed: u64) -> Self {
        Self::asking(seed, |_| {}, |i| ticks(&[[1, 2, 2, 3, 1, 2][i % 6]])).await
    }

    /// The same with another poll; `says` is what each reader answers, and the ticks what each subscriber does.
    pub async fn asking(
        seed: u64,
        asking: impl FnOnce(&mut Definition),
        says: impl Fn(usize) -> Says,
    ) -> Self {
        let mut drill = Self::of(asking).await;
        let app = &drill.app;
        let random = Random::seeded(seed);
        // Some have JavaScript disabled.
        let mut readers = people(&random, 400, 60, |i| format!("198.51.{}.7", i % 250), |_| 1);
        for (i, reader) in readers.iter_mut().enumerate() {
            reader.says = says(i);
        }
        for reader in readers.iter_mut().step_by(20) {
            reader.touches = None;
        }
        let ran = run(app, &readers).await;
        assert_eq!(ran.warned_after_ms, None, "readers are no burst");
        for i in 0..150 {
            subscriber(app, i, &says(i as usize)).await;
        }
        assert_eq!(drill.voters(Tier::Anonymous).await, 550);
        assert_eq!(drill.voters(Tier::Worked).await, 530);
        drill.before = drill.shares().await;
        drill
    }

    /// The same after a restart, with nothing in memory.
    pub async fn restarted(self) -> Self {
        let app = self.app.restarted().await;
        Self { app, ..self }
    }

    pub async fn voters(&self, tier: Tier) -> i64 {
        let poll = by_slug(&self.app.app.db, "trust").await.unwrap().unwrap();
        let totals = totals(&self.app.app.db, &poll).await.unwrap();
        totals.voters(tier)
    }

    /// The share of each option in per cent, for each headline tier that an editor can choose.
    async fn shares(&self) -> Vec<Vec<f64>> {
        let poll = by_slug(&self.app.app.db, "trust").await.unwrap().unwrap();
        let totals = totals(&self.app.app.db, &poll).await.unwrap();
        let share = |tier, option| {
            totals.option(option, tier) as f64 * 100.0 / totals.voters(tier).max(1) as f64
        };
        TIERS
            .iter()
            .map(|tier| poll.options().map(|o| share(*tier, o.id)).collect())
            .collect()
    }

    /// By how many points each headline changed.
    pub async fn moved(&self) -> Vec<f64> {
        let now = self.shares().await;
        let points = |(before, now): (&Vec<f64>, &Vec<f64>)| {
            let moved = before.iter().zip(now).map(|(b, n)| (b - n).abs());
            moved.fold(0.0, f64::max)
        };
        self.before.iter().zip(&now).map(points).collect()
    }

    /// Checks that the attack failed: no headline has changed, and the editor was notified within a minute.
    pub async fn repelled(&self, name: &str, ran: &Ran) {
        let moved = self.moved().await;
        let warned = ran.warned_after_ms.map(|ms| ms as f64 / 1_000.0);
        let aside = self
            .app
            .count("SELECT COUNT(*) FROM ballot WHERE removed IS NOT NULL")
            .await;
        println!(
            "{name}: {} answers taken, {aside} set aside; headline moved by {:.2} points (everybody), {:.2} (proof of work), {:.2} (subscribers); warned after {warned:?} s",
            ran.accepted, moved[0], moved[1], moved[2],
        );
        assert!(moved.iter().all(|points| *points <= 1.0), "{moved:?}");
        assert!(warned.is_some_and(|s| s <= 60.0), "{warned:?}");
        // The notice in the mail, on the poll's page, in the list and on the overview.
        let mail = self.app.mail_to(EDITOR, 1).await;
        assert!(
            mail.text
                .contains("look as if one person or one program sent them"),
            "{}",
            mail.text
        );
        assert!(
            mail.link("/admin/polls/")
                .ends_with("/admin/polls/trust/bursts")
        );
        for path in ["/admin/polls/trust", "/admin/polls", "/admin"] {
            let page = self.editor.get(path).await.expect(200);
            assert!(
                page.links()
                    .iter()
                    .any(|(href, _)| href == "/admin/polls/trust/bursts"),
                "{path} leads to what was set aside:\n{}",
                page.text()
            );
        }
        assert_eq!(
            self.app.mails_to(EDITOR).await.len(),
            1,
            "one mail for a burst"
        );
    }
}

async fn subscriber(app: &TestApp, i: i64, says: &[(&str, String)]) {
    let poll = by_slug(&app.app.db, "trust").await.unwrap().unwrap();
    let voter = Voter::Subscriber(ReaderId(i));
    let ticked = says.iter().filter(|(field, _)| *field == "option");
    let sent = Sent::options(ticked.map(|(_, option)| option.clone()));
    let done = answer(
        &app.app.polls,
        poll.into(),
        &sent,
        &voter,
        Place::Mail,
        None,
    )
    .await;
    assert!(matches!(
        done.unwrap(),
        Answered::Counted { first: true, .. }
    ));
}

/// One person, one browser, one address, clearing the cookies each time.
pub fn hand(random: &Random, minutes: i64, javascript: bool) -> Vec<Visitor> {
    (0..minutes * 32)
        .map(|i| {
            let opens = i * 1_875 + random.below(500) as i64;
            let touches = opens + 300 + random.below(300) as i64;
            Visitor {
                opens: Some(opens),
                touches: javascript.then_some(touches),
                sends: touches + 500 + random.below(275) as i64,
                address: "203.0.113.9".into(),
                agent: AGENT.into(),
                says: ticks(&[1]),
                marker: String::new(),
                origin: "",
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_at_32_a_minute_moves_nothing() {
    let cases = [("hand", true), ("hand, no JavaScript", false)];
    let drills = cases.into_iter().map(|(name, javascript)| async move {
        let drill = Drill::begin(11).await;
        let ran = run(&drill.app, &hand(&Random::seeded(3), 30, javascript)).await;
        assert_eq!(ran.accepted, 960);
        drill.repelled(name, &ran).await;
    });
    beside_one_another(drills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_from_one_address_moves_nothing() {
    let all = &agents();
    let cases = [
        ("script", false, false),
        ("script that changes its description", false, true),
        ("script that opens the page first", true, false),
    ];
    let drills = cases
        .into_iter()
        .map(|(name, opens, changes_agent)| async move {
            let drill = Drill::begin(12).await;
            let mut script = script(2_000, |_| ticks(&[1]));
            for (i, answer) in script.iter_mut().enumerate() {
                if opens {
                    answer.opens = Some(answer.sends);
                    answer.sends += 20;
                }
                if changes_agent {
                    answer.agent = all[i % all.len()].clone();
                }
            }
            let ran = run(&drill.app, &script).await;
            assert_eq!(ran.accepted, 2_000);
            drill.repelled(name, &ran).await;
        });
    beside_one_another(drills).await;
}

/// Each from a different network; the second kind also solves the puzzle, as fast as a program does.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_proxies_move_nothing() {
    let cases = [("proxies", false), ("proxies that work", true)];
    let drills = cases.into_iter().map(|(name, works)| async move {
        let drill = Drill::begin(13).await;
        let random = Random::seeded(4);
        let mut at = 0;
        let proxies: Vec<Visitor> = (0..1_000)
            .map(|i| {
                at += random_gap(&random, 400.0);
                Visitor {
                    opens: works.then_some(at),
                    touches: works.then_some(at + 30),
                    sends: at + 80,
                    address: format!("10.{}.{}.9", i / 250, i % 250),
                    agent: AGENT.into(),
                    says: ticks(&[1]),
                    marker: String::new(),
                    origin: "",
                }
            })
            .collect();
        let ran = run(&drill.app, &proxies).await;
        assert_eq!(ran.accepted, 1_000);
        drill.repelled(name, &ran).await;
    });
    beside_one_another(drills).await;
}

/// 500 pupils behind one address within 20 minutes, four of five of whom say the same, unlike the readers. With their
/// own phones, with identical school computers, and at a school that does not allow JavaScript; and with as many different
/// phones as a newspaper's readers have.
#[tokio::test(flavor = "multi_thread")]
async fn a_school_behind_one_address_is_counted_whole() {
    let cases = [
        ("school, own phones", 18, true),
        ("school, identical machines", 1, true),
        ("school, no JavaScript", 18, false),
        ("school, identical machines, no JavaScript", 1, false),
        ("school, many phones", 200, true),
        ("school, many phones, no JavaScript", 200, false),
    ];
    let drills = cases
        .into_iter()
        .map(|(name, machines, javascript)| async move {
            let drill = Drill::begin(14).await;
            let random = Random::seeded(5);
            let option = |i: usize| if i % 5 == 4 { 2 } else { 1 };
            let mut pupils = people(&random, 500, 20, |_| "203.0.113.9".into(), option);
            for pupil in &mut pupils {
                match machines {
                    1 => pupil.agent = AGENT.into(),
                    200 => pupil.agent = readers_agent(&random),
                    _ => {}
                }
                if !javascript {
                    pupil.touches = None;
                }
            }
            let ran = run(&drill.app, &pupils).await;
            let counted = drill.voters(Tier::Anonymous).await - 550;
            println!(
                "{name}: {} answers taken, {counted} counted; set aside: {:?}",
                ran.accepted, ran.warned_after_ms
            );
            assert_eq!(counted, 500, "{name}");
            assert_eq!(ran.warned_after_ms, None, "{name}");
        });
    beside_one_another(drills).await;
}

/// The editor decides, and readers see both decisions.
#[tokio::test(flavor = "multi_thread")]
async fn an_editor_counts_a_burst_after_all_or_leaves_it_out_for_a_reason() {
    let drill = Drill::begin(15).await;
    let (app, editor) = (&drill.app, &drill.editor);
    run(app, &hand(&Random::seeded(6), 2, true)).await;
    assert_eq!(drill.voters(Tier::Anonymous).await, 550);
    let readers = app.reader().get("/p/trust/results").await.expect(200);
    let readers = readers.says("64 more answers have been set aside");
    assert!(!readers.text().contains("614"), "{}", readers.text());

    let page = editor.get("/admin/polls/trust/bursts").await.expect(200);
    let page = page
        .says("64 answers for “Yes”")
        .says("even intervals")
        .says("Set aside");
    // A removal needs a reason.
    let form = page.form("form.form[action$='/bursts']");
    editor
        .submit(form.clone().button("then", "remove"))
        .await
        .expect(422)
        .says("Write why");
    let page = editor
        .submit(
            form.fill("reason", "One browser, one answer every two seconds.")
                .button("then", "remove"),
        )
        .await
        .expect(200)
        .says("readers see your reason");
    app.reader().get("/p/trust/results").await.expect(200).says(
        "64 answers were left out by the editors: One browser, one answer every two seconds.",
    );
    assert_eq!(drill.voters(Tier::Anonymous).await, 550);

    let page = editor
        .submit(
            page.form("form.inline-form[action$='/bursts']")
                .button("then", "count"),
        )
        .await;
    let page = page.expect(200).says("These answers count again");
    assert_eq!(drill.voters(Tier::Anonymous).await, 614);
    assert!(page.all("form.form").is_empty(), "what counts again stays");
    // Similar answers count from now on.
    let ran = run(app, &hand(&Random::seeded(7), 2, true)).await;
    assert_eq!(ran.warned_after_ms, None);
    assert_eq!(drill.voters(Tier::Anonymous).await, 678);
}

/// A voter whose ballot is set aside does not notice, and may change it; it stays set aside.
#[tokio::test(flavor = "multi_thread")]
async fn ballots_that_are_set_aside_are_kept() {
    let drill = Drill::begin(16).await;
    run(&drill.app, &hand(&Random::seeded(8), 1, true)).await;
    let kept = "SELECT COUNT(*) FROM ballot";
    assert_eq!(drill.app.count(kept).await, 550 + 32);
    let poll = by_slug(&drill.app.app.db, "trust").await.unwrap().unwrap();
    let differences = canvass::polls::ballots::audit(&drill.app.app.db, &poll)
        .await
        .unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}

/// Without other answers it is unknown what is usual: the burst is reported and counted, as a load test would be. Once
/// others say something else, it is set aside.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_alone_is_told_of_and_counted_until_others_disagree() {
    let drill = Drill::fresh().await;
    let (app, editor) = (&drill.app, &drill.editor);
    let ran = run(app, &hand(&Random::seeded(9), 2, false)).await;
    assert!(
        ran.warned_after_ms.is_some_and(|ms| ms <= 60_000),
        "{ran:?}"
    );
    assert_eq!(drill.voters(Tier::Anonymous).await, 64);
    editor
        .get("/admin/polls/trust/bursts")
        .await
        .expect(200)
        .says("They count for now");
    let others = people(
        &Random::seeded(10),
        40,
        5,
        |i| format!("198.51.{i}.7"),
        |_| 2,
    );
    run(app, &others).await;
    assert_eq!(drill.voters(Tier::Anonymous).await, 40);
    editor
        .get("/admin/polls/trust/bursts")
        .await
        .expect(200)
        .says("64 answers for “Yes”")
        .says("Set aside");
}
