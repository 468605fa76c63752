//! What every page has: head, navigation, the instant it is of, and the way to the API.
//!
//! It must never know what a page shows.

use std::sync::Arc;

use chrono_tz::Tz;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words::{self, Wall};
use crate::clock;
use crate::db::polls;
use crate::error::Result;
use crate::http::{App, assets};
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::interval::Micros;

/// A part of the site that the navigation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
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

/// What the frame of a page says about the data.
pub struct Frame {
    room: Room,
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
    pub fn new(app: &mut App, room: Room) -> Result<Self> {
        let newest = polls::newest(app.db()?)?;
        let hot = Arc::clone(&app.shared.hot);
        let zone = match newest {
            Some(newest) => usual_zone(&hot.inputs(app.db()?, newest)?.fleet),
            None => ZONE_DEFAULT,
        };
        Ok(Self {
            room,
            newest,
            zone,
            machine: clock::machine_us(),
            read_only: app.shared.read_only_pages,
        })
    }

    /// The zone of most stores: whose clock the fleet's pages show.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether pages may not change anything.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The whole page; `refresh` is after how many seconds it asks for itself again where there is no
    /// script.
    pub fn page(&self, title: &str, refresh: Option<u32>, body: &Markup) -> Markup {
        let link = |room: Room, path: &str, text: &str| {
            html! { a href=(path) aria-current=[(self.room == room).then_some("page")] { (text) } }
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · store-monitor" }
                    link rel="icon" href=(assets::icon()) type="image/svg+xml";
                    link rel="stylesheet" href=(assets::style());
                    script src=(assets::script()) defer {}
                    @if let Some(seconds) = refresh {
                        noscript { meta http-equiv="refresh" content=(seconds); }
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        a.brand href="/" { "store-monitor" }
                        nav aria-label="Pages" {
                            (link(Room::Fleet, "/", "Fleet"))
                            (link(Room::Stores, "/stores", "Stores"))
                            (link(Room::Reports, "/reports", "Reports"))
                            @if !self.read_only { (link(Room::Load, "/load", "Load data")) }
                        }
                        p.newest { (self.newest()) }
                    }
                    main #content tabindex="-1" { (body) }
                    footer.bottom {
                        p {
                            "Every number here is one of the API's too: "
                            a href="/openapi.json" { "openapi.json" }
                            ". Times are local; hover over one for UTC. "
                            (link(Room::Docs, "/docs", "Guides"))
                        }
                    }
                }
            }
        }
    }

    fn newest(&self) -> Markup {
        let Some(newest) = self.newest else {
            return html! { "no poll yet" };
        };
        let table = words::zone_near(self.zone, newest);
        html! {
            "newest poll " (words::ago(self.machine - newest)) " · "
            (Wall::new(&table).full(newest)) " " (words::city(self.zone))
        }
    }
}

/// The zone that most stores keep; of equals the first by name.
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

/// The patterns that drawings fill with; once a page.
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

/// The links to both rules of interpolation; `path` is the page without a query, `more` what its query
/// has beside the rule, beginning with `&` if it has anything.
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
