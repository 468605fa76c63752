//! `alert`: what alert rules would have sent in the past, and a trial of a receiver.

use chrono::DateTime;
use chrono_tz::Tz;
use clap::Subcommand;
use serde_json::{Value, json};

use super::Database;
use super::configuration::Configuration;
use super::output::{self, note};
use crate::civil::parse_day;
use crate::clock::machine_us;
use crate::db::fleet;
use crate::db::outbox::{Kind, Message};
use crate::error::{Error, Result};
use crate::notify::attempt;
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::interval::Micros;
use crate::watcher::replay::{Sent, days, replay, rules_to_try, summary};

/// The options of `alert`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    database: Database,

    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    /// Print the messages that the alert rules would have sent in the past; nothing is sent
    Replay(ReplayOptions),
    /// Send a message to a receiver of the configuration now, and say what became of it
    Test(TestOptions),
}

/// The options of `alert test`.
#[derive(Debug, clap::Args)]
struct TestOptions {
    /// The name of the receiver
    name: String,
}

/// The options of `alert replay`.
#[derive(Debug, clap::Args)]
struct ReplayOptions {
    /// The first day, by the clock of most stores
    #[arg(long, env = "STORE_MONITOR_FROM", value_name = "DAY", value_parser = day)]
    from: i64,

    /// The last day
    #[arg(long, env = "STORE_MONITOR_TO", value_name = "DAY", value_parser = day)]
    to: i64,

    /// Only the rule of this name; several by repeating the flag
    #[arg(
        long = "rule",
        env = "STORE_MONITOR_RULE",
        value_name = "NAME",
        value_delimiter = ','
    )]
    rules: Vec<String>,

    /// Whole messages, as lines of JSON, in place of one line a message
    #[arg(long, env = "STORE_MONITOR_JSON")]
    json: bool,
}

fn day(text: &str) -> Result<i64, String> {
    parse_day(text).map_err(|error| error.message().to_owned())
}

/// Runs the subcommand.
///
/// # Errors
/// When the database cannot be read, a rule is not there, or the output cannot be written.
pub fn run(options: &Options, configuration: &Configuration) -> Result<()> {
    match &options.command {
        AlertCommand::Replay(own) => run_replay(&options.database, own, configuration),
        AlertCommand::Test(options) => test(options, configuration),
    }
}

fn run_replay(database: &Database, options: &ReplayOptions, configuration: &Configuration) -> Result<()> {
    database.require()?;
    if options.to < options.from {
        return Err(Error::invalid("--to is before --from (exchange them)"));
    }
    let (_held, mut db) = database.reader()?;
    let (mut rules, is_default) = rules_to_try(&db, &configuration.messaging().get())?;
    if is_default {
        note!("note: there are no alert rules: these are the messages of a rule with all defaults");
    }
    if let Some(name) = options
        .rules
        .iter()
        .find(|&name| !rules.iter().any(|rule| rule.name == *name))
    {
        let known: Vec<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        return Err(Error::invalid(format!(
            "there is no alert rule `{name}` (there are: {})",
            known.join(", ")
        )));
    }
    rules.retain(|rule| options.rules.is_empty() || options.rules.contains(&rule.name));
    let zone = fleet::load(&db)?.zone_of_most().unwrap_or(ZONE_DEFAULT);
    let span = days(zone, options.from, options.to, machine_us());
    let sent = replay(&mut db, rules, span, |_| {})?;
    output::to_stdout(|out| {
        let failed = |error: std::io::Error| Error::failed("stdout cannot be written").because(error);
        for message in &sent {
            match options.json {
                true => writeln!(out, "{}", as_json(message)).map_err(failed)?,
                false => writeln!(out, "{}", as_line(message, zone)).map_err(failed)?,
            }
        }
        match options.json {
            true => Ok(()),
            false => writeln!(out, "{}", summary(&sent)).map_err(failed),
        }
    })
}

fn as_line(sent: &Sent, zone: Tz) -> String {
    let message = &sent.message;
    format!(
        "{}  {:<12}  {}",
        local(sent.at, zone),
        message.receiver,
        message.subject
    )
}

fn local(at: Micros, zone: Tz) -> String {
    let local = DateTime::from_timestamp_micros(at).map(|utc| utc.with_timezone(&zone));
    local.map_or_else(String::new, |local| local.format("%Y-%m-%d %H:%M %Z").to_string())
}

fn as_json(sent: &Sent) -> Value {
    let message = &sent.message;
    json!({
        "key": message.key,
        "receiver": message.receiver,
        "subject": message.subject,
        "text": message.text,
        "at_night": sent.at_night,
        "facts": serde_json::from_str::<Value>(&message.facts).unwrap_or(Value::Null),
    })
}

fn test(options: &TestOptions, configuration: &Configuration) -> Result<()> {
    let messaging = configuration.messaging().get();
    let receiver = messaging.receiver(&options.name)?;
    let at = machine_us();
    let message = trial(&receiver.name, messaging.public_url.as_deref(), at);
    match attempt::send(receiver, &message, at) {
        Ok(note) => output::to_stdout(|out| {
            let note = note.map_or(String::new(), |note| format!("; {note}"));
            let failed = |error: std::io::Error| Error::failed("stdout cannot be written").because(error);
            writeln!(out, "sent to `{}` ({}){note}", receiver.name, receiver.place()).map_err(failed)
        }),
        Err(failure) => Err(Error::failed(format!(
            "nothing arrived at `{}` ({}): {}",
            receiver.name,
            receiver.place(),
            failure.reason
        ))),
    }
}

/// The message of a trial.
fn trial(name: &str, public_url: Option<&str>, at: Micros) -> Message {
    let link = public_url.map(|url| format!("{url}/"));
    let end = link.as_ref().map_or(String::new(), |link| format!("\n\n{link}"));
    Message {
        key: format!("test/{name}/{at}"),
        receiver: name.to_owned(),
        kind: Kind::Test,
        subject: "A test of store-monitor".to_owned(),
        text: format!("This is a test. Alerts for `{name}` arrive here.{end}"),
        html: None,
        facts: json!({ "link": link }).to_string(),
    }
}
