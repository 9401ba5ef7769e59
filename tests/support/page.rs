//! The pages and forms that a [`Reader`](super::reader::Reader) sees.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};
use scraper::{ElementRef, Html, Selector};

/// The response after all redirects.
#[derive(Debug, Clone)]
pub struct Page {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    /// Fails with the page's text unless the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "status of {}:\n{}",
            self.url,
            self.text()
        );
        self
    }

    /// Fails with the page's text unless it contains the words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let text = self.text();
        assert!(
            text.contains(words),
            "{words:?} not on {}:\n{text}",
            self.url
        );
        self
    }

    /// The text of the body as a reader sees it, with white space collapsed.
    pub fn text(&self) -> String {
        let html = Html::parse_document(&self.body);
        match html.select(&selector("body")).next() {
            Some(body) => visible_text(body),
            None => self.body.clone(),
        }
    }

    /// The texts of all elements that a CSS selector matches.
    pub fn all(&self, css: &str) -> Vec<String> {
        let html = Html::parse_document(&self.body);
        html.select(&selector(css)).map(visible_text).collect()
    }

    /// An attribute of all elements that a CSS selector matches.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let html = Html::parse_document(&self.body);
        html.select(&selector(css))
            .filter_map(|e| e.attr(name))
            .map(str::to_owned)
            .collect()
    }

    /// URL and text of every link.
    pub fn links(&self) -> Vec<(String, String)> {
        let html = Html::parse_document(&self.body);
        html.select(&selector("a[href]"))
            .map(|a| {
                (
                    a.attr("href").unwrap_or_default().to_owned(),
                    visible_text(a),
                )
            })
            .collect()
    }

    /// The form that a CSS selector matches; fails if there is none.
    #[track_caller]
    pub fn form(&self, css: &str) -> Form {
        let html = Html::parse_document(&self.body);
        let Some(element) = html.select(&selector(css)).next() else {
            panic!(
                "no form {css:?} on {} ({}):\n{}",
                self.url,
                self.status,
                self.text()
            );
        };
        Form::read(&self.url, element)
    }

    /// The only POST form of the page.
    #[track_caller]
    pub fn the_form(&self) -> Form {
        let html = Html::parse_document(&self.body);
        let count = html.select(&selector("form[method=post]")).count();
        assert_eq!(count, 1, "forms on {}:\n{}", self.url, self.text());
        self.form("form[method=post]")
    }
}

/// A form with the page's initial values.
#[derive(Debug, Clone)]
pub struct Form {
    pub page: Url,
    pub action: Url,
    pub method: Method,
    pub fields: Vec<(String, String)>,
    html: String,
}

impl Form {
    /// A POST without having seen a form.
    pub fn unseen(action: &Url, fields: &[(&str, &str)]) -> Self {
        Self {
            page: action.clone(),
            action: action.clone(),
            method: Method::POST,
            fields: fields
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            html: String::new(),
        }
    }

    fn read(page: &Url, form: ElementRef<'_>) -> Self {
        let action = form.attr("action").unwrap_or_default();
        let method = match form.attr("method") {
            Some(m) if m.eq_ignore_ascii_case("post") => Method::POST,
            _ => Method::GET,
        };
        let mut fields = Vec::new();
        for field in form.select(&selector("input[name], textarea[name], select[name]")) {
            let name = field.attr("name").unwrap_or_default();
            if field.attr("disabled").is_some() {
                continue;
            }
            if let Some(value) = initial_value(field) {
                fields.push((name.to_owned(), value));
            }
        }
        Self {
            page: page.clone(),
            action: page.join(action).unwrap(),
            method,
            fields,
            html: form.html(),
        }
    }

    /// Types into a text field, a text area or a hidden one.
    #[track_caller]
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        self.must_have(&format!("[name='{name}']"));
        self.fields.retain(|(n, _)| n != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Selects a radio button or an entry of a list.
    #[track_caller]
    pub fn choose(self, name: &str, value: &str) -> Self {
        self.must_have(&format!(
            "input[type=radio][name='{name}'][value='{value}'], select[name='{name}'] option[value='{value}']"
        ));
        self.fill(name, value)
    }

    /// Ticks a box.
    #[track_caller]
    pub fn tick(mut self, name: &str, value: &str) -> Self {
        self.must_have(&format!("input[type=checkbox][name='{name}']"));
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Unticks a box.
    #[track_caller]
    pub fn untick(mut self, name: &str) -> Self {
        self.must_have(&format!("input[type=checkbox][name='{name}']"));
        self.fields.retain(|(n, _)| n != name);
        self
    }

    /// Replaces the options of a question.
    pub fn with_options(mut self, question: usize, options: &[&str]) -> Self {
        let line = format!("option.{question}");
        self.fields.retain(|(name, _)| *name != line);
        let options = options.iter().map(|o| (line.clone(), (*o).to_owned()));
        self.fields.extend(options);
        self
    }

    /// Chooses the button to press, whose name and value are sent along.
    #[track_caller]
    pub fn button(mut self, name: &str, value: &str) -> Self {
        self.must_have(&format!("[name='{name}'][value='{value}']"));
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value that would be sent for a field.
    pub fn value(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(n, _)| n == name);
        field.map(|(_, v)| v.as_str())
    }

    #[track_caller]
    fn must_have(&self, css: &str) {
        if self.html.is_empty() {
            return;
        }
        let html = Html::parse_fragment(&self.html);
        assert!(
            html.select(&selector(css)).next().is_some(),
            "no {css} in the form:\n{}",
            self.html
        );
    }
}

/// What a browser would send for an untouched field; `None` if it would not send the field.
fn initial_value(field: ElementRef<'_>) -> Option<String> {
    match field.value().name() {
        "textarea" => {
            // HTML drops one line break right after the tag, which the parser has done.
            Some(field.text().collect::<String>().replace('\n', "\r\n"))
        }
        "select" => {
            let options: Vec<_> = field.select(&selector("option")).collect();
            let chosen = options
                .iter()
                .find(|o| o.attr("selected").is_some())
                .or(options.first())?;
            let value = chosen.attr("value").map(str::to_owned);
            Some(value.unwrap_or_else(|| chosen.text().collect()))
        }
        _ => {
            let kind = field.attr("type").unwrap_or("text").to_ascii_lowercase();
            let value = field.attr("value");
            match kind.as_str() {
                "submit" | "button" | "image" | "reset" | "file" => None,
                "radio" | "checkbox" => field
                    .attr("checked")
                    .map(|_| value.unwrap_or("on").to_owned()),
                _ => Some(value.unwrap_or_default().to_owned()),
            }
        }
    }
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|e| panic!("bad selector {css:?}: {e}"))
}

fn visible_text(element: ElementRef<'_>) -> String {
    let mut words = String::new();
    collect_text(element, &mut words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect_text(element: ElementRef<'_>, words: &mut String) {
    for child in element.children() {
        if let Some(text) = child.value().as_text() {
            words.push_str(text);
        } else if let Some(element) = ElementRef::wrap(child) {
            let name = element.value().name();
            if matches!(name, "script" | "style" | "template") || element.attr("hidden").is_some() {
                continue;
            }
            let inline = matches!(
                name,
                "a" | "b" | "em" | "strong" | "span" | "i" | "small" | "wbr"
            );
            collect_text(element, words);
            if !inline {
                words.push(' ');
            }
        }
    }
}
