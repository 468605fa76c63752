//! `proxy-recipe`: the configuration of a proxy that gives a server TLS.

use super::output::{note, print};
use super::server_options::PublicOptions;
use crate::error::{Error, Result};
use crate::http::frontend::socket::Address;

/// How long a proxy keeps an idle connection to the server, in seconds: less than the server does.
const KEEP_ALIVE_SECONDS: u32 = 40;

/// The options of `proxy-recipe`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The proxy
    #[arg(value_name = "PROXY")]
    proxy: Proxy,

    #[command(flatten)]
    public: PublicOptions,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Proxy {
    /// Caddy, which gets its certificates itself
    Caddy,
    /// nginx
    Nginx,
}

/// Prints the configuration for a server with the same flags.
///
/// # Errors
/// When no host is named, or stdout cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let PublicOptions {
        listen,
        hosts,
        max_body,
    } = &options.public;
    if hosts.is_empty() {
        return Err(Error::invalid(
            "a certificate is for a name (give the one that people use: --host shop.example)",
        ));
    }
    let (config, place) = match options.proxy {
        Proxy::Caddy => (caddy(listen, hosts, *max_body), "/etc/caddy/Caddyfile"),
        Proxy::Nginx => (nginx(listen, hosts, *max_body), "/etc/nginx/conf.d/store-monitor.conf"),
    };
    print(&config)?;
    let (listened, trusted) = match listen {
        Address::Tcp(address) => (address.to_string(), address.ip().to_string()),
        #[cfg(unix)]
        unix => (unix.to_string(), "unix".to_owned()),
    };
    let mut serve = format!(
        "store-monitor serve --listen {listened} --host {} --trust-proxy {trusted}",
        hosts.join(",")
    );
    if *max_body != crate::http::BODY_BYTES_MAX {
        serve += &format!(" --max-body {max_body}");
    }
    note!("Put it into {place}. The server behind it, once there is a token:\n\n  {serve}\n");
    #[cfg(unix)]
    if matches!(listen, Address::Unix(_)) {
        note!("Only one user can open the socket: run the proxy's workers as the user of the server.");
    }
    if matches!(options.proxy, Proxy::Nginx) {
        note!("The certificate must be there first, for example from `certbot certonly --webroot`.");
    }
    Ok(())
}

fn caddy(listen: &Address, hosts: &[String], max_body: u64) -> String {
    let upstream = match listen {
        Address::Tcp(address) => address.to_string(),
        #[cfg(unix)]
        Address::Unix(path) => format!("unix/{}", absolute(path)),
    };
    let hosts = hosts.join(", ");
    format!(
        "# TLS for store-monitor. Caddy gets the certificates, leads HTTP to HTTPS and says who its clients are.
# It writes no access log unless one is asked for: the paths of share links are secrets.
{hosts} {{
	header Strict-Transport-Security \"max-age=31536000\"
	request_body {{
		max_size {max_body}
	}}
	reverse_proxy {upstream} {{
		transport http {{
			keepalive {KEEP_ALIVE_SECONDS}s
			# A client that asks first, as curl does with many rows, sends none that are refused.
			expect_continue_timeout 10s
		}}
	}}
}}
"
    )
}

fn nginx(listen: &Address, hosts: &[String], max_body: u64) -> String {
    let upstream = match listen {
        Address::Tcp(address) => address.to_string(),
        #[cfg(unix)]
        Address::Unix(path) => format!("unix:{}", absolute(path)),
    };
    let (names, first) = (hosts.join(" "), &hosts[0]);
    format!(
        "# TLS for store-monitor.
upstream store_monitor {{
    server {upstream};
    # The server closes an idle connection after 50 seconds.
    keepalive 16;
    keepalive_timeout {KEEP_ALIVE_SECONDS}s;
}}

server {{
    listen 80;
    listen [::]:80;
    server_name {names};
    # The paths of share links are secrets.
    access_log off;
    location /.well-known/acme-challenge/ {{ root /var/www/html; }}
    location / {{ return 301 https://$host$request_uri; }}
}}

server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name {names};
    ssl_certificate /etc/letsencrypt/live/{first}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{first}/privkey.pem;
    add_header Strict-Transport-Security \"max-age=31536000\" always;

    client_max_body_size {max_body};
    # Rows go on to the server as they come; it refuses them by their head, before it takes any.
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_read_timeout 300s;
    proxy_http_version 1.1;
    proxy_set_header Connection \"\";
    proxy_set_header Host $host;
    # Not what the client says: the server trusts these.
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;

    location / {{ proxy_pass http://store_monitor; }}
    # So are those of the links in alerts.
    location ~ ^/(share|ack)/ {{
        access_log off;
        error_log /dev/null crit;
        proxy_pass http://store_monitor;
    }}
}}
"
    )
}

#[cfg(unix)]
fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .display()
        .to_string()
}
