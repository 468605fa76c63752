//! `/statements`: how long was each store online in a month, in a week, or between two dates? Owners are paid and fined
//! by it, so it prints on one page a store.
//!
//! A short one is computed for the page. A long one is a job, whose rows the page shows once they are there.

use std::sync::Arc;

use maud::{Markup, html};

use super::layout::{Frame, Section, hatches};
use super::statement_table::{period_words, table};
use super::{controls, phrases};
use crate::access::Scope;
use crate::civil;
use crate::error::{Error, Result};
use crate::fleet_view::FleetView;
use crate::http::app::App;
use crate::http::field::report_id;
use crate::http::json::encoded;
use crate::http::page_query::PageQuery;
use crate::http::query;
use crate::http::query_fields::OFFSET_MAX;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::statement_query::{Asked, newest_month, usual_month};
use crate::http::statement_rows::{Column, Row, Rows};
use crate::jobs::statement::{Parameters, Per, before_the_oldest_poll};
use crate::jobs::{Format, JobRequest, Product, ReportState};
use crate::uptime::calendar::LocalDate;
use crate::uptime::interval::{DAY, Micros};
use crate::uptime::period::{Bucket, By, Period, month_of, week_of};
use crate::uptime::report::Question;

/// How many rows the page shows.
const PAGE_ROWS: usize = 155;

/// How many months and weeks the page offers; any other can be chosen by its dates.
const MONTHS_OFFERED_MAX: usize = 24;
const WEEKS_OFFERED_MAX: usize = 12;

/// How many stores the field of the store suggests.
const STORES_LISTED_MAX: usize = 200;

/// While a job runs, the page reloads after this many seconds.
const REFRESH_SECONDS: u32 = 2;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    match request.field("report")? {
        Some(id) => of_job(app, request, id),
        None => at_once(app, request),
    }
}

/// `POST /statements`: makes the statement of the form, a job, and leads to its page.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let mut body = std::io::empty();
    let mut sent = Request::new("POST", "/statements", &mut body);
    sent.query = std::mem::take(&mut request.form);
    let (question, _) = query::question(app, &sent)?;
    let asked = Asked::read(&sent, &newest_month(chrono_tz::Tz::UTC, question))?;
    let (rule, as_of) = (query::rule(&sent)?, query::as_of(app, &sent)?);
    let order = JobRequest::statement(app.requester(), as_of, rule, asked.parameters.json().to_string());
    let (id, ..) = app.order(order)?;
    Ok(Response::see_other(
        PageQuery::of(request).link(&format!("/statements?report={id}")),
    ))
}

/// The page of a statement that is computed for it, or the button that makes a long one.
fn at_once(app: &mut App, request: &Request<'_>) -> Result<Response> {
    let (question, _) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Statements)?;
    let asked = Asked::read(request, &newest_month(frame.zone(), question))?;
    let page = Page::new(app, &frame, question, asked)?;
    let offset = query::number(request, "offset", 0..=OFFSET_MAX, 0)?;
    if !page.asked.is_quick(&page.view) {
        let body = page.body(&page.too_long());
        return Ok(Response::page(200, frame.page(&page.title(), None, &body)));
    }
    let Parameters { period, .. } = &page.asked.parameters;
    let statement = app.statement(page.asked.parameters.clone(), question)?;
    let per = page.asked.parameters.per;
    let rows = Rows::parse(&statement.csv(), per, offset..offset.saturating_add(PAGE_ROWS))?;
    let total = match period.by {
        By::Total => None,
        _ => {
            let mut whole = page.asked.parameters.clone();
            whole.period.by = By::Total;
            let statement = app.statement(whole, question)?;
            Some(Rows::parse(&statement.csv(), per, 0..usize::MAX)?)
        }
    };
    let query = page.asked.query();
    let link = |format: Format| {
        let reader = match format {
            Format::Csv => "for=spreadsheet&",
            _ => "",
        };
        frame.link(&format!("/api/statements.{}?{reader}{query}", format.as_str()))
    };
    let more = |offset: usize| frame.link(&format!("/statements?{query}&offset={offset}"));
    let shown = page.shown(&rows, total.as_ref(), offset, &link, &more);
    Ok(Response::page(200, frame.page(&page.title(), None, &page.body(&shown))))
}

/// The page of a statement that is a job.
fn of_job(app: &mut App, request: &Request<'_>, id: &str) -> Result<Response> {
    let report = app.report(report_id(id)?)?;
    let id = report.id;
    if report.kind != "statement" {
        return Err(Error::not_found(format!(
            "report {id} is no statement (GET /reports lists all)"
        )));
    }
    let frame = Frame::new(app, request, Section::Statements)?;
    let page = Page::new(app, &frame, report.question, Asked::of_job(&report.parameters)?)?;
    let (refresh, content) = match report.state {
        ReportState::Running => {
            let since = phrases::length((frame.machine() - report.triggered_at).max(0));
            let told = html! {
                section.card role="status" {
                    p { span.state.running { span.mark aria-hidden="true" {} "being made" } " for " (since) }
                    p.note { "This page shows it as soon as it is there." }
                }
            };
            (Some(REFRESH_SECONDS), told)
        }
        ReportState::Failed => {
            let reason = report.error.as_deref().unwrap_or("no reason was kept");
            (None, html! { p.complaint role="alert" { "It failed: " (reason) } })
        }
        ReportState::Complete => {
            let offset = query::number(request, "offset", 0..=OFFSET_MAX, 0)?;
            let csv = app.file_of(&report, Format::Csv)?;
            let csv = csv.ok_or_else(|| Error::not_found(format!("statement {id} was forgotten meanwhile")))?;
            let range = offset..offset.saturating_add(PAGE_ROWS);
            let rows = Rows::parse(&csv, page.asked.parameters.per, range)?;
            let link = |format: Format| match format {
                Format::Csv => format!("/api/reports/{id}.csv?for=spreadsheet"),
                _ => format!("/api/reports/{id}.{}", format.as_str()),
            };
            let more = |offset: usize| frame.link(&format!("/statements?report={id}&offset={offset}"));
            (None, page.shown(&rows, None, offset, &link, &more))
        }
    };
    Ok(Response::page(
        200,
        frame.page(&page.title(), refresh, &page.body(&content)),
    ))
}

/// The link to the usual statement: that of a store by day, of an owner's stores, or of all.
pub fn link(app: &mut App, frame: &Frame, question: Question, store: Option<&str>) -> Result<Markup> {
    let oldest = app.oldest_poll()?;
    let month = usual_month(frame.zone(), question, oldest);
    let period = Period {
        from: month.first,
        to: month.last,
        by: By::Month,
    };
    let mut path = format!("/statements?period={}", period.name_of(&month));
    if let Some(id) = store {
        path.push_str("&store=");
        path.extend(form_urlencoded::byte_serialize(id.as_bytes()));
    }
    let words = format!("{}’s statement", phrases::month(month.first));
    Ok(html! { a.screen href=(frame.link(&path)) { (words) } })
}

/// What all forms of the page need.
struct Page<'a> {
    frame: &'a Frame,
    view: Arc<FleetView>,
    asked: Asked,
    question: Question,
    /// The date of the instant, and that of the oldest poll, by the clock of most stores.
    newest: LocalDate,
    oldest: LocalDate,
    /// Whether the period begins before the oldest poll.
    is_early: bool,
}

impl<'a> Page<'a> {
    fn new(app: &mut App, frame: &'a Frame, question: Question, asked: Asked) -> Result<Self> {
        let view = app.fleet(question)?;
        let oldest = app.oldest_poll()?;
        let is_early = before_the_oldest_poll(oldest, &asked.parameters.period).is_some();
        let oldest = oldest.unwrap_or(question.as_of);
        let from = asked.parameters.period.from;
        let date = |at: Micros| phrases::zone_near(frame.zone(), at).wall(at).div_euclid(DAY);
        Ok(Self {
            frame,
            view,
            asked,
            question,
            newest: date(question.as_of),
            oldest: date(oldest),
            is_early: is_early && date(oldest) >= from,
        })
    }

    fn title(&self) -> String {
        let Period { from, to, .. } = self.asked.parameters.period;
        let dates = || format!("{} – {}", phrases::date_with_year(from), phrases::date_with_year(to));
        let is_month = |name: &&str| !name.contains('W');
        let month = self.asked.name.as_deref().filter(is_month);
        format!(
            "Statement of {}",
            month.map_or_else(dates, |_| phrases::month_and_year(from))
        )
    }

    /// The name of a store or an owner.
    fn name(&self, label: &str) -> String {
        match self.asked.parameters.per {
            Per::Store => self.name_of_store(label),
            Per::Group if label.is_empty() => "Stores without an owner".to_owned(),
            Per::Group => label.to_owned(),
            Per::Fleet => "All stores together".to_owned(),
        }
    }

    fn body(&self, content: &Markup) -> Markup {
        let Parameters {
            period, store, group, ..
        } = &self.asked.parameters;
        let whose = match (store, group) {
            (Some(id), _) => self.name_of_store(id),
            (None, Some(group)) => group.clone(),
            (None, None) => self.frame.locale().stores(self.view.labels.len()),
        };
        let ends = self.newest <= period.to;
        html! {
            (hatches())
            h1 { (self.title()) }
            p.lead {
                (whose) ", by each store’s own clock. "
                @if ends { "Numbers end at " (self.frame.instant(self.question.as_of)) " time. " }
                "Gaps are filled with the " (controls::rule_words(self.question.rule)) "."
            }
            @if self.is_early {
                p.past {
                    "The oldest check is of " (phrases::date_with_year(self.oldest))
                    ". Time before it counts as what each store’s first check said, and is not covered."
                }
            }
            (self.form())
            p.note.screen { a href=(self.frame.link("/digest")) { "The last week in a few sentences" } }
            (content)
        }
    }

    fn name_of_store(&self, id: &str) -> String {
        let stores = self.view.inputs.fleet.stores();
        let found = stores.binary_search_by(|store| store.id.as_bytes().cmp(id.as_bytes()));
        found.map_or_else(|_| id.to_owned(), |place| self.view.name(place).to_owned())
    }

    /// The form: it works without a script.
    fn form(&self) -> Markup {
        let Parameters { period, per, store, .. } = &self.asked.parameters;
        let name = self.asked.name.as_deref();
        let option = |by: By, bucket: &Bucket| {
            let value = Period {
                from: bucket.first,
                to: bucket.last,
                by,
            }
            .name_of(bucket);
            let is_shown = name == Some(value.as_str());
            let words = match by {
                By::Month => phrases::month_and_year(bucket.first),
                _ => format!(
                    "{} – {}",
                    phrases::day_of_month(bucket.first),
                    phrases::day_of_month(bucket.last)
                ),
            };
            html! { option value=(value) selected[is_shown] { (words) } }
        };
        let free = name.is_none();
        let stores = self.view.inputs.fleet.stores().iter().enumerate();
        html! {
            form.filters.screen action="/statements" method="get" aria-label="Choose a statement" {
                div {
                    label for="period" { "Month or week" }
                    select #period name="period" {
                        @if free { option value="" selected { "dates, below" } }
                        optgroup label="Months" {
                            @for month in self.offered(month_of, MONTHS_OFFERED_MAX) { (option(By::Month, &month)) }
                        }
                        optgroup label="Weeks" {
                            @for week in self.offered(week_of, WEEKS_OFFERED_MAX) { (option(By::Week, &week)) }
                        }
                    }
                }
                (controls::owner(self.frame, &self.view.owner_names()))
                div {
                    label for="store" { "Store, by its id" }
                    input #store type="search" name="store" list="store-ids" value=[store.as_deref()] placeholder="All stores"
                        autocomplete="off";
                    datalist #store-ids {
                        @for (place, one) in stores.take(STORES_LISTED_MAX) {
                            option value=(one.id) { (self.view.name(place)) }
                        }
                    }
                }
                div {
                    label for="by" { "Cut by" }
                    select #by name="by" {
                        @for by in By::ALL {
                            option value=(by.as_str()) selected[by == period.by] { (by_words(by)) }
                        }
                    }
                }
                div {
                    label for="per" { "A row for" }
                    select #per name="per" {
                        @for one in Per::ALL {
                            option value=(one.as_str()) selected[one == *per] { (per_words(one)) }
                        }
                    }
                }
                (controls::rest(self.frame, true))
                button.primary type="submit" name="choice" value="period" { "Show" }
                details.choices open[free] {
                    summary { "Other dates" }
                    div.dates {
                        div {
                            label for="from" { "From" }
                            input #from type="date" name="from" value=[free.then(|| civil::format_day(period.from))];
                        }
                        div {
                            label for="to" { "To, included" }
                            input #to type="date" name="to" value=[free.then(|| civil::format_day(period.to))];
                        }
                        button type="submit" name="choice" value="dates" { "Show these dates" }
                    }
                }
            }
        }
    }

    /// The newest months or weeks that have polls, the newest first.
    fn offered(&self, whole: fn(LocalDate) -> Bucket, most: usize) -> Vec<Bucket> {
        let mut offered = vec![whole(self.newest)];
        while let Some(last) = offered.last()
            && last.first > self.oldest
            && offered.len() < most
        {
            let before = whole(last.first - 1);
            offered.push(before);
        }
        offered
    }

    /// The button for a statement that takes too long to be shown at once.
    fn too_long(&self) -> Markup {
        let stores = self.frame.locale().stores(self.asked.stores(&self.view));
        html! {
            section.card {
                p { "A statement of " (stores) " takes a moment. It is kept under Reports." }
                @if !self.frame.may(Scope::Report) {
                    p.note { "Pages are read-only here: choose an owner, a store or a shorter period." }
                } @else {
                    form.screen.make action="/statements" method="post" {
                        (self.frame.csrf())
                        @for (name, value) in form_urlencoded::parse(self.asked.query().as_bytes()) {
                            input type="hidden" name=(name) value=(value);
                        }
                        (controls::rest(self.frame, true))
                        button.primary type="submit" { "Make it" }
                    }
                }
            }
        }
    }

    /// Whether a row is of days that have not been yet.
    fn is_to_come(&self, row: &Row) -> bool {
        let period = &self.asked.parameters.period;
        let later = period.buckets().into_iter().rev();
        let mut later = later.take_while(|bucket| bucket.first > self.newest);
        row.number(Column::Business) == Some(0) && later.any(|bucket| period.name_of(&bucket) == row.period)
    }

    /// The rows, in a table; one a store or an owner where the period is cut.
    fn shown(
        &self,
        rows: &Rows,
        total: Option<&Rows>,
        offset: usize,
        link: &dyn Fn(Format) -> String,
        more: &dyn Fn(usize) -> String,
    ) -> Markup {
        let locale = self.frame.locale();
        let end = offset.saturating_add(PAGE_ROWS);
        let mut shown = rows.rows.clone();
        if self.asked.parameters.period.by != By::Total {
            shown.retain(|row| !self.is_to_come(row));
        }
        html! {
            @if shown.is_empty() {
                section.card { p.calm { @if rows.total == 0 { "There are no stores." } @else { "These days have not been yet." } } }
            } @else if self.asked.parameters.period.by == By::Total {
                section.card.wide { (table(self.frame, self.column(), &rows.rows, None, &|row| self.head(row))) }
            } @else {
                @for part in shown.chunk_by(|a, b| a.label == b.label) {
                    section.card.wide.statement {
                        h2 { (self.head(&part[0])) }
                        @let own = total.and_then(|total| total.rows.iter().find(|row| row.label == part[0].label));
                        (table(self.frame, "Period", part, own, &|row| html! { (period_words(&row.period)) }))
                    }
                }
            }
            @if rows.total > PAGE_ROWS {
                nav.pager aria-label="Pages of rows" {
                    @if offset > 0 { a rel="prev" href=(more(offset.saturating_sub(PAGE_ROWS))) { "← Previous" } }
                    span {
                        (locale.count(offset + 1)) "–" (locale.count(end.min(rows.total))) " of " (locale.count(rows.total))
                    }
                    @if end < rows.total { a rel="next" href=(more(end)) { "Next →" } }
                }
            }
            p.more.screen {
                a href=(link(Format::Csv)) download { "Download as CSV" } " · "
                a href=(link(Format::Xlsx)) download { "as a spreadsheet" }
            }
            p.note {
                "Offline is how long the store was offline in its open hours. At least is certain; at most is all but what is "
                "certainly online. Covered is the part of open hours within an hour of a check."
                @if rows.has_lost() { " Lost sales are offline time × the store’s sales an hour." }
            }
        }
    }

    fn column(&self) -> &'static str {
        match self.asked.parameters.per {
            Per::Store => "Store",
            Per::Group => "Owner",
            Per::Fleet => "Stores",
        }
    }

    /// The name of a row's store or owner, with a link to its own statement by day.
    fn head(&self, row: &Row) -> Markup {
        let name = self.name(&row.label);
        let own = match self.asked.parameters.per {
            Per::Store => ("store", Per::Store),
            Per::Group => ("group", Per::Store),
            Per::Fleet => return html! { (name) },
        };
        if row.label.is_empty() {
            return html! { (name) };
        }
        let mut asked = self.asked.clone();
        let parameters = &mut asked.parameters;
        (parameters.store, parameters.group, parameters.per) = (None, None, own.1);
        match own.0 {
            "store" => (parameters.store, parameters.period.by) = (Some(row.label.clone()), By::Day),
            _ => parameters.group = Some(row.label.clone()),
        }
        let path = match &self.asked.parameters.store {
            Some(id) => format!("/stores/{}", encoded(id)),
            None => format!("/statements?{}", asked.query()),
        };
        html! { a href=(self.frame.query().owned_by(None).link(&path)) { (name) } }
    }
}

const fn by_words(by: By) -> &'static str {
    match by {
        By::Total => "not at all",
        By::Day => "day",
        By::Week => "week",
        By::Month => "month",
    }
}

const fn per_words(per: Per) -> &'static str {
    match per {
        Per::Store => "each store",
        Per::Group => "each owner",
        Per::Fleet => "all stores together",
    }
}
