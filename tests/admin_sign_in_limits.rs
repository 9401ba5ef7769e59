//! The limits of sign-ins, by account and by network: nobody guesses a password, and nobody locks an editor out.

use std::time::Duration;

use crate::admin_sign_in::sign_in;
use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, PASSWORD, signed_in};

#[tokio::test]
async fn attempts_are_limited_by_account_and_the_page_says_how_long() {
    let app = TestApp::start_with(|c| c.limits.sign_ins_per_minute = 4).await;
    let browser = app.reader();
    for _ in 0..4 {
        sign_in(&browser, EDITOR, "a wrong password")
            .await
            .expect(422);
    }
    let page = sign_in(&browser, EDITOR, "a wrong password")
        .await
        .expect(429);
    let wait: u64 = page.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    page.says("second");
    // An account is limited whether it exists or not. Another account is not, until the limit of the network is
    // reached.
    sign_in(&browser, "other@lindenpost.example", "a wrong password")
        .await
        .expect(422);
    app.advance(Duration::from_secs(wait));
    sign_in(&browser, EDITOR, "a wrong password")
        .await
        .expect(422);
}

/// Different spellings of an address are one account with one limit.
#[tokio::test]
async fn another_spelling_of_an_address_is_no_other_account() {
    let app = TestApp::start_with(|c| c.limits.sign_ins_per_minute = 2).await;
    signed_in(&app).await;
    let browser = app.reader();
    sign_in(&browser, EDITOR, "wrong").await.expect(422);
    let wide = EDITOR.replace("lindenpost", "ｌｉｎｄｅｎｐｏｓｔ");
    assert_ne!(wide, EDITOR);
    sign_in(&browser, &wide, "wrong").await.expect(422);
    for spelling in [
        EDITOR.replace("lindenpost", "linden\u{ad}post"),
        EDITOR.to_uppercase(),
        EDITOR.replace(".example", "。example"),
    ] {
        sign_in(&browser, &spelling, PASSWORD).await.expect(429);
    }
}

#[tokio::test]
async fn nobody_elsewhere_locks_an_editor_out() {
    let app = TestApp::start_with(|c| {
        c.limits.sign_ins_per_minute = 2;
        c.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    signed_in(&app).await;
    let from = |address: &str| app.reader().with_header("x-forwarded-for", address);
    for status in [422, 422, 429, 429] {
        sign_in(&from("192.0.2.7"), EDITOR, "wrong")
            .await
            .expect(status);
    }
    sign_in(&from("198.51.100.7"), EDITOR, PASSWORD)
        .await
        .expect(200);
    // Guessing from many networks is limited, too: at twenty times as many attempts, of which three were used above.
    let mut looked_at = 0;
    for network in 0..40 {
        let guess = sign_in(&from(&format!("203.0.{network}.7")), EDITOR, "").await;
        looked_at += i32::from(guess.status == 422);
    }
    assert_eq!(looked_at, 37);
}

#[tokio::test]
async fn attempts_are_limited_by_network() {
    let app = TestApp::start_with(|c| c.limits.sign_ins_per_minute = 2).await;
    let browser = app.reader();
    for n in 0..6 {
        sign_in(&browser, &format!("guess{n}@lindenpost.example"), "wrong")
            .await
            .expect(422);
    }
    sign_in(&browser, "guess7@lindenpost.example", "wrong")
        .await
        .expect(429);
}
