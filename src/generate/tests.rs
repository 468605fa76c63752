//! Facts about synthetic input as a whole, read back from the files.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::*;
use crate::error::ErrorKind;

const FILES: [&str; 5] = [
    "store_status.csv",
    "menu_hours.csv",
    "timezones.csv",
    "stores.csv",
    "special_hours.csv",
];

const HOURS: &str = "store_id,day,start_time_local,end_time_local,valid_from";
const STORES: &str = "store_id,name,group,sales_per_hour,target";
const SPECIAL: &str = "store_id,date,start_time_local,end_time_local,reason";

/// The files, and the summary; a file that is not there is empty.
fn generate(options: &Options) -> ([String; 5], Summary) {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("not/yet/there");
    let mut last = 0;
    let summary = write(options, &inner, &mut |done| {
        assert!(last < done);
        last = done;
    })
    .unwrap();
    assert_eq!(last, options.store_hours());
    let files = FILES.map(|name| fs::read_to_string(inner.join(name)).unwrap_or_default());
    (files, summary)
}

/// The rows of a file that has `header`, read by a real CSV reader.
fn rows(file: &str, header: &str) -> Vec<Vec<String>> {
    assert!(file.starts_with(&format!("{header}\n")) && file.ends_with('\n'));
    csv::Reader::from_reader(file.as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn instant(stamp: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.f UTC")
        .unwrap()
        .and_utc()
}

#[test]
fn the_same_options_make_the_same_bytes() {
    let options = Options::new(40, 2, 5);
    assert_eq!(generate(&options), generate(&options));
}

#[test]
fn another_seed_makes_other_bytes() {
    let (a, _) = generate(&Options::new(40, 2, 5));
    let (b, _) = generate(&Options::new(40, 2, 6));
    for (a, b) in a.iter().zip(&b) {
        assert_ne!(a, b);
    }
}

/// Fixes the bytes of the files, which no machine may change.
#[test]
fn the_bytes_are_those_they_always_were() {
    let digests = |plain| {
        let (files, _) = generate(&Options {
            plain,
            ..Options::new(300, 8, 1)
        });
        files.map(|file| {
            file.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        })
    };
    let [polls, zones] = [10_085_761_628_108_179_499, 11_785_029_429_730_457_257];
    let nothing = 0xcbf2_9ce4_8422_2325;
    assert_eq!(
        digests(true),
        [
            polls,
            5_120_653_578_397_261_463,
            zones,
            10_085_407_425_014_848_426,
            nothing
        ]
    );
    assert_eq!(
        digests(false),
        [
            polls,
            8_878_209_576_332_544_582,
            zones,
            16_182_472_021_806_564_872,
            13_149_689_237_118_489_276
        ]
    );
}

#[test]
fn owners_keep_holidays_and_some_hours_change() {
    let ([_, hours, _, stores, special], _) = generate(&Options::new(1000, 8, 1));
    let versions = hours.matches(",2026-11-02\n").count();
    let all = hours.lines().count();
    assert!((all / 60..all / 15).contains(&versions), "{versions} of {all}");
    let ids = |reason: &str| special.lines().filter(|line| line.ends_with(reason)).count();
    assert!((200..400).contains(&ids(",,,Christmas")), "{}", ids(",,,Christmas"));
    assert!((80..300).contains(&ids("10:00:00,16:00:00,Christmas")));
    // Holidays of one owner are those of all of its stores, so there are few sets.
    let mut sets: HashMap<&str, String> = HashMap::new();
    for line in special.lines().skip(1) {
        let (id, rest) = line.split_once(',').unwrap();
        *sets.entry(id).or_default() += rest;
    }
    let distinct: HashSet<_> = sets.values().collect();
    assert_eq!(distinct.len(), 2);
    let rates = rows(&stores, STORES).iter().filter(|row| !row[3].is_empty()).count();
    assert!((600..750).contains(&rates), "{rates}");
}

#[test]
fn every_row_is_well_formed() {
    let options = Options::new(500, 8, 1);
    let ([polls, hours, zones, stores, special], summary) = generate(&options);
    let polls = rows(&polls, "store_id,status,timestamp_utc");
    let hours = rows(&hours, HOURS);
    let zones = rows(&zones, "store_id,timezone_str");
    let stores = rows(&stores, STORES);
    let special = rows(&special, SPECIAL);
    let counts = [&polls, &hours, &special, &zones, &stores].map(|rows| rows.len() as u64);
    let Summary {
        polls: p,
        business_hours: h,
        special_hours: x,
        timezones: z,
        stores: s,
    } = summary;
    assert_eq!(counts, [p, h, x, z, s]);
    for row in [&polls, &hours, &zones, &stores].into_iter().flatten() {
        assert!(row[0].parse::<u64>().unwrap() >= 100_000_000_000_000);
    }
    let start = DateTime::from_timestamp_micros(END - 8 * DAY).unwrap();
    let end = DateTime::from_timestamp_micros(END).unwrap();
    for row in &polls {
        assert!(row[1] == "active" || row[1] == "inactive");
        assert!((start..end).contains(&instant(&row[2])));
        let fraction = row[2][19..].trim_end_matches(" UTC");
        assert!(!fraction.ends_with(['0', '.']), "{}", row[2]);
    }
    for row in &hours {
        assert!(row[1].parse::<u8>().unwrap() < 7);
        for time in &row[2..4] {
            let parts: Vec<u32> = time.split(':').map(|part| part.parse().unwrap()).collect();
            assert!(parts[0] <= 24 && parts[1] < 60 && parts[2] < 60 && time.len() == 8);
        }
    }
    for rows in [&zones, &stores] {
        let ids: HashSet<&String> = rows.iter().map(|row| &row[0]).collect();
        assert_eq!(ids.len(), rows.len(), "one row a store");
        let texts = rows.iter().flat_map(|row| row.iter().take(3));
        assert!(texts.into_iter().all(|field| !field.is_empty()));
    }
}

#[test]
fn a_fleet_has_the_shape_of_a_real_one() {
    let (files, summary) = generate(&Options::new(1000, 8, 1));
    // 14,000 stores make about 2.4 million polls in eight days, and so 1,000 about 171,000.
    assert!((160_000..182_000).contains(&summary.polls), "{summary:?}");
    assert!((930..970).contains(&summary.timezones), "{summary:?}");
    let ids = |file: &str| -> HashSet<String> {
        let ids = file.lines().skip(1).filter_map(|line| line.split_once(','));
        ids.map(|(id, _)| id.to_owned()).collect()
    };
    let [polled, open, zoned, ..] = files.each_ref().map(|file| ids(file));
    assert!((760..840).contains(&open.len()));
    assert!(zoned.difference(&polled).count() > 0, "some are not polled");
    let inactive = files[0].matches(",inactive,").count() as u64;
    assert!((summary.polls / 100..summary.polls / 5).contains(&inactive));
}

#[test]
fn polls_repeat_contradict_and_come_late() {
    let ([polls, ..], _) = generate(&Options::new(500, 8, 1));
    let mut seen: HashMap<(String, DateTime<Utc>), String> = HashMap::new();
    let (mut repeated, mut contradicted, mut late) = (0, 0, 0);
    let mut newest = DateTime::UNIX_EPOCH;
    for row in rows(&polls, "store_id,status,timestamp_utc") {
        let at = instant(&row[2]);
        late += usize::from(at < newest - chrono::TimeDelta::hours(1));
        newest = newest.max(at);
        match seen.insert((row[0].clone(), at), row[1].clone()) {
            Some(status) if status == row[1] => repeated += 1,
            Some(_) => contradicted += 1,
            None => {}
        }
    }
    assert!(repeated > 20 && contradicted > 10 && late > 100);
    assert!(repeated < 500 && contradicted < 300 && late < 2000);
}

#[test]
fn uuids_are_ids_and_name_the_day_otherwise() {
    let mut options = Options::new(50, 1, 1);
    options.uuid = true;
    let ([polls, hours, zones, stores, _], _) = generate(&options);
    let polls = rows(&polls, "store_id,status,timestamp_utc");
    let hours = rows(&hours, "store_id,dayOfWeek,start_time_local,end_time_local,valid_from");
    let zones = rows(&zones, "store_id,timezone_str");
    let stores = rows(&stores, STORES);
    for row in [polls, hours, zones, stores].iter().flatten() {
        assert_eq!(row[0].len(), 36);
        assert!(uuid::Uuid::parse_str(&row[0]).is_ok());
    }
}

#[test]
fn every_order_has_the_same_rows_and_keeps_that_of_one_store_and_instant() {
    let of = |order| {
        let mut options = Options::new(60, 6, 3);
        options.order = order;
        let ([polls, others @ ..], summary) = generate(&options);
        let again = generate(&options);
        assert!(again.0[0] == polls);
        (rows(&polls, "store_id,status,timestamp_utc"), others, summary)
    };
    let (time, others, summary) = of(Order::Time);
    let by_store = {
        let mut rows = time.clone();
        rows.sort_by_key(|row| (row[0].clone(), instant(&row[2])));
        rows
    };
    for order in [Order::Store, Order::Shuffled] {
        let (mut rows, same, counts) = of(order);
        assert!(rows != time);
        assert_eq!((same, counts), (others.clone(), summary));
        if order == Order::Shuffled {
            let ascending = rows
                .windows(2)
                .filter(|pair| instant(&pair[0][2]) < instant(&pair[1][2]));
            assert!((rows.len() * 2 / 5..rows.len() * 3 / 5).contains(&ascending.count()));
            rows.sort_by_key(|row| (row[0].clone(), instant(&row[2])));
        }
        assert!(rows == by_store);
    }
}

#[test]
fn a_single_store_on_a_single_day_will_do() {
    let (_, summary) = generate(&Options::new(1, 1, 1));
    assert!(summary.polls <= 48);
}

#[test]
fn nothing_and_too_much_are_refused() {
    let mut never = Options::new(1, 1, 1);
    never.end = Micros::MIN;
    let mut too_late = Options::new(1, 1, 1);
    too_late.end = Micros::MAX;
    for options in [
        never,
        too_late,
        Options::new(0, 8, 1),
        Options::new(8, 0, 1),
        Options::new(1, 10_000, 1),
        Options::new(1, u32::MAX, 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&options, dir.path(), &mut |_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
