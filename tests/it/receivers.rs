//! Receivers over HTTP: slow, dead, back, wrong; what they get, and what they never get.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use store_monitor::db::outbox::{self, State};
use store_monitor::docs::GUIDES;

use crate::email::certify;
use crate::harness::{Home, Server, ends, eventually, project, run};
use crate::hook::{Act, Hook, configured, keys, table, write};

const SERVE: [&str; 3] = ["--config", "config.toml", "serve"];

/// A receiver that is a process of its own, ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        ends(&mut self.0);
    }
}

/// What the outbox says of a receiver's only message: its state and its error.
fn state(home: &Home, receiver: &str) -> (State, u32, String) {
    let found = outbox::newest(&home.sqlite(), Some(receiver), i64::MAX, 2).expect("messages");
    let [entry] = &found[..] else {
        panic!("{found:?}")
    };
    let error = entry.error.clone().unwrap_or_default();
    (entry.state(), entry.attempts, error)
}

/// Waits until the only message of a receiver has this state, or failed with these words.
fn comes_to(home: &Home, receiver: &str, wanted: State, words: &str) {
    eventually(&format!("the message to {receiver}: {words}"), || {
        let (state, attempts, error) = state(home, receiver);
        (attempts > 0 && state == wanted && error.contains(words)).then_some(())
    });
}

#[test]
fn each_message_arrives_in_order_whatever_the_receiver_did_at_first() {
    let inside = Hook::new(&[]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let late = closed.local_addr().expect("an address");
    drop(closed);
    let receivers: [(&str, &[Act]); 8] = [
        ("good", &[]),
        ("slow", &[Act::Slow(1500), Act::Slow(1500), Act::Slow(1500)]),
        (
            "failing",
            &[Act::Answer(500), Act::Answer(503), Act::Answer(502)],
        ),
        ("busy", &[Act::Wait(3)]),
        ("resetting", &[Act::Reset, Act::Reset]),
        ("hanging", &[Act::Hang]),
        ("endless", &[Act::Endless, Act::Endless, Act::Endless]),
        ("leading", &[Act::Redirect(inside.address)]),
    ];
    let hooks = receivers.map(|(name, acts)| (name, Hook::new(acts)));
    let mut config: String = hooks.iter().map(|(name, hook)| table(name, hook)).collect();
    config += &format!(
        "[[receiver]]\nname = \"dead\"\nwebhook = \"http://{late}/\"\nallow_private = true\n"
    );
    let home = configured(&config);
    let names = hooks.iter().map(|(name, _)| *name).chain(["dead"]);
    for name in names {
        write(&home, name, 0..3);
    }
    let begun = Instant::now();
    let _server = Server::start_with(&home, &SERVE);
    // One that is slow, hangs or is dead delays no other: the hanging one has 15 seconds.
    hooks[0].1.takes(3);
    assert!(begun.elapsed() < Duration::from_secs(12));
    eventually("the dead one was tried", || {
        let found = outbox::newest(&home.sqlite(), Some("dead"), i64::MAX, 3).expect("messages");
        found.iter().any(|entry| entry.attempts > 0).then_some(())
    });
    let dead = Hook::at(TcpListener::bind(late).expect("its port"), &[]);
    for (name, hook) in hooks.iter().map(|(name, hook)| (*name, hook)) {
        hook.takes(3);
        assert_eq!(hook.taken(), keys(name, 0..3), "{name}");
    }
    dead.takes(3);
    assert_eq!(dead.taken(), keys("dead", 0..3));
    assert_eq!(inside.seen().len(), 0, "a redirect was followed");

    let failing = &hooks[2].1.seen();
    // None passes another that failed only a few times: the receiver may be at fault.
    let first: Vec<_> = failing.iter().take(4).map(|seen| seen.key()).collect();
    assert_eq!(first, ["failing/0"; 4]);
    assert!(failing[1].at - failing[0].at > Duration::from_secs(1));
    let busy = &hooks[3].1.seen();
    assert_eq!(busy[1].key(), "busy/0");
    assert!(busy[1].at - busy[0].at >= Duration::from_millis(2900));

    // Each was noted, and nothing is sent again.
    eventually("all are noted", || {
        let counts = outbox::counts(&home.sqlite()).expect("counts");
        let waiting: i64 = counts.iter().map(|count| count.waiting).sum();
        (waiting == 0).then_some(())
    });
    let all = hooks
        .iter()
        .map(|(_, hook)| hook.taken().len())
        .sum::<usize>();
    assert_eq!(all, 8 * 3);
}

#[test]
fn a_webhook_is_signed_over_time_and_body_as_the_guide_checks_it() {
    let hook = Hook::new(&[]);
    let home = configured(&format!(
        "{}secret_file = \"key\"\n",
        table("signed", &hook)
    ));
    home.write("key", "s3cret-key\n");
    let outcome = home.run(&["--config", "config.toml", "alert", "test", "signed"]);
    let told = outcome.exits(0).text().to_owned();
    assert_eq!(told, "sent to `signed` (webhook at 127.0.0.1)\n");
    let seen = hook.takes(1).remove(0);
    let timestamp = &seen.headers["x-store-monitor-timestamp"];
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret-key").expect("a key");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(&seen.body);
    let digest: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        seen.headers["x-store-monitor-signature"],
        format!("v1={digest}")
    );
    let json = seen.json();
    assert_eq!(json["kind"], "test");
    assert_eq!(json["key"], seen.key());
    assert_eq!(json["text"], json["content"]);
    assert!(json["at"].as_str().expect("an instant").ends_with('Z'));
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.path, "/hook");

    let guide = GUIDES
        .iter()
        .find(|guide| guide.name == "alerts")
        .expect("the guide");
    let code = guide.text.split("```python\n").nth(1).expect("an example");
    let code = code.split("```").next().expect("its end");
    let checks = format!(
        "{code}\nimport json, sys\nheaders = json.load(open('headers.json'))\nbody = open('body', 'rb').read()\n\
         assert is_genuine(b's3cret-key', headers, body)\n\
         assert not is_genuine(b'another', headers, body)\n\
         assert not is_genuine(b's3cret-key', headers, body + b' ')\n\
         headers['X-Store-Monitor-Timestamp'] = str(int(headers['X-Store-Monitor-Timestamp']) - 1)\n\
         assert not is_genuine(b's3cret-key', headers, body)\n\
         headers['X-Store-Monitor-Timestamp'] = str(int(headers['X-Store-Monitor-Timestamp']) - 1000)\n\
         assert not is_genuine(b's3cret-key', headers, body)\n"
    );
    home.write("check.py", checks);
    home.write("body", &seen.body);
    let headers = serde_json::json!({
        "X-Store-Monitor-Timestamp": timestamp,
        "X-Store-Monitor-Signature": seen.headers["x-store-monitor-signature"],
    });
    home.write("headers.json", headers.to_string());
    let mut python = Command::new("python3");
    python.arg("check.py").current_dir(home.path(""));
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3, so the guide's check of signatures was not run");
        return;
    }
    run(&mut python, b"").exits(0);
}

#[test]
fn a_webhook_behind_tls_needs_a_certificate_of_an_authority_that_is_trusted() {
    let home = configured("");
    if certify(&home).is_none() || Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no openssl, or no python3, so nothing was sent by TLS");
        return;
    }
    let mut python = Command::new("python3");
    python.arg(project().join("tests/engines/https_hook.py"));
    python.args(["cert.pem", "key.pem", "got"]);
    let child = python.current_dir(home.path("")).stdout(Stdio::piped());
    let mut child = Process(child.spawn().expect("a receiver"));
    let mut port = String::new();
    let mut said = BufReader::new(child.0.stdout.take().expect("a pipe"));
    said.read_line(&mut port).expect("its port");
    let receiver = |more: &str| {
        let table = format!(
            "[[receiver]]\nname = \"own\"\nwebhook = \"https://localhost:{}/hook\"\nallow_private = true\n{more}",
            port.trim()
        );
        home.write("config.toml", table);
        home.run(&["--config", "config.toml", "alert", "test", "own"])
    };
    receiver("")
        .exits(1)
        .says(&["localhost has no TLS that can be trusted"]);
    assert!(!home.path("got").exists());
    receiver("ca_file = \"ca.pem\"\n").exits(0);
    let got: Value = serde_json::from_slice(&home.read("got")).expect("JSON");
    assert_eq!(got["kind"], "test");
    receiver("ca_file = \"key.pem\"\n").refuses(&[
        "config.toml line 5",
        "ca_file",
        "key.pem has no certificate in PEM",
    ]);
}

#[test]
fn ntfy_gets_title_priority_and_tags() {
    let hook = Hook::new(&[]);
    let config = format!(
        "public_url = \"https://monitor.example/\"\n[[receiver]]\nname = \"phone\"\nntfy = \"http://{}/topic\"\n\
         token_file = \"token\"\nallow_private = true\n",
        hook.address
    );
    let home = configured(&config);
    home.write("token", "tk_123");
    let outcome = home.run(&["--config", "config.toml", "alert", "test", "phone"]);
    assert_eq!(
        outcome.exits(0).text(),
        "sent to `phone` (ntfy at 127.0.0.1)\n"
    );
    let seen = hook.seen().remove(0);
    for (name, value) in [
        ("title", "A test of store-monitor"),
        ("priority", "default"),
        ("tags", "test_tube"),
        ("click", "https://monitor.example/"),
        ("authorization", "Bearer tk_123"),
    ] {
        assert_eq!(
            seen.headers.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(seen.path, "/topic");
    let text = String::from_utf8(seen.body).expect("text");
    assert!(text.starts_with("This is a test."), "{text}");
}

#[test]
fn a_receiver_in_a_private_network_is_refused_unless_it_is_allowed() {
    let hook = Hook::new(&[]);
    let port = hook.address.port();
    let mut config = String::new();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "224.0.0.1",
    ];
    for (number, host) in hosts.iter().enumerate() {
        config += &format!(
            "[[receiver]]\nname = \"no{number}\"\nwebhook = \"https://{host}:{port}/s3cret\"\n"
        );
    }
    let home = configured(&config);
    for (number, host) in hosts.iter().enumerate() {
        let name = format!("no{number}");
        let outcome = home.run(&["--config", "config.toml", "alert", "test", &name]);
        let outcome = outcome.exits(1).refuses(&[&format!("`{name}`")]);
        let is_refused = outcome.stderr.contains("private address")
            && outcome.stderr.contains("allow_private = true");
        // Not every resolver knows each spelling.
        let is_unknown = outcome.stderr.contains("cannot be resolved");
        assert!(is_refused || is_unknown, "{host}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    }
    write(&home, "no0", 0..1);
    let _server = Server::start_with(&home, &SERVE);
    comes_to(
        &home,
        "no0",
        State::Waiting,
        "127.0.0.1 is a private address",
    );
    assert_eq!(hook.seen().len(), 0);
    assert!(!home.text("server.log").contains("s3cret"));
}

#[test]
fn a_message_that_is_refused_itself_is_given_up_and_holds_up_no_other() {
    let hook = Hook::new(&[Act::Answer(400), Act::Answer(200)]);
    let gone = Hook::new(&[Act::Answer(410)]);
    let home = configured(&(table("picky", &hook) + &table("gone", &gone)));
    write(&home, "picky", 0..2);
    write(&home, "gone", 0..1);
    let server = Server::start_with(&home, &SERVE);
    hook.takes(1);
    assert_eq!(hook.taken(), ["picky/1"]);
    comes_to(&home, "gone", State::GivenUp, "410");
    let counts = eventually("both are noted", || {
        let counts = outbox::counts(&home.sqlite()).expect("counts");
        counts
            .iter()
            .all(|count| count.waiting == 0)
            .then_some(counts)
    });
    let of = |name: &str| {
        counts
            .iter()
            .find(|count| count.receiver == name)
            .expect(name)
    };
    assert_eq!((of("picky").sent, of("picky").given_up), (1, 1));
    assert!(of("gone").is_failing(0) && !of("picky").is_failing(0));
    // The reason is on the page and in JSON; whoever takes no messages does not take the server down.
    let page = server.get("/messages");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("410 Gone"), "{}", page.text());
    let json = server.get("/api/messages").json();
    assert_eq!(json["receivers"][1]["name"], "gone");
    assert_eq!(json["receivers"][1]["given_up"], 1);
    let states = json["messages"].as_array().expect("messages").iter();
    let given_up = states.filter(|message| message["state"] == "given_up");
    assert_eq!(given_up.count(), 2);
    assert_eq!(server.get("/health").status, 200);
    let metrics = server.get("/metrics");
    let line = "store_monitor_outbox_messages{receiver=\"gone\",state=\"given_up\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[cfg(target_os = "linux")]
#[test]
fn messages_of_a_receiver_that_is_configured_again_arrive() {
    let hook = Hook::new(&[]);
    let home = configured("");
    write(&home, "lost", 0..1);
    let server = Server::start_with(&home, &SERVE);
    comes_to(
        &home,
        "lost",
        State::Waiting,
        "there is no receiver `lost` in the configuration (add it",
    );
    home.write("config.toml", table("lost", &hook));
    let pid = server.id().to_string();
    let sent = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(sent.expect("a kill command").success());
    hook.takes(1);
    comes_to(&home, "lost", State::Sent, "");
}

#[test]
fn what_waited_is_sent_by_the_next_server_and_none_is_lost_over_kills() {
    kills(8, 3);
}

#[test]
#[ignore = "starts a server fifty times; CI runs it"]
fn no_message_is_lost_over_fifty_kills() {
    kills(50, 6);
}

/// Kills servers that have messages to send, and looks for each message.
fn kills(kills: usize, each: usize) {
    let slow = Act::Slow(30);
    let hook = Hook::new(&vec![slow; kills * each / 2]);
    let home = configured(&table("phone", &hook));
    for kill in 0..kills {
        write(&home, "phone", kill * each..(kill + 1) * each);
        let server = Server::start_with(&home, &SERVE);
        // At another moment each time: some that were written before wait for the last server.
        let before = hook.taken().len();
        let more = kill % each;
        eventually("some arrive", || {
            (hook.taken().len() >= before + more).then_some(())
        });
        server.kill();
    }
    let _server = Server::start_with(&home, &SERVE);
    let all = keys("phone", 0..kills * each);
    eventually("all arrive", || {
        let taken = hook.taken();
        all.iter().all(|key| taken.contains(key)).then_some(())
    });
    eventually("all are noted", || {
        let counts = outbox::counts(&home.sqlite()).expect("counts");
        (counts[0].waiting == 0).then_some(())
    });
    let taken = hook.taken();
    let mut firsts = Vec::new();
    for key in &taken {
        if !firsts.contains(key) {
            firsts.push(key.clone());
        }
    }
    assert_eq!(firsts, all, "the first of each arrives in order");
    let twice = taken.len() - all.len();
    assert!(twice <= kills * each, "{twice} arrived again");
    eprintln!(
        "{} messages over {kills} kills: none lost, {twice} arrived again",
        all.len()
    );
}

#[test]
fn what_is_wrong_with_a_receiver_is_told_with_its_place() {
    let home = Home::new();
    home.write("empty", "\n");
    home.write("secret", "s3cret\n");
    home.write("lines", "a\nb\n");
    home.write("hook", "https://user:s3cret@a.example/\n");
    let smtp = "[smtp]\nhost = \"mail.example\"\nfrom = \"a@b.example\"\n";
    let cases = [
        ("name = \"a\"", "exactly one"),
        (
            "name = \"a\"\nwebhook = \"https://a.example/\"\nntfy = \"https://a.example/b\"",
            "exactly one",
        ),
        (
            "name = \"a\"\nwebhook = \"http://a.example/\"",
            "not encrypted",
        ),
        ("name = \"a\"\nwebhook = \"a.example\"", "is no address"),
        (
            "name = \"a\"\nwebhook_file = \"none\"",
            "none cannot be read",
        ),
        ("name = \"a\"\nwebhook_file = \"empty\"", "empty is empty"),
        (
            "name = \"a\"\nwebhook_file = \"hook\"",
            "a user or a password",
        ),
        (
            "name = \"a\"\nwebhook = \"https://a.example/\"\nsecret_file = \"lines\"",
            "several lines",
        ),
        (
            "name = \"a\"\nntfy = \"https://a.example/b\"\nsecret_file = \"secret\"",
            "key of a webhook",
        ),
        (
            "name = \"a\"\nwebhook = \"https://a.example/\"\ntoken_file = \"secret\"",
            "token of an ntfy topic",
        ),
        (
            "name = \"a\"\nemail = [\"a@b.example\"]",
            "needs a mail server",
        ),
        (
            "name = \"a\"\nemail = [\"nobody\"]\n[smtp]\nhost = \"m.example\"\nfrom = \"a@b.example\"",
            "no e-mail address",
        ),
        (
            "name = \"\"\nwebhook = \"https://a.example/\"",
            "from 1 to 64 characters",
        ),
        ("name = \"a\"\nwebhok = \"https://a.example/\"", "webhook"),
    ];
    for (table, words) in cases {
        home.write("config.toml", format!("[[receiver]]\n{table}\n"));
        let outcome = home.run(&["--config", "config.toml", "alert", "test", "a"]);
        let outcome = outcome.exits(2).refuses(&["[[receiver]] no. 1", words]);
        assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    }
    let smtps = [
        ("user = \"a\"", "goes with password_file"),
        ("user = \"a\"\npassword_file = \"empty\"", "is empty"),
        (
            "user = \"a\"\npassword_file = \"secret\"\nsecurity = \"none\"",
            "in plain text",
        ),
        ("security = \"ssl\"", "none of starttls, tls, none"),
        ("port = 70000", "from 1 to 65535"),
        ("hots = \"a\"", "host"),
    ];
    for (keys, words) in smtps {
        home.write("config.toml", format!("{smtp}{keys}\n"));
        let outcome = home.run(&["--config", "config.toml", "alert", "test", "a"]);
        outcome.exits(2).refuses(&["[smtp]", words]);
    }
    home.write(
        "config.toml",
        "[[receiver]]\nname = \"phone\"\nwebhook = \"https://a.example/\"\n",
    );
    let outcome = home.run(&["--config", "config.toml", "alert", "test", "fone"]);
    outcome
        .exits(2)
        .refuses(&["no receiver `fone` (did you mean `phone`?)"]);
    home.run(&["alert", "test", "phone"])
        .exits(2)
        .refuses(&["no receiver `phone` (add it as [[receiver]]"]);
}
