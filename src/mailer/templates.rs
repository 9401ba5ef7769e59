//! What mails look like: the templates of `email-templates/`, built in and overridable.
//!
//! Every template is rendered with its sample data when it is loaded, in strict mode, so that a variable that does not
//! exist fails the start (and `canvass check`) instead of a reader's mail.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use css_inline::CSSInliner;
use handlebars::Handlebars;
use serde::Serialize;
use serde_json::Value;

use super::nesting;

/// A mail or a part of one, named like its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Asks the reader to confirm a subscription.
    ConfirmSubscription,
    /// Answers a request to subscribe to a newsletter that the address already receives.
    AlreadySubscribed,
    /// A link to all data that is kept about the reader.
    YourData,
    /// Tells editors of a burst of answers.
    PollBurst,
    /// The frame of an issue.
    Issue,
    /// A poll inside an issue.
    PollBlock,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ConfirmSubscription,
        Self::AlreadySubscribed,
        Self::YourData,
        Self::PollBurst,
        Self::Issue,
        Self::PollBlock,
    ];

    /// The folder's name; stored with mails that wait, so it never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ConfirmSubscription => "confirm-subscription",
            Self::AlreadySubscribed => "already-subscribed",
            Self::YourData => "your-data",
            Self::PollBurst => "poll-burst",
            Self::Issue => "issue",
            Self::PollBlock => "poll-block",
        }
    }

    /// The template with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Whether it goes to readers. The others go to editors, who must keep getting them even after a spam complaint.
    #[must_use]
    pub fn is_to_a_reader(self) -> bool {
        self != Self::PollBurst
    }

    /// Whether it is a whole mail, with a subject and a frame.
    fn whole(self) -> bool {
        self != Self::PollBlock
    }
}

/// A rendered mail: the parts of a [`Draft`](crate::mailer::mime::Draft).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line; empty for a part.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part; in a whole mail, the CSS is inlined.
    pub html: String,
}

/// A template that cannot be used: which file, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("mail template {file}: {problem}")]
pub struct TemplateError {
    file: String,
    problem: String,
}

/// The built-in templates, loaded once, however many apps a process builds.
static LOADED: LazyLock<Result<Templates, TemplateError>> = LazyLock::new(|| Templates::read(None));

/// The loaded templates.
#[derive(Debug, Clone)]
pub struct Templates {
    html: Handlebars<'static>,
    text: Handlebars<'static>,
    style: String,
    dark: String,
    samples: Vec<(Template, Value)>,
}

macro_rules! built_in {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../email-templates/", $path)))),*]
    };
}

/// Everything in `email-templates/` (a test compares the list with the directory).
const BUILT_IN: [(&str, &str); 26] = built_in![
    "layout.html.hbs",
    "style.css",
    "dark.css",
    "confirm-subscription/subject.hbs",
    "confirm-subscription/text.hbs",
    "confirm-subscription/html.hbs",
    "confirm-subscription/sample.json",
    "already-subscribed/subject.hbs",
    "already-subscribed/text.hbs",
    "already-subscribed/html.hbs",
    "already-subscribed/sample.json",
    "your-data/subject.hbs",
    "your-data/text.hbs",
    "your-data/html.hbs",
    "your-data/sample.json",
    "poll-burst/subject.hbs",
    "poll-burst/text.hbs",
    "poll-burst/html.hbs",
    "poll-burst/sample.json",
    "issue/subject.hbs",
    "issue/text.hbs",
    "issue/html.hbs",
    "issue/sample.json",
    "poll-block/text.hbs",
    "poll-block/html.hbs",
    "poll-block/sample.json",
];

impl Templates {
    /// Loads the built-in templates, replaces those that `directory` has under the same path, and renders each once.
    ///
    /// # Errors
    /// A directory that cannot be read or has a template of an unknown name; the first file that cannot be read, is not
    /// a template, or does not render with its sample data.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let Some(directory) = directory else {
            return LOADED.clone();
        };
        check_names(directory)?;
        Self::read(Some(directory))
    }

    fn read(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let source = |path: &str| source(directory, path);
        let mut templates = Self {
            html: Handlebars::new(),
            text: Handlebars::new(),
            style: source("style.css")?,
            dark: source("dark.css")?,
            samples: Vec::new(),
        };
        templates.html.set_strict_mode(true);
        templates.text.set_strict_mode(true);
        templates.text.register_escape_fn(handlebars::no_escape);
        register(
            &mut templates.html,
            "layout",
            "layout.html.hbs",
            &source("layout.html.hbs")?,
        )?;
        for template in Template::ALL {
            let name = template.name();
            let file = |part: &str| format!("{name}/{part}");
            if template.whole() {
                let path = file("subject.hbs");
                register(
                    &mut templates.text,
                    &file("subject"),
                    &path,
                    &source(&path)?,
                )?;
            }
            let path = file("text.hbs");
            register(&mut templates.text, &file("text"), &path, &source(&path)?)?;
            let path = file("html.hbs");
            register(&mut templates.html, &file("html"), &path, &source(&path)?)?;
            let path = file("sample.json");
            let sample = serde_json::from_str(&source(&path)?).map_err(|e| failed(&path, &e))?;
            templates.samples.push((template, sample));
        }
        for template in Template::ALL {
            templates.render(template, templates.sample(template))?;
        }
        Ok(templates)
    }

    /// The sample data of a template.
    #[must_use]
    pub fn sample(&self, template: Template) -> &Value {
        let found = self.samples.iter().find(|(t, _)| *t == template);
        found.map_or(&Value::Null, |(_, sample)| sample)
    }

    /// Renders a mail or a part.
    ///
    /// # Errors
    /// Names the file and what is missing in `data`, never the data itself.
    pub fn render(
        &self,
        template: Template,
        data: &impl Serialize,
    ) -> Result<Rendered, TemplateError> {
        let name = template.name();
        let mut data = serde_json::to_value(data).map_err(|e| failed(name, &e))?;
        if let Value::Object(fields) = &mut data {
            fields.insert("style".into(), Value::String(self.style.clone()));
            fields.insert("dark".into(), Value::String(self.dark.clone()));
            // A mail that belongs to no newsletter uses the accent colour of the style sheet.
            for colour in ["accent", "dark_accent"] {
                fields.entry(colour).or_insert(Value::Null);
            }
        }
        let part = |registry: &Handlebars<'_>, part: &str| {
            let file = format!("{name}/{part}");
            registry
                .render(&file, &data)
                .map_err(|e| failed(&format!("{file}.hbs"), e.reason()))
        };
        let text = part(&self.text, "text")?;
        let html = part(&self.html, "html")?;
        if !template.whole() {
            return Ok(Rendered {
                subject: String::new(),
                text,
                html,
            });
        }
        let subject = part(&self.text, "subject")?.trim().to_owned();
        let depth = nesting::depth(&html);
        if depth > nesting::DEEPEST {
            let most = nesting::DEEPEST;
            let problem = format!(
                "its elements are nested {depth} deep; at most {most} levels can be mailed"
            );
            return Err(failed(&format!("{name}/html.hbs"), &problem));
        }
        let inliner = CSSInliner::options()
            .inline_style_tags(true)
            .keep_style_tags(false)
            .load_remote_stylesheets(false)
            .build();
        let html = inliner
            .inline(&html)
            .map_err(|e| failed(&format!("{name}/html.hbs"), &e))?;
        Ok(Rendered {
            subject,
            text,
            html,
        })
    }
}

fn register(
    registry: &mut Handlebars<'static>,
    name: &str,
    path: &str,
    source: &str,
) -> Result<(), TemplateError> {
    registry
        .register_template_string(name, source)
        .map_err(|e| failed(path, e.reason()))
}

fn source(directory: Option<&Path>, path: &str) -> Result<String, TemplateError> {
    if let Some(file) = directory.map(|d: &Path| -> PathBuf { d.join(path) }) {
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&file.display().to_string(), &error)),
        }
    }
    BUILT_IN
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, source)| (*source).to_owned())
        .ok_or_else(|| failed(path, &"does not exist"))
}

/// Refuses a directory that cannot be read, and one with a template that replaces nothing because its name or its
/// folder's is mistyped: the built-in one would be mailed instead. What else people and file systems leave there does no
/// harm.
fn check_names(directory: &Path) -> Result<(), TemplateError> {
    for (name, path) in listed(directory)? {
        if !path.is_dir() {
            check_name(&name, &path)?;
        } else if Template::named(&name).is_some() {
            for (file, path) in listed(&path)? {
                check_name(&format!("{name}/{file}"), &path)?;
            }
        } else if holds_templates(&path) {
            let problem = "no mail has this name";
            return Err(failed(&path.display().to_string(), &problem));
        }
    }
    Ok(())
}

/// Whether this looks like a mail's folder. One that we may not read, like `lost+found`, does not.
fn holds_templates(folder: &Path) -> bool {
    let is_one = |(name, path): &(String, PathBuf)| {
        name == "sample.json" || matches!(ending(path), Some("hbs" | "css"))
    };
    listed(folder).is_ok_and(|found| found.iter().any(is_one))
}

fn check_name(name: &str, path: &Path) -> Result<(), TemplateError> {
    let is_read = match ending(path) {
        Some("hbs" | "css") => true,
        // Samples are in the mails' folders.
        Some("json") => name.contains('/'),
        _ => false,
    };
    if is_read && !BUILT_IN.iter().any(|(known, _)| *known == name) {
        let problem = "replaces nothing: there is no such file in email-templates";
        return Err(failed(&path.display().to_string(), &problem));
    }
    Ok(())
}

fn ending(path: &Path) -> Option<&str> {
    path.extension().and_then(OsStr::to_str)
}

/// The names and paths of what is in a directory, without hidden files.
fn listed(directory: &Path) -> Result<Vec<(String, PathBuf)>, TemplateError> {
    let unreadable = |error: std::io::Error| {
        let setting = format!("directory {} (mail.templates_dir)", directory.display());
        failed(&setting, &error)
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn failed(file: &str, problem: &dyn std::fmt::Display) -> TemplateError {
    TemplateError {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests;
