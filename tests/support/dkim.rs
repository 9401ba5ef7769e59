//! Verifies a mail's signatures with dkimpy, an independent implementation.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use canvass::mailer::dkim::{Key, Record};

use super::require;

const SCRIPT: &str = r#"
import dkim, json, sys
asked = json.load(sys.stdin)
records = {name + ".": text.encode() for name, text in asked["records"].items()}
def dns(name, timeout=5):
    return records.get(name.decode() if isinstance(name, bytes) else name)
said = []
for mail in asked["mails"]:
    mail = mail.encode("latin-1")
    judge = dkim.DKIM(mail)
    count = sum(1 for name, _ in judge.headers if name.lower() == b"dkim-signature")
    verdicts = []
    for index in range(count):
        judge = dkim.DKIM(mail)
        try:
            good = judge.verify(index, dnsfunc=dns)
        except dkim.DKIMException as error:
            good = False
        fields = judge.signature_fields or {}
        verdicts.append([good, fields.get(b"a", b"").decode(), fields.get(b"s", b"").decode()])
    said.append(verdicts)
json.dump(said, sys.stdout)
"#;

/// dkimpy's verdict on a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub good: bool,
    pub algorithm: String,
    pub selector: String,
}

/// The DNS records of these keys, by name.
pub fn records(keys: &[Key]) -> BTreeMap<String, String> {
    keys.iter()
        .map(|key| {
            let record = Record::of(key);
            (record.name, record.text)
        })
        .collect()
}

/// The verdicts on each mail's signatures, in order; `None` if dkimpy is not installed.
pub fn verdicts(records: &BTreeMap<String, String>, mails: &[String]) -> Option<Vec<Vec<Verdict>>> {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let mut test = Command::new(python);
        test.args(["-c", "import dkim, nacl"]).stderr(Stdio::null());
        test.status().is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        require::skip("python3-dkim and python3-nacl are not installed");
        return None;
    };
    let asked = serde_json::json!({ "records": records, "mails": mails });
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(asked.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: Vec<Vec<(bool, String, String)>> = serde_json::from_slice(&output.stdout).unwrap();
    let verdict = |(good, algorithm, selector)| Verdict {
        good,
        algorithm,
        selector,
    };
    Some(
        said.into_iter()
            .map(|mail| mail.into_iter().map(verdict).collect())
            .collect(),
    )
}
