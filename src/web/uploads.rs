//! Forms with files: `multipart/form-data`, read with the same kind of limits as [`super::forms`].

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use http::StatusCode;

use super::forms::{RawForm, has_type};
use super::{Problem, forms};

/// An uploaded file.
#[derive(Clone, Debug)]
pub struct File {
    pub field: String,
    pub bytes: Vec<u8>,
}

/// The longest value of a field other than a file, in bytes.
const LONGEST_VALUE: usize = 64 * 1024;
/// More parts than any of our forms sends.
const MOST_PARTS: usize = 100;

/// Reads a form with files. The empty part that browsers send when no file was chosen is left out.
///
/// # Errors
/// 415 for another media type, 413 beyond the route's limit, 400 if malformed, not UTF-8, or containing NUL.
pub async fn read<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<(RawForm, Vec<File>), Problem> {
    if !has_type(&request, "multipart/form-data") {
        return Err(Problem::unsupported(
            "The body must be a form with files",
            "Send this as multipart/form-data.",
        ));
    }
    let mut parts = Multipart::from_request(request, state)
        .await
        .map_err(|_| Problem::bad_request("The form is broken."))?;
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    for _ in 0..=MOST_PARTS {
        let Some(part) = parts.next_field().await.map_err(broken)? else {
            return Ok((RawForm::of(fields)?, files));
        };
        let field = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let bytes = part.bytes().await.map_err(broken)?;
        if is_file && !bytes.is_empty() {
            files.push(File {
                field,
                bytes: bytes.to_vec(),
            });
        } else if !is_file && bytes.len() > LONGEST_VALUE {
            return Err(Problem::too_large());
        } else if !is_file {
            let value = String::from_utf8(bytes.to_vec())
                .map_err(|_| Problem::bad_request("The form is not valid UTF-8."))?;
            fields.push((field, value));
        }
    }
    Err(forms::too_many_fields())
}

fn broken(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::too_large()
    } else {
        Problem::bad_request("The form is broken.")
    }
}
