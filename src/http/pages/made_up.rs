//! Made-up data: a first visitor tries the pages with it, and takes it out again.

use maud::{Markup, html};

use super::layout::Frame;
use crate::db::audit::Action;
use crate::db::{forget, made_up};
use crate::error::{Error, Result};
use crate::http::app::App;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::ingest::import::{self, Choices};
use crate::ingest::source::Refusal;
use crate::ingest::{load, seed};

/// The offer on an empty database's page.
pub fn offer(frame: &Frame) -> Markup {
    html! {
        @if !frame.is_read_only() {
            section.card.offer {
                h2 { "Just looking?" }
                p { "A chain of 63 made-up restaurants shows what the pages do. You can remove it with one click." }
                form action="/made-up" method="post" { (frame.csrf()) button type="submit" { "Try it with made-up data" } }
            }
        }
    }
}

/// `POST /made-up`: fills an empty database with made-up stores.
pub fn post(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let time = app.machine_time()?;
    if let Some(doubt) = time.sentence() {
        return Err(Error::unavailable(format!(
            "{doubt} (set the machine's clock, then try again)"
        )));
    }
    let choices = || Ok(Choices::default());
    let read = import::read(
        seed::sources(made_up::PREFIX, time.at),
        time,
        &app.site.scratch,
        choices,
        &mut |_, _| Ok(()),
    );
    let batch = match read {
        Ok(batch) => batch,
        Err(Refusal::Failed(error)) => return Err(error),
        Err(_) => return Err(Error::failed("the made-up data are damaged")),
    };
    let author = app.author();
    app.site.writer.try_load(move |db| {
        if !made_up::may_come(db)? {
            return Err(Error::invalid(
                "there are stores already, and made-up ones never stand beside them (open / to see them)",
            ));
        }
        let mut summary = load::write(db, batch)?;
        author.did(db, Action::AddMadeUp, "", summary.stores_new)?;
        Ok(((), summary.change.take()))
    })?;
    Ok(Response::see_other("/"))
}

/// `POST /made-up/removal`: takes the made-up stores out, with the reports of them.
pub fn remove(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let author = app.author();
    let forgotten = app.site.writer.try_write(move |db| {
        let Some((stores, reports)) = forget::made_up(db)? else {
            return Ok(Vec::new());
        };
        author.did(db, Action::DeleteMadeUp, "", stores as u64)?;
        Ok(reports)
    })?;
    app.forget_reports(&forgotten);
    Ok(Response::see_other("/"))
}
