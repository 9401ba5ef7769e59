//! Guessing passwords or tokens leaves a trace.

use crate::admin_sign_in::sign_in;
use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, PASSWORD, signed_in};
use crate::support::log_lines::LogLines;

/// Guesses are counted and logged, and the log repeats no input.
#[tokio::test]
async fn sign_ins_that_fail_are_counted_and_logged_sparingly() {
    let log = LogLines::watch();
    let app = TestApp::start_with(|config| config.limits.sign_ins_per_minute = 3).await;
    signed_in(&app).await;
    let failed = "canvass_sign_ins_total{outcome=\"failed\"}";
    let limited = "canvass_rate_limited_total{limit=\"sign_ins_of_account\"}";
    let tokens = "canvass_api_tokens_refused_total";
    sign_in(&app.reader(), EDITOR, PASSWORD).await.expect(200);
    let before = [
        app.number(failed).await,
        app.number(limited).await,
        app.number(tokens).await,
    ];
    for _ in 0..4 {
        sign_in(&app.reader(), "ghost@lindenpost.example", "hunter7777777").await;
    }
    let script = app
        .reader()
        .with_header("authorization", "Bearer hunter7777777");
    for _ in 0..2 {
        script.get("/api/v1/issues/1").await.expect(401);
    }
    let without = app.reader().get("/api/v1/issues/1").await.expect(401);
    assert_eq!(without.headers["www-authenticate"], "Bearer");
    let after = [
        app.number(failed).await,
        app.number(limited).await,
        app.number(tokens).await,
    ];
    for (at, rise) in [3, 1, 2].into_iter().enumerate() {
        assert!(after[at] >= before[at] + rise, "{before:?} {after:?}");
    }
    let signed_in = "canvass_sign_ins_total{outcome=\"signed_in\"}";
    assert!(app.number(signed_in).await > 0);
    for (words, level) in [
        ("a sign-in failed", "WARN"),
        ("refused an API token", "WARN"),
    ] {
        let said = log.of(words);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(level), "{said:?}");
    }
    for typed in ["ghost", "7777777", "127.0.0.1\""] {
        assert_eq!(log.of(typed), Vec::<String>::new());
    }
}
