//! Loading, overriding and rendering of mail templates.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn every_file_of_the_directory_is_built_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("email-templates");
    let mut found = 0;
    for entry in std::fs::read_dir(&root).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found += std::fs::read_dir(entry.path()).unwrap().count();
        } else if entry.file_name() != "README.md" {
            found += 1;
        }
    }
    assert_eq!(found, BUILT_IN.len());
}

#[test]
fn a_mail_has_inlined_css_and_keeps_its_dark_half() {
    let templates = Templates::load(None).unwrap();
    for template in Template::ALL.into_iter().filter(|t| t.whole()) {
        let mail = templates
            .render(template, templates.sample(template))
            .unwrap();
        assert!(
            mail.html.contains("prefers-color-scheme: dark"),
            "{template:?}"
        );
        assert!(mail.html.contains("[data-ogsc]"), "{template:?}");
        assert!(mail.html.contains("style=\""), "{template:?}");
        assert!(!mail.html.contains("{{") && !mail.text.contains("{{"));
        assert!(!mail.text.contains("&amp;") && mail.text.len() > 80);
        assert!(!mail.subject.contains('\n') && !mail.subject.is_empty());
    }
}

#[test]
fn a_missing_variable_is_an_error_that_names_the_file() {
    let templates = Templates::load(None).unwrap();
    let error = templates
        .render(Template::PollBurst, &serde_json::json!({"lang": "en"}))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("poll-burst/text.hbs") && error.contains("question"),
        "{error}"
    );
}

#[test]
fn a_directory_overrides_file_by_file_and_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("poll-burst")).unwrap();
    let subject = dir.path().join("poll-burst/subject.hbs");
    std::fs::write(&subject, "Answers at {{site}}").unwrap();
    let templates = Templates::load(Some(dir.path())).unwrap();
    let sample = templates.sample(Template::PollBurst);
    let mail = templates.render(Template::PollBurst, sample).unwrap();
    assert_eq!(mail.subject, "Answers at news.example.org");
    std::fs::write(&subject, "Answers at {{sight}}").unwrap();
    let error = Templates::load(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("poll-burst/subject.hbs"), "{error}");
}

#[test]
fn a_directory_that_replaces_nothing_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| Templates::load(Some(path)).unwrap_err().to_string();
    let nowhere = refused(&dir.path().join("nowhere"));
    assert!(nowhere.contains("mail.templates_dir"), "{nowhere}");
    // What people and file systems leave beside the templates.
    for folder in [".git", "issue", "node_modules", "lost+found"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for harmless in [
        "README.md",
        ".git/config",
        "issue/html.hbs~",
        "package.json",
        "node_modules/.package-lock.json",
        "node_modules/index.js",
    ] {
        std::fs::write(dir.path().join(harmless), "{{{").unwrap();
    }
    let secluded = dir.path().join("lost+found");
    std::fs::set_permissions(&secluded, Permissions::from_mode(0o000)).unwrap();
    Templates::load(Some(dir.path())).unwrap();
    for mistyped in ["issue/htlm.hbs", "layout.hbs"] {
        let file = dir.path().join(mistyped);
        std::fs::write(&file, "").unwrap();
        let error = refused(dir.path());
        assert!(error.contains(mistyped), "{error}");
        std::fs::remove_file(&file).unwrap();
    }
    std::fs::create_dir(dir.path().join("isue")).unwrap();
    std::fs::write(dir.path().join("isue/html.hbs"), "").unwrap();
    let error = refused(dir.path());
    assert!(error.contains("isue"), "{error}");
    // Otherwise it cannot be removed.
    std::fs::set_permissions(&secluded, Permissions::from_mode(0o700)).unwrap();
}

// Without the check this test aborts the process: a stack overflow cannot be caught.
#[test]
fn what_nests_too_deeply_is_an_error_and_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("poll-burst")).unwrap();
    let deep = "<div>".repeat(9_000);
    std::fs::write(dir.path().join("poll-burst/html.hbs"), deep).unwrap();
    let error = Templates::load(Some(dir.path())).unwrap_err().to_string();
    assert!(
        error.contains("poll-burst/html.hbs") && error.contains("9000 deep"),
        "{error}"
    );
}

#[test]
fn values_are_escaped_in_html_only() {
    let templates = Templates::load(None).unwrap();
    let mut data = templates.sample(Template::ConfirmSubscription).clone();
    data["newsletter"] = "Fish & <b>Chips</b>".into();
    let mail = templates
        .render(Template::ConfirmSubscription, &data)
        .unwrap();
    assert!(mail.html.contains("Fish &amp; &lt;b&gt;Chips&lt;/b&gt;"));
    assert!(mail.text.contains("Fish & <b>Chips</b>"));
}
