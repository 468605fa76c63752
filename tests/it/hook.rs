//! A receiver of webhooks that does what a test wants, and remembers what came; and a home with receivers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use store_monitor::clock::machine_us;
use store_monitor::db::outbox::{self, Kind, Message};

use crate::harness::{Home, eventually};

/// What a receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Answers with this status.
    Answer(u16),
    /// Answers 429 with `Retry-After` of so many seconds.
    Wait(u32),
    /// Answers 307 to this address.
    Redirect(SocketAddr),
    /// Answers 200 after so many milliseconds.
    Slow(u64),
    /// Answers 200, and a body that does not end.
    Endless,
    /// Never answers.
    Hang,
    /// Closes the connection with the request unread.
    Reset,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whether it was answered with 200.
    pub(crate) taken: bool,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn key(&self) -> String {
        self.headers["idempotency-key"].clone()
    }
}

/// A receiver of webhooks on a port of this machine.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Hook {
    /// One that does these with its first requests, and takes all that follow.
    pub(crate) fn new(first: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self::at(listener, first)
    }

    /// One that takes all, at this address.
    pub(crate) fn at(listener: TcpListener, first: &[Act]) -> Self {
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let acts = Arc::new(Mutex::new(first.to_vec()));
        let kept = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (acts, kept) = (Arc::clone(&acts), Arc::clone(&kept));
                thread::spawn(move || serve(stream, &acts, &kept));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// All requests that came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the requests").clone()
    }

    /// The keys of the messages that were taken, in order.
    pub(crate) fn taken(&self) -> Vec<String> {
        let seen = self.seen().into_iter().filter(|seen| seen.taken);
        seen.map(|seen| seen.key()).collect()
    }

    /// Waits until so many messages were taken.
    pub(crate) fn takes(&self, count: usize) -> Vec<Seen> {
        eventually(&format!("{count} messages arrive"), || {
            let seen = self.seen();
            (seen.iter().filter(|seen| seen.taken).count() >= count).then_some(seen)
        })
    }
}

fn serve(mut stream: TcpStream, acts: &Mutex<Vec<Act>>, kept: &Mutex<Vec<Seen>>) {
    let act = {
        let mut acts = acts.lock().expect("the acts");
        if acts.is_empty() {
            Act::Answer(200)
        } else {
            acts.remove(0)
        }
    };
    if matches!(act, Act::Reset) {
        let _ = stream.peek(&mut [0]);
        return;
    }
    let Some(mut seen) = read(&stream) else {
        return;
    };
    seen.taken = matches!(act, Act::Answer(200) | Act::Slow(_) | Act::Endless);
    if let Act::Slow(milliseconds) = act {
        // What makes it slow: nothing comes for so long, and then the time is over.
        let patience = Some(std::time::Duration::from_millis(milliseconds));
        stream.set_read_timeout(patience).expect("an option");
        let _ = stream.read(&mut [0]);
    }
    kept.lock().expect("the requests").push(seen);
    let head = match act {
        Act::Answer(status) => format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n"),
        Act::Wait(seconds) => {
            format!("HTTP/1.1 429 Too Many\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n")
        }
        Act::Redirect(address) => format!(
            "HTTP/1.1 307 Elsewhere\r\nLocation: http://{address}/inside\r\nContent-Length: 0\r\n\r\n"
        ),
        Act::Slow(_) => "HTTP/1.1 204 Taken\r\n\r\n".to_owned(),
        Act::Endless => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        Act::Hang | Act::Reset => String::new(),
    };
    let _ = stream.write_all(head.as_bytes());
    match act {
        Act::Endless => while stream.write_all(b"4\r\nmore\r\n").is_ok() {},
        Act::Hang => {
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
        }
        _ => {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen {
        at: Instant::now(),
        path,
        headers,
        body,
        taken: false,
    })
}

/// A home with this configuration, and a database.
pub(crate) fn configured(config: &str) -> Home {
    let home = Home::new();
    home.write("config.toml", config);
    home.write("stores.csv", "store_id,name,group\na,A,\n");
    home.import(&["stores.csv"]);
    home
}

/// A receiver's table, for a webhook on this machine.
pub(crate) fn table(name: &str, hook: &Hook) -> String {
    format!(
        "[[receiver]]\nname = \"{name}\"\nwebhook = \"{}\"\nallow_private = true\n",
        hook.url()
    )
}

/// Writes messages for a receiver into the outbox, as an alert does: their keys are its name and a number.
pub(crate) fn write(home: &Home, receiver: &str, numbers: std::ops::Range<usize>) {
    let db = home.sqlite();
    db.busy_timeout(crate::harness::DEADLINE)
        .expect("an option");
    for number in numbers {
        let message = Message {
            key: format!("{receiver}/{number}"),
            receiver: receiver.to_owned(),
            kind: Kind::Alert,
            subject: format!("Message {number}"),
            text: format!("Joe's \"Grill\" is offline, number {number}."),
            html: None,
            facts: r#"{"rule": "all", "stores": ["a"]}"#.to_owned(),
        };
        outbox::add(&db, &message, machine_us()).expect("a message");
    }
}

/// The keys of a receiver's messages with these numbers.
pub(crate) fn keys(receiver: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers
        .map(|number| format!("{receiver}/{number}"))
        .collect()
}
