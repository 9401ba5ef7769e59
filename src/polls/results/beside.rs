//! An open poll and the poll that asks a random sample the same question show each other's results.

use super::page::visible;
use super::view::{Beside, ResultsView};
use crate::app::App;
use crate::newsletters;
use crate::polls::definition;
use crate::polls::model::{Phase, Poll};
use crate::polls::sample::{Sample, Sampling};
use crate::web::Problem;

/// The counterpart shown beside a poll's result: the sample's poll beside the open one, and the other way round.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn beside(app: &App, poll: &Poll) -> Result<Option<Beside>, Problem> {
    let (id, heading, link) = match &poll.sampling {
        Sampling::OpenBeside(id) => (
            *id,
            "We also asked a random sample of subscribers",
            "The poll of the random sample",
        ),
        Sampling::Drawn(Sample {
            beside: Some(id), ..
        }) => (*id, "We also asked all our readers", "The open poll"),
        Sampling::Open | Sampling::Drawn(_) => return Ok(None),
    };
    let Some(other) = definition::by_id(&app.db, id).await? else {
        return Ok(None);
    };
    if other.phase(app.clock.now()) == Phase::Hidden {
        return Ok(None);
    }
    let results = visible(app, &other, false, None).await?;
    let of = other
        .newsletter
        .or(other.sample().map(|sample| sample.newsletter));
    let newsletter = match of {
        Some(id) => newsletters::by_id(app.db.read(), id).await?,
        None => None,
    };
    Ok(Some(Beside {
        lang: newsletter.map(|newsletter| newsletter.language),
        heading,
        link,
        href: format!("/p/{}", other.slug),
        results: results.map(|results| ResultsView {
            results,
            headline: false,
            live: None,
        }),
    }))
}
