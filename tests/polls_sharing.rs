//! What other sites and machines are told about a poll: the picture, the metadata in the head, the data block.

use std::time::Duration;

use canvass::polls::Visibility;
use reqwest::Response;

use crate::polls_kinds::capital;
use crate::support::app::TestApp;

async fn picture(app: &TestApp, slug: &str, tag: Option<&str>) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(app.url(&format!("/p/{slug}/share.png")));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    request.send().await.unwrap()
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn polls_the_shared_picture_shows_what_anybody_may_see() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    app.poll_with("hidden", |d| d.visibility = Visibility::Never)
        .await;
    app.poll_with("after", |d| d.visibility = Visibility::AfterVoting)
        .await;

    let first = picture(&app, "trust", None).await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.headers()["content-type"], "image/png");
    assert_eq!(first.headers()["cache-control"], "public, max-age=60");
    let tag_before = tag(&first);
    let png = first.bytes().await.unwrap();
    assert!(
        png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() < 200_000,
        "{}",
        png.len()
    );
    // Width and height are in the header chunk.
    assert_eq!(png[16..24], [0, 0, 4, 176, 0, 0, 2, 118]);
    assert_eq!(
        picture(&app, "trust", Some(&tag_before)).await.status(),
        304
    );

    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    app.advance(Duration::from_secs(11));
    let after = picture(&app, "trust", Some(&tag_before)).await;
    assert_eq!(after.status(), 200, "a new number is a new picture");
    let tag_one = tag(&after);
    // New numbers within ten seconds do not give another picture.
    app.reader()
        .post("/p/trust", &[("option", "2")])
        .await
        .expect(200);
    assert_eq!(tag(&picture(&app, "trust", None).await), tag_one);
    app.advance(Duration::from_secs(11));
    assert_ne!(tag(&picture(&app, "trust", None).await), tag_one);

    for slug in ["hidden", "after"] {
        let before = tag(&picture(&app, slug, None).await);
        let reader = app.reader();
        let page = reader
            .post(&format!("/p/{slug}"), &[("option", "1")])
            .await
            .expect(200);
        app.advance(Duration::from_secs(11));
        assert_eq!(
            tag(&picture(&app, slug, None).await),
            before,
            "{slug}: the question alone"
        );
        assert!(
            page.attributes("script[type='application/ld+json']", "type")
                .is_empty(),
            "{slug}"
        );
        let words = page.attributes("meta[property='og:description']", "content");
        assert_eq!(words, ["A poll among readers."], "{slug}");
    }
    assert_eq!(picture(&app, "nothing", None).await.status(), 404);
}

#[tokio::test]
async fn polls_results_are_described_for_machines_without_breaking_out() {
    let app = TestApp::start().await;
    let evil = "</script><script>alert(1)</script> & \"quotes\"";
    app.poll_with("trust", |d| {
        d.questions[0].options[0] = evil.into();
    })
    .await;
    let empty = app.reader().get("/p/trust/results").await.expect(200);
    assert!(!empty.body.contains("ld+json"), "no data without answers");
    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    let page = app.reader().get("/p/trust/results").await.expect(200);
    let blocks = page.all("script[type='application/ld+json']");
    assert_eq!(blocks.len(), 1);
    let data: serde_json::Value = serde_json::from_str(&blocks[0]).unwrap();
    assert_eq!(data["@type"], "Dataset");
    assert_eq!(data["variableMeasured"][0]["value"], 1);
    assert!(
        data["variableMeasured"][0]["name"]
            .as_str()
            .unwrap()
            .ends_with(evil)
    );
    assert!(
        data["description"]
            .as_str()
            .unwrap()
            .contains("no margin of error applies")
    );
    assert_eq!(page.all("main script").len(), 0);
    let image = page.attributes("meta[property='og:image']", "content");
    assert_eq!(image, [app.url("/p/trust/share.png")]);
}

/// First choices alone would name Memphis.
#[tokio::test]
async fn polls_a_ranking_names_the_same_winner_everywhere() {
    let app = TestApp::start().await;
    capital(&app).await;
    // Memphis first; Nashville, Chattanooga, Knoxville; Chattanooga, Knoxville; Knoxville, Chattanooga.
    for (ranks, times) in [("1234", 42), ("4123", 26), ("4312", 15), ("4321", 17)] {
        let names = ["rank.1", "rank.2", "rank.3", "rank.4"];
        let fields: Vec<(&str, &str)> = (0..4).map(|at| (names[at], &ranks[at..=at])).collect();
        for _ in 0..times {
            app.reader().post("/p/capital", &fields).await.expect(200);
        }
    }
    let page = app.reader().get("/p/capital/results").await.expect(200);
    assert_eq!(
        page.attributes("meta[property='og:image:alt']", "content"),
        [
            "Where shall the capital be? Knoxville: 58%. Memphis: 42%. 100 readers chose to answer. Not a random sample. \
          After 3 rounds. 2 more options not shown."
        ]
    );
    let data = page.all("script[type='application/ld+json']").concat();
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    let measured: Vec<_> = data["variableMeasured"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let said = |name: &str| {
        let name = format!("Where shall the capital be? – {name}");
        measured
            .iter()
            .find(|one| one["name"] == name)
            .map(|one| one["value"].clone())
    };
    assert_eq!(said("Memphis (first choice)"), Some(42.into()));
    assert_eq!(said("Knoxville (last round)"), Some(58.into()));
    assert_eq!(measured.len(), 6);
}
