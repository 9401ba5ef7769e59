use super::*;
use crate::polls::define::OptionText;

fn typed() -> Typed {
    let mut typed = Typed::empty(&Zone::parse("Europe/Berlin").expect("a zone"));
    typed.questions[0].text = "Do you trust the mainstream media?".into();
    typed.questions[0].options[0].label = "Yes".into();
    typed.questions[0].options[1].label = "No".into();
    typed.changed(Then::AddOption(1))
}

#[test]
fn a_poll_is_named_after_its_question() {
    let definition = typed().definition(&[]).expect("whole");
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
    let definition = form.definition(&[]).expect("whole");
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
    assert_eq!(again.definition(&[]).as_ref(), Ok(&definition));
}

#[test]
fn a_fault_stands_at_its_question() {
    let mut form = typed();
    form.questions.push(TypedQuestion::empty());
    let errors = form.definition(&[]).expect_err("an empty question");
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
    let definition = form.definition(&[]).expect("whole");
    assert_eq!(
        definition.opens_at.map(|at| at.to_string()).as_deref(),
        Some("2026-11-22T17:00:00.000Z")
    );
    let errors = Typed {
        opens: "soon".into(),
        ..form.clone()
    }
    .definition(&[])
    .expect_err("no time");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["opens"]);
    let errors = Typed {
        closes: "2026-11-22T17:59".into(),
        ..form
    }
    .timing()
    .expect_err("backwards");
    assert!(errors.contains_key("closes"));
}
