//! Formats instants for editors: local time with the zone's name, and UTC.

use jiff::Timestamp;

use super::{WallTime, Zone};

/// `Mon 23 Nov 2026, 07:00 Europe/Vienna (06:00 UTC)`; with the UTC date if that differs.
pub fn full(at: Timestamp, zone: &Zone) -> String {
    let local = WallTime::at(at, zone).civil();
    let here = format!("{} {zone}", local.strftime("%a %-d %b %Y, %H:%M"));
    if zone.name() == "UTC" {
        return here;
    }
    let utc = WallTime::at(at, &Zone::utc()).civil();
    let there = if utc.date() == local.date() {
        utc.strftime("%H:%M")
    } else {
        utc.strftime("%a %-d %b, %H:%M")
    };
    format!("{here} ({there} UTC)")
}

/// `23 Nov 2026, 07:00`, for tables whose heading names the zone.
pub fn short(at: Timestamp, zone: &Zone) -> String {
    WallTime::at(at, zone)
        .civil()
        .strftime("%-d %b %Y, %H:%M")
        .to_string()
}

/// `23 November 2026`, the local date, for readers.
pub fn date(at: Timestamp, zone: &Zone) -> String {
    WallTime::at(at, zone)
        .civil()
        .strftime("%-d %B %Y")
        .to_string()
}

/// `2026-11-23T06:00:00Z`, for the `datetime` of a `<time>` element and for the API.
pub fn machine(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_with_its_zone_and_utc() {
        let at = "2026-11-23T06:00:00Z".parse().unwrap();
        let vienna = Zone::parse("Europe/Vienna").unwrap();
        assert_eq!(
            full(at, &vienna),
            "Mon 23 Nov 2026, 07:00 Europe/Vienna (06:00 UTC)"
        );
        let tokyo = Zone::parse("Asia/Tokyo").unwrap();
        let at_night = "2026-11-22T23:30:00Z".parse().unwrap();
        assert_eq!(
            full(at_night, &tokyo),
            "Mon 23 Nov 2026, 08:30 Asia/Tokyo (Sun 22 Nov, 23:30 UTC)"
        );
        assert_eq!(full(at, &Zone::utc()), "Mon 23 Nov 2026, 06:00 UTC");
        assert_eq!(short(at, &vienna), "23 Nov 2026, 07:00");
        assert_eq!(date(at, &vienna), "23 November 2026");
        assert_eq!(machine(at), "2026-11-23T06:00:00Z");
    }
}
