//! The guides as pages: `/docs` lists them, `/docs/NAME` shows one.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

use super::layout::{Frame, Section};
use crate::docs::{GUIDES, Guide};
use crate::error::{Error, Result};
use crate::http::App;
use crate::http::request::Request;
use crate::http::response::Response;

/// `GET /docs`.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let body = html! {
        h1 { "Guides" }
        section.card.guide {
            ul { @for guide in &GUIDES { li { a href={"/docs/" (guide.name)} { (guide.name) } ": " (guide.about) } } }
        }
    };
    let page = Frame::new(app, request, Section::Docs)?.page("Guides", None, &body);
    Ok(Response::page(200, page))
}

/// `GET /docs/NAME`.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let found = GUIDES.iter().find(|guide| guide.name == request.id);
    let guide = found.ok_or_else(|| {
        let names = GUIDES.map(|guide| guide.name).join(", ");
        Error::not_found(format!("there is no such guide (there are {names})"))
    })?;
    let body = html! {
        nav.rules aria-label="Guides" {
            @for Guide { name, .. } in &GUIDES {
                a href={"/docs/" (name)} aria-current=[(*name == guide.name).then_some("page")] { (name) } " "
            }
        }
        article.card.guide { (markdown(guide.text)) }
    };
    let page = Frame::new(app, request, Section::Docs)?.page(guide.name, None, &body);
    Ok(Response::page(200, page))
}

/// The text as HTML. HTML in it is shown as text, and comments are omitted. Links to other guides lead to their
/// pages; links to the project's files, which a server does not have, become text.
fn markdown(text: &str) -> Markup {
    let mut is_unlinked = false;
    let event = |event| match event {
        Event::Html(text) | Event::InlineHtml(text) => (!text.starts_with("<!--")).then_some(Event::Text(text)),
        Event::Start(Tag::Link { dest_url, .. }) if dest_url.starts_with("..") => {
            is_unlinked = true;
            None
        }
        Event::End(TagEnd::Link) if std::mem::take(&mut is_unlinked) => None,
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let dest_url = match dest_url.strip_suffix(".md") {
                Some(name) => CowStr::from(name.to_owned()),
                None => dest_url,
            };
            Some(Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }))
        }
        event => Some(event),
    };
    let mut html = String::new();
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(event);
    pulldown_cmark::html::push_html(&mut html, events);
    PreEscaped(html)
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn links_lead_to_pages_and_html_is_text() {
        let html = |text| markdown(text).into_string();
        assert_eq!(
            html("[a](import.md) [b](https://a.b/c) [`d`](../../schema.sql)"),
            "<p><a href=\"import\">a</a> <a href=\"https://a.b/c\">b</a> <code>d</code></p>\n"
        );
        assert_eq!(html("<b>x</b>"), "<p>&lt;b&gt;x&lt;/b&gt;</p>\n");
        assert_eq!(html("<script>\nx\n</script>"), "&lt;script&gt;\nx\n&lt;/script&gt;");
        assert_eq!(html("<!-- a note -->\n\nb"), "<p>b</p>\n");
        assert!(html("| a |\n| --- |\n| b |\n").contains("<td>b</td>"));
    }
}
