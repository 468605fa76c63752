//! Time zones: where stores are.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chrono_tz::{TZ_VARIANTS, Tz};
use rusqlite::Connection;

use super::field::{Fault, RowNotes, text};
use super::input_kind::{Column, Description, InputKind, Target, Verdict};
use super::zone_names;
use crate::db::{Changed, fleet};
use crate::error::Result;
use crate::ingest::fields::Fields;
use crate::ingest::options::ReadOptions;
use crate::ingest::problem::{Code, Notes, excerpt};

/// The names that are only older names of a zone, which the tz database resolves.
///
/// They are the links of its release 2025b (file `backward`) that `zone.tab` does not list for any place. The
/// old POSIX-style names (`EST`, `CET`, …), links since 2024b, are among them. `UTC`, `Etc/UTC` and `GMT` are links
/// in some releases only, and are never noted.
static ALIASES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("zone_aliases.txt").lines().collect());

const TIMEZONE: &str = "timezone_str";

/// For each store of a call, its zone by a name of the tz database, in its spelling; an alias stays one.
#[derive(Default)]
pub(in crate::ingest) struct Timezones(HashMap<u32, Box<str>>);

impl InputKind for Timezones {
    const DESCRIPTION: Description = Description {
        name: "time zones",
        slug: "timezones",
        title: "Time zones",
        about: "Where a store is. Without one it is in America/Chicago",
        export_about: "Print every store's time zone",
        sample_file: "timezones.csv",
        sample: include_str!("samples/timezones.csv"),
        columns: &[
            Column::STORE_ID,
            Column {
                synonyms: &[
                    "timezone",
                    "timezonename",
                    "tz",
                    "tzname",
                    "zone",
                    "ianatimezone",
                    "localtimezone",
                ],
                ..Column::of(&[TIMEZONE], Code::Zone)
            },
        ],
        exported: &["store_id", TIMEZONE],
        refused: &[],
        is_whole: false,
    };

    type Value<'a> = &'a str;

    fn parse<'a>(fields: Fields<'a>, _: &ReadOptions, notes: &mut RowNotes) -> Result<&'a str, Fault<'a>> {
        let word = text(1, fields[1], notes)?;
        let name = if word.parse::<Tz>().is_ok() {
            word
        } else if let Some(&name) = ZONES_BY_LOWER_CASE.get(&word.to_ascii_lowercase()) {
            notes.add(Code::ZoneCase);
            name
        } else {
            let expected = match zone_names::suggestion(word) {
                Some(meant) => format!("write `{meant}` if you mean that"),
                None => "expected an IANA name such as `America/Chicago`".to_owned(),
            };
            let reason = format!("unknown time zone `{}` ({expected})", excerpt(word.as_bytes()));
            return Err(Fault::of(1, fields[1], Code::Zone, reason));
        };
        if zone_names::NO_SUMMER_TIME.contains(&name) {
            notes.add(Code::ZoneNoSummer);
        } else if ALIASES.contains(name) {
            notes.add(Code::ZoneAlias);
        }
        Ok(name)
    }

    fn take(&mut self, store: u32, line: u64, zone: &str) -> Verdict {
        if let Some(known) = self.0.get(&store) {
            return Verdict::of(line, TIMEZONE, zone, known);
        }
        self.0.insert(store, zone.into());
        Verdict::New
    }

    fn write(&self, target: &Target<'_>, _: &mut Notes) -> Result<Changed> {
        let zones = self.0.iter();
        let zones = zones.map(|(&store, zone)| (target.keys[store as usize], &**zone));
        fleet::replace_zones(target.db, zones)
    }

    /// Ordered by store id.
    fn export(db: &Connection, each: &mut dyn FnMut(&[&[u8]]) -> Result<()>) -> Result<()> {
        fleet::for_each_zone(db, |id, zone| each(&[id, zone].map(str::as_bytes)))
    }
}

static ZONES_BY_LOWER_CASE: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    names.map(|name| (name.to_ascii_lowercase(), name)).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_knows_each_alias_and_a_place_is_none() {
        for alias in &*ALIASES {
            assert!(alias.parse::<Tz>().is_ok(), "{alias}");
        }
        for name in ["UTC", "Etc/UTC", "America/Chicago", "Europe/Kyiv", "Asia/Kolkata"] {
            assert!(!ALIASES.contains(name), "{name}");
        }
        for name in ["US/Central", "EST", "Asia/Calcutta", "Europe/Kiev"] {
            assert!(ALIASES.contains(name), "{name}");
        }
    }
}
