use super::*;

fn codes(
    subject: &str,
    markdown: &str,
    postal_address: &str,
    html_bytes: usize,
) -> Vec<&'static str> {
    let body = Body::parse(markdown);
    let draft = Draft {
        subject,
        preheader: "",
        body: &body,
        postal_address,
        html_bytes,
        dead_polls: &[],
    };
    judge(&draft).iter().map(|advice| advice.code).collect()
}

fn of_body(markdown: &str) -> Vec<&'static str> {
    codes("A subject", markdown, "1 Street", 9_000)
}

#[test]
fn a_sound_draft_needs_no_advice() {
    let body =
        "Good morning {{name|reader}}, [read this](https://example.org/a).\n\n{{poll:trust}}";
    assert!(of_body(body).is_empty());
}

#[test]
fn what_blocks_comes_first() {
    let all = codes(" ", "", "  ", 200_000);
    assert_eq!(all, ["no_subject", "empty", "no_postal_address", "clipped"]);
    let body = Body::parse("x {{poll:gone}}");
    let dead = ["gone".to_owned()];
    let draft = Draft {
        subject: "S",
        preheader: "",
        body: &body,
        postal_address: "1",
        html_bytes: 1,
        dead_polls: &dead,
    };
    let judged = judge(&draft);
    assert!(!may_send(&judged));
    // In addition, that the same poll is in the wrong place would be useless advice.
    assert_eq!(judged.len(), 1, "{judged:?}");
}

#[test]
fn what_readers_lose_nothing_by_is_a_hint() {
    let weights = |subject: &str, markdown: &str| {
        let body = Body::parse(markdown);
        let draft = Draft {
            subject,
            preheader: "",
            body: &body,
            postal_address: "1 Street",
            html_bytes: 9_000,
            dead_polls: &[],
        };
        let judged = judge(&draft);
        assert!(may_send(&judged));
        judged
            .iter()
            .map(|advice| advice.weight)
            .collect::<Vec<_>>()
    };
    assert_eq!(weights("News", "# News\n\nAll of it."), [Weight::Hints]);
    assert_eq!(
        weights("News", "# News\n\n[a](/relative)"),
        [Weight::Warns, Weight::Hints]
    );
}

#[test]
fn subjects() {
    assert_eq!(codes(&"x".repeat(61), "a", "1", 1), ["long_subject"]);
    assert_eq!(
        codes("READ THIS RIGHT NOW", "a", "1", 1),
        ["shouting_subject"]
    );
    assert_eq!(codes("Re: your order", "a", "1", 1), ["false_reply"]);
    assert_eq!(codes("{{first}}", "a", "1", 1), ["unfilled_placeholder"]);
}

#[test]
fn links_and_images() {
    assert_eq!(of_body("[a](/news)"), ["relative_link"]);
    let bare = format!("https://example.org/{}", "a/".repeat(40));
    assert_eq!(of_body(&bare), ["bare_address"]);
    assert!(of_body("https://example.org/a").is_empty());
    assert!(of_body(&format!("[a]({bare})")).is_empty());
    assert_eq!(of_body("[a](#top)"), ["relative_link"]);
    assert_eq!(of_body("[a](example.org)"), ["relative_link"]);
    assert_eq!(of_body("[a](javascript:alert(1))"), ["empty_link"]);
    assert_eq!(of_body("[a](http://192.168.1.4:8080/x)"), ["local_link"]);
    assert_eq!(of_body("[a](http://u@localhost/x)"), ["local_link"]);
    assert_eq!(
        of_body("[a](https://example.org/?n={{name}})"),
        ["placeholder_in_link"]
    );
    let long = "words ".repeat(40);
    assert_eq!(
        of_body(&format!("{long}![](https://e.org/a.png)")),
        ["missing_alt"]
    );
    assert_eq!(
        of_body(&format!("{long}![a](http://e.org/a.png)")),
        ["insecure_image"]
    );
    assert_eq!(of_body("![a](https://e.org/a.png)"), ["mostly_images"]);
}

#[test]
fn placeholders_nobody_fills() {
    assert_eq!(of_body("Dear {{first_name}}"), ["unfilled_placeholder"]);
    assert_eq!(of_body("so: {{poll:trust}}"), ["unfilled_placeholder"]);
}

#[test]
fn size_near_and_over_the_limit() {
    assert!(codes("S", "a", "1", 80_000).is_empty());
    assert_eq!(codes("S", "a", "1", 80_001), ["large"]);
    assert_eq!(codes("S", "a", "1", 90_001), ["over_budget"]);
    assert_eq!(codes("S", "a", "1", 102_001), ["clipped"]);
}
