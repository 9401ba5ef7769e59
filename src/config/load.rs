//! Merging the layers: reference, file, environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// The compiled-in reference: every setting with its default and a comment.
pub const REFERENCE: &str = include_str!("reference.toml");

/// A configuration that cannot be used. Names the setting or file, and says what was found and what is expected.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// The setting as the operator wrote it (`mail.smtp_url`, `CANVASS_MAIL__SMTP_URL`) or the file.
    pub setting: String,
    /// What was found and what is expected.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.into(),
            problem: problem.into(),
        }
    }
}

/// The environment variables, without those of others that are not UTF-8.
///
/// # Errors
/// One of ours that is not UTF-8: without it, its setting would silently have the default.
pub fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        let shown = name.to_string_lossy().into_owned();
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => found.push((name, value)),
            _ if shown.starts_with("CANVASS_") => {
                return Err(ConfigError::new(shown, "is not valid UTF-8"));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The command-line arguments, starting with the program's own name.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// The path of a program found in `PATH`.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}

/// Reads `file` (if any) and the `CANVASS_…` variables of `environment` over the reference.
///
/// # Errors
/// The first setting that is unknown, of the wrong type, or breaks a rule.
pub fn load(file: Option<&Path>, environment: &[(String, String)]) -> Result<Config, ConfigError> {
    let mut table = reference();
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::new(&name, format!("cannot be read: {e}")))?;
        let given: Table = text
            .parse()
            .map_err(|e| ConfigError::new(&name, not_toml(&text, &e)))?;
        merge(&mut table, given, "")?;
    }
    for (variable, value) in environment {
        let Some(path) = variable.strip_prefix("CANVASS_") else {
            continue;
        };
        set_from_environment(&mut table, variable, path, value)?;
    }
    typed(table)?.checked()
}

/// Says where a file is not valid TOML. The line itself is not shown, because it may hold a key or a password.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let message = error.message();
    format!("is not valid TOML: line {line}, column {column}: {message}")
}

fn typed(table: Table) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let setting = error.path().to_string();
        ConfigError::new(setting, error.inner().message())
    })
}

/// The name of every setting, `section.key`, in the reference's order.
#[must_use]
pub fn keys() -> Vec<String> {
    reference()
        .into_iter()
        .flat_map(|(name, value)| match value {
            Value::Table(section) => section
                .into_iter()
                .map(|(key, _)| format!("{name}.{key}"))
                .collect(),
            _ => vec![name],
        })
        .collect()
}

fn reference() -> Table {
    #[expect(clippy::expect_used, reason = "compiled in, and tested below")]
    REFERENCE.parse().expect("the reference is valid TOML")
}

fn merge(into: &mut Table, given: Table, prefix: &str) -> Result<(), ConfigError> {
    for (key, value) in given {
        let setting = format!("{prefix}{key}");
        match (into.get_mut(&key), value) {
            (None, _) => return Err(unknown(&setting)),
            (Some(Value::Table(section)), Value::Table(given)) => {
                merge(section, given, &format!("{setting}."))?;
            }
            (Some(slot), value) => {
                if slot.type_str() != value.type_str() {
                    return Err(ConfigError::new(
                        setting,
                        format!("is {}; {} is expected", value.type_str(), slot.type_str()),
                    ));
                }
                *slot = value;
            }
        }
    }
    Ok(())
}

fn set_from_environment(
    table: &mut Table,
    variable: &str,
    path: &str,
    value: &str,
) -> Result<(), ConfigError> {
    let lower = path.to_ascii_lowercase();
    let slot = match lower.split_once("__") {
        Some((section, key)) => table
            .get_mut(section)
            .and_then(Value::as_table_mut)
            .and_then(|s| s.get_mut(key)),
        None => match table.get_mut(&lower) {
            Some(Value::Table(_)) | None => {
                return match meant(&lower) {
                    Some(setting) => Err(ConfigError::new(
                        variable,
                        format!("no such setting; {} is expected", variable_of(&setting)),
                    )),
                    // Other variables with this prefix are ignored: Kubernetes sets some, and tests do.
                    None => Ok(()),
                };
            }
            slot => slot,
        },
    };
    let Some(slot) = slot else {
        return Err(unknown(variable));
    };
    if ["mail__relays", "mail__domains"].contains(&lower.as_str()) {
        return Err(ConfigError::new(
            variable,
            "is a list of tables and can only be set in the file (several relays can also be listed in \
             CANVASS_MAIL__SMTP_URL, separated by commas)",
        ));
    }
    *slot = match slot {
        Value::Integer(_) => Value::Integer(value.trim().parse().map_err(|_| {
            ConfigError::new(
                variable,
                format!("is \"{value}\"; a whole number is expected"),
            )
        })?),
        Value::Boolean(_) => Value::Boolean(value.trim().parse().map_err(|_| {
            ConfigError::new(
                variable,
                format!("is \"{value}\"; true or false is expected"),
            )
        })?),
        Value::Array(_) => Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|v| !v.is_empty())
                .map(|v| Value::String(v.into()))
                .collect(),
        ),
        _ => Value::String(value.into()),
    };
    Ok(())
}

/// The setting whose variable name differs from this one only in its underscores.
fn meant(lower: &str) -> Option<String> {
    let bare = |name: &str| name.replace(['_', '.'], "");
    keys().into_iter().find(|key| bare(key) == bare(lower))
}

/// The name of the environment variable for a setting.
fn variable_of(setting: &str) -> String {
    format!("CANVASS_{}", setting.to_uppercase().replace('.', "__"))
}

/// The variables with our prefix that are not settings and are therefore ignored, so that a warning can name them.
#[must_use]
pub fn ignored(environment: &[(String, String)]) -> Vec<&str> {
    let known: Vec<String> = keys().iter().map(|key| variable_of(key)).collect();
    environment
        .iter()
        .map(|(variable, _)| variable.as_str())
        .filter(|name| name.starts_with("CANVASS_") && !name.starts_with("CANVASS_TEST_"))
        .filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .collect()
}

fn unknown(setting: &str) -> ConfigError {
    ConfigError::new(
        setting,
        "no such setting; `canvass settings` and the README list them all",
    )
}

#[cfg(test)]
mod tests;
