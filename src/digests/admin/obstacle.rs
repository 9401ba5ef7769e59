//! Why an issue that is being sent does not move, as far as this process knows. Pure.

use crate::admin::show;
use crate::mailer::{BreakerState, Doing, RelayStatus, Status};
use crate::scheduler::Zone;
use crate::types::UnixMillis;

/// The most characters of a server's reply; the queue page shows all of it.
const WORDS: usize = 160;
/// The most providers that are named.
const NAMED: usize = 3;

/// What holds the mails up; `None` if nothing is known.
pub(super) fn of(status: &Status, now: UnixMillis, zone: &Zone) -> Option<String> {
    let (relays, several) = (&status.relays, status.relays.len() > 1);
    if !relays.is_empty() && relays.iter().all(|relay| is_full(relay) || is_open(relay)) {
        let Some(broken) = relays.iter().find(|relay| is_open(relay)) else {
            let whose = if several {
                "Every relay has"
            } else {
                "The relay has"
            };
            return Some(format!(
                "{whose} accepted as many mails today as its daily limit allows. The others go out tomorrow (UTC), by themselves."
            ));
        };
        let which = if several {
            "No relay accepts mails now"
        } else {
            "The relay accepts no mails now"
        };
        let words: String = broken.breaker_words.chars().take(WORDS).collect();
        let next = match broken.breaker {
            BreakerState::Open { until, .. } if until > now => {
                format!(" It is tried again at {}.", show::time(until, zone).text)
            }
            _ => " It is being tried again.".to_owned(),
        };
        let said = if words.is_empty() {
            ".".to_owned()
        } else {
            format!(": “{words}”.")
        };
        return Some(format!("{which}{said}{next}"));
    }
    let waiting: Vec<&str> = status
        .domains
        .iter()
        .filter(|domain| domain.waits_until.is_some_and(|until| until > now))
        .map(|domain| domain.name.as_str())
        .take(NAMED)
        .collect();
    if !waiting.is_empty() {
        return Some(format!(
            "The readers’ providers ask to wait: {}. Their mails go out later, by themselves.",
            waiting.join(", ")
        ));
    }
    let lanes = &status.lanes;
    let waits = |doing: Doing| doing == Doing::WaitsForRelay;
    (!lanes.is_empty() && lanes.iter().skip(1).all(|lane| waits(lane.doing)))
        .then(|| "Every connection waits for a relay.".to_owned())
}

/// Whether a relay has reached its daily limit.
fn is_full(relay: &RelayStatus) -> bool {
    matches!((relay.today, relay.per_day), (Some(today), Some(limit)) if today >= limit)
}

fn is_open(relay: &RelayStatus) -> bool {
    relay.breaker != BreakerState::Closed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::{DomainStatus, LaneStatus};

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    fn relay(today: i64, breaker: BreakerState) -> RelayStatus {
        RelayStatus {
            name: "one".to_owned(),
            connections: 1,
            connections_allowed: 5,
            handed_over: 0,
            last_minute: 0,
            today: Some(today),
            per_day: Some(100),
            breaker,
            breaker_words: match breaker {
                BreakerState::Closed => String::new(),
                _ => "connecting: refused".to_owned(),
            },
            last_words: String::new(),
            last_words_at: None,
        }
    }

    fn said(status: &Status) -> String {
        of(status, NOW, &Zone::utc()).unwrap_or_default()
    }

    #[test]
    fn the_cause_is_named_if_it_holds_everything_up() {
        let open = BreakerState::Open {
            failures: 3,
            until: UnixMillis(NOW.0 + 60_000),
        };
        let with = |relays: Vec<RelayStatus>| Status {
            relays,
            ..Status::default()
        };
        let (well, full) = (BreakerState::Closed, 100);
        assert_eq!(said(&with(vec![relay(99, well)])), "");
        assert!(said(&with(vec![relay(full, well)])).starts_with("The relay has accepted as many"));
        let one_of_two = with(vec![relay(full, well), relay(1, well)]);
        assert_eq!(said(&one_of_two), "", "the other goes on");
        let both = said(&with(vec![relay(full, well), relay(1, open)]));
        assert!(
            both.starts_with("No relay accepts mails now: “connecting: refused”. It is tried"),
            "{both}"
        );
        let throttled = Status {
            domains: vec![DomainStatus {
                name: "example.org".to_owned(),
                in_flight: 0,
                limit: None,
                waits_until: Some(UnixMillis(NOW.0 + 1)),
                words: String::new(),
            }],
            ..with(vec![relay(1, well)])
        };
        assert!(said(&throttled).contains("ask to wait: example.org."));
        let lane = |doing| LaneStatus { doing, since: NOW };
        let waits = Status {
            lanes: vec![lane(Doing::Idle), lane(Doing::WaitsForRelay)],
            ..with(vec![relay(1, well)])
        };
        assert_eq!(said(&waits), "Every connection waits for a relay.");
    }
}
