use super::*;
use crate::{
    mailer::{BreakerState, smtp::trust_of_this_machine},
    types::Secret,
};

const AT: UnixMillis = UnixMillis(1_772_442_000_000);

fn settings(weight: u32) -> config::Relay {
    config::Relay {
        weight,
        ..config::Relay::at(Secret::default())
    }
}

fn relays(weights: &[u32], change: impl Fn(usize, &mut config::Relay)) -> Relays {
    let mut relays = Relays::default();
    let trust = trust_of_this_machine().unwrap();
    for (n, weight) in weights.iter().enumerate() {
        let url = format!("smtp://mx{n}.example");
        let mut settings = settings(*weight);
        change(n, &mut settings);
        let relay = Relay::parse(&url, "news.example", trust.clone()).unwrap();
        relays.push(&settings, relay, 2).unwrap();
    }
    relays
}

fn way(relays: &Relays, key: u64, kind: Kind) -> Option<usize> {
    way_at(relays, key, kind, Instant::now())
}

fn way_at(relays: &Relays, key: u64, kind: Kind, now: Instant) -> Option<usize> {
    match relays.choose(key, kind, now, AT, |_| false, &[]) {
        Choice::Way(way) => Some(way.relay),
        _ => None,
    }
}

#[test]
fn weights_are_shares_and_a_key_stays_with_its_relay() {
    let relays = relays(&[1, 2, 7], |_, _| ());
    let mut shares = [0_i32; 3];
    for key in 0..10_000 {
        let chosen = way(&relays, key, Kind::First).unwrap();
        assert_eq!(way(&relays, key, Kind::Again), Some(chosen));
        shares[chosen] += 1;
    }
    for (share, wanted) in shares.iter().zip([1_000, 2_000, 7_000]) {
        assert!((share - wanted).abs() < 250, "{shares:?}");
    }
}

#[test]
fn what_rests_gives_its_share_to_the_others_and_nobody_else_moves() {
    let relays = relays(&[1, 1, 1], |_, _| ());
    let at = Instant::now();
    let before: Vec<_> = (0..3_000)
        .map(|key| way_at(&relays, key, Kind::First, at))
        .collect();
    relays.rests(
        1,
        Cause::Usual,
        &words(421, "4.3.2"),
        at,
        AT,
        &Random::seeded(1),
    );
    let mut moved = [0; 3];
    for (key, before) in before.iter().enumerate() {
        let now = way_at(&relays, key as u64, Kind::First, at);
        if *before == Some(1) {
            moved[now.unwrap()] += 1;
        } else {
            assert_eq!(now, *before);
        }
    }
    assert!(
        moved[0] > 400 && moved[1] == 0 && moved[2] > 400,
        "{moved:?}"
    );
    assert_eq!(relays.wait(at, AT, true, |_| false), None);
    relays.rests(0, Cause::Usual, &gone(), at, AT, &Random::seeded(1));
    relays.rests(2, Cause::Usual, &gone(), at, AT, &Random::seeded(1));
    assert_eq!(way_at(&relays, 1, Kind::Single, at), None);
    assert!(relays.wait(at, AT, true, |_| false).is_some());
}

#[test]
fn connections_are_counted() {
    let relays = relays(&[1], |_, _| ());
    let route = relays.route(0);
    let mut seats: Vec<_> = (0..2).map(|_| route.seat(false).unwrap()).collect();
    assert!(route.seat(false).is_none());
    assert!(route.is_full());
    // One lane that leaves is enough, and until it has left nobody gets its slot.
    seats[0].leave();
    assert!(!route.is_full() && route.seat(false).is_none());
    seats.remove(0);
    seats.push(route.seat(false).unwrap());
    assert!(route.is_full(), "what was left is counted no longer");
    let reserved = route.seat(true).unwrap();
    assert_eq!(relays.status(AT)[0].connections, 3);
    assert_eq!(relays.status(AT)[0].connections_allowed, 3);
    assert_eq!(way(&relays, 1, Kind::First), None);
    assert!(relays.wait(Instant::now(), AT, true, |_| false).is_some());
    drop((seats, reserved));
    assert_eq!(way(&relays, 1, Kind::First), Some(0));
    assert_eq!(relays.status(AT)[0].connections, 0);
}

#[test]
fn a_pace_spreads_first_attempts_and_single_mails_do_not_wait() {
    let free = relays(&[1, 1], |_, _| ());
    let key = (0..).find(|key| way(&free, *key, Kind::First) == Some(0));
    let key = key.unwrap();
    let relays = relays(&[1, 1], |_, settings| settings.per_second = 1);
    assert_eq!(way(&relays, key, Kind::First), Some(0));
    assert_eq!(
        way(&relays, key, Kind::First),
        Some(1),
        "the other has time"
    );
    assert_eq!(way(&relays, key, Kind::First), None);
    assert_eq!(way(&relays, key, Kind::Single), Some(0));
    let now = Instant::now();
    let choice = relays.choose(key, Kind::Again, now, AT, |_| false, &[]);
    assert!(matches!(choice, Choice::Wait(wait) if !wait.is_zero()));
}

#[test]
fn one_name_is_one_relay() {
    let mut relays = relays(&[1], |_, _| ());
    let trust = trust_of_this_machine().unwrap();
    let relay = Relay::parse("smtp://mx0.example", "news.example", trust).unwrap();
    assert_eq!(
        relays.push(&settings(1), relay, 1),
        Err("mx0.example:25".to_owned())
    );
}

#[test]
fn the_last_minute_is_counted_by_the_second() {
    let relays = relays(&[1], |_, _| ());
    for _ in 0..5 {
        relays.took(0, Instant::now());
    }
    let status = &relays.status(AT)[0];
    assert_eq!((status.handed_over, status.last_minute), (5, 5));
    relays.took(0, Instant::now() + Duration::from_secs(3_600));
    let later = relays
        .route(0)
        .status(Instant::now() + Duration::from_secs(3_601), AT);
    assert_eq!((later.handed_over, later.last_minute), (6, 1));
}

/// Whether the relay would be used at this time.
fn takes(relays: &Relays, now: Instant) -> bool {
    let choice = relays.choose(1, Kind::Single, now, AT, |_| false, &[]);
    matches!(choice, Choice::Way(_))
}

#[test]
fn a_connection_that_breaks_after_a_rest_makes_it_a_longer_rest_and_no_silence() {
    let (relays, random) = (relays(&[1], |_, _| ()), Random::seeded(1));
    let mut now = Instant::now();
    relays.rests(0, Cause::Usual, &gone(), now, AT, &random);
    now += Duration::from_secs(2);
    assert!(takes(&relays, now) && !takes(&relays, now), "one tries");
    relays.lost(0, &gone(), now, AT, &random);
    assert!(!takes(&relays, now));
    now += Duration::from_secs(3);
    assert!(
        takes(&relays, now),
        "it rested for two seconds, not for a minute"
    );
    relays.took(0, now);
    relays.lost(0, &gone(), now, AT, &random);
    assert!(takes(&relays, now), "one that breaks while all is well");
}

#[test]
fn a_mail_that_is_not_sent_after_all_lets_another_try() {
    let (relays, random) = (relays(&[1], |_, _| ()), Random::seeded(1));
    let mut now = Instant::now();
    let Choice::Way(before) = relays.choose(1, Kind::Single, now, AT, |_| false, &[]) else {
        panic!("all is well");
    };
    relays.rests(0, Cause::Usual, &gone(), now, AT, &random);
    now += Duration::from_secs(2);
    let choose = || match relays.choose(1, Kind::Single, now, AT, |_| false, &[]) {
        Choice::Way(way) => Some(way),
        _ => None,
    };
    let trial = choose().unwrap();
    assert!(choose().is_none());
    relays.not_taken(before);
    assert!(choose().is_none(), "that one was chosen before the rest");
    relays.not_taken(trial);
    assert!(choose().is_some());
}

/// A lane that waited long for its greeting shares the refusal, when the pause after it is over.
#[test]
fn a_refused_login_counts_once_however_late_a_lane_is_told() {
    let (relays, random) = (relays(&[1], |_, _| ()), Random::seeded(1));
    let refused = Instant::now();
    let rests = |now| relays.rests(0, Cause::Login, &words(535, "5.7.8"), now, AT, &random);
    relays.route(0).logins.refused(refused);
    rests(refused);
    let late = refused + Duration::from_secs(5);
    rests(late);
    assert!(takes(&relays, late), "it is tried again");
    relays.route(0).logins.refused(late);
    rests(late);
    assert!(!takes(&relays, late + Duration::from_secs(800)));
}

#[test]
fn a_day_without_grants_in_hand_is_asked_before_a_relay_is_tried() {
    let relays = relays(&[1], |_, settings| settings.per_day = 10);
    let now = Instant::now() + Duration::from_secs(2);
    relays.rests(
        0,
        Cause::Usual,
        &gone(),
        Instant::now(),
        AT,
        &Random::seeded(1),
    );
    for _ in 0..2 {
        let choice = relays.choose(1, Kind::First, now, AT, |_| false, &[]);
        assert!(matches!(choice, Choice::Refill(0)), "{choice:?}");
    }
}

fn words(code: i16, enhanced: &str) -> Words {
    Words {
        code,
        enhanced: enhanced.to_owned(),
        text: format!("{enhanced} because"),
    }
}

/// A connection that broke without a reply.
fn gone() -> Words {
    Words {
        text: "gone".into(),
        ..Words::default()
    }
}

#[test]
fn a_relay_that_refuses_us_mail_after_mail_is_left_alone() {
    let (relays, random) = (relays(&[1, 1], |_, _| ()), Random::seeded(1));
    let (mut now, no) = (Instant::now(), words(554, "5.7.1"));
    for _ in 1..IN_A_ROW {
        relays.refused_us(0, &no, now, AT, &random);
    }
    relays.took(0, now);
    for n in 1..=IN_A_ROW {
        assert_eq!(relays.status(AT)[0].breaker, BreakerState::Closed, "{n}");
        relays.refused_us(0, &no, now, AT, &random);
    }
    let status = &relays.status(AT)[0];
    assert!(matches!(status.breaker, BreakerState::Open { .. }));
    assert_eq!(status.breaker_words, "554 5.7.1 because");
    assert!((0..100).all(|key| way(&relays, key, Kind::Single) == Some(1)));
    assert!(!relays.all_refuse_us());
    now += Duration::from_secs(2);
    let key = (0..).find(|key| score(*key, relays.route(0)) < score(*key, relays.route(1)));
    let choose = || match relays.choose(key.unwrap(), Kind::First, now, AT, |_| false, &[]) {
        Choice::Way(way) => Some(way.relay),
        _ => None,
    };
    assert_eq!((choose(), choose()), (Some(0), Some(1)), "one mail tries");
    relays.refused_us(0, &no, now, AT, &random);
    assert_eq!(choose(), Some(1), "and not for the first time");
    for _ in 0..IN_A_ROW {
        relays.refused_us(1, &no, now, AT, &random);
    }
    assert!(relays.all_refuse_us());
    relays.took(1, now);
    assert!(!relays.all_refuse_us());
}

#[test]
fn a_relay_that_puts_off_mail_after_mail_is_passed_over_where_there_is_another() {
    let random = Random::seeded(1);
    let (now, later) = (Instant::now(), words(451, "4.3.0"));
    let two = relays(&[1, 1], |_, _| ());
    let one = relays(&[1], |_, _| ());
    for relays in [&two, &one] {
        for _ in 0..IN_A_ROW {
            relays.deferred(Way::default(), &later, now, AT, &random);
        }
    }
    assert!((0..100).all(|key| way(&two, key, Kind::Again) == Some(1)));
    assert!(matches!(
        two.status(AT)[0].breaker,
        BreakerState::Open { .. }
    ));
    assert_eq!(way(&one, 1, Kind::Again), Some(0), "there is no other");
    assert_eq!(one.status(AT)[0].breaker, BreakerState::Closed);
    let seats: Vec<_> = (0..2).map(|_| two.route(1).seat(false).unwrap()).collect();
    assert_eq!(way(&two, 1, Kind::First), Some(0), "the other is full");
    drop(seats);
    two.took(0, now);
    assert!((0..100).any(|key| way(&two, key, Kind::First) == Some(0)));
}

#[test]
fn a_relay_that_greylists_is_not_passed_over() {
    let random = Random::seeded(1);
    let now = Instant::now();
    let passed_over = |code: &str, is_first| {
        let relays = relays(&[1, 1], |_, _| ());
        let way = Way {
            is_first,
            ..Way::default()
        };
        for _ in 0..IN_A_ROW {
            relays.deferred(way, &words(451, code), now, AT, &random);
        }
        relays.status(AT)[0].breaker != BreakerState::Closed
    };
    assert!(
        !passed_over("4.7.1", true),
        "the mail may be accepted when it comes back"
    );
    assert!(passed_over("4.7.1", false), "the mail did come back");
    assert!(passed_over("4.3.0", true), "not the code of a policy");
    assert!(!passed_over("4.2.0 Greylisted", false), "the text says it");
}

#[test]
fn a_mail_does_not_go_twice_to_a_relay_that_refused_it() {
    let relays = relays(&[1, 1], |_, _| ());
    let way =
        |not: &[usize]| match relays.choose(7, Kind::First, Instant::now(), AT, |_| false, not) {
            Choice::Way(way) => Some(way.relay),
            _ => None,
        };
    assert_eq!(way(&[0]), Some(1));
    assert_eq!(way(&[1]), Some(0));
    assert_eq!(way(&[0, 1]), None);
}
