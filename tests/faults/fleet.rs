//! A small fleet whose rows are written as they are exported, so that each can be found again.

use crate::harness::Home;
use crate::promise::rows_of;

/// How many stores there are.
pub(crate) const STORES: usize = 20;

/// The header of polls.
pub(crate) const POLLS: &str = "store_id,status,timestamp_utc\n";

/// A home whose database has the fleet, with polls of `days` days before 25 January 2023.
pub(crate) fn home(days: usize) -> Home {
    let home = Home::new();
    files(&home, days);
    home.import(&["stores.csv", "timezones.csv", "hours.csv", "polls.csv"]);
    home
}

/// Writes the fleet's files.
pub(crate) fn files(home: &Home, days: usize) {
    let mut stores = "store_id,name,group\n".to_owned();
    let mut zones = "store_id,timezone_str\n".to_owned();
    let mut hours = "store_id,day,start_time_local,end_time_local\n".to_owned();
    for store in 0..STORES {
        stores += &format!("s{store:02},Number {store},Owner {}\n", store % 3);
        zones += &format!("s{store:02},America/Denver\n");
        for day in 0..7 {
            hours += &format!("s{store:02},{day},{:02}:00:00,22:00:00\n", 6 + store % 4);
        }
    }
    let mut polls = POLLS.to_owned();
    for hour in 0..days * 24 {
        for store in 0..STORES {
            let status = match (hour + store * 7) % 11 {
                0 | 1 => "inactive",
                _ => "active",
            };
            // 60 days before 25 January are 26 November; all of December has one length.
            let day = 60 + hour / 24 - days;
            let date = match day {
                0..5 => format!("2022-11-{:02}", 26 + day),
                5..36 => format!("2022-12-{:02}", day - 4),
                _ => format!("2023-01-{:02}", day - 35),
            };
            let (hour, second) = (hour % 24, store * 3);
            polls += &format!("s{store:02},{status},{date} {hour:02}:01:{second:02}.138922 UTC\n");
        }
    }
    home.write("stores.csv", stores);
    home.write("timezones.csv", zones);
    home.write("hours.csv", hours);
    home.write("polls.csv", polls);
}

/// The lines of a batch of polls of 25 January; batches differ in their number.
pub(crate) fn batch(number: usize, polls: usize) -> Vec<String> {
    let poll = |poll: usize| {
        // The last two stores are for removal.
        let store = poll % (STORES - 2);
        let status = if (number + poll).is_multiple_of(9) {
            "inactive"
        } else {
            "active"
        };
        let (hour, minute) = (number / 60 % 24, number % 60);
        // No fraction ends in 0, which an export leaves out.
        assert!(number < 9 * 1440);
        let (second, micros) = (poll / 1000 % 60, poll % 1000 * 1000 + 131 + number / 1440);
        format!("s{store:02},{status},2023-01-25 {hour:02}:{minute:02}:{second:02}.{micros:06} UTC")
    };
    (0..polls).map(poll).collect()
}

/// The CSV of lines of polls.
pub(crate) fn csv(lines: &[String]) -> String {
    format!("{POLLS}{}\n", lines.join("\n"))
}

/// Lines of polls as rows of a promise.
pub(crate) fn rows(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("polls|{line}")).collect()
}

/// Every row of a home's database.
pub(crate) fn rows_of_home(home: &Home) -> Vec<String> {
    let db = store_monitor::db::connection::open_reader(&home.database()).expect("a database");
    rows_of(&db).expect("its rows")
}
