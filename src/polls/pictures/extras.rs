//! Keeps everything that is not needed for the picture away from the decoder. Pure.
//!
//! A PNG may contain a compressed colour profile and texts: some hundred kilobytes become hundreds of megabytes,
//! whatever the size of the picture. A WebP may declare an EXIF block longer than the file, and the memory is allocated
//! before anybody checks. The blocks of JPEG and GIF are neither compressed nor longer than 64 kB.

use std::borrow::Cow;

use image::ImageFormat;

use super::redraw::NotAPicture;

/// The chunks of a PNG that make up the picture, and its orientation.
const PNG_PARTS: [&[u8; 4]; 6] = [b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"];
const PNG_SIGNATURE: usize = 8;
/// The length and the name before a chunk, and the checksum after it.
const PNG_FRAME: usize = 12;
/// The longest EXIF block that a JPEG can have.
const LONGEST_EXIF: usize = 64 * 1024;

/// `file` without the parts that are not needed to draw it.
///
/// # Errors
/// A length in the file exceeds the file.
pub fn picture_alone(file: &[u8], format: ImageFormat) -> Result<Cow<'_, [u8]>, NotAPicture> {
    match format {
        ImageFormat::Png => png_parts(file).map(Cow::Owned),
        ImageFormat::WebP => webp_fits(file).map(|()| Cow::Borrowed(file)),
        _ => Ok(Cow::Borrowed(file)),
    }
}

fn png_parts(file: &[u8]) -> Result<Vec<u8>, NotAPicture> {
    let (signature, mut rest) = file
        .split_at_checked(PNG_SIGNATURE)
        .ok_or(NotAPicture::Damaged)?;
    let mut kept = signature.to_vec();
    while let Some((length, name)) = block(rest, u32::from_be_bytes, 0) {
        let length = length.saturating_add(PNG_FRAME);
        let (part, behind) = rest.split_at_checked(length).ok_or(NotAPicture::Damaged)?;
        let long = name == *b"eXIf" && length > LONGEST_EXIF;
        if PNG_PARTS.contains(&&name) && !long {
            kept.extend_from_slice(part);
        }
        if name == *b"IEND" {
            break;
        }
        rest = behind;
    }
    Ok(kept)
}

/// Checks that each block of a WebP is within the file, and that only those of the picture are long.
fn webp_fits(file: &[u8]) -> Result<(), NotAPicture> {
    let mut rest = file.get(12..).ok_or(NotAPicture::Damaged)?;
    while let Some((length, name)) = block(rest, u32::from_le_bytes, 4) {
        if name == *b"EXIF" && length > LONGEST_EXIF {
            return Err(NotAPicture::Damaged);
        }
        let end = length.saturating_add(8);
        if end > rest.len() {
            return Err(NotAPicture::Damaged);
        }
        rest = rest.get(end + length % 2..).unwrap_or_default();
    }
    Ok(())
}

/// Whether the header of a JPEG declares it progressive. The decoder holds all of such a picture as coefficients, beside
/// the pixels. What is between two segments is read as the decoder reads it.
pub fn is_progressive(file: &[u8]) -> bool {
    const PROGRESSIVE: u8 = 0xc2;
    const SCAN: u8 = 0xda;
    let mut rest = file.get(2..).unwrap_or_default();
    while let Some(at) = rest.iter().position(|byte| *byte == 0xff) {
        let filled = &rest[at..];
        let Some(at) = filled.iter().position(|byte| !matches!(byte, 0xff | 0)) else {
            return false;
        };
        match filled[at] {
            PROGRESSIVE => return true,
            SCAN => return false,
            _ => {}
        }
        let segment = &filled[at + 1..];
        let length = segment
            .first_chunk()
            .map_or(0, |two| u16::from_be_bytes(*two));
        rest = segment.get(usize::from(length)..).unwrap_or_default();
    }
    false
}

/// The length and the name at the start of a block; `at` is the offset of the length.
fn block(bytes: &[u8], number: fn([u8; 4]) -> u32, at: usize) -> Option<(usize, [u8; 4])> {
    let four = |at: usize| bytes.get(at..at + 4)?.try_into().ok();
    let length = usize::try_from(number(four(at)?)).ok()?;
    Some((length, four(4 - at)?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, RgbImage};

    use super::*;
    use crate::polls::pictures::redraw;

    fn file(format: ImageFormat) -> Vec<u8> {
        let mut file = Vec::new();
        DynamicImage::from(RgbImage::new(24, 16))
            .write_to(&mut Cursor::new(&mut file), format)
            .expect("encoded");
        file
    }

    /// Inserts a chunk with a valid checksum after the header.
    fn with_part(png: &[u8], name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let (head, rest) = png.split_at(PNG_SIGNATURE + PNG_FRAME + 13);
        let mut part = name.to_vec();
        part.extend(content);
        let mut crc = !0_u32;
        for byte in &part {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            }
        }
        let length = u32::try_from(content.len()).expect("short").to_be_bytes();
        [head, &length, &part, &(!crc).to_be_bytes(), rest].concat()
    }

    #[test]
    fn the_decoder_is_not_given_what_would_be_unpacked() {
        let png = file(ImageFormat::Png);
        for name in [b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"acTL", b"zzZz"] {
            let bomb = with_part(&png, name, b"x\0\0whatever it unpacks to");
            let alone = picture_alone(&bomb, ImageFormat::Png).expect("whole");
            assert_eq!(*alone, *png, "{name:?}");
            assert_eq!(redraw(&bomb), redraw(&png));
        }
    }

    #[test]
    fn how_a_camera_held_it_is_obeyed_in_a_png_too() {
        let right = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let held = with_part(&file(ImageFormat::Png), b"eXIf", right);
        let redrawn = redraw(&held).expect("a picture");
        assert_eq!((redrawn.width, redrawn.height), (16, 24), "turned");
        let long = with_part(
            &file(ImageFormat::Png),
            b"eXIf",
            &[right.to_vec(), vec![0; LONGEST_EXIF]].concat(),
        );
        let redrawn = redraw(&long).expect("a picture");
        assert_eq!(
            (redrawn.width, redrawn.height),
            (24, 16),
            "too long to be looked at"
        );
    }

    #[test]
    fn a_length_that_the_file_does_not_have_is_refused() {
        let mut webp = b"RIFF\xff\xff\xff\xf0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x17\0\0\x0f\0\0".to_vec();
        webp.extend(b"EXIF\xff\xff\xff\xf0");
        assert_eq!(redraw(&webp), Err(NotAPicture::Damaged));
        let whole = file(ImageFormat::WebP);
        assert!(picture_alone(&whole, ImageFormat::WebP).is_ok());
        assert_eq!(
            picture_alone(&whole[..whole.len() - 3], ImageFormat::WebP),
            Err(NotAPicture::Damaged)
        );
        let png = file(ImageFormat::Png);
        assert_eq!(
            picture_alone(&png[..20], ImageFormat::Png),
            Err(NotAPicture::Damaged)
        );
    }
}
