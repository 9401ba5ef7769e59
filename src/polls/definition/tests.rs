use super::*;
use crate::polls::model::{Kind, Picture, Role, Tier};
use crate::types::UnixMillis;

fn definition() -> Definition {
    let question = QuestionText {
        text: " Do you trust the mainstream media? ".into(),
        options: vec!["Yes".into(), " No ".into(), "  ".into()],
        ..QuestionText::default()
    };
    Definition::new("trust", vec![question])
}

fn faults(change: impl FnOnce(&mut Definition)) -> Vec<&'static str> {
    let mut definition = definition();
    change(&mut definition);
    definition
        .check()
        .into_iter()
        .map(|fault| fault.field)
        .collect()
}

#[test]
fn a_whole_definition_is_trimmed_and_named_after_its_question() {
    let mut whole = definition();
    assert_eq!(whole.check(), []);
    assert_eq!(whole.title, "Do you trust the mainstream media?");
    assert_eq!(
        whole.questions[0].options,
        ["Yes", "No"].map(OptionText::from)
    );
}

#[test]
fn a_poll_is_made_again_from_what_it_is() {
    let mut whole = definition();
    whole.title = "Spring wave".into();
    whole.headline_tier = Tier::SignedIn;
    whole.linking = Some("We keep it.".into());
    let question = |kind| QuestionText {
        text: "And?".into(),
        kind,
        options: ["a", "b", "c"].map(OptionText::from).to_vec(),
        ..QuestionText::default()
    };
    whole.questions.extend([
        QuestionText {
            other: Some("Other".into()),
            none: Some("None".into()),
            max_choices: 2,
            ..question(Kind::Several)
        },
        QuestionText {
            min_choices: 2,
            max_choices: 3,
            ..question(Kind::Ranked)
        },
        QuestionText {
            scale: Some(ScaleText {
                from: 0,
                to: 10,
                low: "bad".into(),
                high: String::new(),
            }),
            ..question(Kind::Rating)
        },
    ]);
    assert_eq!(whole.check(), []);
    assert_eq!(Definition::of(&whole.sketch()), whole);
    let mut retired = whole.sketch();
    retired.questions[0].options[1].retired = true;
    whole.questions[0].options.pop();
    assert_eq!(Definition::of(&retired), whole);
}

#[test]
fn each_fault_names_its_field() {
    assert_eq!(faults(|d| d.slug = "Trust me".into()), ["slug"]);
    // The editors' page about it would be the form for a new poll.
    assert_eq!(faults(|d| d.slug = " new ".into()), ["slug"]);
    assert_eq!(faults(|d| d.slug = "new-poll".into()), [""; 0]);
    assert_eq!(
        faults(|d| d.time_zone = "Europe/Atlantis".into()),
        ["time_zone"]
    );
    assert_eq!(
        faults(|d| (d.opens_at, d.closes_at) = (Some(UnixMillis(2)), Some(UnixMillis(2)))),
        ["closes_at"]
    );
    assert_eq!(faults(|d| d.questions.clear()), ["question"]);
    assert_eq!(
        faults(|d| d.questions[0].text = "a\r\nb".into()),
        ["question"]
    );
    assert_eq!(faults(|d| d.questions[0].options.truncate(1)), ["options"]);
    assert_eq!(
        faults(|d| d.questions[0].options.push("Yes".into())),
        ["options"]
    );
    assert_eq!(
        faults(|d| d.questions[0].options.push("x".repeat(1_000_000).into())),
        ["options"]
    );
    assert_eq!(faults(|d| d.questions[0].max_choices = 3), ["max_choices"]);
}

#[test]
fn a_close_that_has_passed_is_a_fault() {
    let at = |closes: Option<i64>| super::over(closes.map(UnixMillis), UnixMillis(7));
    assert_eq!((at(None), at(Some(8))), (None, None));
    for passed in [6, 7] {
        assert_eq!(at(Some(passed)).map(|fault| fault.field), Some("closes_at"));
    }
}

fn question(change: impl FnOnce(&mut QuestionText)) -> (Vec<&'static str>, QuestionText) {
    let mut definition = definition();
    change(&mut definition.questions[0]);
    let faults = definition.check().into_iter().map(|f| f.field).collect();
    (faults, definition.questions.remove(0))
}

#[test]
fn several_is_recognised_by_its_limit() {
    let (faults, question) = question(|q| q.max_choices = 2);
    assert_eq!((faults, question.kind), (vec![], Kind::Several));
}

#[test]
fn a_rating_has_the_points_of_its_scale() {
    let scale = |from, to| {
        question(|q| {
            q.kind = Kind::Rating;
            q.scale = Some(ScaleText {
                from,
                to,
                low: " bad ".into(),
                high: "good".into(),
            });
        })
    };
    let (faults, rated) = scale(1, 5);
    assert_eq!(faults, [""; 0]);
    assert_eq!(
        rated.options,
        ["1", "2", "3", "4", "5"].map(OptionText::from)
    );
    assert_eq!(rated.scale.map(|s| s.low).as_deref(), Some("bad"));
    assert_eq!(scale(0, 10).1.options.len(), 11);
    for (from, to) in [
        (1, 1),
        (5, 1),
        (-1, 5),
        (2, 5),
        (1, 11),
        (i64::MIN, i64::MAX),
    ] {
        assert_eq!(scale(from, to).0, ["scale"], "{from} to {to}");
    }
    assert_eq!(question(|q| q.kind = Kind::Rating).0, ["scale"]);
}

#[test]
fn a_ranking_is_bounded() {
    let ranked = |n: usize, max| {
        question(|q| {
            q.kind = Kind::Ranked;
            q.options = (0..n).map(|i| format!("option {i}").into()).collect();
            q.max_choices = max;
        })
    };
    assert_eq!(ranked(4, 0).1.max_choices, 4);
    assert_eq!(ranked(12, 0).1.max_choices, 5);
    assert_eq!(ranked(12, 5).0, [""; 0]);
    assert_eq!(ranked(12, 6).0, ["max_choices"]);
    assert_eq!(ranked(13, 0).0, ["options"]);
    assert_eq!(ranked(4, 1).0, ["max_choices"]);
}

#[test]
fn other_and_none_stand_last_and_only_where_options_are_chosen() {
    let (faults, chosen) = question(|q| {
        (q.other, q.none) = (Some("Other".into()), Some(" None of these ".into()));
    });
    assert_eq!(faults, [""; 0]);
    let rows: Vec<_> = chosen
        .rows()
        .map(|(label, role, _)| (label, role))
        .collect();
    assert_eq!(
        rows,
        [
            ("Yes", Role::Plain),
            ("No", Role::Plain),
            ("Other", Role::Words),
            ("None of these", Role::Apart)
        ]
    );
    assert_eq!(question(|q| q.other = Some("No".into())).0, ["options"]);
    assert_eq!(
        question(|q| (q.kind, q.max_choices, q.other) = (Kind::Ranked, 0, Some("x".into()))).0,
        ["other"]
    );
}

#[test]
fn a_picture_lies_on_this_site_and_is_described() {
    let with = |path: &str, alt: &str| {
        question(|q| {
            q.options[0].picture = Some(Picture {
                path: path.into(),
                alt: alt.into(),
                size: None,
            });
        })
        .0
    };
    assert_eq!(with("/media/a.jpg", "A tram"), [""; 0]);
    for path in [
        "https://evil.example/a.png",
        "//evil.example/a.png",
        "/\\evil.example/a.png",
        "a.png",
        "",
        "/a b.png",
        "/a\u{0}.png",
        "javascript:alert(1)",
        "/../\" onerror=x",
        "/media/a.jpg#x",
    ] {
        assert_eq!(with(path, "A tram"), ["pictures"], "{path}");
    }
    assert_eq!(with("/media/a.jpg", "  "), ["pictures"]);
}

#[test]
fn a_sketch_is_the_poll_that_would_be_stored() {
    let mut whole = definition();
    whole.questions[0].other = Some("Other".into());
    whole.check();
    let poll = whole.sketch();
    assert_eq!(poll.options().map(|o| o.key).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(poll.questions[0].options[2].role, Role::Words);
}
