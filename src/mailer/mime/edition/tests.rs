use super::*;
use crate::{
    mailer::mime::{Mailbox, Slots, View, message_id},
    types::{EmailAddress, IssueId, ReaderId, Secret},
};

fn keys() -> Keys {
    Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).unwrap()
}

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox {
        name: name.into(),
        address: EmailAddress::parse(address).unwrap(),
    }
}

fn draft(list: bool) -> Draft {
    let mut slots = Slots::new([7; 16]);
    let name = slots.name("reader");
    let link = slots.link("/manage/", Purpose::Manage, &[4]);
    Draft {
        from: mailbox("The Daily", "news@example.org"),
        reply_to: Some(mailbox("Redaktion Zürich", "desk@example.org")),
        subject: "Größe zählt\r\nBcc: all@example.org".into(),
        text: format!("Hello {name}\n.\nManage: {link}"),
        html: format!("<p>Hello {name}</p><a href=\"{link}\">Manage</a>\n"),
        slots,
        list: list.then(|| ListHeaders {
            name: "The Daily, premium".into(),
            id: "premium.news.example.org".into(),
            unsubscribe: vec![4],
            help: "https://news.example.org/archive/premium".into(),
            owner: "desk@example.org".into(),
            archive: Some("https://news.example.org/archive/premium".into()),
            feedback_id: "7:premium:digest:canvass".into(),
        }),
    }
}

fn fill(edition: &Edition, address: &str, name: Option<&str>) -> String {
    let keys = keys();
    let mut out = Vec::new();
    let reader = ReaderId(987_654);
    edition.fill(
        &Recipient {
            reader,
            address,
            name,
        },
        &Sending {
            keys: &keys,
            public_url: "https://news.example.org/",
            now: UnixMillis(1_700_000_000_000),
            message_id: &message_id(&keys, IssueId(7), reader, edition.domain()),
            mailto: None,
        },
        &mut out,
    );
    String::from_utf8(out).unwrap()
}

fn header<'v>(view: &'v View, name: &str) -> Vec<&'v str> {
    let fields = view
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn a_digest_bears_every_header_of_a_good_sender() {
    let edition = Edition::compile(draft(true));
    let raw = fill(&edition, "ada@example.org", Some("Ada"));
    let view = View::of(raw.as_bytes());
    for (name, value) in [
        ("From", "The Daily <news@example.org>"),
        ("To", "ada@example.org"),
        ("Date", "Tue, 14 Nov 2023 22:13:20 +0000"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        (
            "List-Id",
            "\"The Daily, premium\" <premium.news.example.org>",
        ),
        ("List-Help", "<https://news.example.org/archive/premium>"),
        ("List-Owner", "<mailto:desk@example.org>"),
        ("List-Archive", "<https://news.example.org/archive/premium>"),
        ("List-Post", "NO"),
        ("Precedence", "bulk"),
        ("Feedback-ID", "7:premium:digest:canvass"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(header(&view, name), [value], "{name}");
    }
    assert!(header(&view, "Bcc").is_empty());
    assert!(header(&view, "Auto-Submitted").is_empty());
    assert!(header(&view, "Message-ID")[0].ends_with("@example.org>"));
    let line = raw
        .lines()
        .find(|l| l.starts_with("List-Unsubscribe: "))
        .unwrap();
    let url = line
        .trim_start_matches("List-Unsubscribe: <")
        .trim_end_matches('>');
    assert!(
        url.starts_with("https://news.example.org/u/") && url.len() <= 58,
        "{url}"
    );
}

#[test]
fn a_single_mail_says_that_a_machine_wrote_it() {
    let view = View::of(fill(&Edition::compile(draft(false)), "ada@example.org", None).as_bytes());
    assert_eq!(header(&view, "Auto-Submitted"), ["auto-generated"]);
    assert!(header(&view, "List-Unsubscribe").is_empty());
    assert!(header(&view, "Precedence").is_empty());
    assert!(
        view.text.starts_with("Hello reader\r\n.\r\n")
            || view.text.starts_with("Hello reader\n.\n")
    );
}

#[test]
fn values_are_escaped_where_they_stand_and_nothing_leaves_unencoded() {
    let edition = Edition::compile(draft(true));
    let raw = fill(
        &edition,
        "ada@example.org",
        Some("<b>Zoë</b>\r\nX-Evil: 1\r\n\r\n.\r\n"),
    );
    let view = View::of(raw.as_bytes());
    assert!(
        view.html.contains("Hello &lt;b&gt;Zoë&lt;/b&gt;"),
        "{}",
        view.html
    );
    assert!(view.text.contains("Hello <b>Zoë</b>"), "{}", view.text);
    assert!(header(&view, "X-Evil").is_empty());
    assert!(raw.is_ascii());
    let bytes = raw.as_bytes();
    for (i, b) in bytes.iter().enumerate() {
        assert!(*b != b'\r' || bytes.get(i + 1) == Some(&b'\n'));
        assert!(*b != b'\n' || (i > 0 && bytes[i - 1] == b'\r'));
    }
    assert!(raw.split("\r\n").all(|l| l.len() <= 78), "{raw}");
}

#[test]
fn links_are_sealed_for_the_reader_and_open_again() {
    let view = View::of(fill(&Edition::compile(draft(true)), "ada@example.org", None).as_bytes());
    let token = view
        .text
        .trim_end()
        .rsplit_once("https://news.example.org/manage/")
        .unwrap()
        .1;
    let payload = keys().open(Purpose::Manage, token).unwrap();
    assert_eq!(crate::types::varint::unpack(&payload), Some([4, 987_654]));
    assert!(
        view.html
            .contains(&format!("href=\"https://news.example.org/manage/{token}\""))
    );
}

#[test]
fn an_edition_survives_storage() {
    let edition = Edition::compile(draft(true));
    let stored = serde_json::to_string(&edition).unwrap();
    assert_eq!(serde_json::from_str::<Edition>(&stored).unwrap(), edition);
}

/// Its subject is kept with its markers, and filled in for each reader.
#[test]
fn an_edition_from_before_the_markers_were_random_is_filled_in() {
    let stored = r#"{"segments": [{"subject": "For qzslotx0xzq"}, {"fixed": "\r\n\r\n"}],
        "slots": [{"name": "reader"}], "sender": "news@example.org"}"#;
    let edition: Edition = serde_json::from_str(stored).unwrap();
    let raw = fill(&edition, "ada@example.org", Some("Ada"));
    assert_eq!(View::of(raw.as_bytes()).subject, "For Ada");
}

#[test]
fn both_parts_are_there_text_first() {
    let raw = fill(&Edition::compile(draft(true)), "ada@example.org", None);
    let text = raw.find("Content-Type: text/plain; charset=utf-8").unwrap();
    let html = raw.find("Content-Type: text/html; charset=utf-8").unwrap();
    assert!(text < html && raw.ends_with("--=_canvass--\r\n"));
}

#[test]
fn a_subject_may_bear_the_readers_name() {
    let mut draft = draft(true);
    draft.subject = format!("For {}", draft.slots.name("reader"));
    let raw = fill(
        &Edition::compile(draft),
        "ada@example.org",
        Some("Zoë\r\nBcc: x@example.org"),
    );
    let view = View::of(raw.as_bytes());
    assert_eq!(view.subject, "For Zoë  Bcc: x@example.org");
    assert!(header(&view, "Bcc").is_empty());
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    /// Text as from an attacker, an emoji keyboard or a broken import.
    fn text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\r\n".to_owned()),
            Just("\r".to_owned()),
            Just("\n.\n".to_owned()),
            Just("\0".to_owned()),
            Just("\r\n\r\n--=_canvass--\r\n".to_owned()),
            Just("\nBcc: all@example.org".to_owned()),
            Just("=?UTF-8?B?".to_owned()),
            Just("\u{2028}".to_owned()),
            Just(" \t ".to_owned()),
            forged(),
            "[ -~]{0,90}",
            "\\PC{0,40}",
            "(?s).{0,20}",
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    /// A marker as in another edition, or an old one.
    fn forged() -> impl Strategy<Value = String> {
        let other = Slots::new([8; 16]).email();
        let starts = [
            other.trim_end_matches("0xzq").to_owned(),
            "qzslotx".to_owned(),
        ];
        let start = proptest::sample::select(starts.to_vec());
        (start, 0..9_usize, any::<bool>()).prop_map(|(start, index, link)| match link {
            true => format!("https://{start}{index}xzq.invalid/"),
            false => format!("{start}{index}xzq"),
        })
    }

    /// The mail with a value of its own in every kind of slot, once in each part.
    fn personal(subject: &str, body: &str, html: &str) -> Draft {
        let mut draft = draft(true);
        let name = draft.slots.name("reader");
        let address = draft.slots.email();
        let link = draft.slots.link("/manage/", Purpose::Manage, &[4]);
        draft.subject = format!("{subject} {name}");
        draft.text = format!("{body} {name} {address} {link} {body}");
        draft.html = format!("{html} {name} {address} {link} {html}");
        draft
    }

    proptest! {
        #[test]
        fn a_readers_values_are_only_in_their_places(subject in text(), body in text(), html in text(), forged in forged()) {
            let (subject, body, html) = (format!("{subject}{forged}"), format!("{body}{forged}"), format!("{forged}{html}"));
            let edition = Edition::compile(personal(&subject, &body, &html));
            for (address, name) in [("ada.7531@example.org", "Zaphod7531"), ("bob.8642@example.org", "Trillian8642")] {
                let view = View::of(fill(&edition, address, Some(name)).as_bytes());
                prop_assert_eq!(view.subject.matches(name).count(), 1, "{}", view.subject);
                prop_assert_eq!(view.subject.matches(address).count(), 0);
                for part in [&view.text, &view.html] {
                    for own in [name, address, "https://news.example.org/manage/"] {
                        prop_assert_eq!(part.matches(own).count(), 1, "{}", part);
                    }
                    prop_assert!(!part.contains("https://news.example.org/u/"), "{}", part);
                    prop_assert!(part.contains(&forged), "it is text: {}", part);
                }
            }
        }

        #[test]
        fn nothing_breaks_out_of_its_place(subject in text(), from in text(), list in text(), body in text(), html in text(), name in text()) {
            let mut draft = draft(true);
            let marker = draft.slots.name("reader");
            draft.subject = format!("{subject}{marker}");
            draft.from.name = from;
            draft.list.as_mut().unwrap().name = list;
            draft.text = format!("{body}{marker}{body}");
            draft.html = format!("{html}{marker}{html}");
            let raw = fill(&Edition::compile(draft), "ada@example.org", Some(&name));
            prop_assert!(raw.is_ascii() && !raw.contains('\0'));
            prop_assert!(!raw.replace("\r\n", "").contains(['\r', '\n']));
            let (head, rest) = raw.split_once("\r\n\r\n").unwrap();
            prop_assert!(head.split("\r\n").all(|l| l.len() <= 78 && !l.trim().is_empty()), "{head}");
            prop_assert!(rest.split("\r\n").all(|l| l.len() <= 76));
            let names: Vec<&str> = head
                .split("\r\n")
                .filter(|l| !l.starts_with(' '))
                .map(|l| l.split(':').next().unwrap())
                .collect();
            prop_assert_eq!(
                names,
                ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post",
                 "List-Id", "List-Help", "List-Owner", "List-Archive", "List-Post", "Precedence", "Feedback-ID",
                 "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]
            );
            for word in head.split([' ', '\r', '\n']).filter(|w| w.starts_with("=?UTF-8?B?") && w.ends_with("?=")) {
                prop_assert!(word.len() <= 75);
            }
            let delimiters = rest.matches("--=_canvass").count();
            prop_assert_eq!(delimiters, 3, "{}", rest);
            let view = View::of(raw.as_bytes());
            prop_assert_eq!(view.to, "ada@example.org");
            prop_assert_eq!(header(&View::of(raw.as_bytes()), "Bcc").len(), 0);
        }
    }
}
