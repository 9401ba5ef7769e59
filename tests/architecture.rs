//! The architecture rules as tests: which part may use which, and how files look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The features, one folder each, with the features it may use; it uses them only through their
/// `mod.rs`. A pair that is missing here is missing on purpose: add it only together with a reason.
///
/// `polls`, `subscriptions` and `digests` use one another in both directions. A vote can ask for a
/// subscription, and readers who are asked to confirm it, or who read the data kept about them, see
/// their answers. An issue holds polls and can go to a segment of their answers; a sample is asked by
/// an issue of its own; an unsubscription names the issue it came from.
const FEATURES: &[(&str, &[&str])] = &[
    ("articles", &["polls"]),
    ("bounces", &["subscriptions"]),
    ("digests", &["newsletters", "polls"]),
    ("mailbox", &["newsletters"]),
    ("newsletters", &[]),
    ("overview", &["digests", "polls"]),
    ("polls", &["digests", "newsletters", "subscriptions"]),
    ("subscriptions", &["digests", "newsletters", "polls"]),
];

/// What each part below the features may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("panics", &[]),
    ("config", &["types"]),
    ("db", &["config", "panics", "types"]),
    ("web", &["app", "config", "db", "panics", "types"]),
    ("mailer", &["app", "config", "db", "panics", "types", "web"]),
    ("scheduler", &["app", "config", "db", "types"]),
    (
        "admin",
        &["app", "config", "db", "mailer", "scheduler", "types", "web"],
    ),
    ("api", &["app", "db", "types", "web"]),
];

/// What assembles the other parts, and may use all of them.
const ASSEMBLY: &[&str] = &[
    "app",
    "background",
    "cli",
    "lib",
    "main",
    "probes",
    "routes",
    "serve",
];

/// Crates that only some parts may name.
const CRATES: &[(&str, &[&str])] = &[
    ("lettre", &["mailer/"]),
    ("handlebars", &["web/pages", "mailer/templates"]),
    ("std::env", &["config/"]),
];

/// Stores that are not called `store`: files, or folders of them.
const STORES: &[&str] = &[
    "api/tokens.rs",
    "polls/answer/refusals.rs",
    "polls/ballots/",
    "polls/definition/define.rs",
];

/// The maximum number of lines of a file, including unit tests.
const LONGEST_FILE: usize = 420;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every Rust file below `src`: its relative path, and its text without comments and
/// without its unit tests.
pub fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    files(&src, "rs")
        .into_iter()
        .filter(|path| !path.ends_with("tests.rs"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let code: Vec<&str> = code
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .collect();
            let name = path.strip_prefix(&src).unwrap().display().to_string();
            (name, code.join("\n"))
        })
        .collect()
}

/// The part that a file belongs to: `polls/http.rs` and `polls.rs` belong to `polls`.
pub fn part_of(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.trim_end_matches(".rs")
}

/// Every path that starts with `crate::`, with groups in braces expanded; after `use crate::a`, also
/// every `a::b` of that file.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    follow(code, "crate", &mut paths);
    let parts = paths.iter().map(|p| p.strip_suffix("::self").unwrap_or(p));
    let parts: Vec<String> = parts
        .filter(|p| !p.contains("::"))
        .map(str::to_owned)
        .collect();
    for part in parts {
        let mut inner = BTreeSet::new();
        follow(code, &part, &mut inner);
        paths.extend(inner.iter().map(|path| format!("{part}::{path}")));
    }
    paths
}

/// Every path that starts with `start::`, without that prefix.
fn follow(code: &str, start: &str, paths: &mut BTreeSet<String>) {
    let start = format!("{start}::");
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        expand(&code[at + start.len()..], String::new(), paths);
    }
}

/// Reads one path or group; returns its length in bytes.
fn expand(code: &str, prefix: String, paths: &mut BTreeSet<String>) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = code.find(|c| !word(c)).unwrap_or(code.len());
    let path = format!("{prefix}{}", &code[..end]);
    let open = path.is_empty() || path.ends_with("::");
    if !(open && code[end..].starts_with('{')) {
        paths.insert(path);
        return end;
    }
    let mut at = end + 1;
    while at < code.len() && !code[at..].starts_with('}') {
        match code[at..].chars().next() {
            Some(c) if word(c) => at += expand(&code[at..], path.clone(), paths),
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    at + 1
}

/// A part that no rule names would be free to use anything, and a rule for a part that is gone would hold nothing.
#[test]
fn every_part_has_its_rule_and_every_rule_its_part() {
    let sources = sources();
    let parts: BTreeSet<String> = sources
        .iter()
        .map(|(file, _)| part_of(file).to_owned())
        .collect();
    let features = FEATURES.iter().map(|(name, _)| *name);
    let layers = LAYERS.iter().map(|(name, _)| *name);
    let ruled = features.chain(layers).chain(ASSEMBLY.iter().copied());
    let ruled: BTreeSet<String> = ruled.map(str::to_owned).collect();
    assert_eq!(parts, ruled);
    let places = CRATES.iter().flat_map(|(_, places)| *places).chain(STORES);
    for place in places {
        let stands = sources.iter().any(|(file, _)| file.starts_with(place));
        assert!(stands, "nothing is at {place}");
    }
}

#[test]
fn parts_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let part = part_of(&file);
        let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == part) else {
            continue;
        };
        for path in crate_paths(&code) {
            let target = path.split("::").next().unwrap_or_default();
            let known = root().join("src").join(target).is_dir()
                || root().join(format!("src/{target}.rs")).is_file();
            if known && target != part && !below.contains(&target) {
                wrong.push(format!("{file}: `{part}` uses crate::{path}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn features_know_each_other_only_by_their_front_page() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let part = part_of(&file);
        for path in crate_paths(&code) {
            let mut segments = path.split("::");
            let target = segments.next().unwrap_or_default();
            let inner = segments.next().unwrap_or_default();
            let feature = |name: &str| FEATURES.iter().find(|(feature, _)| *feature == name);
            if target == part || feature(target).is_none() {
                continue;
            }
            if feature(part).is_some_and(|(_, known)| !known.contains(&target)) {
                wrong.push(format!("{file}: `{part}` may not use `{target}`"));
            }
            if inner.is_empty() {
                continue;
            }
            let folder = root().join("src").join(target);
            let inside =
                folder.join(format!("{inner}.rs")).is_file() || folder.join(inner).is_dir();
            // A function may have the name of its file, if mod.rs exports it.
            let front = std::fs::read_to_string(folder.join("mod.rs")).unwrap_or_default();
            let exported = front.contains(&format!("::{inner};"))
                || front.contains(&format!("::{{{inner}"))
                || front.contains(&format!(" {inner},"))
                || front.contains(&format!(" {inner}}}"));
            if inside && (!exported || segments.next().is_some()) {
                wrong.push(format!("{file}: crate::{path} is inside of `{target}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn some_crates_stay_in_their_place() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for (name, places) in CRATES {
            let named =
                code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"));
            if named && !places.iter().any(|p| file.starts_with(p)) {
                wrong.push(format!("{file}: names {name}, which belongs to {places:?}"));
            }
        }
        // Ids and times define their own representation in a column.
        let storage = file.starts_with("db/")
            || file.starts_with("types/")
            || file.starts_with("mailer/")
            || file.contains("/store")
            || file.ends_with("_store.rs")
            || STORES.iter().any(|store| file.starts_with(store));
        if code.contains("sea_orm::") && !storage {
            wrong.push(format!(
                "{file}: names sea_orm, which belongs to db and the stores"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_named_after_what_they_do() {
    let mut wrong = Vec::new();
    for dir in ["src", "tests", "migrations/src", "benches"] {
        for path in files(&root().join(dir), "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            if lines > LONGEST_FILE {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let drawers = ["utils", "util", "helpers", "common", "manager", "misc"];
            if drawers.contains(&stem.as_ref()) {
                wrong.push(format!("{}: a drawer, not a name", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pages_hold_no_inline_script_or_style() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "hbs") {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            let handler = lower
                .match_indices(" on")
                .any(|(at, _)| is_attribute(&lower[at + 1..]));
            let inline = lower.contains("<script>")
                || lower.contains("<style")
                || lower.contains(" style=")
                || lower.contains("javascript:");
            if handler || inline {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A screen reader says an error with the field or the group that refers to it, or an alert about a whole form at once.
#[test]
fn every_error_belongs_to_its_field() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), "hbs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let described: Vec<&str> = text.split("aria-describedby=\"").skip(1).collect();
        for error in text.split("class=\"error\"").skip(1) {
            let id = error
                .strip_prefix(" id=\"")
                .and_then(|id| id.split_once('"'));
            let refers = |id: &str| {
                described
                    .iter()
                    .any(|rest| before_tag_ends(rest).contains(id))
            };
            let is_alert = error.starts_with(" role=\"alert\"");
            if !is_alert && !id.is_some_and(|(id, _)| refers(id)) {
                wrong.push(format!("{}: {:.60}", path.display(), error));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn before_tag_ends(text: &str) -> &str {
    text.split('>').next().unwrap_or_default()
}

#[test]
fn pages_and_mails_have_typographic_apostrophes() {
    let mut wrong = Vec::new();
    for folder in ["src", "email-templates"] {
        for path in files(&root().join(folder), "hbs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let straight = |part: &[char]| matches!(part, [a, '\'', b] if a.is_alphabetic() && b.is_alphabetic());
            let chars: Vec<char> = text.chars().collect();
            if chars.windows(3).any(straight) {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a text starts like `onclick="`.
fn is_attribute(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphabetic());
    end.is_some_and(|end| end > 2 && text[end..].starts_with("=\""))
}

#[test]
fn paths_are_taken_apart() {
    let code = "use crate::{a::{b, C}, d::e};\nfn f() { crate::g::h(); mycrate::x(); }";
    let paths: Vec<String> = crate_paths(code).into_iter().collect();
    assert_eq!(paths, ["a::C", "a::b", "d::e", "g::h"]);
    let code = "use crate::{a, d::{self, E}};\nfn f() { a::b::c(); d::g(); x::a::y(); }";
    let paths: Vec<String> = crate_paths(code).into_iter().collect();
    assert_eq!(paths, ["a", "a::b::c", "d::E", "d::g", "d::self"]);
}
