//! `/digest`: what a week, a month or a day was like, in the words of the messages. It prints.

use maud::{Markup, html};

use super::controls;
use super::layout::{Frame, Section};
use crate::error::Result;
use crate::http::app::App;
use crate::http::digest::{Answered, PERIODS};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::jobs::digest::{DigestPeriod, Line};
use crate::uptime::period::By;

/// The width and the height of a bar, in its own units.
const BAR: (i64, i64) = (10_000, 10);

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Statements)?;
    let answered = Answered::new(app, request)?;
    let owners = app.fleet(answered.question)?;
    let told = &answered.told;
    let body = html! {
        h1 { (told.whose) }
        p.lead { (told.when) }
        (periods(&frame, &answered))
        (owner(&frame, &answered, &owners.owner_names()))
        section.card {
            @for sentence in &told.sentences { p { (sentence) } }
        }
        @if !told.worst.is_empty() {
            section.card {
                h2 { "Worst first" }
                table.rows {
                    thead { tr {
                        th scope="col" { "Store" }
                        th.number scope="col" { "Offline" }
                        th.number scope="col" { "Online" }
                    } }
                    tbody { @for line in &told.worst { (row(&frame, line)) } }
                }
                @if let Some(more) = &told.worst_more { p.more { (more) } }
            }
        }
        @for section in &told.sections {
            section.card {
                h2 { (section.heading) }
                @for line in &section.lines { p { (line) } }
            }
        }
        p.note { (told.note) }
    };
    let title = format!("{} · {}", told.whose, told.when);
    Ok(Response::page(200, frame.page(&title, None, &body)))
}

/// Links to the period before and after, and to the other lengths of time.
fn periods(frame: &Frame, answered: &Answered) -> Markup {
    let period = answered.digest.period;
    let link = |period: &DigestPeriod| frame.link(&format!("/digest?{}", answered.query(period)));
    let unit = |by: By| match by {
        By::Day | By::Total => "Day",
        By::Week => "Week",
        By::Month => "Month",
    };
    let is_newest = answered.digest.is_cut;
    html! {
        p.rules.screen {
            a href=(link(&period.before())) { (unit(period.by)) " before" }
            @if !is_newest { " · " a href=(link(&period.after())) { (unit(period.by)) " after" } }
            @for by in PERIODS {
                @if by != period.by {
                    " · " a href=(link(&DigestPeriod::with(by, period.dates.first))) { (unit(by)) }
                }
            }
            " · " a href=(frame.link(&statement(answered))) { "Its statement" }
        }
    }
}

/// The path of the statement of the same dates.
fn statement(answered: &Answered) -> String {
    let period = answered.digest.period.uncut();
    let [from, to] = [period.from, period.to].map(crate::civil::format_day);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("from", &from).append_pair("to", &to);
    let wanted = &answered.wanted;
    for (name, value) in [("store", &wanted.store), ("group", &wanted.group)] {
        query.extend_pairs(value.iter().map(|value| (name, value)));
    }
    format!("/statements?{}", query.finish())
}

/// The choice of an owner.
fn owner(frame: &Frame, answered: &Answered, owners: &[&str]) -> Markup {
    let period = &answered.digest.period;
    html! {
        @if !owners.is_empty() {
            form.filters.screen action="/digest" method="get" aria-label="Choose an owner" {
                (controls::owner(frame, owners))
                input type="hidden" name=(period.by.as_str()) value=(period.name());
                (controls::rest(frame, true))
                button.primary type="submit" { "Show" }
            }
        }
    }
}

fn row(frame: &Frame, line: &Line) -> Markup {
    let (width, height) = BAR;
    html! {
        tr {
            th scope="row" { a href=(frame.store_link(&line.id)) { (line.name) } }
            td.number { (line.offline) }
            td.number { (line.online) }
        }
        tr {
            td colspan="3" {
                svg.timeline width="100%" height=(height) viewBox={"0 0 " (width) " " (height)}
                    preserveAspectRatio="none" aria-hidden="true" {
                    rect.online width=(width - line.bar) height=(height) {}
                    rect.offline x=(width - line.bar) width=(line.bar) height=(height) {}
                }
                span.part { (line.about) }
            }
        }
    }
}
