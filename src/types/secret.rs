//! Values that must not be printed: passwords, keys, connection strings with passwords.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string that shows `[redacted]` wherever it is printed or serialised.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: only for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the value is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "[redacted]" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// A value that is not a string is refused without quoting it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer) {
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(serde::de::Error::custom(
                "is no text; a text in quotation marks is expected",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_its_value() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert_eq!(
            serde_json::to_string(&secret).expect("serialises"),
            "\"[redacted]\""
        );
        assert_eq!(secret.expose(), "hunter2");
        for wrong in ["12345678", "[\"hunter2\"]", "{\"hunter2\": 1}"] {
            let refused = serde_json::from_str::<Secret>(wrong).expect_err(wrong);
            let said = refused.to_string();
            assert!(
                !said.contains("hunter2") && !said.contains("12345678"),
                "{said}"
            );
        }
        let read: Secret = serde_json::from_str("\"hunter2\"").expect("a text");
        assert_eq!(read, secret);
    }
}
