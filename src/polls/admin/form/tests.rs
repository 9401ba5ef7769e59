use super::*;
use crate::polls::admin::questions::Line;
use crate::polls::definition::OptionText;

fn typed() -> Typed {
    let mut typed = Typed::empty(&Zone::parse("Europe/Berlin").expect("a zone"));
    typed.questions[0].text = "Do you trust the mainstream media?".into();
    typed.questions[0].options[0].label = "Yes".into();
    typed.questions[0].options[1].label = "No".into();
    typed.changed(Then::AddOption(1))
}

#[test]
fn a_poll_is_named_after_its_question() {
    let definition = typed().definition(&[], None).expect("whole");
    assert_eq!(definition.slug, "do-you-trust-the-mainstream-media");
    assert_eq!(
        definition.questions[0].options,
        ["Yes", "No"].map(OptionText::from)
    );
}

#[test]
fn a_stored_poll_comes_back_as_it_was() {
    let mut form = typed();
    form.questions.push(TypedQuestion {
        text: "How good?".into(),
        kind: "rating".into(),
        scale: "0-10".into(),
        low: "bad".into(),
        ..TypedQuestion::empty()
    });
    form.questions[0].other = true;
    form.closes = "2026-11-29T18:00:30.250".into();
    form.linking = "linked".into();
    let definition = form.definition(&[], None).expect("whole");
    let again = Typed::of(&definition.sketch(), &[]);
    assert_eq!(again.closes, form.closes);
    let poll = definition.sketch();
    assert!(!again.changes_linking(&poll) && !Typed::default().changes_linking(&poll));
    for (linking, words) in [("secret", SUGGESTED), ("linked", "Other words.")] {
        let typed = Typed {
            linking: linking.into(),
            link_words: words.into(),
            ..again.clone()
        };
        assert!(typed.changes_linking(&poll), "{linking}: {words}");
    }
    assert_eq!(again.definition(&[], Some(&poll)).as_ref(), Ok(&definition));
}

/// What a script may set on a poll but the form has no field for, or spells differently.
#[test]
fn a_draft_that_a_script_made_is_not_changed_by_looking_at_it() {
    let mut form = typed();
    form.questions[0].kind = "ranked".into();
    form.questions[0].options.push(Line {
        label: "Unsure".into(),
        ..Line::default()
    });
    let mut definition = form.definition(&[], None).expect("whole");
    definition.title = "Trust, spring wave".into();
    definition.headline_tier = Tier::SignedIn;
    definition.questions[0].min_choices = 2;
    let poll = definition.sketch();
    let typed = Typed::of(&poll, &[]);
    assert_eq!(typed.definition(&[], Some(&poll)), Ok(definition));
    // Limits that contradict each other are reported as a fault.
    let mut odd = typed.clone();
    (odd.questions[0].min_ranks, odd.questions[0].ranks) = ("3".into(), "2".into());
    let errors = odd.definition(&[], Some(&poll)).expect_err("no limits");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["max_choices.1"]);
}

/// On 25 October 2026 the hour from two to three occurs twice in Berlin. An editor who changes something else
/// does not move the close.
#[test]
fn a_moment_that_clocks_show_twice_stays_where_it_was() {
    let mut poll = typed().definition(&[], None).expect("whole").sketch();
    let second = |minute: i64| UnixMillis(1_792_886_400_000 + minute * 60_000);
    (poll.opens_at, poll.closes_at) = (Some(second(0) + HOUR), Some(second(30) + HOUR));
    let mut form = Typed::of(&poll, &[]);
    assert_eq!(form.closes, "2026-10-25T02:30");
    form.visibility = "never".into();
    let whole = form.definition(&[], Some(&poll)).expect("whole");
    assert_eq!(
        (whole.opens_at, whole.closes_at),
        (poll.opens_at, poll.closes_at)
    );
    let timing = form.timing(&poll);
    assert_eq!(
        timing,
        Ok((poll.opens_at, poll.closes_at, Visibility::Never))
    );
    // A newly typed time means the first of the two.
    form.closes = "2026-10-25T02:45".into();
    form.opens = "2026-10-25T01:00".into();
    let (_, closes, _) = form.timing(&poll).expect("whole");
    assert_eq!(closes, Some(second(45)));
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3_600);

#[test]
fn a_fault_stands_at_its_question() {
    let mut form = typed();
    form.questions.push(TypedQuestion::empty());
    let errors = form.definition(&[], None).expect_err("an empty question");
    assert_eq!(
        errors.keys().collect::<Vec<_>>(),
        ["options.2", "question.2"]
    );
}

#[test]
fn times_are_read_in_the_zone() {
    let form = Typed {
        opens: "2026-11-22T18:00".into(),
        closes: "2026-11-29 18:00".into(),
        ..typed()
    };
    let definition = form.definition(&[], None).expect("whole");
    assert_eq!(
        definition.opens_at.map(|at| at.to_string()).as_deref(),
        Some("2026-11-22T17:00:00.000Z")
    );
    let errors = Typed {
        opens: "soon".into(),
        ..form.clone()
    }
    .definition(&[], None)
    .expect_err("no time");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["opens"]);
    let errors = Typed {
        closes: "2026-11-22T17:59".into(),
        ..form
    }
    .timing(&definition.sketch())
    .expect_err("backwards");
    assert!(errors.contains_key("closes"));
}
