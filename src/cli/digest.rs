//! `digest`: prints what a day, a week or a month was like, as the messages of `[[digest]]` say it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::numbers::{self, AskedQuestion, names};
use super::server_options::{currency, locale, target};
use super::upkeep::every;
use crate::access::Audience;
use crate::db::connection::open_reader;
use crate::db::{outbox, polls};
use crate::error::Result;
use crate::hot_window::HotWindow;
use crate::http::Site;
use crate::phrases::locale::Locale;
use crate::product::digest::{self, DigestPeriod, Style, Told, Wanted};
use crate::uptime::period::By;
use crate::watcher::digest::Digests;

/// The options of `digest`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The ISO week, such as `2026-W44` [default: the last whole week]
    #[arg(long, env = "STORE_MONITOR_WEEK", value_name = "WEEK", conflicts_with_all = ["month", "day"],
          value_parser = |name: &str| digest::period(By::Week, name))]
    week: Option<DigestPeriod>,

    /// The month, such as `2026-10`
    #[arg(long, env = "STORE_MONITOR_MONTH", value_name = "MONTH", conflicts_with = "day",
          value_parser = |name: &str| digest::period(By::Month, name))]
    month: Option<DigestPeriod>,

    /// The day, such as `2026-10-31`
    #[arg(long, env = "STORE_MONITOR_DAY", value_name = "DAY",
          value_parser = |name: &str| digest::period(By::Day, name))]
    day: Option<DigestPeriod>,

    /// Only this store
    #[arg(long, env = "STORE_MONITOR_STORE", value_name = "ID")]
    store: Option<String>,

    /// Only this owner's stores
    #[arg(long, env = "STORE_MONITOR_GROUP", value_name = "GROUP")]
    group: Option<String>,

    /// The format: plain text, HTML for a mail, or JSON
    #[arg(long, env = "STORE_MONITOR_FORMAT", value_name = "FORMAT", default_value = "text",
          value_parser = names(Format::ALL.map(Format::as_str), Format::from_name))]
    format: Format,

    /// How times and numbers are written: en-US, en-GB, de-DE … Default: by the zones of most stores
    #[arg(long, env = "STORE_MONITOR_LOCALE", value_name = "LOCALE", value_parser = locale)]
    locale: Option<Locale>,

    /// The sign before amounts of money, such as $ or EUR
    #[arg(long, env = "STORE_MONITOR_CURRENCY", value_name = "TEXT", value_parser = currency)]
    currency: Option<String>,

    /// The per cent of business time online that stores mean to reach, unless they have their own target
    #[arg(long, env = "STORE_MONITOR_TARGET", value_name = "PERCENT", value_parser = target)]
    target: Option<i64>,

    /// Write to this file in place of stdout; it appears whole or not at all
    #[arg(long, env = "STORE_MONITOR_OUTPUT", value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    question: AskedQuestion,
}

#[derive(Clone, Copy, Debug, Default)]
enum Format {
    #[default]
    Text,
    Html,
    Json,
}

impl Format {
    const ALL: [Self; 3] = [Self::Text, Self::Html, Self::Json];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Json => "json",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// How often a server looks whether a digest is due.
const DUE_EVERY: Duration = Duration::from_secs(60);

/// Writes the digests of the configuration that are due into the outbox, until the sender is dropped. While the
/// machine's clock is in doubt, it waits.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn keep_sending(site: Site, hot: Arc<HotWindow>) -> Result<Sender<()>> {
    let style = Style {
        locale: site.locale,
        currency: site.currency.clone(),
    };
    let mut digests = Digests::new(style, site.target);
    every(DUE_EVERY, "the look at digests", move || {
        let messaging = site.messaging.get();
        if messaging.digests.is_empty() {
            return Ok(());
        }
        let mut db = open_reader(&site.file)?;
        let time = site.machine_time(polls::newest(&db)?);
        if time.doubt.is_some() {
            return Ok(());
        }
        let messages = digests.due(&mut db, &hot, &messaging, time.at)?;
        if messages.is_empty() {
            return Ok(());
        }
        site.writer.write(move |db| {
            for message in &messages {
                outbox::add(db, message, time.at)?;
            }
            Ok(())
        })
    })
}

/// Prints the digest.
///
/// # Errors
/// When the store or owner is not there, the database cannot be read, or the output cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let (_held, mut db, question) = options.question.open()?;
    let (hot, audience) = (&HotWindow::default(), &Audience::All);
    let period = match options.week.or(options.month).or(options.day) {
        Some(period) => period,
        None => digest::newest_whole(&mut db, (hot, audience), By::Week, question.as_of)?,
    };
    let wanted = Wanted {
        period,
        store: options.store.clone(),
        group: options.group.clone(),
    };
    let digest = digest::make(&mut db, (hot, audience), &wanted, question, options.target)?;
    let undelivered = match (&wanted.store, &wanted.group) {
        (None, None) => digest::undelivered(&db, &period)?,
        _ => Vec::new(),
    };
    let style = Style {
        locale: options.locale,
        currency: options.currency.clone(),
    };
    let whose = digest::whose(&digest, &wanted, audience);
    let told = Told::new(&digest, whose.as_deref(), question.rule, &style, &undelivered);
    let printed = match options.format {
        Format::Text => digest::text(&told),
        Format::Html => digest::html(&told, None),
        Format::Json => format!("{:#}\n", digest::facts(&digest, &told, question.rule)),
    };
    numbers::print(printed.as_bytes(), options.output.as_deref())
}
