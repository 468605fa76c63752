//! E-mail by a real mail server, which is a Python package, read back as a mail program does.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use store_monitor::clock::machine_us;
use store_monitor::db::outbox::{self, Kind, Message, State};

use crate::harness::{Home, Server, eventually, project, run};
use crate::hook::configured;

/// The folder that cargo builds in: `.ci/run` installs there what tests need.
fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| project().join("target"))
}

/// The Python that has aiosmtpd, if there is one.
fn python() -> Option<PathBuf> {
    let own = target().join("engines/bin/python");
    [own, PathBuf::from("python3")].into_iter().find(|python| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// A mail server, ended when it is dropped.
struct Mailbox {
    python: PathBuf,
    child: Child,
    port: u16,
}

impl Mailbox {
    /// One in the home, with a certificate for `localhost`; none where a tool is missing.
    fn start(home: &Home, mode: &str) -> Option<Self> {
        let Some(python) = python() else {
            eprintln!(
                "skipped: there is no aiosmtpd, so no e-mail was sent (target/engines/bin/python -m pip install aiosmtpd)"
            );
            return None;
        };
        if !home.path("key.pem").exists() && certify(home).is_none() {
            eprintln!("skipped: there is no openssl, so no e-mail was sent");
            return None;
        }
        let mut command = script(&python, home);
        command.args(["serve", ".", mode, "cert.pem", "key.pem"]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("a mail server");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("its port");
        let port = line.trim().parse().expect("a port");
        Some(Self {
            python,
            child,
            port,
        })
    }

    /// The mail with this number, once it is there, as a mail program reads it.
    fn mail(&self, home: &Home, number: usize) -> Value {
        let file = format!("{number}.eml");
        eventually("a mail comes", || home.path(&file).exists().then_some(()));
        let mut command = script(&self.python, home);
        let outcome = run(command.args(["read", &file]), b"").exits(0);
        serde_json::from_str(outcome.text()).expect("JSON")
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(python: &PathBuf, home: &Home) -> Command {
    let mut command = Command::new(python);
    command
        .arg(project().join("tests/engines/smtp_server.py"))
        .current_dir(home.path(""));
    command
}

/// Makes an authority and a certificate for `localhost`.
pub(crate) fn certify(home: &Home) -> Option<()> {
    let line = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
                -keyout ca-key.pem -out ca.pem -addext basicConstraints=critical,CA:TRUE \
                && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
                -keyout key.pem -out request.pem \
                && printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > extensions \
                && openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 \
                -extfile extensions -out cert.pem";
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(home.path(""));
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    shell
        .status()
        .ok()
        .filter(|status| status.success())
        .map(|_| ())
}

/// `[smtp]` for a server of this machine, with more keys.
fn smtp(port: u16, security: &str, more: &str) -> String {
    format!(
        "[smtp]\nhost = \"localhost\"\nport = {port}\nsecurity = \"{security}\"\nallow_private = true\n\
         from = \"Store Monitor <alerts@example.com>\"\n{more}\n"
    )
}

const LOG_IN: &str = "user = \"alerts\"\npassword_file = \"password\"\nca_file = \"ca.pem\"";

const OWNER: &str = "[[receiver]]\nname = \"owner\"\nemail = [\"Ada L. <ada@example.com>\", \"desk@example.com\"]\n";

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().expect("headers");
    let named = headers.iter().filter(|pair| pair[0] == name);
    named.filter_map(|pair| pair[1].as_str()).collect()
}

/// What must hold of each mail.
fn is_sound(home: &Home, mail: &Value) {
    assert_eq!(mail["type"], "multipart/alternative");
    assert_eq!(
        mail["parts"],
        serde_json::json!(["text/plain", "text/html"])
    );
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert_eq!(
        mail["fetched"],
        serde_json::json!([]),
        "it fetches something"
    );
    for name in [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Auto-Submitted",
    ] {
        assert_eq!(header(mail, name).len(), 1, "{name}: {mail}");
    }
    let names = mail["headers"].as_array().expect("headers").len();
    assert_eq!(names, 8, "{}", mail["headers"]);
    is_valid(home, mail["html"].as_str().expect("HTML"));
}

/// Holds HTML against html-validate, where it is.
pub(crate) fn is_valid(home: &Home, html: &str) {
    let validator = target().join("axe/node_modules/.bin/html-validate");
    if !validator.exists() {
        eprintln!(
            "skipped: html-validate is missing (npm install --prefix target/axe html-validate)"
        );
        return;
    }
    home.write("mail.html", html);
    home.write(
        ".htmlvalidate.json",
        r#"{"root": true, "extends": ["html-validate:standard"]}"#,
    );
    let mut command = Command::new(validator);
    let outcome = run(command.arg("mail.html").current_dir(home.path("")), b"");
    assert_eq!(outcome.code, Some(0), "{outcome}");
}

#[test]
fn a_mail_arrives_by_starttls_and_by_tls_and_a_mail_program_reads_it() {
    for mode in ["starttls", "tls"] {
        let home = Home::new();
        let Some(mailbox) = Mailbox::start(&home, mode) else {
            return;
        };
        home.write("password", "s3cret\n");
        home.write(
            "config.toml",
            format!(
                "public_url = \"https://monitor.example\"\n{}{OWNER}",
                smtp(mailbox.port, mode, LOG_IN)
            ),
        );
        let outcome = home.run(&["--config", "config.toml", "alert", "test", "owner"]);
        assert_eq!(
            outcome.exits(0).text(),
            "sent to `owner` (e-mail to Ada L. <ada@example.com>, desk@example.com)\n"
        );
        let mail = mailbox.mail(&home, 1);
        is_sound(&home, &mail);
        assert_eq!(header(&mail, "Subject"), ["A test of store-monitor"]);
        assert_eq!(
            header(&mail, "From"),
            ["Store Monitor <alerts@example.com>"]
        );
        assert_eq!(header(&mail, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(
            mail["links"],
            serde_json::json!(["https://monitor.example/"])
        );
        assert_eq!(home.text("1.to"), "ada@example.com\ndesk@example.com");
        let text = mail["text"].as_str().expect("text");
        assert!(
            text.starts_with("This is a test. Alerts for `owner` arrive here."),
            "{text}"
        );
    }
}

#[test]
fn hostile_names_add_no_header_and_break_no_mail() {
    let home = configured("");
    let Some(mailbox) = Mailbox::start(&home, "plain") else {
        return;
    };
    home.write("config.toml", smtp(mailbox.port, "none", "") + OWNER);
    let subjects = [
        "Joe's \"Grill\" <b>&amp; Sons</b> is offline",
        "a\r\nBcc: evil@example.com\r\n\r\nbody",
        "Café Zoë 🍕 är offline, and its name is so long that it does not fit into one line of a header",
        ".\r\n.\r\nQUIT",
        "=?UTF-8?Q?=0D=0ABcc:_evil@example.com?=",
    ];
    let db = home.sqlite();
    for (number, subject) in subjects.iter().enumerate() {
        let message = Message {
            key: format!("names/{number}"),
            receiver: "owner".to_owned(),
            kind: Kind::Alert,
            subject: (*subject).to_owned(),
            text: format!("{subject}\n.\nhttps://monitor.example/a?b=\"c\"&d=<e>"),
            html: None,
            facts: "{}".to_owned(),
        };
        outbox::add(&db, &message, machine_us()).expect("a message");
    }
    let _server = Server::start_with(&home, &["--config", "config.toml", "serve"]);
    let mut ids = Vec::new();
    for (number, subject) in subjects.iter().enumerate() {
        let mail = mailbox.mail(&home, number + 1);
        is_sound(&home, &mail);
        let line = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(header(&mail, "Subject")[0].replace('\u{200b}', ""), line);
        assert_eq!(
            home.text(&format!("{}.to", number + 1)),
            "ada@example.com\ndesk@example.com"
        );
        let text = mail["text"].as_str().expect("text").replace("\r\n", "\n");
        let expected = subject.replace("\r\n", "\n");
        assert!(text.starts_with(&expected), "{text}");
        ids.push(header(&mail, "Message-ID")[0].to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), subjects.len());
}

#[test]
fn what_a_mail_server_refuses_is_told_and_no_password_is() {
    let home = Home::new();
    let Some(mailbox) = Mailbox::start(&home, "starttls") else {
        return;
    };
    let plain = Mailbox::start(&home, "plain").expect("another");
    let Mailbox { port, .. } = mailbox;
    home.write("password", "s3cret\n");
    home.write("wrong", "wr0ng\n");
    let cases = [
        (
            smtp(port, "starttls", LOG_IN).replace("\"password\"", "\"wrong\""),
            "refuses the log-in of alerts with 535",
        ),
        (
            smtp(
                port,
                "starttls",
                &LOG_IN.replace("ca_file = \"ca.pem\"", ""),
            ),
            "certificate",
        ),
        (
            smtp(port, "starttls", LOG_IN).replace("localhost", "127.0.0.1"),
            "certificate",
        ),
        (
            smtp(plain.port, "starttls", LOG_IN),
            "STARTTLS is not supported",
        ),
        (smtp(port, "tls", LOG_IN), "the mail server localhost"),
        (
            smtp(port, "starttls", LOG_IN).replace("allow_private = true\n", ""),
            "is a private address|leads to the private address",
        ),
    ];
    for (config, words) in cases {
        home.write("config.toml", config + OWNER);
        let outcome = home.run(&["--config", "config.toml", "alert", "test", "owner"]);
        let outcome = outcome.exits(1).refuses(&["`owner`"]);
        let told = words.split('|').any(|words| outcome.stderr.contains(words));
        assert!(told, "{words}: {}", outcome.stderr);
        for secret in ["s3cret", "wr0ng"] {
            assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
        }
    }
    assert!(!home.path("1.eml").exists());
}

#[test]
fn a_recipient_who_is_refused_keeps_the_mail_from_no_other() {
    let home = configured("");
    let Some(mailbox) = Mailbox::start(&home, "plain") else {
        return;
    };
    let receivers = "[[receiver]]\nname = \"some\"\nemail = [\"ada@example.com\", \"gone@example.com\"]\n\
                     [[receiver]]\nname = \"none\"\nemail = [\"gone@example.com\"]\n\
                     [[receiver]]\nname = \"later\"\nemail = [\"ada@example.com\", \"later@example.com\"]\n";
    home.write("config.toml", smtp(mailbox.port, "none", "") + receivers);
    for receiver in ["some", "none", "later"] {
        crate::hook::write(&home, receiver, 0..1);
    }
    let _server = Server::start_with(&home, &["--config", "config.toml", "serve"]);
    let becomes = |receiver: &str, state: State, attempts: u32, words: &str| {
        let entry = eventually(&format!("the mail to {receiver}"), || {
            let found = outbox::newest(&home.sqlite(), Some(receiver), i64::MAX, 1).ok()?;
            found.into_iter().find(|entry| entry.state() == state)
        });
        assert_eq!(entry.attempts, attempts, "{entry:?}");
        let error = entry.error.unwrap_or_default();
        assert!(error.contains(words), "{error}");
    };
    becomes(
        "some",
        State::Sent,
        1,
        "sent, but not to gone@example.com (",
    );
    becomes("none", State::GivenUp, 1, "refuses gone@example.com (");
    becomes("later", State::Sent, 2, "");
    let to: Vec<_> = (1..=2)
        .map(|number| home.text(&format!("{number}.to")))
        .collect();
    assert!(to.contains(&"ada@example.com".to_owned()), "{to:?}");
    assert!(
        to.contains(&"ada@example.com\nlater@example.com".to_owned()),
        "{to:?}"
    );
    assert!(!home.path("3.eml").exists());
}
