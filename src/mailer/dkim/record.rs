//! The DNS records that a domain has to publish, and checks of what it does publish.

use std::collections::BTreeMap;

use super::store::Key;

/// The longest string of a TXT record, in octets (RFC 1035 §3.3.14).
const LONGEST_STRING: usize = 255;

/// The TXT record of a key (RFC 6376 §3.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name: `selector._domainkey.domain`.
    pub name: String,
    /// Its text, in one piece.
    pub text: String,
}

impl Record {
    /// The record of a key.
    #[must_use]
    pub fn of(key: &Key) -> Self {
        Self {
            name: format!("{}._domainkey.{}", key.selector, key.domain),
            text: format!("v=DKIM1; k={}; p={}", key.algorithm.key_name(), key.public),
        }
    }

    /// The text, split into strings that a TXT record can hold; readers of the record join them without a space.
    #[must_use]
    pub fn strings(&self) -> Vec<&str> {
        let mut strings = Vec::new();
        let mut rest = self.text.as_str();
        while rest.len() > LONGEST_STRING {
            // The text is ASCII, so every index is a character boundary.
            let (string, after) = rest.split_at(LONGEST_STRING);
            strings.push(string);
            rest = after;
        }
        strings.push(rest);
        strings
    }

    /// The record as a line of a zone file.
    #[must_use]
    pub fn zone_line(&self) -> String {
        let strings: Vec<String> = self.strings().iter().map(|s| format!("\"{s}\"")).collect();
        format!("{}. 3600 IN TXT ( {} )", self.name, strings.join(" "))
    }

    /// Checks whether the records found at [`Self::name`] verify our signatures.
    ///
    /// # Errors
    /// What is wrong with them, as a sentence for the operator.
    pub fn matches(&self, found: &[String]) -> Result<&'static str, String> {
        let found = match found {
            [] => return Err("the name has no TXT record".to_owned()),
            [one] => one,
            several => {
                return Err(format!(
                    "there are {} TXT records, and receivers may use any of them: keep only one",
                    several.len()
                ));
            }
        };
        let (theirs, ours) = (tags(found), tags(&self.text));
        let tag = |name: &str| theirs.get(name).map(String::as_str);
        let lists = |name: &str, wanted: &[&str]| {
            tag(name).is_none_or(|list| list.split(':').any(|item| wanted.contains(&item)))
        };
        if tag("v").is_some_and(|v| v != "DKIM1") {
            return Err("it does not begin with v=DKIM1".to_owned());
        }
        let Some(public) = tag("p") else {
            return Err("it has no p=, so it is not a DKIM key".to_owned());
        };
        if public.is_empty() {
            return Err("its p= is empty: the key is revoked there".to_owned());
        }
        if Some(tag("k").unwrap_or("rsa")) != ours.get("k").map(String::as_str) {
            return Err("its k= is for another kind of key".to_owned());
        }
        if Some(public) != ours.get("p").map(String::as_str) {
            return Err("it contains another public key".to_owned());
        }
        if !lists("h", &["sha256"]) {
            return Err("its h= does not allow sha256".to_owned());
        }
        if !lists("s", &["*", "email"]) {
            return Err("its s= does not allow mail".to_owned());
        }
        if tag("t").is_some_and(|flags| flags.split(':').any(|flag| flag == "y")) {
            let problem = "it is marked as a test (t=y): receivers treat the mails as unsigned";
            return Err(problem.to_owned());
        }
        Ok("it is published")
    }
}

/// Parses `name=value; …`. All white space is dropped, because no value of these records needs any. If a tag is
/// repeated, the first one counts.
pub(super) fn tags(text: &str) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for tag in text.split(';') {
        let tag: String = tag.split_whitespace().collect();
        if let Some((name, value)) = tag.split_once('=') {
            tags.entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    tags
}

/// What a domain's DMARC record asks for (RFC 9989).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmarc {
    /// `none`, `quarantine` or `reject`.
    pub policy: String,
    /// Whether the domain of the signature must equal that of the sender exactly (strict alignment).
    pub strict: bool,
}

impl Dmarc {
    /// Reads the records at `_dmarc.domain`; `None` if there is none.
    ///
    /// # Errors
    /// If there is something that receivers will ignore; a sentence for the operator.
    pub fn read(found: &[String]) -> Result<Option<Self>, String> {
        let mut records = found
            .iter()
            .map(|text| tags(text))
            .filter(|tags| tags.get("v").is_some_and(|v| v == "DMARC1"));
        let Some(record) = records.next() else {
            return Ok(None);
        };
        if records.next().is_some() {
            let problem = "there are several DMARC records, which receivers ignore: keep only one";
            return Err(problem.to_owned());
        }
        let policy = record
            .get("p")
            .map_or("none", String::as_str)
            .to_lowercase();
        if !matches!(policy.as_str(), "none" | "quarantine" | "reject") {
            return Err(format!(
                "its DMARC record has p={policy}; none, quarantine or reject is expected"
            ));
        }
        Ok(Some(Self {
            policy,
            strict: record.get("adkim").is_some_and(|mode| mode == "s"),
        }))
    }
}

/// The SPF record among a domain's TXT records (RFC 7208 §4.5).
///
/// # Errors
/// If there is none, or more than one; a sentence for the operator.
pub fn spf(found: &[String]) -> Result<&str, String> {
    let is_spf = |text: &&String| {
        let version = text.split(' ').next().unwrap_or_default();
        version.eq_ignore_ascii_case("v=spf1")
    };
    let records: Vec<&String> = found.iter().filter(is_spf).collect();
    match records[..] {
        [one] => Ok(one),
        [] => Err("there is no SPF record (v=spf1 …) that names the relay".to_owned()),
        _ => Err("there are several SPF records, which is an error: merge them".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::dkim::{Algorithm, State};
    use crate::types::UnixMillis;

    fn record() -> Record {
        Record::of(&Key {
            domain: "example.org".to_owned(),
            selector: "s1".to_owned(),
            algorithm: Algorithm::Rsa,
            public: "MIIB".repeat(98),
            state: State::Waiting,
            created: UnixMillis(0),
            stopped: None,
        })
    }

    #[test]
    fn a_long_key_is_split_into_strings_that_join_again() {
        let record = record();
        assert_eq!(record.name, "s1._domainkey.example.org");
        let strings = record.strings();
        assert!(strings.len() > 1 && strings.iter().all(|s| s.len() <= 255));
        assert_eq!(strings.concat(), record.text);
        let line = record.zone_line();
        assert!(line.starts_with("s1._domainkey.example.org. 3600 IN TXT ( \"v=DKIM1; k=rsa; p="));
        assert!(line.contains("\" \"") && line.ends_with("\" )"));
    }

    #[test]
    fn what_is_published_is_judged() {
        let record = record();
        let text = record.text.clone();
        let spaced = text.replace("p=MIIB", "p= MIIB ").replace("; ", ";");
        for good in [
            text.clone(),
            spaced,
            text.replace("k=rsa; ", ""),
            format!("{text}; s=email:*; h=sha256"),
        ] {
            assert!(
                record.matches(std::slice::from_ref(&good)).is_ok(),
                "{good}"
            );
        }
        for (bad, why) in [
            (vec![], "no TXT"),
            (vec![text.clone(), "v=spf1 -all".to_owned()], "2 TXT"),
            (
                vec![text.replace("MIIBMIIB", "MIICMIIC")],
                "another public key",
            ),
            (vec!["v=DKIM1; p=".to_owned()], "revoked"),
            (vec!["v=spf1 -all".to_owned()], "v=DKIM1"),
            (vec!["hello".to_owned()], "no p="),
            (vec![text.replace("k=rsa", "k=ed25519")], "another kind"),
            (vec![format!("{text}; h=sha1")], "sha256"),
            (vec![format!("{text}; s=tlsrpt")], "mail"),
            (vec![format!("{text}; t=s:y")], "test"),
        ] {
            let told = record.matches(&bad).unwrap_err();
            assert!(told.contains(why), "{bad:?}: {told}");
        }
    }

    #[test]
    fn dmarc_and_spf_are_found_among_other_texts() {
        let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let read = |records: &[&str]| Dmarc::read(&texts(records));
        let strict = read(&["v=DMARC1; p=reject; adkim=s"]).unwrap().unwrap();
        assert_eq!((strict.policy.as_str(), strict.strict), ("reject", true));
        assert!(!read(&["v=DMARC1;p=NONE"]).unwrap().unwrap().strict);
        let twice = read(&["v=DMARC1; p=none", "v=DMARC1; p=none"]);
        assert!(twice.unwrap_err().contains("several"));
        assert!(
            read(&["v=DMARC1; p=bogus"])
                .unwrap_err()
                .contains("p=bogus")
        );
        assert_eq!(read(&["v=spf1 -all"]), Ok(None));
        assert_eq!(
            spf(&texts(&["site=1", "v=spf1 mx -all"])),
            Ok("v=spf1 mx -all")
        );
        assert!(spf(&texts(&["v=spf10"])).is_err());
        assert!(
            spf(&texts(&["v=spf1 a", "v=spf1 b"]))
                .unwrap_err()
                .contains("several")
        );
    }
}
