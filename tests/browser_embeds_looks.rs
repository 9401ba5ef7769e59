//! How an embedded poll follows the page around it, in a real browser: its colours, its writing direction, its words.

use serde_json::json;

use crate::browser_embeds::{Embedding, choose_and_send, wait_for_module, wait_for_result};
use crate::support::browser::{Browser, Look};

/// Colours and writing directions that a reader may have set, each checked by axe and saved as a picture.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_follows_the_page_around_it() {
    let here = Embedding::of(&["trust"]).await;
    let html = here.snippet("trust", "element").await;
    for (name, opening, feature, value) in [
        (
            "light",
            "<html lang=\"en\">",
            "prefers-color-scheme",
            "light",
        ),
        ("dark", "<html lang=\"en\">", "prefers-color-scheme", "dark"),
        (
            "rtl",
            "<html lang=\"ar\" dir=\"rtl\">",
            "prefers-color-scheme",
            "light",
        ),
        ("forced", "<html lang=\"en\">", "forced-colors", "active"),
    ] {
        for (width, look) in [("1280", Look::default()), ("375", Look::phone())] {
            let body = if name == "dark" {
                "<body bgcolor=\"#121212\" text=\"#eeeeee\">"
            } else {
                "<body>"
            };
            here.publisher
                .publish_as(opening, body, &html, &here.road.origin);
            let Some(browser) = Browser::open(look).await else {
                return;
            };
            browser.prefer(feature, value).await;
            browser.goto(&here.publisher.article()).await;
            wait_for_module(&browser).await;
            browser.picture(&format!("embed-{name}-{width}")).await;
            browser.assert_accessible().await;
            if name == "forced" {
                assert_the_choice_shows(&browser).await;
            }
            choose_and_send(&browser, 1).await;
            wait_for_result(&browser, "Your answer has been counted").await;
            browser
                .picture(&format!("embed-{name}-{width}-result"))
                .await;
            browser.assert_accessible().await;
            browser.assert_no_sideways_scroll().await;
            if name == "forced" {
                assert_the_result_shows(&browser).await;
            }
            if name == "rtl" {
                let mirrored = browser
                    .run(
                        "const root = document.querySelector('canvass-poll').shadowRoot;
                         const label = root.querySelector('th[scope=row]').getBoundingClientRect();
                         const count = root.querySelector('td').getBoundingClientRect();
                         const [track, bar] = [...root.querySelectorAll('.own b')].map(b => b.getBoundingClientRect());
                         const [whole, none] = [...root.querySelectorAll('tr:not(.own) b')].map(b => b.getBoundingClientRect());
                         return [label.right > count.right, bar.right === track.right && bar.left === track.left, none.right === whole.right];",
                    )
                    .await;
                assert_eq!(mirrored, json!([true, true, true]));
            }
            browser.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_speaks_the_words_of_its_site() {
    let here = Embedding::of(&["trust"]).await;
    let words = r#"{"answer":"Antworten","counted":"Ihre Antwort zählt.","yours":"<b>Ihre</b> Antwort",
            "small":"Ohne Konto.","note":"Zahl der Antworten: {readers}, vom {first} bis {last}, über {places}. {odd}","embed":"andere Seiten"}"#;
    let html = format!(
        "<canvass-poll lang=\"de\" src=\"{}/p/trust\" words='{words}'></canvass-poll><script type=\"module\" src=\"{}/embed/poll.js\"></script>",
        here.road.origin, here.road.origin
    );
    here.publish(&html);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    let form = wait_for_result(&browser, "Ohne Konto.").await;
    let form = form["text"].as_str().unwrap_or_default();
    assert!(!form.contains("No account"), "{form}");
    let pressed = "const root = document.querySelector('canvass-poll').shadowRoot;
         root.querySelector('[value=\"1\"]').click(); root.querySelector('button').click(); return true;";
    browser.run(pressed).await;
    let seen = wait_for_result(&browser, "Ihre Antwort zählt.").await;
    let text = seen["text"].as_str().unwrap_or_default();
    // The words are inserted as text, never as markup; those that were not given keep their defaults.
    assert!(text.contains("<b>Ihre</b> Antwort"), "{text}");
    assert!(text.contains("Change my answer"), "{text}");
    // So is the note on the numbers, with the date in the page's language.
    let note =
        "Zahl der Antworten: 1, vom 2. März 2026 bis 2. März 2026, über andere Seiten. {odd}";
    assert!(text.contains(note), "{text}");
    assert!(!text.contains("chose to answer"), "{text}");
    assert_eq!(here.ballots().await, 1);
}

/// With forced colours, neither shadows nor backgrounds tell which option is chosen: its outline does.
async fn assert_the_choice_shows(browser: &Browser) {
    let outlines = browser
        .run(
            "const [chosen, other] = [1, 2].map(key => document.querySelector(`canvass-poll [value=\"${key}\"]`));
             chosen.checked = true;
             const seen = [chosen, other].map(option => getComputedStyle(option.closest('label')).outlineStyle);
             chosen.checked = false;
             return seen;",
        )
        .await;
    assert_eq!(outlines, json!(["solid", "none"]));
}

/// The bar differs from its track, and the track from the page. The only answer fills the first track.
async fn assert_the_result_shows(browser: &Browser) {
    let tracks = browser
        .run(
            "const root = document.querySelector('canvass-poll').shadowRoot;
             return [...root.querySelectorAll('tbody tr')].map(row => {
               const at = row.querySelector('b').getBoundingClientRect();
               return [at.x + scrollX, at.y + scrollY, at.width, at.height];
             });",
        )
        .await;
    let full = browser.colours_across(&tracks[0]).await;
    let empty = browser.colours_across(&tracks[1]).await;
    let middle = empty.len() / 2;
    assert_ne!(full[middle], empty[middle], "a full bar and an empty one");
    // The screenshot may begin a fraction of a pixel before the border.
    let ends = [&empty[..4], &empty[empty.len() - 4..]];
    for end in ends {
        let border = end.iter().any(|colour| *colour != empty[middle]);
        assert!(border, "the track has no border: {end:?}");
    }
    let none = browser
        .run(
            "const root = document.querySelector('canvass-poll').shadowRoot;
             return root.querySelector('tr:not(.own) b b').getBoundingClientRect().width;",
        )
        .await;
    assert_eq!(none.as_f64(), Some(0.0), "the bar of no answer");
}
