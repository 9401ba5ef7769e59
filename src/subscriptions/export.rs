//! `canvass export readers`: the subscribers of a newsletter as CSV, a page at a time, with the columns that an import
//! reads.

use std::io::{self, Write};

use super::store::subscribers::{self, Subscriber};
use crate::db::{Db, DbErr};
use crate::newsletters;
use crate::types::{ReaderId, UnixMillis};
use crate::web::sheets::defused;

/// Rows per query, which bounds the memory whatever the size of the list.
const PAGE: u64 = 2_000;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportStopped {
    #[error("there is no newsletter “{0}”")]
    NoNewsletter(String),
    #[error("the list cannot be written: {0}")]
    Write(#[from] io::Error),
    #[error("the database failed: {0}")]
    Database(#[from] DbErr),
}

/// Writes the active subscribers of the newsletter with this slug: `email,name,time_zone,confirmed_at`. Returns their
/// number.
///
/// A spreadsheet would take some cells for formulas: an address can begin with `=` or `+`, a name with anything. If
/// `for_spreadsheets` is set, such a cell gets an apostrophe in front; otherwise the file is exact and can be imported
/// again.
///
/// # Errors
/// If there is no such newsletter, on a database error, or if the file cannot be written; see [`ExportStopped`].
pub async fn run(
    db: &Db,
    newsletter: &str,
    for_spreadsheets: bool,
    to: impl Write,
) -> Result<u64, ExportStopped> {
    let newsletter = newsletters::by_slug(db.read(), newsletter)
        .await?
        .ok_or_else(|| ExportStopped::NoNewsletter(newsletter.to_owned()))?;
    let mut writer = csv::Writer::from_writer(to);
    writer
        .write_record(["email", "name", "time_zone", "confirmed_at"])
        .map_err(io::Error::from)?;
    let mut after = ReaderId(0);
    let mut count = 0;
    loop {
        let page = subscribers::active_after(db.read(), newsletter.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.reader.id;
        for Subscriber { reader, confirmed } in &page {
            let row = [
                reader.email.clone(),
                reader.name.clone(),
                reader.time_zone.clone().unwrap_or_default(),
                instant(*confirmed),
            ];
            let row = row.map(|cell| {
                if for_spreadsheets {
                    defused(cell)
                } else {
                    cell
                }
            });
            writer.write_record(&row).map_err(io::Error::from)?;
            count += 1;
        }
    }
    writer.flush()?;
    Ok(count)
}

fn instant(at: UnixMillis) -> String {
    at.to_string()
}
