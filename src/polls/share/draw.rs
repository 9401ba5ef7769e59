//! Draws the picture: text is shaped and wrapped by cosmic-text, which handles scripts and directions; everything else
//! is rectangles. `direction` decides at which side a picture begins.

mod direction;

use std::ops::Range;

use cosmic_text::{
    Align, Attrs, Buffer, Color, Ellipsize, EllipsizeHeightLimit, Family, FontSystem, Metrics,
    Shaping, SwashCache, Weight, Wrap, fontdb,
};

use self::direction::Direction;
use super::sketch::{Bar, Sketch};

/// The size that Open Graph and its consumers recommend.
pub const WIDTH: u32 = 1_200;
pub const HEIGHT: u32 = 630;

const PAPER: [u8; 3] = [255, 255, 255];
const INK: Color = Color::rgb(0x19, 0x1a, 0x1c);
const SOFT: Color = Color::rgb(0x55, 0x57, 0x5c);
const ACCENT: [u8; 3] = [0x0b, 0x56, 0x66];
const TRACK: [u8; 3] = [0xe9, 0xe7, 0xe1];
const MARGIN: f32 = 72.0;

const HEADLINES: &[u8] = include_bytes!("fonts/NotoSerif-Bold.ttf");
const WORDS: &[u8] = include_bytes!("fonts/DejaVuSans.ttf");

/// Fonts and cached glyphs. Paints one picture at a time.
pub struct Painter {
    fonts: FontSystem,
    glyphs: SwashCache,
    /// Whether the system's fonts have been loaded.
    knows_machine: bool,
}

struct Canvas {
    pixels: Vec<u8>,
}

/// The style of a text.
#[derive(Clone, Copy)]
struct Style {
    headline: bool,
    size: f32,
    lines: usize,
    color: Color,
    align: Option<Align>,
}

impl Painter {
    pub fn new() -> Self {
        let mut db = fontdb::Database::new();
        for font in [HEADLINES, WORDS] {
            db.load_font_source(fontdb::Source::Binary(std::sync::Arc::new(font)));
        }
        Self {
            fonts: FontSystem::new_with_locale_and_db("en".to_owned(), db),
            glyphs: SwashCache::new(),
            knows_machine: false,
        }
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// The PNG encoder fails; drawing itself does not fail.
    pub fn paint(&mut self, sketch: &Sketch) -> Result<Vec<u8>, png::EncodingError> {
        // A number beside nothing would be taken for somebody's, so if a label cannot be drawn, no bar is.
        let mut labels = sketch.bars.iter().map(|bar| bar.label.as_str());
        let bars = match labels.all(|label| self.can_draw(label)) {
            true => &sketch.bars[..],
            false => &[],
        };
        let mut canvas = Canvas {
            pixels: PAPER.repeat((WIDTH * HEIGHT) as usize),
        };
        canvas.fill(0.0, 0.0, WIDTH as f32, 14.0, ACCENT);
        let wide = WIDTH as f32 - 2.0 * MARGIN;
        // With few bars there is room for a larger question.
        let (size, lines) = match (bars.len(), sketch.question.chars().count()) {
            (0, ..=90) => (76.0, 4),
            (0, _) => (56.0, 6),
            (_, ..=60) => (58.0, 2),
            (..=3, _) => (46.0, 3),
            _ => (42.0, 2),
        };
        let question = Style {
            headline: true,
            size,
            lines,
            color: INK,
            align: None,
        };
        let height = self.text(
            &mut canvas,
            &sketch.question,
            (MARGIN, 62.0),
            wide,
            question,
        );
        let foot = HEIGHT as f32 - 74.0;
        let room = foot - 24.0 - (62.0 + height + 28.0);
        if !bars.is_empty() {
            let row = (room / bars.len() as f32).clamp(48.0, 92.0);
            // The remaining space goes between the question and the bars.
            let mut y = foot - 20.0 - row * bars.len() as f32;
            let direction = self.direction(sketch);
            for bar in bars {
                self.bar(&mut canvas, bar, direction, (y, wide, row));
                y += row;
            }
        }
        canvas.fill(MARGIN, foot - 14.0, wide, 2.0, TRACK);
        let small = Style {
            headline: false,
            size: 23.0,
            lines: 2,
            color: SOFT,
            align: Some(Align::Left),
        };
        self.text(
            &mut canvas,
            &sketch.foot,
            (MARGIN, foot),
            wide * 0.68,
            small,
        );
        let right = Style {
            align: Some(Align::Right),
            ..small
        };
        let at = (MARGIN + wide * 0.7, foot);
        self.text(&mut canvas, &sketch.host, at, wide * 0.3, right);
        canvas.png()
    }

    fn bar(
        &mut self,
        canvas: &mut Canvas,
        bar: &Bar,
        direction: Direction,
        (y, wide, row): (f32, f32, f32),
    ) {
        let size = (row * 0.42).clamp(24.0, 34.0);
        let style = |align| Style {
            headline: false,
            size,
            lines: 1,
            color: INK,
            align,
        };
        let (label_at, label_wide) = direction.label(MARGIN, wide);
        let label = format!("{}{}", direction.mark(), bar.label);
        self.text(canvas, &label, (label_at, y), label_wide, style(None));
        let (value_at, value_wide, align) = direction.value(MARGIN, wide);
        let value_style = style(Some(align));
        self.text(canvas, &bar.value, (value_at, y), value_wide, value_style);
        let (top, thick) = (y + size * 1.36, (row * 0.16).clamp(8.0, 14.0));
        canvas.fill(MARGIN, top, wide, thick, TRACK);
        let length = wide * bar.length as f32 / 1_000.0;
        let from = direction.bar(MARGIN, wide, length);
        canvas.fill(from, top, length, thick, ACCENT);
    }

    /// Draws a text into a column and returns its height.
    fn text(
        &mut self,
        canvas: &mut Canvas,
        text: &str,
        (left, top): (f32, f32),
        width: f32,
        style: Style,
    ) -> f32 {
        let Some(mut buffer) = self.drawable(text, width, style) else {
            return 0.0;
        };
        buffer.draw(
            &mut self.fonts,
            &mut self.glyphs,
            style.color,
            |x, y, w, h, color| {
                for (dx, dy) in (0..w).flat_map(|dx| (0..h).map(move |dy| (dx, dy))) {
                    let at = (
                        x + dx.cast_signed() + left as i32,
                        y + dy.cast_signed() + top as i32,
                    );
                    canvas.blend(at, color);
                }
            },
        );
        buffer
            .layout_runs()
            .map(|run| run.line_top + run.line_height)
            .fold(0.0, f32::max)
    }

    /// Whether anything of a label can be drawn.
    fn can_draw(&mut self, label: &str) -> bool {
        let style = Style {
            headline: false,
            size: 30.0,
            lines: 1,
            color: INK,
            align: None,
        };
        self.drawable(label, WIDTH as f32, style).is_some()
    }

    /// The layout of what the fonts can draw of a text: characters that none has are left out, since boxes in their
    /// place would say nothing. `None`: nothing is left.
    fn drawable(&mut self, text: &str, width: f32, style: Style) -> Option<Buffer> {
        let mut text = one_paragraph(text);
        for _ in 0..PASSES {
            let mut buffer = self.laid_out(&text, width, style);
            if !missing(&buffer).is_empty() && !self.knows_machine {
                self.fonts.db_mut().load_system_fonts();
                self.knows_machine = true;
                buffer = self.laid_out(&text, width, style);
            }
            let missing = missing(&buffer);
            if missing.is_empty() {
                return Some(buffer).filter(|_| text.chars().any(|c| !is_blank(c)));
            }
            let kept = |at: usize| !missing.iter().any(|range| range.contains(&at));
            let rest = text.char_indices().filter(|(at, _)| kept(*at));
            let rest: String = rest.map(|(_, c)| c).collect();
            text = rest.trim().to_owned();
        }
        None
    }

    fn laid_out(&mut self, text: &str, width: f32, style: Style) -> Buffer {
        let line = style.size * 1.25;
        let mut buffer = Buffer::new(&mut self.fonts, Metrics::new(style.size, line));
        buffer.set_wrap(Wrap::WordOrGlyph);
        buffer.set_size(Some(width), None);
        let attrs = if style.headline {
            Attrs::new()
                .family(Family::Name("Noto Serif"))
                .weight(Weight::BOLD)
        } else {
            Attrs::new().family(Family::Name("DejaVu Sans"))
        };
        buffer.set_text(text, &attrs, Shaping::Advanced, style.align);
        buffer.shape_until_scroll(&mut self.fonts, false);
        // Done after the first layout: a text that is cut keeps the spaces at which it was wrapped.
        if buffer.layout_runs().count() > style.lines {
            buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(style.lines)));
            buffer.set_size(Some(width), Some(line * style.lines as f32 + 1.0));
            buffer.shape_until_scroll(&mut self.fonts, false);
        }
        buffer
    }
}

/// How often characters are left out of a text: a text that was cut shows further ones then.
const PASSES: usize = 8;

/// One paragraph, whatever was typed, and no more than fits.
fn one_paragraph(text: &str) -> String {
    let letters = text.chars().take(400);
    letters
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Spaces, and marks that only join or direct others: they are left of an emoji that cannot be drawn.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200c}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}')
}

/// The bytes of the text whose characters no font has: glyph 0 is what is shown for them.
fn missing(buffer: &Buffer) -> Vec<Range<usize>> {
    buffer
        .layout_runs()
        .flat_map(|run| run.glyphs)
        .filter(|glyph| glyph.glyph_id == 0)
        .map(|glyph| glyph.start..glyph.end)
        .collect()
}

impl Canvas {
    fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, color: [u8; 3]) {
        let span = |from: f32, length: f32, most: u32| {
            let end = (from + length).round().clamp(0.0, most as f32) as usize;
            from.round().clamp(0.0, most as f32) as usize..end
        };
        for row in span(y, height, HEIGHT) {
            for column in span(x, width, WIDTH) {
                let at = (row * WIDTH as usize + column) * 3;
                self.pixels[at..at + 3].copy_from_slice(&color);
            }
        }
    }

    fn blend(&mut self, (x, y): (i32, i32), color: Color) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        if x >= WIDTH || y >= HEIGHT {
            return;
        }
        let at = ((y * WIDTH + x) * 3) as usize;
        let alpha = u32::from(color.a());
        for (pixel, ink) in
            self.pixels[at..at + 3]
                .iter_mut()
                .zip([color.r(), color.g(), color.b()])
        {
            let mixed = (u32::from(*pixel) * (255 - alpha) + u32::from(ink) * alpha + 127) / 255;
            *pixel = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
    }

    fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut out = Vec::with_capacity(64 * 1_024);
        let mut encoder = png::Encoder::new(&mut out, WIDTH, HEIGHT);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
