use super::super::Body;

#[track_caller]
fn check(markdown: &str, text: &str) {
    let html = super::super::markdown::to_safe_html(markdown);
    assert_eq!(super::from_tokens(&super::super::tokens::read(&html)), text);
}

#[test]
fn headings_paragraphs_and_breaks() {
    check(
        "# One\n\ntwo  \nthree\nfour\n\n### Five\n\nsix",
        "One\n===\n\ntwo\nthree four\n\nFive\n\nsix\n",
    );
    check(
        "## Two & more\n\n---\n\nend",
        "Two & more\n----------\n\n* * *\n\nend\n",
    );
}

#[test]
fn lists_keep_their_marks() {
    check(
        "- a\n- b\n  - c\n  - d\n- e\n\nend",
        "- a\n- b\n  - c\n  - d\n- e\n\nend\n",
    );
    check("9. a\n10. b", "9. a\n10. b\n");
    check("- a\n\n  more\n\n- b", "- a\n\n  more\n\n- b\n");
    check("-\n- b", "-\n- b\n");
}

#[test]
fn quotations_and_code() {
    check("> a\n>\n> b\n\nc", "> a\n>\n> b\n\nc\n");
    check("> - a\n> - b", "> - a\n> - b\n");
    check(
        "a\n\n```\nx <y>\n  z\n```\n\nb",
        "a\n\n    x <y>\n      z\n\nb\n",
    );
}

#[test]
fn links_are_followed_by_their_address() {
    check(
        "[the *report*](https://example.org/r?a=1&b=2).",
        "the report <https://example.org/r?a=1&b=2>.\n",
    );
    check("<https://example.org/r>", "https://example.org/r\n");
    check("[example.org](https://example.org/)", "example.org\n");
    check(
        "[Write](mailto:desk@example.org)",
        "Write <desk@example.org>\n",
    );
    check("<desk@example.org>", "desk@example.org\n");
    check(
        "[![](https://e.org/a.png)](https://e.org/)",
        "<https://e.org/>\n",
    );
}

#[test]
fn images_by_their_alternative_text() {
    check(
        "![A harbour at dawn](https://example.org/a.jpg)",
        "[A harbour at dawn]\n",
    );
    check("a ![](https://example.org/a.jpg) b", "a b\n");
}

#[test]
fn tables_stand_in_columns_where_they_fit() {
    check(
        "|Party|Seats|\n|-|-:|\n|Ours|12|\n|Theirs|7|",
        "Party    Seats\nOurs     12\nTheirs   7\n",
    );
    let wide = "w".repeat(60);
    check(
        &format!("|a|b|\n|-|-|\n|{wide}|{wide}|"),
        &format!("a | b\n{wide} |\n{wide}\n"),
    );
}

#[test]
fn lines_end_at_seventy_two() {
    let markdown = format!("> - {}", "lorem ipsum ".repeat(30));
    let body = Body::parse(&markdown);
    let text = body.text().with_fallbacks();
    assert!(
        text.lines().all(|line| line.chars().count() <= 72),
        "{text}"
    );
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.starts_with(">   lorem") || line.starts_with(">   ipsum"))
    );
}

// Each of these took minutes, or the stack, in one parser or another.
#[test]
fn hostile_bodies_take_a_moment() {
    for markdown in [
        "> ".repeat(300) + &"a b [c](https://example.org) ".repeat(4_000),
        "{{".repeat(100_000),
        "{{name|a ".repeat(30_000),
        "> ".repeat(4_000),
        "- ".repeat(20_000),
        "<div>".repeat(4_000),
        "<b><i>".repeat(5_000),
        "[".repeat(50_000),
        "**a".repeat(30_000),
        "|".repeat(50_000),
    ] {
        let body = Body::parse(&markdown);
        let _ = body.text().with_fallbacks();
    }
}
