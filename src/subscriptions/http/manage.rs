//! `/manage/{token}`: what a reader receives, and the name by which mails address them.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::{page, unknown_link};
use crate::app::App;
use crate::scheduler::Zone;
use crate::subscriptions::data;
use crate::subscriptions::links;
use crate::subscriptions::model::Subscribed;
use crate::subscriptions::preferences::{self, Change, Preferences};
use crate::subscriptions::reader_name::ReaderName;
use crate::types::ReaderId;
use crate::web::problems::of_those_wrong;
use crate::web::{Problem, RawForm, press};

const MAILED: &str = "Check your inbox for a link to everything we keep about you. We send only a few such emails a day; if none arrives, ask again tomorrow.";
const TAKEN_BACK: &str =
    "Withdrawn. Your answer still counts, and is no longer kept with your address.";
const NO_ZONE: &str = "This is not a time zone. Use a name like Europe/Vienna or America/New_York.";
const BROKEN: &str = "It may be incomplete, or what it led to has been erased.";

/// The input in the form, and its errors.
#[derive(Default)]
struct Filled {
    name: String,
    time_zone: String,
    /// The newsletters whose box is not ticked.
    unticked: Vec<String>,
    name_error: Option<String>,
    time_zone_error: Option<String>,
}

/// Why the form is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown<'s> {
    AsItIs,
    Saved(&'s str),
    /// A program sent it, not a person.
    ByAProgram,
}

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match links::open_manage(&app.keys, &token) {
        Some(reader) => {
            let visit = Visit {
                app: &app,
                token: &token,
                reader,
            };
            visit.as_stored(Shown::AsItIs).await
        }
        None => unknown_link(&app, BROKEN),
    }
}

/// `POST`
pub async fn submit(
    State(app): State<App>,
    Path(token): Path<String>,
    form: RawForm,
) -> Result<Response, Problem> {
    let Some(reader) = links::open_manage(&app.keys, &token) else {
        return unknown_link(&app, BROKEN);
    };
    let Some(preferences) = preferences::look(&app, reader).await? else {
        return unknown_link(&app, BROKEN);
    };
    let visit = Visit {
        app: &app,
        token: &token,
        reader,
    };
    let typed = || Filled::typed(&form, &preferences);
    if !press::is_by_a_person(&form)? {
        return visit.show(&preferences, &typed()?, Shown::ByAProgram);
    }
    match Action::of(&form)? {
        Action::Save => visit.save(&preferences, typed()?).await,
        Action::LeaveAll => visit.leave_all(typed()?).await,
        Action::UndoAll(slugs) => visit.undo_all(&slugs).await,
        Action::MailData => visit.mail_data(&typed()?).await,
        Action::TakeBack(poll) => visit.take_back(&poll, &typed()?).await,
    }
}

/// The button of the page that was pressed.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// Stores the input.
    Save,
    LeaveAll,
    /// Undoes leaving these newsletters, by slug.
    UndoAll(Vec<String>),
    /// Mails the link to the reader's own data.
    MailData,
    /// Unlinks the answer to a poll from the address.
    TakeBack(String),
}

impl Action {
    /// Reads the form. Without a button, as sent by Enter in a field, it means save.
    fn of(form: &RawForm) -> Result<Self, Problem> {
        Ok(match form.one("action")? {
            Some("leave-all") => Self::LeaveAll,
            Some("undo-all") => Self::UndoAll(offered_back(form)),
            Some("data") => Self::MailData,
            _ => match form.one("take_back")? {
                Some(poll) => Self::TakeBack(poll.to_owned()),
                None => Self::Save,
            },
        })
    }
}

/// The newsletters that the page offered to keep sending.
fn offered_back(form: &RawForm) -> Vec<String> {
    form.all("back").map(str::to_owned).collect()
}

impl Filled {
    /// The form before any input.
    fn of(preferences: &Preferences) -> Self {
        Self {
            name: preferences.reader.name.clone(),
            time_zone: preferences.reader.time_zone.clone().unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The form with the submitted input. A field that was not sent keeps its value; only an empty field clears it.
    fn typed(form: &RawForm, preferences: &Preferences) -> Result<Self, Problem> {
        let stored = Self::of(preferences);
        let zone = form.one("time_zone")?.unwrap_or(&stored.time_zone);
        Ok(Self {
            name: form.one("name")?.unwrap_or(&stored.name).to_owned(),
            time_zone: zone.trim().to_owned(),
            // An empty box only counts for the newsletters that the form listed, not for a subscription confirmed since
            // then.
            unticked: form
                .all("listed")
                .filter(|slug| !form.all("keep").any(|kept| kept == *slug))
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        })
    }

    /// The change that was submitted; `None` if there are errors, which are then set beside their fields.
    fn change(&mut self, active: &[Subscribed]) -> Option<Change> {
        let name = ReaderName::parse(&self.name)
            .map_err(|refused| self.name_error = Some(refused.to_string()));
        let time_zone = match self.time_zone.as_str() {
            "" => Ok(None),
            text => Zone::parse(text)
                .map(Some)
                .map_err(|_| self.time_zone_error = Some(NO_ZONE.to_owned())),
        };
        let (Ok(name), Ok(time_zone)) = (name, time_zone) else {
            return None;
        };
        let leave = active
            .iter()
            .filter(|s| self.unticked.contains(&s.slug))
            .map(|s| s.newsletter)
            .collect();
        Some(Change {
            name,
            time_zone,
            leave,
        })
    }
}

/// A request to a reader's page.
struct Visit<'v> {
    app: &'v App,
    token: &'v str,
    reader: ReaderId,
}

impl Visit<'_> {
    async fn save(
        &self,
        preferences: &Preferences,
        mut typed: Filled,
    ) -> Result<Response, Problem> {
        let Some(change) = typed.change(&preferences.active) else {
            return self.show(preferences, &typed, Shown::AsItIs);
        };
        preferences::change(self.app, self.reader, &change).await?;
        let left = |s: &&Subscribed| change.leave.contains(&s.newsletter);
        let left: Vec<&Subscribed> = preferences.active.iter().filter(left).collect();
        self.as_stored(Shown::Saved(&saved(&left))).await
    }

    async fn leave_all(&self, typed: Filled) -> Result<Response, Problem> {
        preferences::leave_all(self.app, self.reader).await?;
        self.beside(&typed, "You will get no more emails from us.")
            .await
    }

    async fn undo_all(&self, slugs: &[String]) -> Result<Response, Problem> {
        let said = match preferences::undo_all(self.app, self.reader, slugs).await? {
            true => "Your emails will keep coming.",
            false => "That was too long ago to be undone. Subscribe again, below.",
        };
        self.as_stored(Shown::Saved(said)).await
    }

    async fn mail_data(&self, typed: &Filled) -> Result<Response, Problem> {
        data::mail_link(self.app, self.reader).await?;
        self.beside(typed, MAILED).await
    }

    async fn take_back(&self, poll: &str, typed: &Filled) -> Result<Response, Problem> {
        preferences::take_back(self.app, self.reader, poll).await?;
        self.beside(typed, TAKEN_BACK).await
    }

    /// The page after another button of the same form, which keeps the input.
    async fn beside(&self, typed: &Filled, said: &str) -> Result<Response, Problem> {
        match preferences::look(self.app, self.reader).await? {
            Some(preferences) => self.show(&preferences, typed, Shown::Saved(said)),
            None => unknown_link(self.app, BROKEN),
        }
    }

    /// The page without any input.
    async fn as_stored(&self, shown: Shown<'_>) -> Result<Response, Problem> {
        let Some(preferences) = preferences::look(self.app, self.reader).await? else {
            return unknown_link(self.app, BROKEN);
        };
        self.show(&preferences, &Filled::of(&preferences), shown)
    }

    fn show(
        &self,
        preferences: &Preferences,
        filled: &Filled,
        shown: Shown<'_>,
    ) -> Result<Response, Problem> {
        let saved = match shown {
            Shown::Saved(words) => Some(words),
            _ => None,
        };
        let problems = of_those_wrong([
            ("name", &filled.name_error),
            ("time_zone", &filled.time_zone_error),
        ]);
        let status = if shown == Shown::ByAProgram {
            StatusCode::CONFLICT
        } else if problems.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let entry = |slug: &str, name: &str| json!({ "slug": slug, "name": name });
        page(
            self.app,
            status,
            "manage",
            "What you receive",
            json!({
                "token": self.token,
                "accent_sheet": preferences.accent_sheet,
                "email": preferences.reader.email,
                "active": preferences.active.iter().map(|s| json!({ "slug": s.slug, "name": s.name, "keep": !filled.unticked.contains(&s.slug) })).collect::<Vec<_>>(),
                "others": preferences.others.iter().map(|n| entry(&n.slug, &n.name)).collect::<Vec<_>>(),
                // Without the answers themselves: this page can be reached from a forwarded mail.
                "linked": preferences.linked.iter().map(|l| json!({ "poll": l.slug, "question": l.question, "words": l.words })).collect::<Vec<_>>(),
                "name": filled.name,
                "name_error": filled.name_error,
                "time_zone": filled.time_zone,
                "time_zone_error": filled.time_zone_error,
                "zones": Zone::names(),
                "problems": problems,
                "summary": "Please look at this again",
                "saved": saved,
                "left": preferences.left.iter().map(|s| entry(&s.slug, &s.name)).collect::<Vec<_>>(),
                "ask_person": shown == Shown::ByAProgram,
                "again": press::AGAIN,
            }),
        )
    }
}

/// What is said after a save: with the names of what was left, since one tick removed by mistake looks like any other
/// change.
fn saved(left: &[&Subscribed]) -> String {
    let names: Vec<&str> = left.iter().map(|s| s.name.as_str()).collect();
    match names.as_slice() {
        [] => "Your changes have been saved.".to_owned(),
        [one] => format!("Saved. You will no longer receive “{one}”."),
        [first @ .., last] => {
            let first = first.join("”, “");
            format!("Saved. You will no longer receive “{first}” and “{last}”.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_button_is_one_action() {
        let taken = || Action::TakeBack("lake".to_owned());
        let undone = |slugs: &[&str]| Action::UndoAll(slugs.iter().map(|s| (*s).into()).collect());
        for (body, action) in [
            ("", Action::Save),
            ("name=Anna&listed=daily", Action::Save),
            ("action=save&keep=daily", Action::Save),
            ("action=somersault", Action::Save),
            ("action=leave-all&back=old", Action::LeaveAll),
            ("action=data", Action::MailData),
            ("action=undo-all", undone(&[])),
            ("action=undo-all&back=a&back=b", undone(&["a", "b"])),
            ("take_back=lake", taken()),
            ("action=save&take_back=lake", taken()),
            ("action=leave-all&take_back=lake", Action::LeaveAll),
            ("action=data&take_back=lake", Action::MailData),
        ] {
            let form = RawForm::parse(body.as_bytes()).expect("a form");
            assert_eq!(Action::of(&form).expect("read"), action, "{body}");
        }
        for twice in ["action=data&action=leave-all", "take_back=a&take_back=b"] {
            let form = RawForm::parse(twice.as_bytes()).expect("a form");
            assert!(Action::of(&form).is_err(), "{twice}");
        }
    }
}
