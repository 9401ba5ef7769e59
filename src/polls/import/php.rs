//! Decodes PHP's `serialize` format into JSON. No objects are created, so no code can run.

use serde_json::{Map, Number, Value};

const DEEPEST: usize = 32;

/// A stored value: JSON (YOP Poll 7) or serialized (before). `None`: neither of them.
pub fn value(text: &str) -> Option<Value> {
    if let Ok(json) = serde_json::from_str(text) {
        return Some(json);
    }
    let mut reader = Reader {
        rest: text.as_bytes(),
    };
    reader.value(0)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn until(&mut self, mark: u8) -> Option<&'a str> {
        let at = self.rest.iter().position(|b| *b == mark)?;
        let (found, rest) = self.rest.split_at(at);
        self.rest = &rest[1..];
        std::str::from_utf8(found).ok()
    }

    fn expect(&mut self, mark: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        let kind = *self.rest.first()?;
        if kind == b'N' {
            self.expect(b"N;")?;
            return Some(Value::Null);
        }
        self.rest = self.rest.get(1..)?;
        self.expect(b":")?;
        match kind {
            b'i' => Some(self.until(b';')?.parse::<i64>().ok()?.into()),
            b'b' => Some(Value::Bool(self.until(b';')? == "1")),
            b'd' => {
                let number: f64 = self.until(b';')?.parse().ok()?;
                Some(Number::from_f64(number).map_or(Value::Null, Value::Number))
            }
            b's' => {
                let text = self.text()?;
                self.expect(b";")?;
                Some(Value::String(text))
            }
            b'a' => {
                let entries: usize = self.until(b':')?.parse().ok()?;
                self.map(entries, depth)
            }
            // O:8:"stdClass":1:{…}: only its properties.
            b'O' => {
                self.text()?;
                self.expect(b":")?;
                let entries: usize = self.until(b':')?.parse().ok()?;
                self.map(entries, depth)
            }
            _ => None,
        }
    }

    /// Lengths are in bytes of the original encoding. A dump in another encoding has other lengths, so the closing
    /// quote is checked as well.
    fn text(&mut self) -> Option<String> {
        let length: usize = self.until(b':')?.parse().ok()?;
        self.expect(b"\"")?;
        let fits = self.rest.get(length) == Some(&b'"');
        let end = if fits {
            length
        } else {
            self.rest.iter().position(|b| *b == b'"')?
        };
        let (found, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Some(String::from_utf8_lossy(found).into_owned())
    }

    fn map(&mut self, entries: usize, depth: usize) -> Option<Value> {
        self.expect(b"{")?;
        let (mut map, mut list) = (Map::new(), Vec::new());
        for at in 0..entries {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            if key.as_u64() == u64::try_from(at).ok() {
                list.push(value.clone());
            }
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            map.insert(key, value);
        }
        self.expect(b"}")?;
        Some(if entries > 0 && list.len() == entries {
            Value::Array(list)
        } else {
            Value::Object(map)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_of_storing_say_the_same() {
        let serialized = r#"a:2:{s:8:"elements";a:1:{i:0;a:2:{s:2:"id";s:1:"3";s:4:"data";a:1:{i:0;a:1:{s:2:"id";i:7;}}}}s:4:"user";a:0:{}}"#;
        let expected = json!({"elements": [{"id": "3", "data": [{"id": 7}]}], "user": {}});
        assert_eq!(value(serialized), Some(expected.clone()));
        assert_eq!(value(&expected.to_string()), Some(expected));
        assert_eq!(
            value("O:8:\"stdClass\":1:{s:1:\"a\";b:1;}"),
            Some(json!({"a": true}))
        );
        assert_eq!(value("a:1:{i:0;"), None);
        assert_eq!(value(&"a:1:{i:0;".repeat(10_000)), None);
    }

    proptest! {
        #[test]
        fn no_text_upsets_it(text in "\\PC*") {
            value(&text);
        }

        #[test]
        fn nothing_that_looks_serialized_upsets_it(text in "[aisbdON:;{}\"0-9]{0,60}") {
            value(&text);
        }
    }
}
