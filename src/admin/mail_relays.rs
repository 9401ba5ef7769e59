//! Relays, providers and lanes of this process, as the queue page shows them.

use serde_json::{Value, json};

use super::show;
use crate::mailer::{BreakerState, Doing, DomainStatus, LaneStatus, RelayStatus};
use crate::scheduler::Zone;

pub fn relay(relay: &RelayStatus, zone: &Zone) -> Value {
    let (state, badge) = match relay.breaker {
        BreakerState::Closed => ("In use".to_owned(), "is-good"),
        BreakerState::Open { until, .. } => (
            format!("Left alone until {}", show::time(until, zone).text),
            "is-bad",
        ),
        BreakerState::HalfOpen { .. } => ("Being tried".to_owned(), "is-wait"),
    };
    let today = match (relay.today, relay.per_day) {
        (Some(today), Some(limit)) => format!("{} of {}", show::count(today), show::count(limit)),
        (Some(today), None) => show::count(today),
        _ => "no limit".to_owned(),
    };
    let full = matches!((relay.today, relay.per_day), (Some(today), Some(limit)) if today >= limit);
    let words = if relay.breaker_words.is_empty() {
        &relay.last_words
    } else {
        &relay.breaker_words
    };
    json!({
        "name": relay.name, "state": state, "badge": badge,
        "connections": format!("{} of {}", relay.connections, relay.connections_allowed),
        "last_minute": show::count(relay.last_minute as i64),
        "handed_over": show::count(relay.handed_over as i64),
        "today": today, "full": full,
        "words": words, "words_at": relay.last_words_at.map(|at| show::time(at, zone)),
    })
}

pub fn domain(domain: &DomainStatus, zone: &Zone) -> Value {
    json!({
        "name": domain.name, "in_flight": domain.in_flight,
        "limit": domain.limit.map_or("\u{2013}".to_owned(), |limit| limit.to_string()),
        "until": domain.waits_until.map(|at| show::time(at, zone)),
        "words": domain.words,
    })
}

/// The lanes summed up in one line, and each on its own.
pub fn lanes(lanes: &[LaneStatus], zone: &Zone) -> Value {
    let of = |wanted: fn(&Doing) -> bool| lanes.iter().filter(|lane| wanted(&lane.doing)).count();
    let idle = of(|doing| matches!(doing, Doing::Idle));
    let waits = of(|doing| matches!(doing, Doing::WaitsForRelay));
    let busy = lanes.len() - idle - waits;
    let lane = |n: usize, lane: &LaneStatus| {
        let doing = match lane.doing {
            Doing::Idle => "has nothing to do",
            Doing::SingleMail => "sends single mails",
            Doing::Issue { .. } => "works on an issue",
            Doing::WaitsForRelay => "waits for a relay",
        };
        let issue = match lane.doing {
            Doing::Issue { issue } => Some(issue.0),
            _ => None,
        };
        json!({
            "name": if n == 0 { "Lane 0, for single mails".to_owned() } else { format!("Lane {n}") },
            "doing": doing, "issue": issue, "since": show::time(lane.since, zone),
        })
    };
    json!({
        "summary": format!(
            "{}: {busy} busy, {waits} waiting for a relay, {idle} without work",
            show::counted(lanes.len() as i64, "lane", "lanes")
        ),
        "all": lanes.iter().enumerate().map(|(n, one)| lane(n, one)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{IssueId, UnixMillis};

    #[test]
    fn a_relay_that_rests_says_until_when_and_why() {
        let at = UnixMillis(1_795_000_000_000);
        let mut status = RelayStatus {
            name: "mail.example.org:25".to_owned(),
            connections: 3,
            connections_allowed: 11,
            handed_over: 12_480,
            last_minute: 900,
            today: Some(50_000),
            per_day: Some(50_000),
            breaker: BreakerState::Closed,
            breaker_words: String::new(),
            last_words: "450 later".to_owned(),
            last_words_at: Some(at),
        };
        let shown = relay(&status, &Zone::utc());
        assert_eq!(
            (&shown["state"], &shown["badge"]),
            (&json!("In use"), &json!("is-good"))
        );
        assert_eq!(
            (&shown["today"], &shown["full"]),
            (&json!("50,000 of 50,000"), &json!(true))
        );
        assert_eq!(shown["words"], "450 later");
        status.breaker = BreakerState::Open {
            failures: 2,
            until: at,
        };
        status.breaker_words = "421 too many connections".to_owned();
        let shown = relay(&status, &Zone::utc());
        assert_eq!(shown["state"], "Left alone until 18 Nov 2026, 11:06");
        assert_eq!(shown["words"], "421 too many connections");
    }

    #[test]
    fn lanes_are_counted_by_what_they_do() {
        let at = UnixMillis(0);
        let all: Vec<LaneStatus> = [
            Doing::Idle,
            Doing::Issue { issue: IssueId(3) },
            Doing::WaitsForRelay,
        ]
        .into_iter()
        .map(|doing| LaneStatus { doing, since: at })
        .collect();
        let shown = lanes(&all, &Zone::utc());
        assert_eq!(
            shown["summary"],
            "3 lanes: 1 busy, 1 waiting for a relay, 1 without work"
        );
        assert_eq!(shown["all"][1]["issue"], 3);
    }
}
