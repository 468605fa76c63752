//! The soak: half an hour of polls, reports and pages at 14,000 stores, in which memory must find its plateau.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use store_monitor::civil;

use crate::harness::{Home, Server};

/// How many stores poll.
const STORES: usize = 14_000;

/// How many polls one request has.
const POLLS_A_REQUEST: usize = 100;

/// How long an hour of polls takes: ninety times as fast as in earnest.
const HOUR: Duration = Duration::from_secs(40);

/// After this many minutes memory has its plateau.
const WARM_MINUTES: usize = 10;

/// How many KiB an hour it may grow from then on.
const KIB_AN_HOUR_MAX: i64 = 1024;

const PAGES: [&str; 10] = [
    "/",
    "/stores",
    "/incidents",
    "/reports",
    "/stores/{}",
    "/api/stores",
    "/api/stores/{}/timeline",
    "/api/incidents.csv",
    "/metrics",
    "/health",
];

/// Waits for the time of the next request, or for the end.
fn pace(next: Instant, ended: &AtomicBool) -> bool {
    while Instant::now() < next && !ended.load(Ordering::SeqCst) {
        thread::park_timeout(
            next.saturating_duration_since(Instant::now())
                .min(Duration::from_millis(100)),
        );
    }
    !ended.load(Ordering::SeqCst)
}

#[test]
#[ignore = "takes SOAK_MINUTES, 30 by default, with `cargo test --release`; SOAK_IDLE=1 leaves out reports and pages"]
fn memory_finds_a_plateau_within_ten_minutes() {
    let number = |name: &str, default: usize| {
        env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let minutes = number("SOAK_MINUTES", 30);
    let is_idle = number("SOAK_IDLE", 0) == 1;
    let home = Home::new();
    let stores = STORES.to_string();
    home.run(&["generate", "made", "--stores", &stores, "--days", "9"])
        .exits(0);
    let files = ["stores", "timezones", "menu_hours", "store_status"]
        .map(|name| format!("made/{name}.csv"));
    home.import(&files);
    let ids: Vec<String> = String::from_utf8(home.print(&["export", "stores"]))
        .expect("text")
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().expect("an id").to_owned())
        .collect();
    // Another build of the program may be measured.
    let program =
        env::var_os("SOAK_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_store-monitor").into());
    let mut command = Command::new(program);
    command
        .args(["serve", "--reserve", "0"])
        .current_dir(home.path(""));
    let server = Server::start_as(&home, command);
    let newest = server.get("/health").json()["newest_poll"]
        .as_str()
        .expect("polls")
        .to_owned();
    let newest = civil::parse_instant(&newest).expect("an instant");
    let ended = AtomicBool::new(false);
    let mut memory = Vec::new();
    thread::scope(|scope| {
        let (server, ended, ids) = (&server, &ended, &ids);
        scope.spawn(move || {
            let pause = HOUR / u32::try_from(STORES / POLLS_A_REQUEST).expect("few");
            let mut next = Instant::now();
            for hour in 1.. {
                for stores in ids.chunks(POLLS_A_REQUEST) {
                    let at = civil::format_utc(newest + hour * 3_600_000_000);
                    let status = |store: &str| {
                        if (i64::from(store.as_bytes()[0]) + hour) % 17 == 0 {
                            "inactive"
                        } else {
                            "active"
                        }
                    };
                    let rows: String = stores
                        .iter()
                        .map(|store| format!("{store},{},{at}\n", status(store)))
                        .collect();
                    let body = format!("store_id,status,timestamp_utc\n{rows}");
                    let answer = server.post("/api/polls", "text/csv", &[], body.as_bytes());
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    next += pause;
                    if !pace(next, ended) {
                        return;
                    }
                }
            }
        });
        if !is_idle {
            scope.spawn(move || {
                let mut next = Instant::now();
                while pace(next, ended) {
                    assert!(!server.report("").is_empty());
                    next += Duration::from_secs(10);
                }
            });
            scope.spawn(move || {
                let mut next = Instant::now();
                for (number, page) in PAGES.iter().cycle().enumerate() {
                    if !pace(next, ended) {
                        return;
                    }
                    let target = page.replace("{}", &ids[number * 31 % ids.len()]);
                    assert_eq!(server.get(&target).status, 200, "{target}");
                    next += Duration::from_secs(1);
                }
            });
        }
        let began = Instant::now();
        let never = AtomicBool::new(false);
        for minute in 1..=minutes {
            pace(
                began + Duration::from_secs(60) * u32::try_from(minute).expect("few"),
                &never,
            );
            let kib = |line| {
                server
                    .status(line)
                    .map_or(0, |kib| i64::try_from(kib).expect("little"))
            };
            eprintln!(
                "minute {minute}: {} KiB, of which {} anonymous",
                kib("VmRSS"),
                kib("RssAnon")
            );
            memory.push(kib("VmRSS"));
        }
        ended.store(true, Ordering::SeqCst);
    });
    if minutes < WARM_MINUTES + 10 {
        return;
    }
    // The medians of five minutes each: a report or a page takes some for a moment.
    let median = |minutes: &[i64]| {
        let mut sorted = minutes.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let (first, last) = (
        &memory[WARM_MINUTES..WARM_MINUTES + 5],
        &memory[minutes - 5..],
    );
    let grown = median(last) - median(first);
    let hours = i64::try_from(minutes - WARM_MINUTES - 5).expect("few");
    eprintln!("{grown} KiB more in {hours} minutes");
    assert!(
        grown * 60 <= KIB_AN_HOUR_MAX * hours,
        "{grown} KiB more in {hours} minutes"
    );
}
