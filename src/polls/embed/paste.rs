//! What an editor pastes into a page.

use serde::Serialize;

use super::height::height;
use crate::app::App;
use crate::polls::model::Poll;
use crate::polls::offer;
use crate::polls::view::FormView;
use crate::web::Problem;

/// Under the button of an embedded form. It holds the place of the note that comes with the result.
pub const SMALL_PRINT: &str = "No account is needed. You can change your answer as long as the poll is open. \
     The result counts the readers who chose to answer; it says nothing about others.";

/// A poll, ready to be pasted.
#[derive(Debug, Serialize)]
pub struct Snippets {
    /// A form and nothing else; `None` for questions that need a page of ours.
    pub form: Option<String>,
    /// The form in `<canvass-poll>`, with style sheet and module.
    pub element: Option<String>,
    /// `<canvass-poll>` alone.
    pub short: String,
    pub iframe: String,
    /// What a system that knows oEmbed is given.
    pub url: String,
    /// For WordPress: makes it trust this provider, in a plugin or in the theme's `functions.php`.
    pub provider: String,
}

/// The form as other sites' pages carry it: whole addresses, no ids, nothing of any reader.
///
/// # Errors
/// What the database said.
pub async fn form(app: &App, poll: &Poll) -> Result<FormView, Problem> {
    let mut form = FormView::of(poll, offer::of(app, poll).await?);
    let page = format!("{}{}", app.config.origin(), form.action);
    form.results_href = shows_while_open(poll).then(|| format!("{page}/results"));
    form.action = page;
    Ok(form)
}

/// A page may be kept for long: what it says must not depend on the moment it was made.
fn shows_while_open(poll: &Poll) -> bool {
    poll.visibility == crate::polls::model::Visibility::Always
}

/// All snippets of a poll.
///
/// # Errors
/// What the database said.
pub async fn snippets(app: &App, poll: &Poll) -> Result<Snippets, Problem> {
    let origin = app.config.origin();
    let url = format!("{origin}/p/{}", poll.slug);
    let view = form(app, poll).await?;
    let form = if view.plain {
        None
    } else {
        let context = serde_json::json!({ "form": view, "small_print": SMALL_PRINT });
        Some(app.pages.html("polls/paste", &context)?)
    };
    let (sheet, module) = files(&origin);
    let element = form.as_ref().map(|form| {
        format!("{sheet}\n<canvass-poll src=\"{url}\">\n{form}</canvass-poll>\n{module}\n")
    });
    let options = poll.options().filter(|option| !option.retired).count();
    let newsletter = if poll.newsletter.is_some() {
        " newsletter"
    } else {
        ""
    };
    let question = escaped(poll.headline());
    Ok(Snippets {
        element,
        form,
        short: format!(
            "{sheet}\n<canvass-poll src=\"{url}\" options=\"{options}\"{newsletter}><a href=\"{url}\">{question}</a></canvass-poll>\n{module}\n"
        ),
        iframe: format!(
            "{}\n{module}\n",
            iframe(&origin, poll, "100%", height(poll))
        ),
        provider: format!("wp_oembed_add_provider( '{origin}/p/*', '{origin}/oembed' );"),
        url,
    })
}

fn files(origin: &str) -> (String, String) {
    (
        format!("<link rel=\"stylesheet\" href=\"{origin}/embed/poll.css\">"),
        format!("<script type=\"module\" src=\"{origin}/embed/poll.js\"></script>"),
    )
}

/// The frame. The module, where there is one, makes it as high as what is in it.
pub fn iframe(origin: &str, poll: &Poll, width: &str, height: u32) -> String {
    format!(
        "<iframe src=\"{origin}/embed/p/{}\" width=\"{width}\" height=\"{height}\" title=\"{}\" frameborder=\"0\" loading=\"lazy\"></iframe>",
        poll.slug,
        escaped(poll.headline())
    )
}

/// Text as it stands in HTML and XML, in elements and in attributes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
