//! A real proxy in front of a server, with the configuration that `proxy-recipe` prints. Without the proxy, OpenSSL and
//! curl on the machine, the tests say so and pass.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::{Home, Server, ends, eventually};

const HOST: &str = "shop.example";

/// A proxy, in a home of its own.
struct Proxy {
    child: Child,
    https: u16,
    http: u16,
    /// What it writes, in the home.
    logs: &'static [&'static str],
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Its workers go with it on this signal alone.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        ends(&mut self.child);
    }
}

fn is_there(tool: &str) -> bool {
    let found = Command::new(tool)
        .arg(if tool == "nginx" { "-v" } else { "version" })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until a proxy listens.
fn listening(proxy: Proxy) -> Proxy {
    eventually("the proxy listens", || {
        std::net::TcpStream::connect(("127.0.0.1", proxy.https)).ok()
    });
    proxy
}

/// Starts Caddy before what listens at `listen`, on free ports and with an authority of its own.
fn caddy(home: &Home, listen: &str) -> Proxy {
    let recipe = home.print(&["proxy-recipe", "caddy", "--host", HOST, "--listen", listen]);
    let recipe = String::from_utf8(recipe).expect("a recipe");
    let (http, https) = (free_port(), free_port());
    let folder = home.path("caddy");
    fs::create_dir(&folder).expect("a folder");
    let options = format!(
        "{{\nadmin off\nlocal_certs\nskip_install_trust\ndefault_bind 127.0.0.1\nhttp_port {http}\n\
         https_port {https}\n}}\n"
    );
    home.write("caddy/Caddyfile", options + &recipe);
    let log = fs::File::create(folder.join("log")).expect("a log");
    let child = Command::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"])
        .current_dir(&folder)
        .env("HOME", &folder)
        .env("XDG_DATA_HOME", &folder)
        .env("XDG_CONFIG_HOME", &folder)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("caddy");
    let logs = &["caddy/log"];
    listening(Proxy {
        child,
        https,
        http,
        logs,
    })
}

/// Starts nginx before what listens at `listen`, on free ports and with a certificate of its own.
fn nginx(home: &Home, listen: &str) -> Proxy {
    let recipe = home.print(&["proxy-recipe", "nginx", "--host", HOST, "--listen", listen]);
    let recipe = String::from_utf8(recipe).expect("a recipe");
    let (http, https) = (free_port(), free_port());
    let folder = home.path("nginx");
    fs::create_dir(&folder).expect("a folder");
    let folder = folder.display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={HOST}")])
        .args(["-keyout", &format!("{folder}/privkey.pem")])
        .args(["-out", &format!("{folder}/fullchain.pem")])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("OpenSSL").success());
    let own: String = recipe
        .lines()
        .filter(|line| !line.contains("[::]"))
        .map(|line| format!("{line}\n"))
        .collect();
    let own = own
        .replace(&format!("/etc/letsencrypt/live/{HOST}"), &folder)
        .replace("listen 80;", &format!("listen 127.0.0.1:{http};"))
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{https} ssl;"));
    // A master of root would give its workers a user that cannot enter the home.
    let owner = Command::new("id").arg("-u").output().expect("id").stdout;
    let user = if owner == b"0\n" { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/{what};\n"))
        .concat();
    let config = format!(
        "{user}\ndaemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n\
         http {{\naccess_log {folder}/access.log;\n{temporary}{own}}}\n"
    );
    home.write("nginx/nginx.conf", config);
    let child = Command::new("nginx")
        .args(["-p", &folder, "-c", &format!("{folder}/nginx.conf")])
        .args(["-e", &format!("{folder}/error.log")])
        .spawn()
        .expect("nginx");
    let logs = &["nginx/access.log", "nginx/error.log"];
    listening(Proxy {
        child,
        https,
        http,
        logs,
    })
}

/// What curl prints, head and body, as a client with an address of its own.
fn curl(proxy: &Proxy, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args([
        "-s",
        "-k",
        "-i",
        "--http1.1",
        "--noproxy",
        "*",
        "--interface",
        "127.0.0.2",
    ]);
    for port in [proxy.http, proxy.https] {
        command.args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")]);
    }
    let output = command.args(arguments).output().expect("curl");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a test of a proxy must say that it was skipped.
fn lacks(tools: [&str; 3]) -> bool {
    let missing = tools.into_iter().find(|tool| !is_there(tool));
    if let Some(tool) = missing {
        eprintln!("SKIPPED: there is no {tool}, so no proxy is tried");
    }
    missing.is_some()
}

#[cfg(target_os = "linux")]
#[test]
fn the_recipe_of_nginx_works_and_its_logs_have_no_secret() {
    if !lacks(["nginx", "openssl", "curl"]) {
        let home = works(nginx);
        assert!(home.text("nginx/access.log").contains("/trigger_report"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_recipe_of_caddy_works_and_its_log_has_no_secret() {
    if !lacks(["caddy", "openssl", "curl"]) {
        works(caddy);
    }
}

/// Tries a server behind a proxy with its recipe: log-in, a share link, the client's address, the largest body.
fn works(start: fn(&Home, &str) -> Proxy) -> Home {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\na1,2026-11-01 00:00:00 UTC,active\n",
    );
    home.import(&["polls.csv"]);
    let printed = |arguments: &[&str]| {
        let printed = String::from_utf8(home.print(arguments)).expect("text");
        printed.trim().to_owned()
    };
    let token = printed(&["token", "add", "boss", "--scope", "admin"]);
    let link = printed(&["link", "add", "--store", "a1"]);
    let server = Server::start_with(
        &home,
        &["serve", "--host", HOST, "--trust-proxy", "127.0.0.1"],
    );
    let proxy = start(&home, &server.address);
    let url = |path: &str| format!("https://{HOST}:{}{path}", proxy.https);
    let bearer = format!("Authorization: Bearer {token}");

    let plain = curl(&proxy, &[&format!("http://{HOST}:{}/login", proxy.http)]);
    assert!(
        plain.contains(&format!("Location: https://{HOST}")) && plain.contains("/login\r\n"),
        "{plain}"
    );
    let refused = curl(&proxy, &[&url("/api/stores")]);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    let shared = curl(&proxy, &["-L", &url(&format!("{link}/"))]);
    assert!(
        shared.contains("HTTP/1.1 200") && shared.contains("a1"),
        "{shared}"
    );

    // What the client says of its client is not believed; what nginx says is.
    let spoofed = [
        "-X",
        "POST",
        "-H",
        &bearer,
        "-H",
        "X-Forwarded-For: 203.0.113.9",
    ];
    let trigger = url("/trigger_report");
    let made = curl(&proxy, &[&spoofed[..], &[&trigger]].concat());
    assert!(made.starts_with("HTTP/1.1 202"), "{made}");
    let audit = curl(&proxy, &["-H", &bearer, &url("/api/audit")]);
    let (_, audit) = audit.split_once("\r\n\r\n").expect("a body");
    let audit: Value = serde_json::from_str(audit).expect("JSON");
    assert_eq!(audit["audit"][0]["action"], "trigger_report");
    assert_eq!(audit["audit"][0]["address"], "127.0.0.2");

    // A browser's session is for TLS alone.
    let page = curl(&proxy, &[&url("/login")]);
    assert!(page.contains("Strict-Transport-Security"), "{page}");
    let (_, csrf) = page.split_once("name=\"csrf\" value=\"").expect("a form");
    let csrf = format!("csrf={}", csrf.split('"').next().expect("a value"));
    let field = format!("token={token}");
    let logged_in = curl(&proxy, &["-d", &csrf, "-d", &field, &url("/login")]);
    let cookie = logged_in
        .lines()
        .find(|line| line.starts_with("Set-Cookie:"));
    let cookie = cookie.unwrap_or_else(|| panic!("{logged_in}"));
    assert!(
        cookie.contains("; Secure") && cookie.contains("; HttpOnly"),
        "{cookie}"
    );

    // Rows up to the limit of the server pass, and nginx keeps none of them.
    let limit = fs::File::create(home.path("limit.csv")).expect("a file");
    limit.set_len(1 << 30).expect("a sparse file");
    let send = |by: &[&str]| {
        let file = home.path("limit.csv").display().to_string();
        let rows = ["-X", "POST", "-H", "Content-Type: text/csv", "-T", &file];
        curl(&proxy, &[by, &rows, &[&url("/api/polls")]].concat())
    };
    let answer = send(&["-H", &bearer]);
    assert!(
        answer.contains("HTTP/1.1 422") && answer.contains("NUL"),
        "{answer}"
    );
    let refused = send(&[]);
    assert!(refused.contains("HTTP/1.1 401"), "{refused}");

    let logs = proxy.logs;
    drop(proxy);
    for log in logs.iter().chain(&["server.log"]) {
        let text = home.text(log);
        assert!(
            !text.contains("sml_") && !text.contains("smt_"),
            "{log}: {text}"
        );
    }
    home
}
