//! Every mail as it looks: rendered with its sample data, kept as a snapshot.
//!
//! After an intended change: `INSTA_UPDATE=always cargo test --test canvass mailer_templates`, then review the diff.

use canvass::mailer::mime::{
    Draft, Edition, ListHeaders, Mailbox, Recipient, Sending, Slots, View,
};
use canvass::mailer::templates::{Template, Templates};
use canvass::types::{EmailAddress, Keys, Purpose, ReaderId, Secret, UnixMillis};

#[test]
fn every_mail_looks_as_it_did() {
    let templates = Templates::load(None).unwrap();
    for template in Template::ALL {
        let mail = templates
            .render(template, templates.sample(template))
            .unwrap();
        let whole = format!(
            "Subject: {}\n\n{}\n\n-------- html --------\n\n{}",
            mail.subject, mail.text, mail.html
        );
        insta::assert_snapshot!(template.name(), whole);
    }
}

/// A snapshot whose template was removed would stay for ever, because nothing compares it.
#[test]
fn every_snapshot_has_its_mail() {
    let mut wanted: Vec<String> = Template::ALL.iter().map(|t| t.name().to_owned()).collect();
    wanted.push("issue-message".to_owned());
    wanted.sort();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    let mut kept: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let rest = name.strip_prefix("canvass__mailer_templates__")?;
            Some(rest.trim_end_matches(".snap").to_owned())
        })
        .collect();
    kept.sort();
    assert_eq!(kept, wanted);
}

/// The whole message of an issue with its headers, byte for byte except for line ends.
#[test]
fn an_issue_leaves_as_these_octets() {
    let templates = Templates::load(None).unwrap();
    let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).unwrap();
    let mut slots = Slots::new([7; 16]);
    let mut data = templates.sample(Template::Issue).clone();
    data["email"] = slots.email().into();
    data["unsubscribe_url"] = slots
        .link("/unsubscribe/", Purpose::Unsubscribe, &[1])
        .into();
    data["manage_url"] = slots.link("/manage/", Purpose::Manage, &[1]).into();
    let rendered = templates.render(Template::Issue, &data).unwrap();
    let edition = Edition::compile(Draft {
        from: Mailbox {
            name: "The Example Post".to_owned(),
            address: EmailAddress::parse("news@news.example.org").unwrap(),
        },
        reply_to: None,
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        slots,
        list: Some(ListHeaders {
            name: "Premium Digest".to_owned(),
            id: "premium.news.example.org".to_owned(),
            unsubscribe: vec![1],
            help: "https://news.example.org/subscribe/premium".to_owned(),
            owner: "news@news.example.org".to_owned(),
            archive: Some("https://news.example.org/archive/premium".to_owned()),
            feedback_id: "7:premium:issue:canvass".to_owned(),
        }),
    });
    let mut raw = Vec::new();
    edition.fill(
        &Recipient {
            reader: ReaderId(7),
            address: "ada@example.org",
            name: Some("Ada"),
        },
        &Sending {
            keys: &keys,
            public_url: "https://news.example.org",
            now: UnixMillis(1_700_000_000_000),
            message_id: "<stable@news.example.org>",
            mailto: None,
        },
        &mut raw,
    );
    assert!(
        View::of(&raw).html.len() < 90_000,
        "far below what Gmail clips"
    );
    let raw = String::from_utf8(raw).unwrap();
    assert!(
        raw.split("\r\n")
            .all(|line| line.len() <= 78 && !line.contains(['\r', '\n']))
    );
    insta::assert_snapshot!("issue-message", raw.replace("\r\n", "\n"));
}
