//! The frame of every page: head, navigation, the page's instant, and links to the API.

use std::sync::Arc;

use chrono_tz::Tz;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::phrases::{self, Wall};
use crate::clock;
use crate::error::Result;
use crate::http::app::App;
use crate::http::assets;
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::interval::Micros;

/// A part of the site in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The whole fleet.
    Fleet,
    /// All stores, or one.
    Stores,
    /// Reports.
    Reports,
    /// Loading data.
    Load,
    /// The guides.
    Docs,
    /// None of them.
    Nowhere,
}

/// The frame of a page: the data's age and zone.
pub struct Frame {
    room: Section,
    newest: Option<Micros>,
    zone: Tz,
    machine: Micros,
    read_only: bool,
}

impl Frame {
    /// The frame of a page in `room`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn new(app: &mut App, room: Section) -> Result<Self> {
        let newest = app.newest_poll()?;
        let hot = Arc::clone(&app.site.hot);
        let zone = match newest {
            Some(newest) => usual_zone(&hot.inputs(app.db()?, newest)?.fleet),
            None => ZONE_DEFAULT,
        };
        Ok(Self {
            room,
            newest,
            zone,
            machine: clock::machine_us(),
            read_only: app.site.read_only_pages,
        })
    }

    /// The zone of most stores, in which the fleet's pages show times.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether pages are read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The whole page. `refresh` is the number of seconds after which it reloads itself without a
    /// script.
    pub fn page(&self, title: &str, refresh: Option<u32>, body: &Markup) -> Markup {
        let link = |room: Section, path: &str, text: &str| {
            html! { a href=(path) aria-current=[(self.room == room).then_some("page")] { (text) } }
        };
        let [style, script, icon] = assets::paths();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · store-monitor" }
                    link rel="icon" href=(icon) type="image/svg+xml";
                    link rel="stylesheet" href=(style);
                    script src=(script) defer {}
                    @if let Some(seconds) = refresh {
                        noscript { meta http-equiv="refresh" content=(seconds); }
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        a.brand href="/" { "store-monitor" }
                        nav aria-label="Pages" {
                            (link(Section::Fleet, "/", "Fleet"))
                            (link(Section::Stores, "/stores", "Stores"))
                            (link(Section::Reports, "/reports", "Reports"))
                            @if !self.read_only { (link(Section::Load, "/load", "Load data")) }
                        }
                        p.newest { (self.newest()) }
                    }
                    main #content tabindex="-1" { (body) }
                    footer.bottom {
                        p {
                            "Every number here is one of the API's too: "
                            a href="/openapi.json" { "openapi.json" }
                            ". Times are local; hover over one for UTC. "
                            (link(Section::Docs, "/docs", "Guides"))
                        }
                    }
                }
            }
        }
    }

    /// An instant in the zone of most stores, with the zone's name.
    pub fn instant(&self, at: Micros) -> Markup {
        let table = phrases::zone_near(self.zone, at);
        html! { (Wall::new(&table).full(at)) " " (phrases::city(self.zone)) }
    }

    fn newest(&self) -> Markup {
        let Some(newest) = self.newest else {
            return html! { "no poll yet" };
        };
        html! { "newest poll " (phrases::ago(self.machine - newest)) " · " (self.instant(newest)) }
    }
}

/// The zone of most stores; of equals, the first by name.
fn usual_zone(fleet: &crate::uptime::fleet::Fleet) -> Tz {
    let mut counts: std::collections::BTreeMap<&str, (usize, Tz)> = Default::default();
    for store in fleet.stores() {
        let zone = fleet.patterns()[store.pattern].zone;
        counts.entry(zone.name()).or_insert((0, zone)).0 += 1;
    }
    let most = counts
        .values()
        .rev()
        .max_by_key(|(count, _)| *count)
        .map(|&(_, zone)| zone);
    most.unwrap_or(ZONE_DEFAULT)
}

/// The hatch patterns of drawings; once a page.
pub fn hatches() -> Markup {
    let hatch = |name: &str| {
        html! {
            pattern id={"hatch-" (name)} width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect.{"hatch-" (name)} width="3" height="7" {}
            }
        }
    };
    html! {
        svg.defs width="0" height="0" aria-hidden="true" focusable="false" {
            defs { (hatch("far")) (hatch("unknown")) (hatch("outage")) }
        }
    }
}

/// The links to both rules of interpolation; `path` is the page without a query, `more` the rest of its query,
/// each field with `&` before it.
pub fn rules(path: &str, more: &str, rule: crate::uptime::timeline::Interpolation) -> Markup {
    use crate::uptime::timeline::Interpolation;
    html! {
        p.rules.screen {
            "Between polls: "
            @for (number, other) in Interpolation::ALL.into_iter().enumerate() {
                @if number > 0 { (PreEscaped(" · ")) }
                a href={(path) "?interpolation=" (other.as_str()) (more)}
                    aria-current=[(other == rule).then_some("true")] { (other.as_str()) " poll" }
            }
        }
    }
}
