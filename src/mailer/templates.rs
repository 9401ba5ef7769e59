//! What mails look like: the templates of `email-templates/`, built in and overridable.
//!
//! Every template is rendered with its sample data when it is loaded, in strict mode, so that a variable that does not
//! exist fails the start (and `canvass check`) instead of a reader's mail.

use std::path::{Path, PathBuf};

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
#[derive(Debug, thiserror::Error)]
#[error("mail template {file}: {problem}")]
pub struct TemplateError {
    file: String,
    problem: String,
}

/// The loaded templates.
#[derive(Debug)]
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
    /// The first file that cannot be read, is not a template, or does not render with its sample data.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
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
    if let Some(file) = directory.map(|d: &Path| -> PathBuf { d.join(path) })
        && file.exists()
    {
        return std::fs::read_to_string(&file).map_err(|e| failed(&file.display().to_string(), &e));
    }
    BUILT_IN
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, source)| (*source).to_owned())
        .ok_or_else(|| failed(path, &"does not exist"))
}

fn failed(file: &str, problem: &dyn std::fmt::Display) -> TemplateError {
    TemplateError {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_directory_is_built_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("email-templates");
        let mut found = 0;
        for entry in std::fs::read_dir(&root).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                found += std::fs::read_dir(entry.path()).unwrap().count();
            } else if entry.file_name() != "README.md" {
                found += 1;
            }
        }
        assert_eq!(found, BUILT_IN.len());
    }

    #[test]
    fn a_mail_has_inlined_css_and_keeps_its_dark_half() {
        let templates = Templates::load(None).unwrap();
        for template in Template::ALL.into_iter().filter(|t| t.whole()) {
            let mail = templates
                .render(template, templates.sample(template))
                .unwrap();
            assert!(
                mail.html.contains("prefers-color-scheme: dark"),
                "{template:?}"
            );
            assert!(mail.html.contains("[data-ogsc]"), "{template:?}");
            assert!(mail.html.contains("style=\""), "{template:?}");
            assert!(!mail.html.contains("{{") && !mail.text.contains("{{"));
            assert!(!mail.text.contains("&amp;") && mail.text.len() > 80);
            assert!(!mail.subject.contains('\n') && !mail.subject.is_empty());
        }
    }

    #[test]
    fn a_missing_variable_is_an_error_that_names_the_file() {
        let templates = Templates::load(None).unwrap();
        let error = templates
            .render(Template::PollBurst, &serde_json::json!({"lang": "en"}))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("poll-burst/text.hbs") && error.contains("question"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_overrides_file_by_file_and_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("poll-burst")).unwrap();
        let subject = dir.path().join("poll-burst/subject.hbs");
        std::fs::write(&subject, "Answers at {{site}}").unwrap();
        let templates = Templates::load(Some(dir.path())).unwrap();
        let sample = templates.sample(Template::PollBurst);
        let mail = templates.render(Template::PollBurst, sample).unwrap();
        assert_eq!(mail.subject, "Answers at news.example.org");
        std::fs::write(&subject, "Answers at {{sight}}").unwrap();
        let error = Templates::load(Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("poll-burst/subject.hbs"), "{error}");
    }

    // Without the check this test aborts the process: a stack overflow cannot be caught.
    #[test]
    fn what_nests_too_deeply_is_an_error_and_no_crash() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("poll-burst")).unwrap();
        let deep = "<div>".repeat(9_000);
        std::fs::write(dir.path().join("poll-burst/html.hbs"), deep).unwrap();
        let error = Templates::load(Some(dir.path())).unwrap_err().to_string();
        assert!(
            error.contains("poll-burst/html.hbs") && error.contains("9000 deep"),
            "{error}"
        );
    }

    #[test]
    fn values_are_escaped_in_html_only() {
        let templates = Templates::load(None).unwrap();
        let mut data = templates.sample(Template::ConfirmSubscription).clone();
        data["newsletter"] = "Fish & <b>Chips</b>".into();
        let mail = templates
            .render(Template::ConfirmSubscription, &data)
            .unwrap();
        assert!(mail.html.contains("Fish &amp; &lt;b&gt;Chips&lt;/b&gt;"));
        assert!(mail.text.contains("Fish & <b>Chips</b>"));
    }
}
