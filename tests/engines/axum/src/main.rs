//! The reference for downloads: axum, which serves one file's bytes as CSV at `/report.csv`.
//!
//! `axum-reference FILE` prints its address, a free port of this machine, and serves until it is killed.

use std::error::Error;
use std::io::Write;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("name the file to serve")?;
    // Shared by all answers: none copies it.
    let csv = Bytes::from(std::fs::read(file)?);
    // A body whose length is known goes out whole, under Content-Length.
    let answer = move || async move { ([(CONTENT_TYPE, "text/csv; charset=utf-8")], csv) };
    let app = Router::new().route("/report.csv", get(answer));
    // As many threads as there are cores.
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        Ok(axum::serve(listener, app).await?)
    })
}
