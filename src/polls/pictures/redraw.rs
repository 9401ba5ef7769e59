//! Decodes an uploaded file and re-encodes it. Pure.

use std::io::Cursor;

use aws_lc_rs::digest;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::extras::{is_progressive, picture_alone};

/// The longest side of an accepted file, in pixels.
const LONGEST_SIDE: u32 = 8_000;
/// The most pixels: 8,000 × 5,000.
const MOST_PIXELS: u64 = 40_000_000;
/// The most pixels of a progressive JPEG, which needs six bytes more for each.
const MOST_PROGRESSIVE: u64 = 12_000_000;
/// The memory of the decoded picture, in bytes: four for each pixel, and some room.
const MOST_MEMORY: u64 = 160 * 1024 * 1024;
/// The longest side of the stored picture: twice what any page shows.
const KEPT_SIDE: u32 = 960;
/// The JPEG quality at which photographs of this size show no blocks.
const QUALITY: u8 = 82;

/// A picture as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrawn {
    /// A hash of the bytes, and an extension.
    pub name: String,
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
    pub body: Vec<u8>,
}

/// Why a file is rejected, in words for the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPicture {
    #[error("Use a PNG, JPEG, WebP or GIF file")]
    Unknown,
    #[error("The picture is too large: use at most 8,000 pixels a side and 40 million in all")]
    TooLarge,
    #[error(
        "The picture is too large for a progressive JPEG, which may have 12 million pixels: save it smaller, or not as progressive"
    )]
    TooLargeProgressive,
    #[error("The file is damaged. Save the picture again and upload that")]
    Damaged,
}

/// Decodes `file` within bounds, applies its orientation, shrinks it if needed, and encodes it again: as PNG if it is
/// transparent, else as JPEG. Of an animation, only the first frame is kept.
///
/// # Errors
/// What is wrong with the file.
pub fn redraw(file: &[u8]) -> Result<Redrawn, NotAPicture> {
    let format = image::guess_format(file).map_err(|_| NotAPicture::Unknown)?;
    if !matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif
    ) {
        return Err(NotAPicture::Unknown);
    }
    let alone = picture_alone(file, format)?;
    let mut reader = ImageReader::with_format(Cursor::new(&*alone), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let (width, height) = decoder.dimensions();
    fits(
        (width, height),
        format == ImageFormat::Jpeg && is_progressive(file),
    )?;
    if decoder.total_bytes() > MOST_MEMORY {
        return Err(NotAPicture::TooLarge);
    }
    let held = decoder.orientation().map_err(reason)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(reason)?;
    picture.apply_orientation(held);
    if picture.width().max(picture.height()) > KEPT_SIDE {
        picture = picture.resize(KEPT_SIDE, KEPT_SIDE, FilterType::CatmullRom);
    }
    encoded(&picture)
}

fn fits((width, height): (u32, u32), progressive: bool) -> Result<(), NotAPicture> {
    let pixels = u64::from(width) * u64::from(height);
    if width > LONGEST_SIDE || height > LONGEST_SIDE || pixels > MOST_PIXELS {
        return Err(NotAPicture::TooLarge);
    }
    if progressive && pixels > MOST_PROGRESSIVE {
        return Err(NotAPicture::TooLargeProgressive);
    }
    Ok(())
}

fn encoded(picture: &DynamicImage) -> Result<Redrawn, NotAPicture> {
    let rgba = picture.to_rgba8();
    let mut body = Vec::new();
    let (media_type, ending) = if rgba.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
        let encoder = JpegEncoder::new_with_quality(&mut body, QUALITY);
        picture
            .to_rgb8()
            .write_with_encoder(encoder)
            .map_err(reason)?;
        ("image/jpeg", "jpg")
    } else {
        rgba.write_with_encoder(PngEncoder::new(&mut body))
            .map_err(reason)?;
        ("image/png", "png")
    };
    let hash = digest::digest(&digest::SHA256, &body);
    let hash = data_encoding::HEXLOWER.encode(&hash.as_ref()[..16]);
    Ok(Redrawn {
        name: format!("{hash}.{ending}"),
        media_type,
        width: picture.width(),
        height: picture.height(),
        body,
    })
}

fn reason(error: image::ImageError) -> NotAPicture {
    match error {
        image::ImageError::Limits(_) => NotAPicture::TooLarge,
        _ => NotAPicture::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage, Rgba, RgbaImage};
    use proptest::prelude::*;

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut file = Vec::new();
        picture
            .write_to(&mut Cursor::new(&mut file), format)
            .expect("encoded");
        file
    }

    fn photograph(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90])).into()
    }

    #[test]
    fn each_format_is_drawn_anew_and_made_smaller() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Gif,
        ] {
            let redrawn = redraw(&file(&photograph(1_920, 960), format)).expect("a picture");
            assert_eq!((redrawn.width, redrawn.height), (960, 480), "{format:?}");
            assert_eq!(redrawn.media_type, "image/jpeg");
            assert_eq!(
                image::guess_format(&redrawn.body).ok(),
                Some(ImageFormat::Jpeg)
            );
            assert!(redrawn.name.ends_with(".jpg") && redrawn.name.len() == 36);
        }
    }

    #[test]
    fn what_is_transparent_stays_so() {
        let ring: DynamicImage = RgbaImage::from_pixel(40, 30, Rgba([9, 9, 9, 0])).into();
        let redrawn = redraw(&file(&ring, ImageFormat::Png)).expect("a picture");
        assert_eq!(
            (redrawn.media_type, redrawn.width, redrawn.height),
            ("image/png", 40, 30)
        );
    }

    /// A JPEG with an EXIF block: "rotate right", and a secret beside it.
    #[test]
    fn what_a_camera_wrote_is_obeyed_and_dropped() {
        let plain = file(&photograph(40, 20), ImageFormat::Jpeg);
        let mut tiff =
            b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        tiff.extend(b"GPS 48.2082 N 16.3738 E <script>alert(1)</script>");
        let mut block = b"Exif\0\0".to_vec();
        block.extend(&tiff);
        let length = u16::try_from(block.len() + 2).expect("short").to_be_bytes();
        let mut tagged = plain[..2].to_vec();
        tagged.extend([0xff, 0xe1]);
        tagged.extend(length);
        tagged.extend(&block);
        tagged.extend(&plain[2..]);
        let redrawn = redraw(&tagged).expect("a picture");
        assert_eq!((redrawn.width, redrawn.height), (20, 40), "turned");
        let kept = String::from_utf8_lossy(&redrawn.body).into_owned();
        assert!(!kept.contains("GPS") && !kept.contains("script") && !kept.contains("Exif"));
    }

    /// A JPEG whose header declares another size and another process, in a few bytes.
    fn declared(width: u16, height: u16, process: u8) -> Vec<u8> {
        let mut jpeg = file(&photograph(40, 20), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]);
        let at = frame.expect("a frame");
        jpeg[at + 1] = process;
        jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        jpeg
    }

    #[test]
    fn a_picture_has_at_most_the_pixels_that_the_message_names() {
        assert_eq!(fits((8_000, 5_000), false), Ok(()));
        assert_eq!(fits((8_000, 5_001), false), Err(NotAPicture::TooLarge));
        assert_eq!(fits((8_001, 1), false), Err(NotAPicture::TooLarge));
        assert_eq!(fits((4_000, 3_000), true), Ok(()));
        assert_eq!(
            redraw(&declared(7_400, 7_400, 0xc0)),
            Err(NotAPicture::TooLarge)
        );
        assert_eq!(
            redraw(&declared(4_000, 3_001, 0xc2)),
            Err(NotAPicture::TooLargeProgressive)
        );
    }

    /// Bytes between the segments do not hide it.
    #[test]
    fn a_progressive_file_is_recognised() {
        assert!(!is_progressive(&declared(40, 20, 0xc0)));
        let plain = declared(40, 20, 0xc2);
        assert!(is_progressive(&plain));
        let at = plain.windows(2).position(|two| two == [0xff, 0xc2]);
        let at = at.expect("a frame");
        for between in [&b"\xff\xff"[..], b"\xff\0", b"abc"] {
            let (before, behind) = plain.split_at(at);
            let hidden = [before, between, behind].concat();
            assert!(is_progressive(&hidden), "{between:?}");
        }
        assert!(!is_progressive(&plain[..at]));
    }

    #[test]
    fn other_files_are_refused() {
        for other in [
            &b""[..],
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            b"%PDF-1.7",
            b"BM\0\0\0\0",
            b"II*\0\x08\0\0\0",
        ] {
            assert_eq!(redraw(other), Err(NotAPicture::Unknown));
        }
        let png = file(&photograph(40, 20), ImageFormat::Png);
        assert_eq!(redraw(&png[..png.len() / 2]), Err(NotAPicture::Damaged));
        // A header that declares 60,000 × 60,000 pixels in a few bytes.
        let mut bomb = png;
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        assert!(matches!(
            redraw(&bomb),
            Err(NotAPicture::TooLarge | NotAPicture::Damaged)
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_damaged_file_is_a_picture_or_refused(at in 0_usize..2_000, with: u8, format in 0_usize..4) {
            let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif][format];
            let mut file = file(&photograph(24, 16), format);
            let at = at % file.len();
            file[at] = with;
            let _ = redraw(&file);
        }
    }
}
