//! `systemd-unit`: a unit that starts a server with the flags given, and lets it reach nothing that it does not need.
//!
//! What a server needs: its state folder, the network, and files that its flags name. A flag of the person's
//! environment is not in the unit: it holds for that person alone.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};

use super::output::{note, print};
use super::serve;
use crate::error::{Error, Result};
use crate::http::frontend::socket::Address;

/// The folders that systemd makes for the server, by the name of the unit.
const STATE: &str = "/var/lib/store-monitor";
const RUNTIME: &str = "/run/store-monitor";

/// What the database is called unless someone says otherwise.
const DATABASE: &str = "store-monitor.db";

/// How long a server may be silent before it counts as hung. A load of the largest body takes the writer a minute.
const WATCHDOG_SECONDS: u32 = 300;

/// Folders that the unit hides from the server, or that are not kept.
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// The options of `systemd-unit`.
#[derive(Debug, clap::Args)]
// Those of `serve` have this group already.
#[group(skip)]
pub struct Options {
    /// The user who runs the server; by itself systemd makes one for as long as it runs
    #[arg(long, env = "STORE_MONITOR_USER", value_name = "NAME", value_parser = user)]
    user: Option<String>,

    /// Where the program is installed; by itself, where this one is
    #[arg(long, env = "STORE_MONITOR_PROGRAM", value_name = "FILE")]
    program: Option<PathBuf>,

    /// A file with a secret that systemd reads for the server: it is /run/credentials/store-monitor.service/NAME there.
    /// Can be repeated
    #[arg(long = "secret", env = "STORE_MONITOR_SECRET", value_name = "NAME=FILE", value_parser = secret)]
    secrets: Vec<(String, PathBuf)>,

    #[command(flatten)]
    given: Given,
}

/// The flags of `serve`, with their values as they were written.
#[derive(Clone, Debug, Default)]
struct Given {
    /// Those that the command line names.
    flags: Vec<(String, Vec<OsString>)>,
    /// The first value of each that the command line or the configuration file names, or that is a default.
    values: HashMap<String, OsString>,
}

impl Args for Given {
    fn augment_args(command: clap::Command) -> clap::Command {
        serve::Options::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        serve::Options::augment_args_for_update(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let program = super::command();
        let all = serve::Options::augment_args(clap::Command::new("serve"));
        let globals = program.get_arguments().filter(|flag| flag.is_global_set());
        let mut given = Self::default();
        for flag in globals.chain(all.get_arguments()) {
            let (id, Some(long)) = (flag.get_id().as_str(), flag.get_long()) else {
                continue;
            };
            let source = matches.value_source(id);
            let is_known = given.flags.iter().any(|(known, _)| known == long);
            if is_known || source == Some(ValueSource::EnvVariable) {
                continue;
            }
            let mut values: Vec<_> = matches
                .get_raw(id)
                .into_iter()
                .flatten()
                .map(ToOwned::to_owned)
                .collect();
            if let Some(first) = values.first() {
                given.values.insert(long.to_owned(), first.clone());
            }
            if source == Some(ValueSource::CommandLine) {
                if !flag.get_action().takes_values() {
                    values.clear();
                }
                given.flags.push((long.to_owned(), values));
            }
        }
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Given {
    /// The first value of a flag.
    fn value(&self, flag: &str) -> Option<&OsString> {
        self.values.get(flag)
    }

    fn path(&self, flag: &str) -> Option<PathBuf> {
        self.value(flag).map(PathBuf::from)
    }
}

fn user(name: &str) -> std::result::Result<String, String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    match !name.is_empty() && name.chars().all(is_name) {
        true => Ok(name.to_owned()),
        false => Err("expected the name of a user of this machine".to_owned()),
    }
}

fn secret(text: &str) -> std::result::Result<(String, PathBuf), String> {
    let expected = "expected NAME=FILE, such as smtp=/etc/store-monitor/smtp-password";
    let (name, file) = text.split_once('=').ok_or(expected)?;
    let is_legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    match !name.is_empty() && name.chars().all(is_legal) && file.starts_with('/') {
        true => Ok((name.to_owned(), file.into())),
        false => Err(expected.to_owned()),
    }
}

/// Prints the unit.
///
/// # Errors
/// When a path is not absolute, or is in a folder that the server cannot reach; when stdout cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|error| {
            Error::failed("this program's place is unknown (name it with --program)").because(error)
        })?,
    };
    absolute("program", &program)?;
    print(&unit(options, &program)?)?;
    note!(
        "Put it into /etc/systemd/system/store-monitor.service. Then:\n\n  systemctl daemon-reload\n  systemctl enable \
         --now store-monitor\n"
    );
    if let Some(folder) = hidden(&program) {
        note!(
            "The unit hides {folder} from the server: copy the program to /usr/local/bin, and name it with --program."
        );
    }
    for (name, _) in &options.secrets {
        note!("In the configuration, `…_file = \"/run/credentials/store-monitor.service/{name}\"` is that secret.");
    }
    Ok(())
}

fn unit(options: &Options, program: &Path) -> Result<String> {
    let given = &options.given;
    let named = given.path("database").filter(|file| file != Path::new(DATABASE));
    let database = named.clone().unwrap_or_else(|| Path::new(STATE).join(DATABASE));
    absolute("database", &database)?;
    let mut written: Vec<(&str, PathBuf)> = Vec::new();
    written.push(("database", folder_of("database", &database)?));
    if let Some(folder) = given.path("backup-dir") {
        absolute("backup-dir", &folder)?;
        written.push(("backup-dir", folder));
    }
    let listen = given.value("listen").map(|listen| listen.to_string_lossy());
    let listen: Address = listen
        .as_deref()
        .unwrap_or("127.0.0.1:5000")
        .parse()
        .map_err(Error::invalid)?;
    #[cfg(unix)]
    if let Address::Unix(path) = &listen {
        absolute("listen", path)?;
        written.push(("listen", folder_of("listen", path)?));
    }
    if let Some(file) = given.path("config") {
        absolute("config", &file)?;
    }

    let mut service = String::new();
    let mut line = |text: String| {
        service += &text;
        service.push('\n');
    };
    match &options.user {
        Some(user) => line(format!("User={user}\nGroup={user}")),
        None => line("DynamicUser=yes".to_owned()),
    }
    line("StateDirectory=store-monitor\nStateDirectoryMode=0700\nWorkingDirectory=%S/store-monitor".to_owned());
    if written.iter().any(|(_, folder)| folder.starts_with(RUNTIME)) {
        line("RuntimeDirectory=store-monitor\nRuntimeDirectoryMode=0755".to_owned());
    }
    let elsewhere = written
        .iter()
        .filter(|(_, folder)| !folder.starts_with(STATE) && !folder.starts_with(RUNTIME));
    for (flag, folder) in elsewhere {
        if let Some(hidden) = hidden(folder) {
            return Err(Error::invalid(format!(
                "--{flag}: the unit hides {hidden} from the server (choose a folder such as {STATE})"
            )));
        }
        if options.user.is_none() {
            return Err(Error::invalid(format!(
                "--{flag}: a user that systemd makes owns nothing outside {STATE} (name the owner of {} with --user)",
                folder.display()
            )));
        }
        line(format!("ReadWritePaths={}", word(folder.as_os_str())));
    }
    for (name, file) in &options.secrets {
        line(format!(
            "LoadCredential={name}:{}",
            file.display().to_string().replace('%', "%%")
        ));
    }
    let is_low = listen.tcp().is_some_and(|address| (1..1024).contains(&address.port()));
    match is_low {
        // In a user namespace of its own the server would have this capability there alone.
        true => line(
            "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nPrivateUsers=no"
                .to_owned(),
        ),
        false => line("CapabilityBoundingSet=\nPrivateUsers=yes".to_owned()),
    }

    let mut command = format!("{} serve", word(program.as_os_str()));
    if named.is_none() {
        let _ = write!(command, " --database {}", word(database.as_os_str()));
    }
    for (flag, values) in &given.flags {
        match &values[..] {
            [] => command += &format!(" --{flag}"),
            values => values
                .iter()
                .for_each(|value| command += &format!(" --{flag} {}", word(value))),
        }
    }
    Ok(format!(
        "# How to start store-monitor {version}, printed by `store-monitor systemd-unit`.
[Unit]
Description=store-monitor: how long each store was online in its business hours
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=120
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
Restart=on-failure
RestartSec=5
WatchdogSec={WATCHDOG_SECONDS}
# A start may bring a large database up to date first; a stop takes five seconds at most.
TimeoutStartSec=15min
TimeoutStopSec=30
LimitNOFILE=65536
{service}UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
KeyringMode=private
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
",
        version = env!("CARGO_PKG_VERSION"),
    ))
}

/// Refuses a path that means another place for systemd than here.
fn absolute(flag: &str, path: &Path) -> Result<()> {
    match path.is_absolute() && path.to_str().is_some() {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "--{flag} {} starts at a folder that systemd does not know (write the whole path)",
            path.display()
        ))),
    }
}

fn folder_of(flag: &str, file: &Path) -> Result<PathBuf> {
    let folder = file.parent().filter(|folder| folder.parent().is_some());
    folder.map(Path::to_owned).ok_or_else(|| {
        let reason = format!(
            "--{flag} {}: the server needs a folder of its own (such as {STATE})",
            file.display()
        );
        Error::invalid(reason)
    })
}

/// The folder around a path that the unit hides, or whose files are not kept.
fn hidden(path: &Path) -> Option<&'static str> {
    HIDDEN.into_iter().find(|folder| path.starts_with(folder))
}

/// A word of a command line or a list as systemd reads it: nothing in it is a variable, a specifier or an escape.
fn word(text: &std::ffi::OsStr) -> String {
    let text = text.to_string_lossy();
    let mut word = String::new();
    for character in text.chars() {
        match character {
            '%' => word += "%%",
            '$' => word += "$$",
            '\\' => word += "\\\\",
            '"' => word += "\\\"",
            '\n' => word += "\\n",
            other => word.push(other),
        }
    }
    let is_plain = |character: char| !character.is_whitespace() && !matches!(character, '"' | '\'' | '\\' | ';');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => word,
        false => format!("\"{word}\""),
    }
}
