//! What the documents tell readers and authorities about personal data.

use std::collections::BTreeSet;

use crate::table_owners::tables;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What a publisher tells its readers and the authorities agrees with the code.
#[test]
fn what_is_kept_is_kept_as_long_as_the_privacy_page_says() {
    let page = read("deploy/privacy.md");
    let row = |of: &str| {
        let mut rows = page.lines().filter(|line| line.contains(of));
        let row = rows.next().unwrap_or_else(|| panic!("no row of {of}"));
        assert_eq!(rows.next(), None, "{of} stands there twice");
        row
    };
    const DAY: u64 = 24 * 60 * 60;
    for (of, file, name, seconds, said) in [
        ("`bounce` |", "bounces/purge", "KEPT", 400 * DAY, "400 days"),
        (
            "`outbox` |",
            "mailer/outbox/store",
            "KEPT",
            30 * DAY,
            "the row for 30 days",
        ),
        (
            "`subscription_request` |",
            "subscriptions/http/confirm",
            "KEPT_AFTER_EXPIRY",
            30 * DAY,
            "30 days after",
        ),
        (
            "`editor_session`:",
            "admin/session",
            "LIFETIME",
            7 * DAY,
            "7 days",
        ),
        ("`idempotency` |", "api/write", "KEPT", 7 * DAY, "7 days"),
        (
            "traces of new ballots",
            "polls/trust/watch",
            "WINDOW",
            600,
            "10 minutes",
        ),
        (
            "looks at the links",
            "polls/mail/visit",
            "PATIENCE",
            30 * 60,
            "30 minutes",
        ),
        (
            "a marker by which",
            "polls/voter/marker",
            "KEEP_MARKER",
            400 * DAY,
            "marker by which an answer can be changed (400 days)",
        ),
        (
            "a marker by which",
            "polls/voter/known",
            "KEEP",
            400 * DAY,
            "for one poll (400 days)",
        ),
        (
            "own page (",
            "subscriptions/links",
            "SIGNED_IN_FOR",
            180 * DAY,
            "own page (180 days)",
        ),
        (
            "the address left beside",
            "polls/form/typed",
            "KEEP",
            600,
            "for the page after it (10 minutes)",
        ),
        (
            "reader's data for",
            "subscriptions/data/mod",
            "GOOD_FOR",
            DAY,
            "for 24 hours",
        ),
        (
            "invitation for",
            "admin/invite",
            "LINK_LIFETIME",
            3 * DAY,
            "invitation for 3 days",
        ),
    ] {
        assert!(row(of).contains(said), "{of}: {}", row(of));
        let source = read(&format!("src/{file}.rs"));
        let value = source
            .split_once(&format!("const {name}: Duration ="))
            .and_then(|(_, rest)| rest.split_once("Duration::from_secs("))
            .and_then(|(_, rest)| rest.split_once(')'))
            .unwrap_or_else(|| panic!("{file} has no {name}"))
            .0;
        let product: u64 = value
            .split('*')
            .map(|factor| factor.trim().replace('_', "").parse::<u64>().unwrap())
            .product();
        assert_eq!(product, seconds, "{file}: {name}, and {said}");
    }
    // Every table that it names exists.
    let migrations: String = std::fs::read_dir("migrations/src")
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let place = line.split('|').nth(2).unwrap_or_default();
        for table in place.split('`').skip(1).step_by(2) {
            assert!(
                table == "where" || migrations.contains(&format!("CREATE TABLE {table} (")),
                "{table}"
            );
        }
    }
}

/// Tables without anything about a person: definitions, counts, records of the installation.
const ABOUT_NOBODY: [&str; 28] = [
    "api_token",
    "ballot_chain",
    "consent_text",
    "dkim_key",
    "issue_segment",
    "issue_tally",
    "kept_count",
    "link_text",
    "mail_vote",
    "mailing",
    "newsletter",
    "picture",
    "poll",
    "poll_burst_removal",
    "poll_hour",
    "poll_import",
    "poll_option",
    "poll_question",
    "poll_record",
    "poll_source",
    "poll_step",
    "ranking_tally",
    "refusal",
    "relay_day",
    "sealed_ballot",
    "setting",
    "tally",
    "write_turn",
];

/// Whoever makes a new table decides whether the page has to name it.
#[test]
fn every_table_is_on_the_privacy_page_or_about_nobody() {
    let page = read("deploy/privacy.md");
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    for table in tables() {
        let on_page = named.contains(table.as_str());
        let about_nobody = ABOUT_NOBODY.contains(&table.as_str());
        assert!(on_page != about_nobody, "{table}: one of the two");
    }
}
