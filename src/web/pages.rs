//! The templates of all pages, compiled into the binary and registered once at start.
//!
//! Each feature lists its own (`PAGES`, beside its `pages/` folder). A template is named `feature/page`. Everything
//! that a page shows is HTML-escaped by handlebars; `{{{` is only for fragments that our own code has made safe.

use std::sync::Arc;

use axum::response::{Html, IntoResponse, Response};
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderError};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Problem, assets};
use crate::config::Site;

/// Names and texts of templates.
pub type Templates = &'static [(&'static str, &'static str)];

/// The layout of readers' pages, the partial above a button that only a person may press, the error pages, and what
/// was typed into a form that was not accepted.
pub const PAGES: Templates = &[
    ("reader", include_str!("pages/reader.hbs")),
    ("press", include_str!("pages/press.hbs")),
    ("problem", include_str!("pages/problem.hbs")),
    ("kept", include_str!("pages/kept.hbs")),
    ("problem_editor", include_str!("pages/problem_editor.hbs")),
];

/// Templates that have been parsed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parsed(Arc<Handlebars<'static>>);

impl Parsed {
    /// Parses the templates of all features.
    ///
    /// # Errors
    /// The name of a template that does not parse, and the reason.
    pub fn of(all: &[Templates]) -> Result<Self, String> {
        let mut registry = Handlebars::new();
        registry.register_helper("asset", Box::new(asset));
        for (name, text) in all.iter().flat_map(|templates| templates.iter()) {
            registry
                .register_template_string(name, text)
                .map_err(|e| format!("the page template {name} does not parse: {e}"))?;
        }
        Ok(Self(Arc::new(registry)))
    }
}

/// All templates. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    registry: Arc<Handlebars<'static>>,
    /// The data that every page sees as `@root.site`.
    site: Arc<Value>,
}

impl Pages {
    /// Pages of this site.
    #[must_use]
    pub fn new(Parsed(registry): Parsed, site: &Site) -> Self {
        Self {
            registry,
            site: Arc::new(json!({
                "name": if site.name.is_empty() { "Canvass" } else { &site.name },
                "named": !site.name.is_empty(),
                "imprint_url": site.imprint_url,
                "privacy_url": site.privacy_url,
            })),
        }
    }

    /// Renders a page to text.
    ///
    /// # Errors
    /// A 500 if the template is missing or fails, which tests catch.
    pub fn html(&self, name: &str, context: &impl Serialize) -> Result<String, Problem> {
        let broken =
            |e: RenderError| Problem::internal(&format!("the page {name} does not render: {e}"));
        let mut context = Context::wraps(context).map_err(broken)?;
        if let Value::Object(page) = context.data_mut() {
            page.insert("site".to_owned(), (*self.site).clone());
        }
        self.registry
            .render_with_context(name, &context)
            .map_err(broken)
    }

    /// Renders a page as a response with status 200.
    ///
    /// # Errors
    /// As [`html`](Self::html).
    pub fn render(&self, name: &str, context: &impl Serialize) -> Result<Response, Problem> {
        Ok(Html(self.html(name, context)?).into_response())
    }
}

/// `{{asset "reader.css"}}`: the address of an asset, with its hash so that it can be cached for ever.
fn asset(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let name = helper
        .param(0)
        .and_then(|p| p.value().as_str())
        .unwrap_or_default();
    let url = assets::url(name).ok_or_else(|| {
        RenderError::from(handlebars::RenderErrorReason::Other(format!(
            "no asset {name}"
        )))
    })?;
    out.write(&url)?;
    Ok(())
}
