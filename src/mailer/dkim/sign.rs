//! Signing a message.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::canonical::{self, Field};
use super::key::PrivateKey;
use crate::types::UnixMillis;

/// Headers that are signed once more than they occur, so that none can be added (RFC 6376 §8.15); List-Unsubscribe and
/// List-Unsubscribe-Post have to be covered (RFC 8058 §4).
const OVER_SIGNED: &[&str] = &[
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Content-Type",
    "MIME-Version",
    "Feedback-ID",
];
/// Headers that are signed if they occur.
const SIGNED: &[&str] = &["List-Id", "List-Help", "List-Owner", "List-Archive"];
/// The column at which a line of the signature is folded.
const FOLD_AT: usize = 76;

/// The active keys of one domain.
#[derive(Debug)]
pub(super) struct Signer {
    /// The tag `d=`.
    pub(super) domain: String,
    /// Selector and key, at most one of each algorithm.
    pub(super) keys: Vec<(String, Arc<PrivateKey>)>,
}

impl Signer {
    /// Puts a signature by each key before the message. If a key fails, which would be a defect of the library, its
    /// signature is left out. Returns the number of failed keys.
    pub(super) fn sign(&self, now: UnixMillis, message: &mut Vec<u8>) -> usize {
        let (head, body) = canonical::split(message);
        let mut form = Vec::with_capacity(body.len() + 2);
        canonical::body(body, &mut form);
        let body_hash = STANDARD.encode(digest(&SHA256, &form));

        let fields = canonical::fields(head);
        form.clear();
        let mut names = Vec::with_capacity(32);
        let lists = [(OVER_SIGNED, true), (SIGNED, false)];
        for (list, over) in lists {
            for name in list {
                let same = |field: &&Field<'_>| field.name.eq_ignore_ascii_case(name.as_bytes());
                // If a field occurs several times, the last one is signed first (§5.4.2).
                for field in fields.iter().rev().filter(same) {
                    canonical::header(*field, &mut form);
                    form.extend_from_slice(b"\r\n");
                    names.push(*name);
                }
                if over {
                    names.push(*name);
                }
            }
        }
        let covered = covered(&names);
        let mut headers = Context::new(&SHA256);
        headers.update(&form);

        let (mut signatures, mut failed) = (String::with_capacity(2_048), 0);
        for (selector, key) in &self.keys {
            let mut field = format!(
                " v=1; a={}; c=relaxed/relaxed;\r\n d={}; s={selector};\r\n t={};\r\n h={covered};\r\n bh={body_hash};\r\n b=",
                key.algorithm().signature_name(),
                self.domain,
                now.0 / 1_000,
            );
            form.clear();
            let name = "DKIM-Signature";
            let unsigned = Field {
                name: name.as_bytes(),
                value: field.as_bytes(),
            };
            canonical::header(unsigned, &mut form);
            let mut context = headers.clone();
            context.update(&form);
            let Some(signature) = key.sign(&context.finish()) else {
                failed += 1;
                continue;
            };
            // The value must begin right after the tag: a verifier removes it, and what is left must be what was
            // hashed.
            let mut room = FOLD_AT - 3;
            let mut rest = signature.as_str();
            while rest.len() > room {
                let (line, after) = rest.split_at(room);
                field.push_str(line);
                field.push_str("\r\n ");
                (rest, room) = (after, FOLD_AT - 1);
            }
            field.push_str(rest);
            signatures.push_str(name);
            signatures.push(':');
            signatures.push_str(&field);
            signatures.push_str("\r\n");
        }
        message.splice(0..0, signatures.into_bytes());
        failed
    }
}

/// The tag `h=`, folded after its colons.
fn covered(names: &[&str]) -> String {
    let mut out = String::with_capacity(512);
    let mut column = 3;
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            out.push(':');
            column += 1;
        }
        if column + name.len() >= FOLD_AT {
            out.push_str("\r\n ");
            column = 1;
        }
        out.push_str(name);
        column += name.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::dkim::Algorithm;
    use crate::types::Random;
    use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    const NOW: UnixMillis = UnixMillis(1_772_442_000_123);
    const MAIL: &str = "From: News <news@example.org>\r\nTo: ada@example.org\r\nSubject: =?UTF-8?B?WsO8cmljaA==?=\r\n and more\r\n\
        List-Unsubscribe: <https://example.org/u/x>\r\n\r\nHello\r\n";

    fn signer() -> Signer {
        let random = Random::seeded(1);
        let key = |algorithm| Arc::new(PrivateKey::make(algorithm, &random).unwrap());
        Signer {
            domain: "example.org".to_owned(),
            keys: Algorithm::ALL
                .map(|a| (format!("s{}", a as i16), key(a)))
                .into(),
        }
    }

    fn tag<'s>(signature: &'s str, name: &str) -> Option<&'s str> {
        let mut tags = signature.split(';').map(str::trim);
        tags.find_map(|tag| tag.strip_prefix(name)?.strip_prefix('='))
    }

    fn signatures(mail: &str) -> Vec<String> {
        let (head, _) = canonical::split(mail.as_bytes());
        canonical::fields(head)
            .iter()
            .filter(|f| f.name == b"DKIM-Signature")
            .map(|f| String::from_utf8(f.value.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn both_keys_sign_what_has_to_be_covered() {
        let mut mail = MAIL.as_bytes().to_vec();
        assert_eq!(signer().sign(NOW, &mut mail), 0);
        let mail = String::from_utf8(mail).unwrap();
        assert!(mail.ends_with(MAIL), "the mail itself is not touched");
        assert!(mail.split("\r\n").all(|line| line.len() <= 78), "{mail}");
        let signatures = signatures(&mail);
        let algorithms: Vec<_> = signatures.iter().map(|s| tag(s, "a").unwrap()).collect();
        assert_eq!(algorithms, ["rsa-sha256", "ed25519-sha256"]);
        for signature in &signatures {
            assert_eq!(tag(signature, "c"), Some("relaxed/relaxed"));
            assert_eq!(tag(signature, "d"), Some("example.org"));
            assert_eq!(tag(signature, "t"), Some("1772442000"));
            for absent in ["l", "i", "x"] {
                assert_eq!(tag(signature, absent), None, "{absent}=");
            }
            let names: Vec<&str> = tag(signature, "h")
                .unwrap()
                .split(':')
                .map(str::trim)
                .collect();
            let times = |name: &str| names.iter().filter(|n| **n == name).count();
            for name in ["From", "To", "Subject", "List-Unsubscribe"] {
                assert_eq!(times(name), 2, "{name} is over-signed");
            }
            assert_eq!(times("Reply-To"), 1, "absent, and nobody can add one");
            assert_eq!(times("List-Id"), 0);
        }
        assert_eq!(tag(&signatures[0], "bh"), tag(&signatures[1], "bh"));
    }

    /// Rebuilds what was signed from the finished mail, as a verifier does.
    #[test]
    fn the_signatures_are_good_and_a_second_subject_breaks_them() {
        let signer = signer();
        let mut mail = MAIL.as_bytes().to_vec();
        signer.sign(NOW, &mut mail);
        let mail = String::from_utf8(mail).unwrap();
        let forged = mail.replacen("Subject: ", "Subject: You won\r\nSubject: ", 1);
        for (index, (_, key)) in signer.keys.iter().enumerate() {
            let public = match key.as_ref() {
                PrivateKey::Rsa(key) => aws_lc_rs::signature::KeyPair::public_key(key.as_ref())
                    .as_ref()
                    .to_vec(),
                PrivateKey::Ed25519(key) => aws_lc_rs::signature::KeyPair::public_key(key.as_ref())
                    .as_ref()
                    .to_vec(),
            };
            let verify = |mail: &str| {
                let value = signatures(mail)[index].clone();
                let mut left: Vec<Field<'_>> =
                    canonical::fields(canonical::split(mail.as_bytes()).0);
                let mut signed = Vec::new();
                for name in tag(&value, "h").unwrap().split(':').map(str::trim) {
                    let found = left
                        .iter()
                        .rposition(|f| f.name.eq_ignore_ascii_case(name.as_bytes()));
                    if let Some(at) = found {
                        canonical::header(left.remove(at), &mut signed);
                        signed.extend_from_slice(b"\r\n");
                    }
                }
                let at = value.find("\r\n b=").unwrap() + 5;
                let (before, b) = value.split_at(at);
                canonical::header(
                    Field {
                        name: b"dkim-signature",
                        value: before.as_bytes(),
                    },
                    &mut signed,
                );
                let b: String = b.split_whitespace().collect();
                let b = STANDARD.decode(b).unwrap();
                match key.algorithm() {
                    Algorithm::Rsa => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public)
                        .verify(&signed, &b)
                        .is_ok(),
                    Algorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, &public)
                        .verify(digest(&SHA256, &signed).as_ref(), &b)
                        .is_ok(),
                }
            };
            assert!(verify(&mail), "{index}");
            assert!(!verify(&forged), "{index}: a second subject passes");
        }
    }

    #[test]
    fn keys_come_back_from_storage_and_unsuitable_ones_are_refused() {
        let random = Random::seeded(2);
        for algorithm in Algorithm::ALL {
            let key = PrivateKey::make(algorithm, &random).unwrap();
            let again = PrivateKey::from_pkcs8(&key.pkcs8().unwrap()).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.public(), key.public());
            assert!(!format!("{key:?}").contains(&key.public().unwrap()[..10]));
        }
        assert!(PrivateKey::from_pkcs8(b"nonsense").is_err());
        assert!(
            PrivateKey::from_pem(b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
                .is_err()
        );
    }

    /// Only printed, without a limit: the time depends on the machine and on the build.
    #[test]
    fn the_time_of_a_signature_is_printed() {
        let signer = signer();
        let body = "A line of a letter that goes to many readers at once.\r\n".repeat(540);
        let mail = format!("{}{body}", MAIL);
        let rounds = 200;
        for (what, keys) in [
            ("both", 0..2),
            ("rsa-2048", 0..1),
            ("ed25519", 1..2),
            ("hashing alone", 0..0),
        ] {
            let part = Signer {
                domain: signer.domain.clone(),
                keys: signer.keys[keys].to_vec(),
            };
            let started = tokio::time::Instant::now();
            for _ in 0..rounds {
                let mut mail = mail.clone().into_bytes();
                assert_eq!(part.sign(NOW, &mut mail), 0);
            }
            let each = started.elapsed().as_micros() / rounds;
            eprintln!("a 30 kB mail, {what}: {each} µs");
        }
    }
}
