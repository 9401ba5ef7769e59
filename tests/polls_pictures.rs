//! Pictures beside options: uploaded without a script, re-encoded, and served for ever by their name.

use std::io::Cursor;
use std::time::Duration;

use canvass::polls;
use image::{ImageFormat, Rgb, RgbImage};

use super::support::app::TestApp;
use super::support::editor::signed_in;
use super::support::page::Page;
use super::support::reader::Reader;

pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]))
        .write_to(&mut Cursor::new(&mut file), ImageFormat::Png)
        .unwrap();
    file
}

/// Submits a form with a file, as a browser does.
pub async fn upload(
    browser: &Reader,
    page: &Page,
    fields: &[(&str, &str)],
    file: &[u8],
) -> reqwest::Response {
    let csrf = page.attributes("input[name=csrf]", "value").remove(0);
    let revision = page.attributes("input[name=revision]", "value").remove(0);
    let mut body = Vec::new();
    let own = [("csrf", csrf.as_str()), ("revision", revision.as_str())];
    for (name, value) in own
        .iter()
        .filter(|(name, _)| fields.iter().all(|(n, _)| n != name))
        .chain(fields)
    {
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../x.php\"\r\nContent-Type: text/html\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--b--\r\n");
    let origin = page.url.origin().ascii_serialization();
    browser
        .client()
        .post(page.url.as_str())
        .header("origin", origin)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body)
        .send()
        .await
        .unwrap()
}

async fn draft(app: &TestApp, browser: &Reader) -> Page {
    let page = browser.get("/admin/polls/new").await.expect(200);
    let form = page
        .form("main form.form")
        .fill("question.1", "Which tram?")
        .fill("slug", "tram")
        .with_options(1, &["Old", "New"]);
    let page = browser.submit(form).await.expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_option").await, 2);
    browser.follow(&page, "Pictures").await.expect(200)
}

#[tokio::test]
async fn a_picture_is_uploaded_shown_kept_by_edits_and_served_for_ever() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = draft(&app, &browser).await;
    let sent = upload(
        &browser,
        &page,
        &[("option", "1"), ("alt", "A red tram of 1974")],
        &png(1_200, 800),
    )
    .await;
    assert_eq!(sent.status(), 303);
    let page = browser.get("/admin/polls/tram/pictures").await.expect(200);
    let path = page.attributes("img.picture", "src").remove(0);
    assert!(
        path.starts_with("/media/") && path.ends_with(".jpg"),
        "{path}"
    );

    // The same file for the other option is the same picture.
    upload(
        &browser,
        &page,
        &[("option", "2"), ("alt", "The same again")],
        &png(1_200, 800),
    )
    .await;
    assert_eq!(app.count("SELECT COUNT(*) FROM picture").await, 1);

    // Editing the draft keeps the picture.
    let edit = browser.get("/admin/polls/tram/edit").await.expect(200);
    assert_eq!(
        edit.attributes("input[name='alt.1']", "value"),
        ["A red tram of 1974", "The same again"]
    );
    let page = browser
        .submit(
            edit.form("main form.form")
                .button("then", "drop-picture.1.2"),
        )
        .await
        .expect(200);
    let page = browser
        .submit(page.form("main form.form").button("then", "save"))
        .await
        .expect(200);
    browser
        .submit(page.form("form[action$='/publish']"))
        .await
        .expect(200);

    let page = app.reader().get("/p/tram").await.expect(200);
    assert_eq!(
        page.attributes(".option img", "src"),
        std::slice::from_ref(&path)
    );
    assert_eq!(
        page.attributes(".option img", "alt"),
        ["A red tram of 1974"]
    );
    assert_eq!(page.attributes(".option img", "width"), ["960"]);
    assert_eq!(page.attributes(".option img", "height"), ["640"]);
    let served = app
        .reader()
        .client()
        .get(app.url(&path))
        .send()
        .await
        .unwrap();
    assert_eq!(served.headers()["content-type"], "image/jpeg");
    assert_eq!(
        served.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    assert_eq!(served.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        served.headers()["content-security-policy"],
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    );
    let tag = served.headers()["etag"].clone();
    let again = app
        .reader()
        .client()
        .get(app.url(&path))
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    for unknown in [
        "/media/x.jpg",
        "/media/..%2f..%2fetc%2fpasswd",
        "/media/%00",
    ] {
        app.reader().get(unknown).await.expect(404);
    }
    // Readers have seen the poll.
    let page = browser
        .get("/admin/polls/tram/pictures")
        .await
        .expect(200)
        .says("stay as they are");
    assert!(page.attributes("input[type=file]", "name").is_empty());
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = draft(&app, &browser).await;
    let alt = ("alt", "A tram");
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    let half = png(300, 200)[..400].to_vec();
    for (fields, file, status, message) in [
        (
            vec![("option", "1"), alt],
            svg,
            422,
            "Use a PNG, JPEG, WebP or GIF file",
        ),
        (vec![("option", "1"), alt], half, 422, "The file is damaged"),
        (
            vec![("option", "1")],
            png(30, 20),
            422,
            "Say in one line what the picture shows",
        ),
        (
            vec![("option", "1"), ("alt", "a\nb")],
            png(30, 20),
            422,
            "Say in one line",
        ),
        (vec![("option", "1"), alt], Vec::new(), 422, "Choose a file"),
        (
            vec![("option", "1"), alt, ("path", "https://evil.example/x.png")],
            Vec::new(),
            422,
            "a path on this site",
        ),
        (
            vec![("option", "1"), alt, ("path", "//evil.example/x.png")],
            Vec::new(),
            422,
            "a path on this site",
        ),
        (vec![("option", "9"), alt], png(30, 20), 404, ""),
        (vec![("option", "NaN"), alt], png(30, 20), 404, ""),
        (
            vec![("option", "1"), ("option", "2"), alt],
            png(30, 20),
            400,
            "",
        ),
        (
            vec![("option", "1"), alt, ("csrf", "wrong")],
            png(30, 20),
            403,
            "",
        ),
        (
            vec![("option", "1"), alt, ("revision", "77")],
            png(30, 20),
            409,
            "",
        ),
        (vec![("option", "1"), ("alt", "a\0")], png(30, 20), 400, ""),
        (
            vec![("option", "1"), alt],
            vec![0; 9 * 1024 * 1024],
            413,
            "",
        ),
    ] {
        let answer = upload(&browser, &page, &fields, &file).await;
        assert_eq!(answer.status().as_u16(), status, "{fields:?}");
        let said = answer.text().await.unwrap_or_default();
        assert!(
            said.contains(message),
            "{fields:?}: {message:?} not in {said}"
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM picture").await, 0);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll_option WHERE picture IS NOT NULL")
            .await,
        0
    );
    app.reader()
        .get("/admin/polls/tram/pictures")
        .await
        .says("Sign in");

    // A path of this site works like a file, and can be removed again.
    let sent = upload(
        &browser,
        &page,
        &[("option", "1"), alt, ("path", "/images/tram.jpg")],
        b"",
    )
    .await;
    assert_eq!(sent.status(), 303);
    let page = browser.get("/admin/polls/tram/pictures").await.expect(200);
    assert_eq!(page.attributes("img.picture", "src"), ["/images/tram.jpg"]);
    upload(&browser, &page, &[("option", "1"), ("then", "remove")], b"").await;
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll_option WHERE picture IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn pictures_that_nobody_uses_are_thrown_away_after_a_day() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = draft(&app, &browser).await;
    upload(
        &browser,
        &page,
        &[("option", "1"), ("alt", "used")],
        &png(30, 20),
    )
    .await;
    let page = browser.get("/admin/polls/tram/pictures").await;
    upload(
        &browser,
        &page,
        &[("option", "2"), ("alt", "not used")],
        &png(31, 20),
    )
    .await;
    let page = browser.get("/admin/polls/tram/pictures").await;
    upload(&browser, &page, &[("option", "2"), ("then", "remove")], b"").await;
    assert_eq!(polls::purge_pictures(&app.app).await.unwrap(), 0);
    app.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(polls::purge_pictures(&app.app).await.unwrap(), 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM picture").await, 1);
}
