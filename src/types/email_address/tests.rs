use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> AddressRefused {
    match EmailAddress::parse(text) {
        Ok(_) => panic!("{text:?} was accepted"),
        Err(refused) => refused,
    }
}

#[test]
fn an_address_is_kept_as_typed_and_keyed_in_lower_case() {
    let address = EmailAddress::parse("Anna.Maria+News@BÜCHER.example").expect("an address");
    assert_eq!(address.as_str(), "Anna.Maria+News@xn--bcher-kva.example");
    assert_eq!(address.typed(), "Anna.Maria+News@BÜCHER.example");
    assert_eq!(address.key(), "anna.maria+news@xn--bcher-kva.example");
    assert_eq!(address.domain(), "xn--bcher-kva.example");
    assert_eq!(
        address,
        EmailAddress::parse("anna.maria+news@xn--bcher-kva.example").expect("the same")
    );
}

#[test]
fn dots_and_plus_tell_mailboxes_apart() {
    let key = |text| {
        EmailAddress::parse(text)
            .expect("an address")
            .key()
            .to_owned()
    };
    assert_ne!(key("a.b@gmail.com"), key("ab@gmail.com"));
    assert_ne!(key("a+b@gmail.com"), key("a@gmail.com"));
}

#[test]
fn nothing_of_an_address_shows_in_debug() {
    let address = EmailAddress::parse("anna@example.org").expect("an address");
    assert_eq!(format!("{address:?}"), "EmailAddress(…)");
}

#[test]
fn every_refusal_says_its_own_reason() {
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long_whole = format!(
        "{}@{}.{}.{}.org",
        "a".repeat(64),
        "b".repeat(63),
        "c".repeat(63),
        "d".repeat(63)
    );
    for (text, reason) in [
        ("", AddressRefused::Empty),
        ("anna", AddressRefused::NoAt),
        ("@example.org", AddressRefused::NoLocalPart),
        ("anna@", AddressRefused::NoDomain),
        ("an na@example.org", AddressRefused::LocalCharacter),
        ("anna@b@example.org", AddressRefused::LocalCharacter),
        ("anna\r\nBcc: x@example.org", AddressRefused::LocalCharacter),
        ("an\0na@example.org", AddressRefused::LocalCharacter),
        ("an\u{200b}na@example.org", AddressRefused::LocalCharacter),
        (".anna@example.org", AddressRefused::LocalDots),
        ("anna.@example.org", AddressRefused::LocalDots),
        ("an..na@example.org", AddressRefused::LocalDots),
        ("\"anna\"@example.org", AddressRefused::QuotedLocalPart),
        ("\"an@na\"@example.org", AddressRefused::QuotedLocalPart),
        ("dörte@example.org", AddressRefused::NonAsciiLocalPart),
        (long_local.as_str(), AddressRefused::LocalTooLong),
        ("anna@exam_ple.org", AddressRefused::Domain),
        ("anna@exam/ple.org", AddressRefused::Domain),
        ("anna@example.org.", AddressRefused::Domain),
        ("anna@-example.org", AddressRefused::Domain),
        ("anna@xn--0.org", AddressRefused::Domain),
        ("anna@i❤.org", AddressRefused::Domain),
        ("anna@xn--i-7iq.org", AddressRefused::Domain),
        ("anna@localhost", AddressRefused::SingleLabel),
        ("anna@[192.0.2.1]", AddressRefused::IpLiteral),
        ("anna@192.0.2.1", AddressRefused::NumericTopLevel),
        ("anna@site.invalid", AddressRefused::Unreachable),
        ("anna@printer.local", AddressRefused::Unreachable),
        ("anna@hidden.ONION", AddressRefused::Unreachable),
        ("anna@name.alt", AddressRefused::Unreachable),
        ("anna@1.168.192.in-addr.arpa", AddressRefused::Unreachable),
        (long_whole.as_str(), AddressRefused::TooLong),
    ] {
        assert_eq!(refused(text), reason, "{text:?}");
    }
}

#[test]
fn a_million_characters_are_too_long() {
    assert_eq!(
        refused(&format!("a@{}", "é.".repeat(500_000))),
        AddressRefused::TooLong
    );
}

#[test]
fn blank_space_round_a_typed_address_is_dropped_but_line_breaks_are_not() {
    let address = EmailAddress::from_typed(" \tanna@example.org\u{a0} ").expect("an address");
    assert_eq!(address.as_str(), "anna@example.org");
    assert!(EmailAddress::from_typed("anna@example.org\r\n").is_err());
    assert!(EmailAddress::from_typed("\nanna@example.org").is_err());
}

proptest! {
    #[test]
    fn nothing_panics_and_what_passes_is_safe_and_stable(text in "\\PC{0,40}@\\PC{0,40}|[ -~]{0,80}|[a-z\u{1}-\u{20}.@]{0,30}") {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert!(address.as_str().is_ascii());
            prop_assert!(address.as_str().len() <= 254);
            prop_assert!(!address.as_str().bytes().any(|b| b <= b' ' || b == 0x7f || b"\"(),:;<>[]\\".contains(&b)));
            prop_assert_eq!(address.as_str().matches('@').count(), 1);
            let again = EmailAddress::parse(address.as_str()).expect("the mailbox form parses");
            prop_assert_eq!(again.as_str(), address.as_str());
            let by_key = EmailAddress::parse(address.key()).expect("the key parses");
            prop_assert_eq!(by_key.key(), address.key());
        }
    }

    #[test]
    fn ordinary_addresses_pass(local in "[a-z0-9]{1,10}([.+_-][a-z0-9]{1,10}){0,3}", domain in "[a-z0-9]{1,20}(\\.[a-z]{2,10}){0,2}\\.(at|com|museum|news|uk)") {
        let typed = format!("{local}@{domain}");
        let address = EmailAddress::parse(&typed).expect("an ordinary address");
        prop_assert_eq!(address.as_str(), typed);
    }
}

/// The expected result for a label of the corpus. `None`: the sources disagree or it is a matter of policy; then
/// only the properties that hold for every address are checked.
fn expected(label: &str, text: &str) -> Option<bool> {
    match label {
        "valid" | "valid_mailbox" => {
            // Legal, but refused on purpose: see the head of the module.
            let quoted = text.contains('"');
            let not_bare = text.contains(['<', '(', ' ', '\\']);
            let literal = text.contains("@[");
            let (local, domain) = text.rsplit_once('@').unwrap_or(("", text));
            let top = domain.rsplit('.').next().unwrap_or("");
            let unreachable =
                !domain.contains(['.', '。', '．']) || top.bytes().all(|b| b.is_ascii_digit());
            Some(!(quoted || not_bare || literal || unreachable || !local.is_ascii()))
        }
        "invalid" | "invalid_mailbox" | "invalid_smtp" | "header_only" | "deprecated"
        | "valid_unusual" => Some(false),
        "policy_quoted_only" => Some(false),
        _ => None,
    }
}

/// Where we deliberately differ from the corpus.
const DECIDED_OTHERWISE: [(&str, &str); 2] = [
    (
        "test@xn--example.com",
        "not an A-label; another source of the corpus says so too",
    ),
    (
        "me@bad.tld-2",
        "no such top level, but nothing in the syntax forbids it",
    ),
];

#[test]
fn the_corpus_of_real_addresses_is_judged_as_decided() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/corpora/addresses/expected.tsv");
    let Ok(table) = std::fs::read_to_string(&path) else {
        println!("skipped: ../shared/corpora/addresses/expected.tsv is not here");
        return;
    };
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in table.lines().skip(1) {
        let mut cells = row.split('\t');
        let (Some(id), Some(json), Some(label)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let text: String = serde_json::from_str(json).expect("a JSON string");
        if DECIDED_OTHERWISE
            .iter()
            .any(|(address, _)| *address == text)
        {
            continue;
        }
        let result = EmailAddress::parse(&text);
        let Some(wanted) = expected(label, &text) else {
            continue;
        };
        judged += 1;
        if result.is_ok() != wanted {
            wrong.push(format!(
                "{id} {json} {label}: {:?}",
                result.map(|a| a.as_str().to_owned())
            ));
        }
    }
    assert!(judged > 500, "the corpus has shrunk to {judged} rows");
    assert!(
        wrong.is_empty(),
        "{} of {judged} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
