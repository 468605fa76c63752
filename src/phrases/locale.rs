//! Locales: how pages write the time of day and numbers. Words stay English, and dates are spelled alike.
//!
//! A server has the locale of `--locale`, or else the one that the zones of most stores suggest.

use chrono_tz::Tz;

/// A locale: its clock and its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    /// Its BCP 47 name, such as `en-US`.
    pub name: &'static str,
    /// Whether the clock has twelve hours: `6:30 PM`.
    pub twelve_hours: bool,
    /// What stands between thousands.
    pub group: &'static str,
    /// What stands before the decimals.
    pub decimal: char,
}

const fn locale(name: &'static str, twelve_hours: bool, group: &'static str, decimal: char) -> Locale {
    Locale {
        name,
        twelve_hours,
        group,
        decimal,
    }
}

/// A space that is narrow and does not break, between thousands.
const NARROW: &str = "\u{202f}";

/// The United States: the default where most stores have a zone of that country.
pub const EN_US: Locale = locale("en-US", true, ",", '.');

/// Great Britain: the default elsewhere.
pub const EN_GB: Locale = locale("en-GB", false, ",", '.');

/// Every locale.
pub const LOCALES: [Locale; 18] = [
    EN_US,
    EN_GB,
    locale("en-AU", true, ",", '.'),
    locale("en-CA", true, ",", '.'),
    locale("en-IE", false, ",", '.'),
    locale("en-NZ", true, ",", '.'),
    locale("de-AT", false, ".", ','),
    locale("de-CH", false, "’", '.'),
    locale("de-DE", false, ".", ','),
    locale("es-ES", false, ".", ','),
    locale("es-MX", false, ",", '.'),
    locale("fr-CA", false, NARROW, ','),
    locale("fr-FR", false, NARROW, ','),
    locale("it-IT", false, ".", ','),
    locale("nl-NL", false, ".", ','),
    locale("pl-PL", false, NARROW, ','),
    locale("pt-BR", false, ".", ','),
    locale("sv-SE", false, NARROW, ','),
];

/// The zones of the United States outside `America/Indiana`, `America/Kentucky`, `America/North_Dakota` and `US`.
const US_ZONES: [&str; 19] = [
    "America/Adak",
    "America/Anchorage",
    "America/Boise",
    "America/Chicago",
    "America/Denver",
    "America/Detroit",
    "America/Fort_Wayne",
    "America/Indianapolis",
    "America/Juneau",
    "America/Los_Angeles",
    "America/Louisville",
    "America/Menominee",
    "America/Metlakatla",
    "America/New_York",
    "America/Nome",
    "America/Phoenix",
    "America/Sitka",
    "America/Yakutat",
    "Pacific/Honolulu",
];

const US_FOLDERS: [&str; 4] = ["America/Indiana/", "America/Kentucky/", "America/North_Dakota/", "US/"];

impl Locale {
    /// The locale with that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        LOCALES
            .into_iter()
            .find(|locale| locale.name.eq_ignore_ascii_case(name))
    }

    /// The locale of stores in these zones, each with its number of stores: the one of the United States where they
    /// are at least half, or where there are none.
    pub fn of_zones(zones: impl IntoIterator<Item = (Tz, usize)>) -> Self {
        let (mut here, mut all) = (0, 0);
        for (zone, stores) in zones {
            all += stores;
            if is_us(zone) {
                here += stores;
            }
        }
        if 2 * here >= all { EN_US } else { EN_GB }
    }
}

fn is_us(zone: Tz) -> bool {
    let name = zone.name();
    US_ZONES.binary_search(&name).is_ok() || US_FOLDERS.iter().any(|folder| name.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zones_of_most_stores_choose_the_clock() {
        let of = |zones: &[(Tz, usize)]| Locale::of_zones(zones.iter().copied()).name;
        assert_eq!(of(&[]), "en-US");
        assert_eq!(of(&[(Tz::America__Chicago, 2), (Tz::Europe__Berlin, 1)]), "en-US");
        assert_eq!(of(&[(Tz::America__Chicago, 1), (Tz::Europe__Berlin, 2)]), "en-GB");
        assert_eq!(of(&[(Tz::America__Toronto, 1)]), "en-GB");
        for zone in [Tz::America__Indiana__Knox, Tz::US__Pacific, Tz::Pacific__Honolulu] {
            assert_eq!(of(&[(zone, 1)]), "en-US", "{zone}");
        }
        assert!(US_ZONES.is_sorted());
    }

    #[test]
    fn a_locale_is_found_by_its_name() {
        for locale in LOCALES {
            assert_eq!(Locale::from_name(&locale.name.to_lowercase()), Some(locale));
        }
        assert_eq!(Locale::from_name("en"), None);
    }
}
