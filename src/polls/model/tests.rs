use serde_json::json;
use utoipa::PartialSchema as _;

use super::*;

#[test]
fn opens_and_closes_to_the_millisecond() {
    let mut poll = example::single(&["yes", "no"]);
    (poll.opens_at, poll.closes_at) = (Some(UnixMillis(1_000)), Some(UnixMillis(2_000)));
    assert_eq!(
        poll.phase(UnixMillis(999)),
        Phase::NotYetOpen {
            opens_at: UnixMillis(1_000)
        }
    );
    assert_eq!(
        poll.phase(UnixMillis(1_000)),
        Phase::Open {
            closes_at: Some(UnixMillis(2_000))
        }
    );
    assert_eq!(
        poll.phase(UnixMillis(1_999)),
        Phase::Open {
            closes_at: Some(UnixMillis(2_000))
        }
    );
    assert_eq!(
        poll.phase(UnixMillis(2_000)),
        Phase::Closed {
            at: Some(UnixMillis(2_000))
        }
    );
}

#[test]
fn a_draft_does_not_exist_and_an_editor_can_close_early() {
    let mut poll = example::single(&["yes", "no"]);
    poll.state = PollState::Draft;
    assert_eq!(poll.phase(UnixMillis(0)), Phase::Hidden);
    assert!(!poll.shows_results(UnixMillis(0), true));
    poll.state = PollState::Closed;
    poll.closes_at = Some(UnixMillis(5_000));
    assert_eq!(poll.phase(UnixMillis(0)), Phase::Closed { at: None });
}

#[test]
fn results_show_when_the_editor_said() {
    let mut poll = example::single(&["yes", "no"]);
    poll.closes_at = Some(UnixMillis(10));
    let seen = |poll: &Poll| {
        [(5, false), (5, true), (10, false)]
            .map(|(now, answered)| poll.shows_results(UnixMillis(now), answered))
    };
    for (visibility, expected) in [
        (Visibility::Always, [true, true, true]),
        (Visibility::AfterVoting, [false, true, true]),
        (Visibility::AfterClose, [false, false, true]),
        (Visibility::Never, [false, false, false]),
    ] {
        poll.visibility = visibility;
        assert_eq!(seen(&poll), expected, "{visibility:?}");
    }
}

#[test]
fn codes_survive_the_round_trip() {
    for code in 0..6 {
        assert_eq!(Place::from_code(code).code(), code);
    }
    for code in 0..4 {
        assert_eq!(Visibility::from_code(code).code(), code);
        assert_eq!(Tier::from_code(code).code(), code);
    }
    for code in 0..3 {
        assert_eq!(PollState::from_code(code).code(), code);
    }
}

#[test]
fn files_pages_and_the_document_call_a_kind_and_a_tier_the_same() {
    let kinds = [0, 1, 2, 3].map(Kind::from_code);
    let names = kinds.map(|kind| json!(kind));
    assert_eq!(names, kinds.map(|kind| json!(kind.name())));
    assert_eq!(json!(Kind::schema())["enum"], json!(names));
    let tiers = [0, 1, 2, 3].map(Tier::from_code);
    let names = tiers.map(|tier| json!(tier));
    assert_eq!(names, tiers.map(|tier| json!(tier.name())));
    assert_eq!(json!(Tier::schema())["enum"], json!(names));
    let places = [0, 1, 2, 3, 4, 5].map(Place::from_code);
    assert_eq!(json!(Place::schema())["enum"], json!(places));
    let states = [0, 1, 2].map(PollState::from_code);
    assert_eq!(json!(PollState::schema())["enum"], json!(states));
}
