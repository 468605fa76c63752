//! The routing table: every path and method of the server, and the router derived from it.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::app::App;
use super::field::Field;
use super::query_fields::*;
use super::request::Request;
use super::response::Response;
use super::route::{Body, Captured, Handler, Route};
use super::{
    alerts, assets, audit, backup, badge, digest, fleet, forms, health, hours, incidents, intake, messages, metrics,
    openapi, outages, pages, reports, response_filters, statement_query, statements, stores, tokens,
};
use crate::access::Scope::{Admin, Ingest, Read, Report};
use crate::error::Result;

const QUESTION: &[&[Field]] = &[AS_OF, RULE];
const JSON: &str = "application/json";
const HTML: &[(&str, &str)] = &[("text/html", "")];
const CSV: &[(&str, &str)] = &[("text/csv", "")];
const XLSX: &[(&str, &str)] = &[("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "")];
const OBJECT: &[(&str, &str)] = &[(JSON, "Object")];
const PROGRESS: &[(&str, &str)] = &[(JSON, "Progress"), ("text/csv", ""), XLSX[0]];
const PROGRESS_ABOUT: &str = "Its state as JSON while it runs or after it failed; the CSV itself once it is complete, or the \
    workbook to a client that accepts its media type. \
    The header Report-Status says which.";

const HOURS_SUMMARY: &str = "Takes business hours: store_id, day, start_time_local, end_time_local, optionally \
    valid_from; they replace all rows of each store and valid_from that is named.";
const SPECIAL_SUMMARY: &str = "Takes special hours: store_id, date, start_time_local, end_time_local, optionally \
    reason; they replace all rows of each store and date that is named.";
const STORES_SUMMARY: &str = "Takes names and owners: store_id, name, group, optionally sales_per_hour and target.";

const fn get(
    tag: &'static str,
    path: &'static str,
    handler: Handler,
    name: &'static str,
    summary: &'static str,
) -> Route {
    Route::new("GET", tag, path, handler, name, summary)
}

const fn rows(path: &'static str, handler: Handler, name: &'static str, summary: &'static str) -> Route {
    Route::new("POST", "rows", path, handler, name, summary)
        .takes(&[BAD_ROWS])
        .body(Body::Rows)
        .answers(200, "The rows are on disk.", &[(JSON, "Accepted")])
}

const fn page(path: &'static str, handler: Handler, name: &'static str, summary: &'static str) -> Route {
    get("pages", path, handler, name, summary)
        .answers(200, "The page.", HTML)
        .tagged()
}

/// Every route; the first match answers. Two lines a route, which rustfmt would make ten.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    Route::new("POST", "reports", "/trigger_report", reports::trigger, "triggerReport", "Makes a report.").needs(Report)
        .takes(&[AS_OF, RULE, CALLBACK]).problems(&[422])
        .answers(202, "It is in the database and in the queue.", &[(JSON, "Triggered")]),
    Route::new("POST", "reports", "/api/statements", statements::order, "orderStatement", "Makes a statement of any period.")
        .needs(Report).takes(&[PERIOD, AS_OF, RULE, CALLBACK]).body(Body::Fields("StatementOrder")).problems(&[422])
        .answers(202, "It is in the database and in the queue; it is fetched like a report.", &[(JSON, "Triggered")]),
    get("reports", "/api/statements.csv", statement_query::csv, "statementCsv", "A short statement at once, as CSV.").needs(Read)
        .takes(&[FOR, SHOWN, STATEMENT_PART, AS_OF, RULE]).answers(200, "The statement.", CSV).tagged(),
    get("reports", "/api/statements.xlsx", statement_query::xlsx, "statementXlsx", "The same as a spreadsheet.").needs(Read)
        .takes(&[SHOWN, STATEMENT_PART, AS_OF, RULE]).answers(200, "The statement.", XLSX).tagged(),
    get("reports", "/get_report", reports::get, "getReport", "A report, or how far it is.").needs(Read)
        .takes(&[REPORT_ID]).answers(200, PROGRESS_ABOUT, PROGRESS),
    get("reports", "/get_report/{id}", reports::get, "getReportByPath", "A report, or how far it is.").needs(Read)
        .id(REPORT).answers(200, PROGRESS_ABOUT, PROGRESS),
    get("operation", "/health", health::get, "health", "Whether the database can be read; with ready=1, whether the server is ready.")
        .takes(&[READY]).answers(200, "It can.", OBJECT).problems(&[503]),
    get("reports", "/api/reports", reports::list, "listReports", "The history of reports, newest first.")
        .needs(Read).takes(&[HISTORY])
        .answers(200, "A page of reports; next is the path of the one after, or null.", &[(JSON, "Reports")]),
    get("reports", "/api/reports/{id}.csv", reports::csv, "reportCsv", "One report's CSV.").needs(Read).id(REPORT).takes(&[FOR])
        .answers(200, "The CSV.", CSV),
    get("reports", "/api/reports/{id}.xlsx", reports::xlsx, "reportXlsx", "One report as a spreadsheet.").needs(Read).id(REPORT)
        .answers(200, "The workbook.", XLSX),
    get("reports", "/api/reports/{id}", reports::facts, "reportFacts", "One report's facts.").needs(Read).id(REPORT)
        .answers(200, "Kind, state, as_of, rule, times, size.", &[(JSON, "Report")]),
    rows("/api/polls", intake::post, "addPolls", "Takes polls: store_id, timestamp_utc, status.").needs(Ingest),
    rows("/api/business-hours", intake::post, "replaceBusinessHours", HOURS_SUMMARY).needs(Admin),
    rows("/api/special-hours", intake::post, "replaceSpecialHours", SPECIAL_SUMMARY).needs(Admin),
    rows("/api/timezones", intake::post, "replaceTimezones", "Takes time zones: store_id, timezone_str.")
        .needs(Admin),
    rows("/api/stores", intake::post, "replaceStores", STORES_SUMMARY).needs(Admin),
    get("facts", "/api/fleet", fleet::get, "fleet", "The fleet: states, the week and the one before, by owner, by hour, by weekday and hour.")
        .needs(Read).takes(&[AS_OF, RULE, OWNER]).answers(200, "The fleet.", OBJECT).tagged(),
    get("facts", "/api/incidents", incidents::list, "listIncidents", "The week's incidents of all stores, the newest first, and the causes that they share.")
        .needs(Read).takes(&[INCIDENTS, OFFSET, LIMIT, AS_OF, RULE])
        .answers(200, "A page of incidents; next is the path of the one after, or null.", OBJECT).tagged(),
    get("facts", "/api/incidents.csv", incidents::csv, "incidentsCsv", "The same incidents as CSV, all of them.")
        .needs(Read).takes(&[FOR, INCIDENTS, AS_OF, RULE]).answers(200, "The CSV.", CSV).tagged(),
    get("facts", "/api/digest", digest::get, "digest", "What a week, a month or a day was like: its sentences, the worst stores, and the period before.")
        .needs(Read).takes(&[DIGEST, AS_OF, RULE]).answers(200, "The digest.", OBJECT).problems(&[404]).tagged(),
    get("facts", "/api/stores", stores::list, "listStores", "Every store at a glance, a page at a time.")
        .needs(Read).takes(&[LIST, LIMIT, AS_OF, RULE])
        .answers(200, "A page of stores; next is the path of the one after, or null.", &[(JSON, "Stores")]).tagged(),
    get("facts", "/api/stores.csv", stores::csv, "storesCsv", "The list of stores as CSV, whole.")
        .needs(Read).takes(&[FOR, LIST, AS_OF, RULE]).answers(200, "The list.", CSV).tagged(),
    get("facts", "/api/stores/{id}", stores::facts, "storeFacts", "One store: state, windows with coverage and evidence, incidents.")
        .needs(Read).id(STORE).takes(QUESTION).answers(200, "The store.", &[(JSON, "Store")]).tagged(),
    get("facts", "/api/stores/{id}/timeline", stores::timeline, "storeTimeline", "The week before as_of, piece after piece, and every poll of eight days.")
        .needs(Read).id(STORE).takes(QUESTION)
        .answers(200, "Segments without a gap: those of a state sum to the week's number.", &[(JSON, "Timeline")]).tagged(),
    get("facts", "/api/stores/{id}/inputs", stores::inputs, "storeInputs", "All inputs of the store's numbers, as text; its SHA-256 is the checksum on the page.")
        .needs(Read).id(STORE).takes(QUESTION).answers(200, "The inputs.", &[("text/plain", "")]).tagged(),
    get("facts", "/api/stores/{id}/badge.svg", badge::get, "storeBadge", "The week's share of business time online, as a badge.")
        .needs(Read).id(STORE).takes(QUESTION).answers(200, "The badge.", &[("image/svg+xml", "")]).tagged(),
    Route::new("DELETE", "rows", "/api/stores/{id}", stores::delete, "deleteStore", "Forgets a store and all about it.")
        .needs(Admin).id(STORE).answers(200, "How many polls went.", OBJECT),
    Route::new("DELETE", "rows", "/api/stores/{id}/polls", stores::delete_polls, "deletePolls", "Takes a store's polls within a span back.")
        .needs(Admin).id(STORE).takes(&[SPAN]).answers(200, "How many polls went.", OBJECT),
    Route::new("DELETE", "rows", "/api/stores/{id}/business-hours", hours::delete_version, "deleteBusinessHours", "Takes one version of a store's business hours back.")
        .needs(Admin).id(STORE).takes(&[VERSION]).answers(200, "How many rows went.", OBJECT),
    Route::new("DELETE", "rows", "/api/stores/{id}/special-hours/{date}", hours::delete_special_day, "deleteSpecialHours", "Takes a store's special hours of a date back.")
        .needs(Admin).id(STORE).date(DATE).answers(200, "How many rows went.", OBJECT),
    get("facts", "/api/poller-outages", outages::list, "pollerOutages", "When the poller was out, in the eight days before as_of.")
        .needs(Read).takes(&[AS_OF]).answers(200, "The outages.", OBJECT),
    get("access", "/api/tokens", tokens::list, "listTokens", "All tokens, without their secrets.").needs(Admin)
        .answers(200, "The tokens.", OBJECT),
    Route::new("POST", "access", "/api/tokens", tokens::add, "addToken", "Makes a token.").needs(Admin)
        .body(Body::Fields("TokenOrder")).answers(201, "The token; its secret is shown this once.", OBJECT),
    Route::new("DELETE", "access", "/api/tokens/{id}", tokens::delete, "revokeToken", "Revokes a token, with its sessions.")
        .needs(Admin).id(TOKEN).answers(200, "It is worth nothing from now on.", OBJECT),
    get("access", "/api/links", tokens::list_links, "listLinks", "All share links, without their secrets.").needs(Admin)
        .answers(200, "The links.", OBJECT),
    Route::new("POST", "access", "/api/links", tokens::add_link, "addLink", "Makes a share link.").needs(Admin)
        .body(Body::Fields("LinkOrder")).answers(201, "The link; its path is shown this once.", OBJECT),
    Route::new("DELETE", "access", "/api/links/{id}", tokens::delete_link, "revokeLink", "Revokes a share link.")
        .needs(Admin).id(LINK).answers(200, "It leads nowhere from now on.", OBJECT),
    get("access", "/api/audit", audit::list, "listAudit", "Who changed what, the newest first.").needs(Admin).takes(&[AUDIT])
        .answers(200, "A page of rows; next is the path of the one after, or null.", OBJECT),
    get("access", "/api/messages", messages::list, "listMessages", "How each receiver fares, and the newest messages.").needs(Admin).takes(&[AUDIT])
        .answers(200, "A page of messages; next is the path of the one after, or null.", OBJECT),
    get("operation", "/openapi.json", describe, "openapi", "This document.").answers(200, "It.", OBJECT).tagged(),
    get("operation", "/api/backup", backup::get, "backup", "The database as one checked file.").needs(Admin).of_all_stores()
        .answers(200, "The backup.", &[("application/vnd.sqlite3", "")]).problems(&[503, 507]),
    get("operation", "/metrics", metrics::get, "metrics", "The server's numbers as Prometheus text.").needs(Report).of_all_stores()
        .answers(200, "The numbers.", &[("text/plain", "")]),
    page("/", pages::fleet::get, "fleetPage", "The fleet on one screen.").needs(Read)
        .takes(&[OWNER, AS_OF, LOCAL, RULE]),
    page("/stores", pages::stores::get, "storesPage", "Every store.").needs(Read)
        .takes(&[LIST, AS_OF, LOCAL, RULE, REMOVED]),
    page("/incidents", pages::incidents::get, "incidentsPage", "The incidents of the fleet.").needs(Read)
        .takes(&[INCIDENTS, OFFSET, AS_OF, LOCAL, RULE]),
    page("/stores/{id}", pages::store::get, "storePage", "One store.").needs(Read).id(STORE)
        .takes(&[AS_OF, LOCAL, RULE, OWNER]),
    Route::new("POST", "pages", "/stores/{id}/removal", pages::removal::post, "removeStore", "The form that removes a store from its page.")
        .needs(Admin).id(STORE).body(Body::Form("RemovalForm")).answers(303, "Removed; to the list.", &[])
        .pages(&[(400, "Not confirmed: it asks again.")]),
    Route::new("POST", "pages", "/stores/{id}/polls-removal", pages::take_back::post, "takePollsBack", "The form that takes a store's polls of a span back.")
        .needs(Admin).id(STORE).body(Body::Form("TakeBackForm")).answers(200, "Taken back; how many.", HTML)
        .pages(&[(400, "Not confirmed, or not a span: it asks again.")]),
    Route::new("POST", "pages", "/stores/{id}/reason", pages::reasons::post, "noteReason", "The form that says why an incident was; without a reason it takes it back.")
        .needs(Admin).id(STORE).body(Body::Form("ReasonForm")).answers(303, "Noted; back to the store.", &[]),
    page("/statements", pages::statements::get, "statementsPage", "The statement of a month, a week or any dates.").needs(Read)
        .takes(&[SHOWN, STATEMENT_PART, MADE_STATEMENT, OFFSET, AS_OF, RULE]),
    Route::new("POST", "pages", "/statements", pages::statements::post, "statementsForm", "The form of /statements: makes a long statement.")
        .needs(Report).body(Body::Form("StatementForm")).answers(303, "Made; to its page.", &[]),
    page("/digest", pages::digest::get, "digestPage", "What a week, a month or a day was like.").needs(Read)
        .takes(&[DIGEST, AS_OF, RULE]),
    page("/reports", pages::reports::get, "reportsPage", "Reports: a button and the history.").needs(Read)
        .takes(&[MADE]),
    Route::new("POST", "pages", "/reports", pages::reports::post, "reportsForm", "The form of /reports.").needs(Report)
        .body(Body::Form("ReportForm")).answers(303, "Made; back to the page.", &[])
        .pages(&[(503, "The queue is full.")]),
    page("/load", pages::load::get, "loadPage", "Files into the database.").needs(Admin),
    Route::new("POST", "pages", "/load", pages::load::post, "loadForm", "The form of /load: files, whole or not at all.")
        .needs(Admin).body(Body::Files("LoadForm")).answers(200, "Loaded.", HTML)
        .pages(&[(422, "Bad rows, to be corrected.")]),
    Route::new("POST", "pages", "/load/mend", pages::load::mend, "mendForm", "Corrected rows of refused files.")
        .needs(Admin).body(Body::Form("MendForm")).answers(200, "Loaded.", HTML)
        .pages(&[(400, "The files are not kept any more."), (422, "Rows that are still bad.")]),
    Route::new("POST", "pages", "/made-up", pages::made_up::post, "tryMadeUp", "The button of the first page: made-up stores into an empty database.")
        .needs(Admin).body(Body::Form("PageForm")).answers(303, "Filled; to the fleet.", &[]).problems(&[400]),
    Route::new("POST", "pages", "/made-up/removal", pages::made_up::remove, "removeMadeUp", "Takes the made-up stores out again.")
        .needs(Admin).body(Body::Form("PageForm")).answers(303, "Gone; to the first page.", &[]),
    page("/login", pages::login::get, "logInPage", "The form in which a person sends a token once.").takes(&[NEXT]).untagged(),
    Route::new("POST", "pages", "/login", pages::login::post, "logIn", "The form of /login: gives the browser a session.")
        .body(Body::Form("LogInForm")).answers(303, "Logged in; to the page that was wanted.", &[])
        .pages(&[(401, "The token opens nothing."), (403, "The token opens no pages, or a page of another site asks."), (429, "Too many wrong tokens from this address.")]),
    Route::new("POST", "pages", "/logout", pages::login::log_out, "logOut", "Ends the browser's session.")
        .body(Body::Form("PageForm")).answers(303, "Logged out; to /login.", &[]),
    get("alerts", "/api/alerts", alerts::list, "listAlerts", "The alert rules, and the names of the receivers.").needs(Admin)
        .answers(200, "The rules.", OBJECT),
    Route::new("POST", "alerts", "/api/alerts", alerts::add, "addAlert", "Makes an alert rule, or changes the one that `replaces` names.")
        .needs(Admin).body(Body::Fields("AlertOrder")).answers(201, "The rule.", OBJECT).problems(&[404]),
    Route::new("DELETE", "alerts", "/api/alerts/{id}", alerts::delete, "deleteAlert", "Deletes an alert rule that was made here.")
        .needs(Admin).id(ALERT).answers(200, "It says nothing from now on.", OBJECT),
    page("/alerts", pages::alerts::get, "alertsPage", "Alert rules and receivers.").needs(Admin).takes(&[EDIT]).untagged().problems(&[404]),
    page("/alerts/replay", pages::replay::get, "replayPage", "What the alert rules would have sent on some days of the past.").needs(Admin)
        .takes(&[REPLAYED]).untagged().pages(&[(400, "Not a span that it replays; it says why.")]),
    Route::new("POST", "pages", "/alerts", pages::alerts::post, "alertForm", "The form of /alerts: makes or changes a rule.")
        .needs(Admin).body(Body::Form("AlertForm")).answers(303, "Made; back to the page.", &[])
        .pages(&[(400, "Not one that can be; it says why.")]).problems(&[404]),
    Route::new("POST", "pages", "/alerts/removal", pages::alerts::remove, "deleteAlertForm", "The button that deletes a rule.")
        .needs(Admin).body(Body::Form("AlertRemovalForm")).answers(303, "Deleted; back to the page.", &[]).problems(&[404]),
    page("/access", pages::access::get, "accessPage", "Tokens and share links.").needs(Admin).untagged(),
    Route::new("POST", "pages", "/access/tokens", pages::access::add_token, "addTokenForm", "The form of /access: makes a token.")
        .needs(Admin).body(Body::Form("TokenForm")).answers(200, "Made; shown once.", HTML)
        .pages(&[(400, "Not one that can be; it says why.")]),
    Route::new("POST", "pages", "/access/tokens/revocation", pages::access::revoke_token, "revokeTokenForm", "The button that revokes a token.")
        .needs(Admin).body(Body::Form("RevocationForm")).answers(303, "Revoked; back to the page.", &[]).problems(&[404]),
    Route::new("POST", "pages", "/access/links", pages::share::post, "addLinkForm", "The button that shares a store or an owner's stores.")
        .needs(Admin).body(Body::Form("LinkForm")).answers(200, "Made; its address is shown once.", HTML),
    Route::new("POST", "pages", "/access/links/revocation", pages::access::revoke_link, "revokeLinkForm", "The button that revokes a link.")
        .needs(Admin).body(Body::Form("RevocationForm")).answers(303, "Revoked; back to the page.", &[]).problems(&[404]),
    page("/audit", pages::audit::get, "auditPage", "Who changed what.").needs(Admin).takes(&[AUDIT_BEFORE]).untagged(),
    page("/ack/{id}", pages::acknowledge::get, "alertPage", "The page of an alert's link: what it told, and a tap to acknowledge it.").id(ALERT_LINK)
        .untagged().problems(&[410, 429]),
    Route::new("POST", "pages", "/ack/{id}", pages::acknowledge::post, "acknowledge", "Acknowledges the alert, with a reason or without; no account is needed.")
        .id(ALERT_LINK).body(Body::Form("AcknowledgementForm")).answers(200, "Noted; the page tells what.", HTML)
        .pages(&[(400, "The line is too long.")]).problems(&[410, 429]),
    page("/messages", pages::messages::get, "messagesPage", "Receivers, and what became of messages to them.").needs(Admin)
        .takes(&[AUDIT_BEFORE]).untagged(),
    page("/docs", pages::docs::list, "guidesPage", "The list of guides."),
    page("/docs/{id}", pages::docs::get, "guidePage", "One guide.").id(file("Its name.")),
    get("pages", "/assets/{id}", assets::get, "asset", "A file that pages load.")
        .id(file("Its name, with a hash of its contents.")).answers(200, "The asset.", &[("*/*", "")]).tagged(),
    get("pages", "/samples/{id}", assets::sample, "sample", "A sample of an input file.").id(file("Its name."))
        .answers(200, "The sample.", CSV).tagged(),
];

/// `GET /openapi.json`.
fn describe(_app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    Ok(Response::json(200, &openapi::document(ROUTES)).revalidated())
}

/// Answers a request, unless the gate has refused it.
pub fn answer(app: &mut App, request: &mut Request<'_>, refused: Option<Response>) -> Response {
    let answer = refused.unwrap_or_else(|| by_the_table(app, request));
    let answer = pages::problem::for_browsers(app, request, answer);
    response_filters::finish(request, &app.visitor, answer)
}

/// Answers a request by the table: 404 for an unknown path, 405 with `Allow` for a known one.
fn by_the_table(app: &mut App, request: &mut Request<'_>) -> Response {
    match find(&request.method, &request.path) {
        Ok((route, captured)) => {
            // Decoded only after the match: an encoded slash is part of an id, not of the path.
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            (request.id, request.date) = (decoded(captured.id), decoded(captured.date));
            let checked = route
                .check(request)
                .and_then(|()| forms::take(route, &app.visitor, request));
            let answer = checked.and_then(|()| in_turn(route, app, request));
            answer.unwrap_or_else(|error| {
                app.site.note(&error);
                Response::from(error)
            })
        }
        Err(answer) => answer,
    }
}

/// Answers a request to `route`: a costly one in its turn.
fn in_turn(route: &Route, app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    if !route.is_costly(|name| {
        request
            .query
            .iter()
            .any(|(field, value)| field == name && !value.is_empty())
    }) {
        return (route.handler)(app, request);
    }
    let turns = Arc::clone(&app.site.turns);
    let _turn = turns.wait(app.visitor.credential)?;
    (route.handler)(app, request)
}

/// The place of a route in the table.
pub(super) fn place(route: &Route) -> Option<usize> {
    ROUTES.iter().position(|one| std::ptr::eq(one, route))
}

/// The route of a request and what its pattern captures, or the answer if there is none.
pub(super) fn find<'a>(method: &str, path: &'a str) -> std::result::Result<(&'static Route, Captured<'a>), Response> {
    // A slash at the end names the same thing.
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some(captured) = route.captured(path) else {
            continue;
        };
        // HEAD is GET without its body, which the server omits.
        if route.method == method || (route.method == "GET" && method == "HEAD") {
            return Ok((route, captured));
        }
        allowed.push(route.method);
        if route.method == "GET" {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        return Err(Response::problem(
            404,
            "there is nothing here; GET /api/reports lists reports, POST /trigger_report makes one",
        ));
    }
    allowed.dedup();
    let allowed = allowed.join(", ");
    let detail = format!("{path} does not answer {method}, only {allowed}");
    Err(Response::problem(405, &detail).with("Allow", allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_captures_one_segment_or_part_of_it() {
        let found = |path| {
            let found = find("GET", path).ok();
            found.map(|(route, captured)| (route.path, captured.id))
        };
        assert_eq!(found("/health"), Some(("/health", "")));
        let csv = "/api/reports/{id}.csv";
        assert_eq!(found("/api/reports/7.csv"), Some((csv, "7")));
        assert_eq!(found("/api/reports/7"), Some(("/api/reports/{id}", "7")));
        assert_eq!(found("/api/reports/"), Some(("/api/reports", "")));
        assert_eq!(found("/"), Some(("/", "")));
        for path in ["/api/reports//", "/api/reports/7/8", "/nowhere"] {
            assert!(found(path).is_none(), "{path}");
        }
        let date_of = |path| {
            find("DELETE", path)
                .ok()
                .map(|(_, captured)| (captured.id, captured.date))
        };
        assert_eq!(
            date_of("/api/stores/7/special-hours/2026-12-25"),
            Some(("7", "2026-12-25"))
        );
        for path in ["/api/stores/7/special-hours/", "/api/stores/7/special-hours/a/b"] {
            assert!(date_of(path).is_none(), "{path}");
        }
    }
}
