//! The time zone of a site: a name, or a fixed offset. Pure.

use jiff::tz::{Offset, TimeZone};

/// The zone in which times are read, and the name of the zone in which they are shown. `None`: there is no such zone.
///
/// WordPress has offsets beside names ("UTC+2", "UTC+5:30"). Whole hours have a name in the time zone database, with
/// the sign inverted (`Etc/GMT-2`); other offsets are shown in UTC.
pub fn zone(text: &str) -> Option<(TimeZone, String)> {
    let text = text.trim();
    if let Some(minutes) = offset(text) {
        let name = match minutes {
            0 => "UTC".to_owned(),
            _ if minutes % 60 == 0 && (-12 * 60..=14 * 60).contains(&minutes) => {
                format!("Etc/GMT{:+}", -minutes / 60)
            }
            _ => "UTC".to_owned(),
        };
        let offset = Offset::from_seconds(minutes * 60).ok()?;
        return Some((TimeZone::fixed(offset), name));
    }
    let zone = TimeZone::get(text).ok()?;
    Some((zone, text.to_owned()))
}

/// The offset in minutes east of Greenwich: `+02:00`, `-3`, `UTC+5:30`, `+0530`.
fn offset(text: &str) -> Option<i32> {
    let text = text
        .strip_prefix("UTC")
        .or_else(|| text.strip_prefix("GMT"))
        .unwrap_or(text);
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-" | "\u{2212}", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "0"),
    };
    let number = |text: &str, most: i32| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i32>().ok().filter(|_| plain);
        number.filter(|number| *number <= most)
    };
    Some(sign * (number(hours, 14)? * 60 + number(minutes, 59)?))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn names_and_offsets_are_zones() {
        for (typed, shown, noon) in [
            ("Europe/Berlin", "Europe/Berlin", "2024-07-01T10:00:00Z"),
            ("+02:00", "Etc/GMT-2", "2024-07-01T10:00:00Z"),
            ("UTC+2", "Etc/GMT-2", "2024-07-01T10:00:00Z"),
            ("UTC-3", "Etc/GMT+3", "2024-07-01T15:00:00Z"),
            ("UTC+5:30", "UTC", "2024-07-01T06:30:00Z"),
            ("-0330", "UTC", "2024-07-01T15:30:00Z"),
            ("UTC+0", "UTC", "2024-07-01T12:00:00Z"),
            ("UTC", "UTC", "2024-07-01T12:00:00Z"),
        ] {
            let (zone, name) = zone(typed).expect(typed);
            assert_eq!(name, shown);
            assert!(TimeZone::get(&name).is_ok(), "{name}");
            let at = date(2024, 7, 1).at(12, 0, 0, 0).to_zoned(zone);
            assert_eq!(at.expect("a time").timestamp().to_string(), noon, "{typed}");
        }
        for wrong in [
            "Europe/Atlantis",
            "",
            "+",
            "+15:00",
            "+2:60",
            "2",
            "+1:2:3",
            "UTC+x",
            "+-2",
        ] {
            assert!(zone(wrong).is_none(), "{wrong}");
        }
    }
}
