use super::*;

fn sketch(question: &str, labels: &[&str]) -> Sketch {
    Sketch {
        question: question.to_owned(),
        bars: labels
            .iter()
            .map(|label| Bar {
                label: (*label).to_owned(),
                value: "34%".to_owned(),
                length: 340,
            })
            .collect(),
        foot: "1,213 readers chose to answer. Not a random sample.".to_owned(),
        host: "polls.example.org".to_owned(),
    }
}

fn decoded(png: &[u8]) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (WIDTH, HEIGHT));
    pixels
}

/// Whether anything dark is drawn in this part of the picture.
fn has_ink(pixels: &[u8], x: std::ops::Range<u32>, y: std::ops::Range<u32>) -> bool {
    y.flat_map(|y| x.clone().map(move |x| ((y * WIDTH + x) * 3) as usize))
        .any(|at| pixels[at..at + 3].iter().all(|c| *c < 0x60))
}

#[test]
fn long_texts_are_wrapped_and_cut_and_never_leave_the_picture() {
    let long = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(20);
    let mut painter = Painter::new();
    for question in ["Why?", "word ".repeat(200).as_str(), long.as_str(), ""] {
        let bars = [long.as_str(), "No", "Unsure", "word word"];
        for bars in [&bars[..0], &bars[..1], &bars] {
            let pixels = decoded(&painter.paint(&sketch(question, bars)).unwrap());
            assert!(!has_ink(&pixels, 0..60, 20..HEIGHT), "left margin");
            assert!(
                !has_ink(&pixels, WIDTH - 60..WIDTH, 20..HEIGHT),
                "right margin"
            );
            assert!(!has_ink(&pixels, 0..WIDTH, HEIGHT - 24..HEIGHT), "below");
            assert!(question.is_empty() || has_ink(&pixels, 60..WIDTH, 60..200));
        }
    }
}

#[test]
fn what_reads_from_the_right_stands_at_the_right() {
    let mut painter = Painter::new();
    for label in ["نعم", "כן"] {
        let pixels = decoded(&painter.paint(&sketch("ما رأيك؟", &[label])).unwrap());
        // The bar, 34 per cent long, ends where the text begins.
        let row = (350..530).find(|y| {
            let at = ((y * WIDTH + WIDTH - 100) * 3) as usize;
            pixels[at..at + 3] == ACCENT
        });
        let left = ((row.unwrap() * WIDTH + 100) * 3) as usize;
        assert_eq!(pixels[left..left + 3], TRACK);
    }
}

#[test]
fn characters_without_a_font_are_left_out_and_the_rest_is_drawn() {
    let mut painter = Painter::new();
    painter.knows_machine = true;
    let mut drawn = |question: &str, labels: &[&str]| {
        decoded(&painter.paint(&sketch(question, labels)).unwrap())
    };
    // The labels begin at the left, the numbers end at the right.
    let (left, right, bars) = (60..300, 900..WIDTH, 300..530);
    let emoji = drawn("Good? 🟢", &["👍 Yes", "No 👎🏽"]);
    assert!(has_ink(&emoji, 60..WIDTH, 60..180), "the question");
    assert!(has_ink(&emoji, left.clone(), bars.clone()), "the labels");
    assert!(has_ink(&emoji, right.clone(), bars.clone()), "the numbers");
    for labels in [["是", "否"], ["👍", "❤️ Yes"]] {
        let pixels = drawn("你相信主流媒体吗？", &labels);
        assert!(!has_ink(&pixels, 60..WIDTH, 60..530), "{labels:?}");
        assert!(has_ink(&pixels, 60..WIDTH, 540..HEIGHT), "the foot");
    }
}
