//! A real browser: headless Chromium, driven by plain WebDriver requests.
//!
//! `chromedriver` must be on the PATH (Debian: `chromium-driver`); without it the tests say that they skip.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, DEADLINE, eventually};

/// What Chromium is told: to stay quiet, and to ask nobody anything of its own.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
];

/// The name that WebDriver has for an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Says on stderr what is skipped, past the capture of the test runner.
pub(crate) fn say_skipped(what: &str, want: &str) {
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: there is no {want}, so {what} was not tested"
    );
}

/// A browser with one window, gone when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    client: Client,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one; none, said aloud, where the machine has no driver.
    pub(crate) fn start(what: &str) -> Option<Self> {
        let profile = tempfile::tempdir().expect("a profile");
        let driver = Command::new("chromedriver")
            .args(["--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            say_skipped(what, "chromedriver");
            return None;
        };
        let stdout = BufReader::new(driver.stdout.take().expect("a pipe"));
        let (lines, line) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let port = eventually("chromedriver says its port", || {
            let line = line.recv_timeout(DEADLINE).expect("chromedriver starts");
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "unhandledPromptBehavior": "ignore",
        }}});
        let mut browser = Self {
            driver,
            client: Client::new(format!("127.0.0.1:{port}")),
            session: String::new(),
            _profile: profile,
        };
        let started = browser.command("/session", &capabilities);
        let id = started["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("/session/{id}");
        Some(browser)
    }

    #[track_caller]
    fn command(&self, path: &str, body: &Value) -> Value {
        let target = format!("{}{path}", self.session);
        let body = body.to_string();
        let answer = self
            .client
            .post(&target, "application/json", &[], body.as_bytes());
        let told = answer.json();
        assert_eq!(answer.status, 200, "{target}: {}", told["value"]["message"]);
        told["value"].clone()
    }

    #[track_caller]
    fn read(&self, path: &str) -> Value {
        let answer = self.client.get(&format!("{}{path}", self.session));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["value"].clone()
    }

    /// Looks at a page.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({"url": url}));
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        self.read("/url").as_str().expect("an address").to_owned()
    }

    /// What a script in the page returns.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What a script in the page gives to its last argument, a function.
    #[track_caller]
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.command("/execute/async", &json!({"script": script, "args": []}))
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let found = json!({"using": "css selector", "value": selector});
        let found = self.command("/element", &found);
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    /// What people read in an element.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.text_now(selector);
        text.unwrap_or_else(|| panic!("there is no {selector} at {}", self.url()))
    }

    /// The same; none while there is no such element, or the page is on its way to another.
    fn text_now(&self, selector: &str) -> Option<String> {
        let found = json!({"using": "css selector", "value": selector}).to_string();
        let target = format!("{}/element", self.session);
        let answer = self
            .client
            .post(&target, "application/json", &[], found.as_bytes());
        let element = answer.json()["value"][ELEMENT].as_str()?.to_owned();
        let read = format!("{}/element/{element}/text", self.session);
        Some(self.client.get(&read).json()["value"].as_str()?.to_owned())
    }

    /// Waits until an element's text has these words in it.
    #[track_caller]
    pub(crate) fn reads(&self, selector: &str, words: &str) {
        eventually(&format!("{selector} reads `{words}`"), || {
            self.text_now(selector)?.contains(words).then_some(())
        });
    }

    /// Clicks on an element.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element; for a picker, the path of a file.
    #[track_caller]
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.command(&format!("/element/{element}/value"), &json!({"text": text}));
    }

    /// Presses a key, by its name in JavaScript.
    pub(crate) fn press(&self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.devtools(
                "Input.dispatchKeyEvent",
                &json!({"type": kind, "key": key, "code": key}),
            );
        }
    }

    /// Sends a command of Chromium's own protocol.
    #[track_caller]
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// Makes the window this large, in CSS pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}),
        );
    }

    /// Prefers `light` or `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [feature]}),
        );
    }

    /// Lets pages run no script of their own.
    pub(crate) fn forbid_scripts(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            &json!({"value": true}),
        );
    }

    /// Moves the mouse to the middle of an element.
    #[track_caller]
    pub(crate) fn hover(&self, selector: &str) {
        let element = self.element(selector);
        let target = json!({ELEMENT: element});
        let to = json!({"type": "pointerMove", "duration": 0, "origin": target, "x": 0, "y": 0});
        let mouse = json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [to]});
        self.command("/actions", &json!({"actions": [mouse]}));
    }

    /// The page as PDF on paper of this size, in centimetres.
    pub(crate) fn print(&self, width: f64, height: f64) -> Vec<u8> {
        let page = json!({"width": width, "height": height});
        let printed = self.command("/print", &json!({"page": page, "background": true}));
        base64(printed.as_str().expect("a PDF"))
    }

    /// A picture of the whole page.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        self.capture(&json!({"format": "png", "captureBeyondViewport": true}))
    }

    /// As much of the page's top as that.
    pub(crate) fn screenshot_of_top(&self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        self.capture(&json!({"format": "png", "clip": clip}))
    }

    fn capture(&self, asked: &Value) -> Vec<u8> {
        let taken = self.devtools("Page.captureScreenshot", asked);
        base64(taken["data"].as_str().expect("a picture"))
    }

    /// Everything that the console has complained of since it was last asked.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.command("/se/log", &json!({"type": "browser"}));
        let told = told.as_array().expect("a log").iter();
        told.filter(|line| matches!(line["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|line| line["message"].to_string())
            .collect()
    }

    /// Every address that pages have asked for since it was last asked.
    pub(crate) fn requested(&self) -> Vec<String> {
        let told = self.command("/se/log", &json!({"type": "performance"}));
        let told = told.as_array().expect("a log").iter();
        let events =
            told.filter_map(|line| serde_json::from_str::<Value>(line["message"].as_str()?).ok());
        events
            .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                let url = event["message"]["params"]["request"]["url"].as_str()?;
                Some(url.to_owned())
            })
            .collect()
    }

    /// Whether a dialog is open.
    pub(crate) fn has_dialog(&self) -> bool {
        let target = format!("{}/alert/text", self.session);
        self.client.get(&target).status == 200
    }

    /// Runs a file's script in the page.
    pub(crate) fn inject(&self, file: &Path) {
        let script = std::fs::read_to_string(file).expect("a script");
        self.run(&script);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session; the driver would leave it behind.
        if !self.session.is_empty() {
            let target = self.session.clone();
            let ended = std::panic::AssertUnwindSafe(|| self.client.request("DELETE", &target));
            let _ = std::panic::catch_unwind(ended);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Bytes from base64.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn base64_is_read() {
    assert_eq!(base64("TWFu"), b"Man");
    assert_eq!(base64("TWE="), b"Ma");
    assert_eq!(base64("/+8="), [0xff, 0xef]);
}
