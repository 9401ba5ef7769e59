//! Merging the layers: reference, file, environment.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// The compiled-in reference: every setting with its default and a comment.
pub const REFERENCE: &str = include_str!("reference.toml");

/// A configuration that cannot be used: names the setting or file, says what was found and what is expected.
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

/// The environment's variables; ones that are not UTF-8 are left out.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// A program in `PATH`.
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
            .map_err(|e| ConfigError::new(&name, format!("is not valid TOML: {e}")))?;
        merge(&mut table, given, "")?;
    }
    for (variable, value) in environment {
        let Some(path) = variable.strip_prefix("CANVASS_") else {
            continue;
        };
        set_from_environment(&mut table, variable, path, value)?;
    }
    let config: Config = Value::Table(table)
        .try_into()
        .map_err(|e: toml::de::Error| ConfigError::new("configuration", e.message()))?;
    config.checked()
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
                    // Not ours: Kubernetes sets some that begin like this, and tests do.
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
            "is a list of tables; the file is expected to hold it (several relays can also stand in \
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

/// The setting whose variable differs from this one by underscores alone.
fn meant(lower: &str) -> Option<String> {
    let bare = |name: &str| name.replace(['_', '.'], "");
    keys().into_iter().find(|key| bare(key) == bare(lower))
}

/// The variable of a setting.
fn variable_of(setting: &str) -> String {
    format!("CANVASS_{}", setting.to_uppercase().replace('.', "__"))
}

/// The variables with our prefix that are no setting, and are left alone: for a word about them.
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
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn the_reference_alone_is_valid() {
        let config = load(None, &[]).expect("valid");
        assert_eq!(config.mail.connections, 10);
        assert!(keys().contains(&"mail.smtp_url".to_string()));
    }

    #[test]
    fn the_environment_wins_and_is_typed() {
        let config = load(
            None,
            &env(&[
                ("CANVASS_HTTP__BIND", "0.0.0.0:9"),
                ("CANVASS_MAIL__CONNECTIONS", " 3 "),
                ("CANVASS_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
                ("CANVASS_TEST_DATABASE_URL", "not ours"),
                ("HOME", "/"),
            ]),
        )
        .expect("valid");
        assert_eq!(config.http.bind.to_string(), "0.0.0.0:9");
        assert_eq!(config.mail.connections, 3);
        assert_eq!(config.http.trusted_proxies.len(), 2);
    }

    #[test]
    fn an_address_is_no_name_for_mails() {
        for (given, hello, domain) in [
            ("https://news.example", "news.example", "news.example"),
            ("http://192.0.2.7:8080", "[192.0.2.7]", "localhost"),
            ("http://[2001:db8::7]:80", "[IPv6:2001:db8::7]", "localhost"),
        ] {
            let config = load(None, &env(&[("CANVASS_HTTP__PUBLIC_URL", given)])).expect("valid");
            assert_eq!(
                (config.hello_name(), config.domain()),
                (hello.into(), domain.into())
            );
        }
        let named = [
            ("CANVASS_HTTP__PUBLIC_URL", "http://192.0.2.7"),
            ("CANVASS_MAIL__HELLO_NAME", "mx.example"),
        ];
        assert_eq!(
            load(None, &env(&named)).expect("valid").hello_name(),
            "mx.example"
        );
    }

    #[test]
    fn tables_of_relays_are_read_and_what_is_wrong_with_one_is_named() {
        let given = |text: &str| {
            let mut table = reference();
            merge(&mut table, text.parse().expect("TOML"), "").map_err(|e| e.to_string())?;
            let config: Config = Value::Table(table)
                .try_into()
                .map_err(|e: toml::de::Error| e.to_string())?;
            config.checked().map_err(|e| e.to_string())
        };
        let good = "[[mail.relays]]\nname = \"a\"\nurl = \"smtp://a\"\nweight = 3\nper_day = 9\n\
                    warm_up = { start = \"2026-12-01\", mails = 5 }\n[[mail.relays]]\nurl = \"smtp://b\"\n\
                    [[mail.domains]]\nname = \"google\"\nconnections = 20";
        let config = given(good).expect("valid");
        let relays = config.mail.all_relays();
        assert_eq!(
            (relays[0].weight, relays[1].weight, relays.len()),
            (3, 1, 2)
        );
        let warm_up = relays[0].warm_up.as_ref().expect("given");
        assert!((warm_up.growth - 2.0).abs() < f64::EPSILON);
        assert_eq!(config.mail.domains[0].connections, Some(20));
        for (rest, words) in [
            ("weight = 0", "mail.relays.a.weight: is 0"),
            ("wieght = 1", "wieght"),
            (
                "warm_up = { start = \"soon\", mails = 5 }",
                "mail.relays.a.warm_up.start",
            ),
            (
                "warm_up = { start = \"2026-12-01\", mails = 5, growth = 3.0 }",
                "mail.relays.a.warm_up.growth",
            ),
            ("[mail]\nsmtp_url = \"smtp://c\"", "mail.relays"),
            (
                "[[mail.relays]]\nname = \"a\"\nurl = \"smtp://b\"",
                "another relay has this name",
            ),
            (
                "[[mail.domains]]\nname = \"x\"\ndomains = [\"a b\"]",
                "mail.domains[0].domains",
            ),
        ] {
            let (head, table) = match rest.strip_prefix("[mail]\n") {
                Some(head) => (format!("[mail]\n{head}\n"), ""),
                None => (String::new(), rest),
            };
            let text = format!("{head}[[mail.relays]]\nname = \"a\"\nurl = \"smtp://a\"\n{table}");
            let error = given(&text).expect_err("refused");
            assert!(error.contains(words), "{text} gave: {error}");
        }
        let variable = env(&[("CANVASS_MAIL__RELAYS", "smtp://a")]);
        let error = load(None, &variable).expect_err("refused").to_string();
        assert!(error.contains("CANVASS_MAIL__SMTP_URL"), "{error}");
    }

    #[test]
    fn errors_name_the_setting_and_what_is_expected() {
        for (pairs, name, expected) in [
            (
                [("CANVASS_MAIL__CONNECTIONS", "many")],
                "CANVASS_MAIL__CONNECTIONS",
                "whole number",
            ),
            (
                [("CANVASS_MAIL__CONECTIONS", "3")],
                "CANVASS_MAIL__CONECTIONS",
                "no such setting; `canvass settings`",
            ),
            (
                [("CANVASS_HTTP_BIND", "0.0.0.0:9")],
                "CANVASS_HTTP_BIND",
                "CANVASS_HTTP__BIND is expected",
            ),
            (
                [("CANVASS_DATADIR", "x")],
                "CANVASS_DATADIR",
                "CANVASS_DATA_DIR is expected",
            ),
            (
                [("CANVASS_MAIL__CONNECTIONS", "0")],
                "mail.connections",
                "between 1 and",
            ),
            (
                [("CANVASS_HTTP__PUBLIC_URL", "news")],
                "http.public_url",
                "http",
            ),
            ([("CANVASS_HTTP__BIND", "x")], "http.bind", "address"),
            (
                [("CANVASS_MAIL__IN_DOUBT", "maybe")],
                "mail.in_doubt",
                "resend or hold",
            ),
        ] {
            let error = load(None, &env(&pairs)).expect_err("refused").to_string();
            assert!(
                error.contains(name) && error.contains(expected),
                "{pairs:?} gave: {error}"
            );
        }
    }

    #[test]
    fn variables_of_others_are_left_alone_and_named() {
        let given = env(&[
            ("CANVASS_SERVICE_HOST", "10.0.0.1"),
            ("CANVASS_PORT", "tcp://10.0.0.1:80"),
            ("CANVASS_TEST_DATABASE_URL", "x"),
            ("CANVASS_HTTP__BIND", "0.0.0.0:9"),
            ("HOME", "/"),
        ]);
        load(None, &given).expect("nothing of ours is wrong");
        assert_eq!(ignored(&given), ["CANVASS_SERVICE_HOST", "CANVASS_PORT"]);
    }
}
