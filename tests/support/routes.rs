//! Every URL of the app, read from the source, so that a new route is in the list as soon
//! as it exists.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::{Client, Method, StatusCode};

use super::app::TestApp;

/// One URL pattern and its methods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The pattern as in the router, `/p/{poll}`, with the prefix of its nest.
    pub path: String,
    /// The methods that it accepts, in lower case.
    pub methods: Vec<String>,
}

impl Route {
    /// The names of the parts in braces.
    pub fn parameters(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
            .map(|s| s.trim_start_matches('*'))
            .collect()
    }

    /// Whether it accepts POST.
    pub fn post(&self) -> bool {
        self.methods.iter().any(|m| m == "post")
    }

    /// Whether it belongs to the JSON API.
    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }

    /// The path with its parameters filled in.
    pub fn with(&self, value: impl Fn(&str) -> String) -> String {
        let segments: Vec<String> = self
            .path
            .split('/')
            .map(|segment| {
                let name = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
                match name {
                    Some(name) => value(name.trim_start_matches('*')),
                    None => segment.to_owned(),
                }
            })
            .collect();
        segments.join("/")
    }
}

/// Searches the source for `.route("…", …)`, and asks the running app under which prefix
/// each is: an existing route answers 405 to a method that no route has.
pub async fn all(app: &TestApp) -> Vec<Route> {
    let mut written = BTreeSet::new();
    collect(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        &mut written,
    );
    let client = Client::builder().no_proxy().build().unwrap();
    let mut routes = Vec::new();
    for path in written {
        let mut found = false;
        for prefix in ["", "/api/v1"] {
            let route = Route {
                path: format!("{prefix}{path}"),
                methods: Vec::new(),
            };
            let url = app.url(&route.with(|_| "x".to_owned()));
            let method = Method::from_bytes(b"PROPFIND").unwrap();
            let answer = client.request(method, &url).send().await.unwrap();
            if answer.status() == StatusCode::METHOD_NOT_ALLOWED {
                let allowed = answer.headers()["allow"].to_str().unwrap().to_lowercase();
                let methods = allowed.split(',').map(str::trim).filter(|m| *m != "head");
                routes.push(Route {
                    methods: methods.map(str::to_owned).collect(),
                    ..route
                });
                found = true;
            }
        }
        assert!(
            found,
            "{path} stands in the source, but the router does not know it"
        );
    }
    routes
}

fn collect(dir: &Path, routes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, routes);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // The mailer's routes are something else.
            if !text.contains("Router") {
                continue;
            }
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            for call in code.split(".route(").skip(1) {
                let Some(path) = call.trim_start().strip_prefix('"') else {
                    panic!("{}: a route without a literal path", path.display());
                };
                routes.extend(path.split('"').next().map(str::to_owned));
            }
        }
    }
}
