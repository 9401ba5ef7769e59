use super::super::Body;

#[track_caller]
fn check(markdown: &str, text: &str) {
    let html = super::super::markdown::to_safe_html(markdown).unwrap();
    let tokens = super::super::tokens::read(&html);
    assert_eq!(super::from_tokens(&tokens).with_fallbacks(), text);
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
    // The empty lines around a quotation have no quotation marker.
    check("a\n\n> b\n\nc", "a\n\n> b\n\nc\n");
    check("> a\n\n<!-- -->\n\n> b", "> a\n\n> b\n");
    check("> a\n>\n> > b", "> a\n>\n> > b\n");
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

// Each of these took minutes, exhausted the memory or overflowed the stack in one parser or another.
fn hostile() -> Vec<String> {
    let fill = |part: &str| part.repeat(200_000 / part.len());
    vec![
        "> ".repeat(300) + &"a b [c](https://example.org) ".repeat(4_000),
        ">".repeat(50) + &"x<br>".repeat(39_000),
        ">".repeat(3_000) + " x",
        "*a ".repeat(3_000) + "b" + &"*".repeat(3_000),
        fill(">"),
        fill("> "),
        fill("- "),
        fill("1. "),
        fill("*a "),
        fill("**a"),
        fill("["),
        fill("|"),
        fill("<b>"),
        fill("<b><i>"),
        fill("<div>"),
        fill("<ul><li>"),
        fill("<table><tr><td>"),
        fill("<blockquote>"),
        fill("<q>"),
        fill("<div></b>"),
        fill("<svg>"),
        fill("{{"),
        fill("{{name|a "),
        // Unclosed formatting is reopened in each paragraph.
        (0..9_000)
            .map(|n| format!("<p><b title={n}></p>"))
            .collect(),
        (0..5_000)
            .map(|n| format!("<b title={n}><table><td></b></table>"))
            .collect(),
    ]
}

#[test]
fn hostile_bodies_take_a_moment_and_little_stack() {
    // Half the stack of a thread that serves requests.
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let tried = small.spawn(|| {
        for markdown in hostile() {
            let started = std::time::Instant::now();
            let body = Body::parse(&markdown);
            let text = body.text().with_fallbacks();
            let start = markdown.get(..40).unwrap();
            assert!(
                text.len() < 8 * markdown.len(),
                "{start}: {} bytes",
                text.len()
            );
            let html: usize = body
                .html()
                .iter()
                .map(|piece| format!("{piece:?}").len())
                .sum();
            assert!(html < 12 * markdown.len(), "{start}: {html} bytes");
            println!(
                "{start}: {} ms, deep {}",
                started.elapsed().as_millis(),
                body.is_too_deep()
            );
        }
    });
    tried.unwrap().join().unwrap();
}

#[test]
fn what_nests_too_deeply_stands_there_as_it_was_typed() {
    let deep = ">".repeat(51) + " a <b> & c\n\n{{name|reader}}";
    let body = Body::parse(&deep);
    assert!(body.is_too_deep());
    let text = body.text().with_fallbacks();
    assert!(
        text.contains("> a <b> & c") && text.ends_with("reader\n"),
        "{text}"
    );
    // A paragraph inside 49 quotations.
    assert!(!Body::parse(&(">".repeat(49) + " a")).is_too_deep());
}

#[test]
fn margins_leave_room_for_words() {
    let text = Body::parse(&(">".repeat(20) + " a\n"))
        .text()
        .with_fallbacks();
    assert_eq!(text, "> ".repeat(12) + "a\n");
    let list: String = (0..15).map(|n| "  ".repeat(n) + "- a\n").collect();
    let text = Body::parse(&list).text().with_fallbacks();
    assert_eq!(text.lines().count(), 15, "{text}");
}
