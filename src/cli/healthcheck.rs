//! `healthcheck`: whether a server answers, for containers and service starters.

use std::time::Duration;

use serde_json::Value;

use super::output::print;
use crate::error::{Error, Result};
use crate::http::frontend::socket::Address;
use crate::http::probe::{Answered, Place};

/// How long each step of a question to a server may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The options of `healthcheck`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the server listens, as it was told: an address with a port, or unix:PATH
    #[arg(
        long,
        env = "STORE_MONITOR_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:5000"
    )]
    listen: Address,

    /// A URL of the server, in place of its address
    #[arg(long, env = "STORE_MONITOR_URL", value_name = "URL")]
    url: Option<String>,

    /// Ask whether it would take polls and make reports, not only whether it can read its database
    #[arg(long, env = "STORE_MONITOR_READY")]
    ready: bool,
}

/// Asks the server; says in a sentence how it is.
///
/// # Errors
/// When it does not answer, or is not well.
pub fn run(options: &Options) -> Result<()> {
    let place = match &options.url {
        Some(url) => Place::from_url(url)?,
        None => Place::Address(options.listen.clone()),
    };
    if matches!(&place, Place::Address(address) if address.tcp().is_some_and(|address| address.port() == 0)) {
        return Err(Error::invalid(
            "port 0 is that of no server (name the port that it printed: --listen 127.0.0.1:5000)",
        ));
    }
    let target = if options.ready { "/health?ready=1" } else { "/health" };
    let answer = place.get(target, ANSWER_WITHIN)?;
    if answer.status != 200 {
        return Err(Error::unavailable(format!("{place} is not well: {}", detail(&answer))));
    }
    let state = if options.ready { "ready" } else { "well" };
    print(&format!("{place} is {state}\n"))
}

/// What an answer says is wrong.
pub(super) fn detail(answer: &Answered) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let detail = problem["detail"].as_str().map(str::to_owned);
    detail.unwrap_or_else(|| format!("it answers {}", answer.status))
}
