//! The guides: the product's documentation, in Markdown.
//!
//! `store-monitor docs` prints them, a server shows them at `/docs`, and rustdoc includes them here. Tests compare
//! their tables with the flags, the routes and the constants of the program.

/// One guide.
#[derive(Debug)]
pub struct Guide {
    /// Its name, as in `/docs/NAME`.
    pub name: &'static str,
    /// Its subject, in one line.
    pub about: &'static str,
    /// Its Markdown.
    pub text: &'static str,
}

macro_rules! guides {
    ($($name:ident: $about:literal,)*) => {
        /// Every guide, in reading order.
        pub const GUIDES: [Guide; [$($about),*].len()] = [$(Guide {
            name: stringify!($name),
            about: $about,
            text: include_str!(concat!(stringify!($name), ".md")),
        }),*];

        $(
            #[doc = include_str!(concat!(stringify!($name), ".md"))]
            pub mod $name {}
        )*
    };
}

guides! {
    import: "your own files: formats, bad rows, rows over HTTP, forgetting",
    prototype: "from the Flask prototype on MySQL: its dump becomes a database",
    reports: "the report and the statement, by command and over HTTP, and the pages",
    http: "every route, and the limits for clients",
    numbers: "the definition of every number",
    alerts: "receivers, signatures, what is tried again, alert rules",
    operate: "install, all flags, stop and restart, exit codes",
    access: "tokens, log-in, share links, TLS by a proxy, the audit",
    storage: "the database file, its size, inspection",
    durability: "what an answer promises, and what each fault costs",
    bounds: "everything that is limited, and what happens beyond it",
    lake: "files by day for DuckDB, ClickHouse, Spark, Trino and BigQuery",
    performance: "measured speed, memory and disk, and how to measure them",
    develop: "build, test and extend the program",
    changelog: "changes that users notice",
}
