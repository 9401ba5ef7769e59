//! The OpenAPI document as the contract with scripts: every response of the API must be documented in it.

use std::collections::BTreeSet;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::{Map, Value};

/// An operation of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method, in lower case.
    pub method: String,
    pub path: String,
    described: Value,
}

impl Operation {
    /// Whether it needs a token.
    pub fn has_token(&self) -> bool {
        !self.described["security"].is_null()
    }

    pub fn is_write(&self) -> bool {
        self.method == "post"
    }

    pub fn has_body(&self) -> bool {
        !self.described["requestBody"].is_null()
    }

    /// Whether a URL of it can name something that does not exist.
    pub fn names_something(&self) -> bool {
        self.path.contains('{')
    }

    pub fn takes(&self, parameter: &str) -> bool {
        let parameters = self.described["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == parameter))
    }

    /// Its responses by status.
    pub fn responses(&self) -> &Map<String, Value> {
        self.described["responses"].as_object().unwrap()
    }
}

/// The document.
#[derive(Debug)]
pub struct Contract {
    document: Value,
}

impl Contract {
    /// The document as the program serves it.
    pub fn of_the_program() -> Self {
        let document = canvass::routes::openapi();
        let document = serde_json::to_value(document).unwrap();
        Self { document }
    }

    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.document["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &Value)| -> Vec<Operation> {
            let methods = item.as_object().unwrap().iter();
            methods
                .map(|(method, described)| Operation {
                    method: method.clone(),
                    path: path.clone(),
                    described: described.clone(),
                })
                .collect()
        };
        paths.iter().flat_map(of).collect()
    }

    /// The operation that a request was for.
    pub fn operation(&self, method: &Method, url: &str) -> Operation {
        let path = url.split('?').next().unwrap_or_default();
        let mut all = self.operations().into_iter();
        let found = all
            .find(|one| one.method == method.as_str().to_lowercase() && matches(&one.path, path));
        found.unwrap_or_else(|| panic!("{method} {url} is not in the document"))
    }

    /// How a response differs from the document.
    pub async fn broken_by(&self, operation: &Operation, answer: Response) -> Vec<String> {
        let status = answer.status().as_u16().to_string();
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().to_owned();
        let text = answer.text().await.unwrap();
        let Some(response) = operation.responses().get(&status) else {
            return vec![format!("{status} is not named: {text}")];
        };
        let Some(content) = response["content"].get(&kind) else {
            return vec![format!("{status} is not named as {kind:?}")];
        };
        if !kind.ends_with("json") {
            return Vec::new();
        }
        let Ok(body) = serde_json::from_str(&text) else {
            return vec![format!("{status} is no JSON: {text}")];
        };
        let mut wrong = Vec::new();
        self.judge(&content["schema"], &body, &status, &mut wrong);
        wrong
    }

    /// Collects what is wrong with a value: what its schema forbids, and properties that the schema does not have.
    pub fn judge(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if let Some(named) = schema["$ref"].as_str() {
            return self.judge(self.resolve(named), value, at, wrong);
        }
        if let Some(known) = self.known(schema)
            && let Some(properties) = value.as_object()
        {
            let unknown = properties.keys().filter(|name| !known.contains(*name));
            wrong.extend(unknown.map(|name| format!("{at}: {name} is not in the schema")));
        }
        self.judge_known(schema, value, at, wrong);
    }

    fn judge_known(&self, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
        if let Some(named) = schema["$ref"].as_str() {
            return self.judge_known(self.resolve(named), value, at, wrong);
        }
        for part in list(&schema["allOf"]) {
            self.judge_known(part, value, at, wrong);
        }
        let choices = list(&schema["oneOf"]);
        let suits = |choice: &Value| {
            let mut wrong = Vec::new();
            self.judge(choice, value, at, &mut wrong);
            wrong.is_empty()
        };
        if !choices.is_empty() && !choices.iter().any(suits) {
            wrong.push(format!("{at}: {value} is none of its choices"));
        }
        let types = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            several => list(several).iter().filter_map(Value::as_str).collect(),
        };
        if !types.is_empty() && !types.iter().any(|kind| is(kind, value)) {
            wrong.push(format!("{at}: {value} is no {types:?}"));
        }
        let values = list(&schema["enum"]);
        if !values.is_empty() && !values.contains(value) {
            wrong.push(format!("{at}: {value} is none of {values:?}"));
        }
        for name in list(&schema["required"]) {
            let name = name.as_str().unwrap_or_default();
            if value.is_object() && value.get(name).is_none() {
                wrong.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(name) {
                self.judge(schema, value, &format!("{at}.{name}"), wrong);
            }
        }
        if let (Value::Object(_), Some(items)) = (&schema["items"], value.as_array()) {
            for value in items {
                self.judge(&schema["items"], value, &format!("{at}[]"), wrong);
            }
        }
    }

    /// The properties that an object may have; `None` if the schema does not say.
    fn known(&self, schema: &Value) -> Option<BTreeSet<String>> {
        if let Some(named) = schema["$ref"].as_str() {
            return self.known(self.resolve(named));
        }
        let mut known: BTreeSet<String> = BTreeSet::new();
        for part in list(&schema["allOf"]) {
            known.extend(self.known(part)?);
        }
        let own = schema["properties"].as_object();
        known.extend(own.into_iter().flatten().map(|(name, _)| name.clone()));
        (!known.is_empty()).then_some(known)
    }

    /// The schema that a reference points to.
    pub fn resolve(&self, reference: &str) -> &Value {
        let pointer = reference.strip_prefix('#').unwrap_or(reference);
        let found = self.document.pointer(pointer);
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// All references to schemas in the document.
    pub fn references(&self) -> Vec<String> {
        fn collect(value: &Value, into: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    into.extend(fields.get("$ref").and_then(Value::as_str).map(Into::into));
                    fields.values().for_each(|value| collect(value, into));
                }
                Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
                _ => {}
            }
        }
        let mut references = Vec::new();
        collect(&self.document, &mut references);
        references
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// Whether a path matches a pattern.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    let same = |(pattern, part): (&str, &str)| pattern.starts_with('{') || pattern == part;
    pattern.clone().count() == path.clone().count() && pattern.zip(path).all(same)
}
