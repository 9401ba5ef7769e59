//! Words of an issue that look like the mailer's own markers: they stay words, so that nobody who writes an issue gets
//! its readers' addresses and links.

use reqwest::Method;
use serde_json::json;

use crate::digests_api::Script;
use crate::support::app::TestApp;
use crate::support::inbox::Mail;
use crate::support::issues::readers_at;

fn forged() -> Vec<String> {
    let words = (0..10).map(|n| format!("qzslotx{n}xzq"));
    words
        .flat_map(|word| [format!("https://{word}.invalid/"), word])
        .collect()
}

async fn newest(app: &TestApp, reader: &str) -> Mail {
    app.mail_to(&format!("{reader}@example.org"), 1).await
}

#[tokio::test]
async fn a_forged_marker_gets_nothing_of_a_reader() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    app.poll("trust").await;
    readers_at(&app, &newsletter, "example.org", 2).await;
    let script = Script::at(&app).await;
    let query: String = forged().iter().map(|word| format!("&x={word}")).collect();
    let body = format!(
        "Dear {{{{name|reader}}}}\n\n[see](https://evil.example/?x={query})\n\n{}\n\n{{{{poll:trust}}}}\n",
        forged().join(" ")
    );
    let subject = format!("Look {}", forged()[..4].join(" "));
    let order = json!({ "newsletter": "brief", "subject": subject, "body": body });
    let (status, made) = script.post("/issues", "", order).await;
    assert_eq!(status, 201, "{made}");
    let send = format!("/issues/{}/send", made["id"]);
    let (status, told) = script.call(Method::POST, &send, "", None).await;
    assert_eq!(status, 202, "{told}");
    script.until(&made["id"], "finished").await;

    let evil = |mail: &Mail| {
        let links = mail.links().into_iter();
        let evil: Vec<_> = links.filter(|l| l.contains("evil.example")).collect();
        assert!(evil.len() >= 2, "one in each part: {:?}", mail.links());
        evil
    };
    let (one, two) = (newest(&app, "r1").await, newest(&app, "r2").await);
    assert_eq!(evil(&one), evil(&two));
    for mail in [&one, &two] {
        assert_eq!(mail.subject, subject);
        let own = mail.links();
        assert!(own.iter().any(|link| link.contains("/v/")), "{own:?}");
        for word in forged() {
            assert!(mail.text.contains(&word), "{word} in {}", mail.text);
            assert!(mail.html.contains(&word), "{word} in {}", mail.html);
        }
        for link in evil(mail) {
            assert!(!link.contains(&mail.to) && !link.contains("/v/"), "{link}");
        }
    }
}
