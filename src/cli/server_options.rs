//! The options that `serve` and `demo` share.

use std::path::Path;

use crate::error::{Error, Result};
use crate::http;
use crate::http::frontend::socket::{Address, Peer};
use crate::ingest::machine_time::AHEAD_MINUTES;
use crate::ingest::options::STORES_MAX;
use crate::jobs::Limits;
use crate::phrases::locale::{LOCALES, Locale};
use crate::uptime::hundredths;
use crate::uptime::target::WHOLE;

/// The options of a server that a proxy in front of it must know.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PublicOptions {
    /// Where to listen: an address with a port, of which 0 picks a free one, or unix:PATH for this user alone
    #[arg(
        long,
        env = "STORE_MONITOR_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:5000"
    )]
    pub(super) listen: Address,

    /// A host name of the server, beside its address; several with commas
    #[arg(
        long = "host",
        env = "STORE_MONITOR_HOST",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub(super) hosts: Vec<String>,

    /// How many bytes a request with rows may have, as it is sent
    #[arg(long, env = "STORE_MONITOR_MAX_BODY", value_name = "BYTES", default_value_t = http::BODY_BYTES_MAX)]
    pub(super) max_body: u64,
}

/// The options that `serve` and `demo` share.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerOptions {
    #[command(flatten)]
    pub(super) public: PublicOptions,

    /// A second address for /metrics and /health alone, which need no token there: of this machine or a private network
    #[arg(long, env = "STORE_MONITOR_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(super) metrics_listen: Option<Address>,

    /// A proxy that says who its clients are, by X-Forwarded-For and X-Forwarded-Proto: its address, or unix for one at
    /// the other end of a Unix socket; several with commas
    #[arg(
        long = "trust-proxy",
        env = "STORE_MONITOR_TRUST_PROXY",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = proxy
    )]
    pub(super) trust_proxies: Vec<Peer>,

    /// Let everyone who reaches the server do everything while there is no token, wherever it listens
    #[arg(long, env = "STORE_MONITOR_INSECURE_NO_AUTH")]
    pub(super) insecure_no_auth: bool,

    /// Let pages change nothing: no upload, no button for a report
    #[arg(long, env = "STORE_MONITOR_READ_ONLY_PAGES")]
    pub(super) read_only_pages: bool,

    /// How many reports are made at once
    #[arg(long, env = "STORE_MONITOR_WORKERS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) workers: u16,

    /// The clock that gives the instant of a report when its caller names none
    #[arg(long, env = "STORE_MONITOR_CLOCK", value_name = "CLOCK", default_value = "data")]
    pub(super) clock: ClockName,

    /// How pages write times and numbers: en-US, en-GB, de-DE … Default: by the zones of most stores
    #[arg(long, env = "STORE_MONITOR_LOCALE", value_name = "LOCALE", value_parser = locale)]
    pub(super) locale: Option<Locale>,

    /// The sign that pages print before amounts of money, such as $ or EUR
    #[arg(long, env = "STORE_MONITOR_CURRENCY", value_name = "TEXT", value_parser = currency)]
    pub(super) currency: Option<String>,

    /// The per cent of business time online that stores mean to reach in a month, unless they have their own target
    #[arg(long, env = "STORE_MONITOR_TARGET", value_name = "PERCENT", value_parser = target)]
    pub(super) target: Option<i64>,

    /// How many finished reports to keep; the oldest are removed first
    #[arg(long, env = "STORE_MONITOR_KEEP_REPORTS", value_name = "N", default_value_t = Limits::default().keep_reports_max)]
    pub(super) keep_reports: u32,

    /// Forget polls more than N days older than the newest, once an hour; reports need eight. Never more than half of
    /// all polls at once
    #[arg(long, env = "STORE_MONITOR_KEEP_DAYS", value_name = "N")]
    pub(super) keep_days: Option<u32>,

    /// How many minutes polls may be ahead of this machine's clock
    #[arg(long, env = "STORE_MONITOR_AHEAD", value_name = "MINUTES", default_value_t = AHEAD_MINUTES)]
    pub(super) ahead: u32,

    /// How many stores the database may have; a body that names more is refused
    #[arg(long, env = "STORE_MONITOR_MAX_STORES", value_name = "N", default_value_t = STORES_MAX)]
    pub(super) max_stores: u64,

    /// How many connections are served at once; the next takes the place of the longest idle one, or is answered 503
    #[arg(long, env = "STORE_MONITOR_MAX_CONNECTIONS", value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) max_connections: u16,

    /// How many of them one address may have, or one network /64 of IPv6; by itself a quarter. This machine and trusted
    /// proxies may have all
    #[arg(long, env = "STORE_MONITOR_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) max_connections_per_address: Option<u16>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum ClockName {
    /// The newest poll's
    Data,
    /// The machine's
    System,
}

fn proxy(text: &str) -> std::result::Result<Peer, String> {
    if text == "unix" {
        return Ok(Peer::Unix);
    }
    let address = text.parse().map(Peer::Address);
    address.map_err(|_| "expected an address such as 127.0.0.1, or unix".to_owned())
}

/// A per cent with at most two decimals, in hundredths.
pub(super) fn target(percent: &str) -> std::result::Result<i64, String> {
    let number = percent.trim().trim_end_matches('%').trim_end();
    let target = hundredths::parse(number).filter(|target| (0..=WHOLE).contains(target));
    target.ok_or_else(|| "expected a per cent from 0 to 100 with at most two decimals, such as 99.5".to_owned())
}

/// How many characters a currency's sign may have.
const CURRENCY_CHARS_MAX: usize = 8;

pub(super) fn currency(sign: &str) -> std::result::Result<String, String> {
    match sign.trim() {
        "" => Err("expected a sign such as $ or EUR".to_owned()),
        sign if sign.chars().count() > CURRENCY_CHARS_MAX => {
            Err(format!("expected at most {CURRENCY_CHARS_MAX} characters"))
        }
        sign => Ok(sign.to_owned()),
    }
}

pub(super) fn locale(name: &str) -> std::result::Result<Locale, String> {
    let known = || LOCALES.map(|locale| locale.name).join(", ");
    Locale::from_name(name).ok_or_else(|| format!("expected one of {}", known()))
}

impl ServerOptions {
    /// Whether all may do everything while there is no token: where nobody else can reach the server.
    pub(super) fn is_open_without_token(&self) -> bool {
        self.insecure_no_auth || (self.public.listen.is_local() && self.trust_proxies.is_empty())
    }

    /// Warns of a server that everyone who reaches it may use.
    pub(super) fn warn_if_insecure(&self, has_token: bool) {
        if self.insecure_no_auth && !has_token {
            tracing::warn!(
                "--insecure-no-auth: everyone who reaches {} may read, change and delete everything, until there is a \
                 token",
                self.public.listen
            );
        }
    }

    /// Warns of numbers that strangers may read.
    pub(super) fn warn_of_metrics(&self) {
        if let Some(listen) = self.metrics_listen.as_ref().filter(|listen| !listen.is_private()) {
            tracing::warn!("--metrics-listen: everyone who reaches {listen} may read the server's numbers");
        }
    }

    /// Refuses to serve where others can reach the server, unless there is a token.
    pub(super) fn require_token(&self, file: &Path, has_token: bool) -> Result<()> {
        if has_token || self.is_open_without_token() {
            return Ok(());
        }
        let reached = match self.public.listen.is_local() {
            true => "others can reach it through the proxy",
            false => "other machines can reach it",
        };
        Err(Error::invalid(format!(
            "{} needs a token, because {reached} (make one with `store-monitor token add NAME --scope admin --database {}`; \
             or add --insecure-no-auth, and everyone who reaches it may read, change and delete everything)",
            self.public.listen,
            file.display()
        )))
    }
}
