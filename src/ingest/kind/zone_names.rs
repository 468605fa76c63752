//! Names of time zones that are no IANA names, and the zones that are meant.
//!
//! They only help a message: an abbreviation has several meanings, so the zone is the caller's choice.

use chrono_tz::{TZ_VARIANTS, Tz};

/// IANA names without summer time, which people write for zones that have it.
pub(super) const NO_SUMMER_TIME: [&str; 3] = ["EST", "MST", "HST"];

/// The names of Windows, each with the zone of its main territory in CLDR's table `windowsZones`.
const WINDOWS: &str = include_str!("windows_zones.txt");

/// Abbreviations and short names that are no IANA names.
const SHORT: [(&str, &str); 26] = [
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
    ("Pacific", "America/Los_Angeles"),
    ("MDT", "America/Denver"),
    ("MT", "America/Denver"),
    ("Mountain", "America/Denver"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("CT", "America/Chicago"),
    ("Central", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("ET", "America/New_York"),
    ("Eastern", "America/New_York"),
    ("AKST", "America/Anchorage"),
    ("AKDT", "America/Anchorage"),
    ("AST", "America/Halifax"),
    ("ADT", "America/Halifax"),
    ("NST", "America/St_Johns"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("EEST", "Europe/Athens"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
];

/// How alike an IANA name and an unknown name must be, from 0 to 1.
const LIKENESS_MIN: f64 = 0.85;

/// The IANA name that an unknown name may mean.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let underscored = name.split_whitespace().collect::<Vec<_>>().join("_");
    let is_it = |known: &&str| known.eq_ignore_ascii_case(&underscored);
    if let Some(known) = names().find(is_it) {
        return Some(known);
    }
    let mut windows = WINDOWS.lines().filter_map(|line| line.split_once('='));
    // Windows writes the same zones with "Daylight" in summer.
    let standard = name.to_ascii_lowercase().replace("daylight", "standard");
    let by_name = windows.find(|(known, _)| known.eq_ignore_ascii_case(&standard));
    let by_name = by_name.or_else(|| SHORT.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
    if let Some((_, zone)) = by_name {
        return Some(zone);
    }
    let city = |known: &&'static str| {
        known
            .rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(&underscored))
    };
    names().find(city).or_else(|| nearest(&underscored))
}

fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_ascii_lowercase(), &name.to_ascii_lowercase());
    let best = names()
        .map(|known| (likeness(known), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map(|(_, known)| known)
}

fn names() -> impl Iterator<Item = &'static str> {
    TZ_VARIANTS.iter().copied().map(Tz::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suggestion_is_a_zone() {
        let windows = WINDOWS.lines().filter_map(|line| line.split_once('='));
        assert_eq!(windows.clone().count(), WINDOWS.lines().count());
        for (name, zone) in windows.chain(SHORT) {
            assert!(zone.parse::<Tz>().is_ok(), "{name}: {zone}");
            assert!(name.parse::<Tz>().is_err() || name == "UTC", "{name} is a zone itself");
        }
        for name in NO_SUMMER_TIME {
            assert!(name.parse::<Tz>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_a_zone_gets_it_as_a_suggestion() {
        for (name, zone) in [
            ("Eastern Standard Time", Some("America/New_York")),
            ("pacific daylight time", Some("America/Los_Angeles")),
            ("America/New York", Some("America/New_York")),
            ("PST", Some("America/Los_Angeles")),
            ("chicago", Some("America/Chicago")),
            ("Los Angeles", Some("America/Los_Angeles")),
            ("America/Chicgo", Some("America/Chicago")),
            ("nowhere", None),
            ("", None),
        ] {
            assert_eq!(suggestion(name), zone, "{name}");
        }
    }
}
