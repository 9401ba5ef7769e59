//! The snippets that an editor pastes into a page.

use serde::Serialize;

use super::height::{height, reserve, rows};
use crate::app::App;
use crate::newsletters::Colour;
use crate::polls::form::{FormView, offer};
use crate::polls::model::Poll;
use crate::polls::voter::mark_number;
use crate::web::Problem;
use crate::web::text::escaped;

/// The text under the button of an embedded form. It reserves the space for the note that comes with the result.
pub const SMALL_PRINT: &str = "No account needed. You can change your answer while the poll is open. \
     The result counts readers who chose to answer; it says nothing about others.";

/// Texts of a form that the module draws, which come with its poll.
pub const DRAWN: [(&str, &str); 7] = [
    ("marked", "Questions marked * need an answer."),
    ("from", "From"),
    ("to", "to"),
    ("email", "Email address"),
    ("optional", "Optional."),
    ("either", "Your answer counts either way."),
    ("see", "See the results"),
];

/// The module's texts, in the attribute that replaces them. A test keeps them in step with the module and [`DRAWN`].
pub const WORDS: &str = r#"<canvass-poll words='{
  "marked": "Questions marked * need an answer.", "from": "From", "to": "to",
  "email": "Email address", "optional": "Optional.", "either": "Your answer counts either way.",
  "answer": "Answer", "see": "See the results", "counted": "Your answer has been counted.",
  "busy": "Many readers are answering. Trying again in a moment.",
  "unsent": "Your answer could not be sent. Try again, or",
  "there": "answer on the poll’s page", "open": "Answer the poll",
  "results": "Results", "whole": "Full results", "change": "Change my answer",
  "readers": "Readers", "share": "Share", "yours": "your answer", "first": "your first choice",
  "small": "No account needed. You can change your answer while the poll is open. The result counts readers who chose to answer; it says nothing about others.",
  "hint": "Optional. It takes effect when you confirm your address. Unless you tick it, your answer stays secret.",
  "note": "Readers who chose to answer: {readers}, from {first} to {last}, on: {places}. They selected themselves; no margin of error applies.",
  "part": "Readers who chose to answer and are counted here: {readers}. All answers, including those not counted here, were given from {first} to {last}, on: {places}. Readers selected themselves; no margin of error applies.",
  "page": "the poll’s page", "article": "an article", "embed": "pages that embed it", "mail": "the newsletter",
  "api": "connected services", "elsewhere": "another poll system, from which it was imported"
}' …>"#;

/// Texts that come with the poll or its result in English: beside the form, and in the note under a result.
#[cfg(test)]
const OTHERS: [&str; 10] = [
    "small",
    "hint",
    "note",
    "part",
    "page",
    "article",
    "embed",
    "mail",
    "api",
    "elsewhere",
];

/// The snippets for a poll, ready to be pasted.
#[derive(Debug, Serialize)]
pub struct Snippets {
    /// Only a form; `None` for questions that need one of our pages.
    pub form: Option<String>,
    /// The form in `<canvass-poll>`, with the style sheet and the module.
    pub element: Option<String>,
    /// Only `<canvass-poll>`.
    pub short: String,
    pub iframe: String,
    /// The URL to give to a system that supports oEmbed.
    pub url: String,
    /// The style sheet that the first two link, relative to our origin.
    pub sheet: String,
    /// The value of the attribute `accent`, if the newsletter does not have the default one.
    pub accent: Option<String>,
    /// Whether options are in a different order for each reader, where the module can shuffle them.
    pub random: bool,
    /// For WordPress: a line for a plugin or the theme's `functions.php` that makes it trust this provider.
    pub provider: String,
}

/// The form for other sites' pages: with absolute URLs, without ids, and with nothing about any reader.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn form(app: &App, poll: &Poll) -> Result<FormView, Problem> {
    let mut form = FormView::of(poll, offer::of(app, poll).await?);
    let page = format!("{}{}", app.config.origin(), form.action);
    form.results_href = shows_while_open(poll).then(|| format!("{page}/results"));
    form.action = page;
    for question in &mut form.questions {
        // The module shuffles the others.
        question
            .options
            .sort_by_key(|o| question.random && !o.moves);
    }
    Ok(form)
}

/// The page may be cached for long, so it must not say anything that depends on when it was made.
fn shows_while_open(poll: &Poll) -> bool {
    poll.visibility == crate::polls::model::Visibility::Always
}

/// All snippets of a poll.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn snippets(app: &App, poll: &Poll) -> Result<Snippets, Problem> {
    let origin = app.config.origin();
    let url = format!("{origin}/p/{}", poll.slug);
    let view = form(app, poll).await?;
    let random = view.random;
    let accent = view
        .newsletter
        .as_ref()
        .and_then(|offer| Colour::parse(&offer.accent))
        .filter(|colour| *colour != Colour::DEFAULT)
        .map(|colour| colour.to_string()[1..].to_owned());
    let (sheet, coloured) = match &accent {
        None => (SHEET.to_owned(), String::new()),
        Some(hex) => (
            with_query(SHEET, &format!("accent={hex}")),
            format!(" accent=\"{hex}\""),
        ),
    };
    let form = if view.plain {
        None
    } else {
        let context = serde_json::json!({ "form": view, "small_print": SMALL_PRINT });
        Some(app.pages.html("polls/paste", &context)?)
    };
    let (link, module) = files(&origin, &sheet);
    let mark = mark_number(poll.id);
    let element = form.as_ref().map(|form| {
        format!("{link}\n<canvass-poll src=\"{url}\" mark=\"{mark}\"{coloured}>\n{form}</canvass-poll>\n{module}\n")
    });
    let options = rows(poll);
    let (reserved_sheet, reserved) = match reserve(poll, options, form.is_none()) {
        None => (sheet.clone(), String::new()),
        Some(size) => (
            with_query(&sheet, &format!("reserve={size}")),
            format!(" reserve=\"{size}\""),
        ),
    };
    let (short_link, _) = files(&origin, &reserved_sheet);
    let newsletter = match (poll.newsletter, &poll.linking) {
        (Some(_), Some(_)) => " newsletter linked",
        (Some(_), None) => " newsletter",
        _ => "",
    };
    let question = escaped(poll.headline());
    Ok(Snippets {
        element,
        form,
        short: format!(
            "{short_link}\n<canvass-poll src=\"{url}\" options=\"{options}\"{reserved}{newsletter}{coloured}><a href=\"{url}\">{question}</a></canvass-poll>\n{module}\n"
        ),
        iframe: format!(
            "{}\n{module}\n",
            iframe(&origin, poll, "100%", height(poll))
        ),
        sheet,
        accent,
        random,
        provider: format!("wp_oembed_add_provider( '{origin}/p/*', '{origin}/oembed' );"),
        url,
    })
}

/// The path of the style sheet.
const SHEET: &str = "/embed/poll.css";

/// The URL with one more parameter.
fn with_query(url: &str, parameter: &str) -> String {
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{parameter}")
}

fn files(origin: &str, sheet: &str) -> (String, String) {
    (
        format!(
            "<link rel=\"stylesheet\" href=\"{origin}{}\">",
            escaped(sheet)
        ),
        format!("<script type=\"module\" src=\"{origin}/embed/poll.js\"></script>"),
    )
}

/// The iframe. If the module is on the page, it adjusts the height to the content.
pub fn iframe(origin: &str, poll: &Poll, width: &str, height: u32) -> String {
    format!(
        "<iframe src=\"{origin}/embed/p/{}\" width=\"{width}\" height=\"{height}\" title=\"{}\" frameborder=\"0\" loading=\"lazy\"></iframe>",
        poll.slug,
        escaped(poll.headline())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_to_paste_are_those_of_the_module() {
        let json = WORDS
            .split_once('\'')
            .and_then(|(_, rest)| rest.split_once('\''));
        let mut words: std::collections::BTreeMap<String, String> =
            serde_json::from_str(json.unwrap().0).unwrap();
        for name in OTHERS {
            assert!(words.remove(name).is_some(), "{name}");
        }
        for (name, text) in DRAWN {
            assert_eq!(words.remove(name).as_deref(), Some(text), "{name}");
        }
        let module = include_str!("poll.js");
        let own = module.split_once("const WORDS = {\n").unwrap().1;
        let own: std::collections::BTreeMap<String, String> = own
            .lines()
            .take_while(|line| *line != "};")
            .map(|line| {
                let (key, text) = line.trim().trim_end_matches(',').split_once(": ").unwrap();
                (key.to_owned(), text.trim_matches('"').to_owned())
            })
            .collect();
        assert_eq!(words, own);
    }
}
