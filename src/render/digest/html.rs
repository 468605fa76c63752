//! The digest as HTML for mails: tables, styles in the elements, nothing from elsewhere and no script.
//!
//! No colour of text or ground is set, so a client's dark mode has its own; bars and small print have colours that
//! both grounds carry, and clients that know media queries get better ones.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::told::{Line, Section, Told};

const FONT: &str =
    "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5";
const SMALL: &str = "font-size:14px;line-height:1.4;margin:0";
const HEADING: &str = "font-size:18px;line-height:1.3;margin:28px 0 8px";

/// Colours for clients that know media queries; without them, those in the elements stand.
const DARK: &str = ":root{color-scheme:light dark}\
    @media (prefers-color-scheme:dark){.quiet{color:#a8b0ba !important}.line{border-color:#3d444d !important}\
    .rest{background-color:#3d444d !important}.down{background-color:#f0716b !important}}";

/// The digest as a whole HTML document; `link` is the address of its page, if there is one.
pub fn html(told: &Told, link: Option<&str>) -> String {
    let document: Markup = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (told.subject) }
                style { (PreEscaped(DARK)) }
            }
            body style="margin:0;padding:16px" {
                div style={"max-width:640px;margin:0 auto;overflow-wrap:anywhere;" (FONT)} {
                    h1 style="font-size:22px;line-height:1.25;margin:0" { (told.whose) }
                    p.quiet style="margin:4px 0 16px;color:#596069" { (told.when) }
                    @for sentence in &told.sentences { p style="margin:0 0 8px" { (sentence) } }
                    (worst(told))
                    @for one in &told.sections { (section(one)) }
                    p.quiet.line style={(SMALL) ";margin-top:28px;padding-top:12px;border-top:1px solid #d0d7de;color:#596069"} {
                        (told.note)
                        @if let Some(link) = link { " " a href=(link) { "Open this digest" } }
                    }
                }
            }
        }
    };
    document.into_string()
}

fn worst(told: &Told) -> Markup {
    markup! {
        @if !told.worst.is_empty() {
            h2 style=(HEADING) { "Worst first" }
            table style="width:100%;border-collapse:collapse" {
                thead {
                    tr {
                        th scope="col" style="text-align:left;padding:0 8px 4px 0;font-weight:600;font-size:14px" { "Store" }
                        th scope="col" style="text-align:right;padding:0 0 4px 8px;font-weight:600;font-size:14px" { "Offline" }
                        th scope="col" style="text-align:right;padding:0 0 4px 12px;font-weight:600;font-size:14px" { "Online" }
                    }
                }
                tbody { @for line in &told.worst { (rows(line)) } }
            }
            @if let Some(more) = &told.worst_more { p style="margin:8px 0 0" { (more) } }
        }
    }
}

/// A store's line: its numbers, a bar of its offline share, and its incidents.
fn rows(line: &Line) -> Markup {
    let border = "border-top:1px solid #d0d7de";
    let number = "text-align:right;vertical-align:top;white-space:nowrap";
    markup! {
        tr {
            td.line style={(border) ";padding:8px 8px 0 0;vertical-align:top;font-weight:600"} { (line.name) }
            td.line style={(border) ";padding:8px 0 0 8px;" (number)} { (line.offline) }
            td.line style={(border) ";padding:8px 0 0 12px;" (number)} { (line.online) }
        }
        tr {
            td colspan="3" style="padding:4px 0 8px" {
                (bar(line.bar))
                p style=(SMALL) { (line.about) }
            }
        }
    }
}

/// A bar of two cells: offline, and the rest. What is something is never drawn as nothing.
fn bar(hundredths: i64) -> Markup {
    let down = (hundredths + 50).div_euclid(100).clamp(1, 100);
    let cell = "height:6px;padding:0;font-size:0;line-height:0";
    markup! {
        table role="presentation" aria-hidden="true" style="width:100%;border-collapse:collapse;margin:0 0 4px" {
            tbody {
                tr {
                    td.down style={(cell) ";width:" (down) "%;background-color:#c4372f"} { "\u{a0}" }
                    @if down < 100 { td.rest style={(cell) ";background-color:#d8dee4"} { "\u{a0}" } }
                }
            }
        }
    }
}

fn section(section: &Section) -> Markup {
    markup! {
        h2 style=(HEADING) { (section.heading) }
        @for line in &section.lines { p style="margin:0 0 4px" { (line) } }
    }
}
