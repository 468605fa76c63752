//! `dashboard`: the server's numbers as a dashboard of Grafana, or alert rules for Prometheus.

mod panels;

use serde_json::{Value, json};

use self::panels::{PANELS, Panel};
use super::output::print;
use crate::error::Result;

/// Alert rules for Prometheus: an example to start from.
const RULES: &str = include_str!("dashboard/rules.yml");

/// The units of Grafana's grid: its width, and the size of a panel.
const GRID: usize = 24;
const WIDTH: usize = 8;
const HEIGHT: usize = 8;

/// The options of `dashboard`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Print alert rules for Prometheus in place of the dashboard
    #[arg(long, env = "STORE_MONITOR_RULES")]
    rules: bool,
}

/// Prints the dashboard or the rules.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(options: &Options) -> Result<()> {
    match options.rules {
        true => print(RULES),
        false => print(&format!("{:#}\n", dashboard())),
    }
}

/// The dashboard, as Grafana imports it: the source of its data is chosen there.
fn dashboard() -> Value {
    let across = GRID / WIDTH;
    let panels = PANELS.iter().enumerate().map(|(place, panel)| {
        let grid = json!({
            "x": place % across * WIDTH,
            "y": place / across * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        });
        described(place + 1, panel, &grid)
    });
    json!({
        "title": "store-monitor",
        "uid": "store-monitor",
        "tags": ["store-monitor"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
            {
                "name": "instance",
                "label": "Server",
                "type": "query",
                "datasource": source(),
                "query": "label_values(store_monitor_build_info, instance)",
                "refresh": 2,
                "includeAll": true,
                "multi": true,
            },
        ]},
        "panels": panels.collect::<Vec<_>>(),
    })
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${source}"})
}

fn described(id: usize, panel: &Panel, grid: &Value) -> Value {
    let target = |(place, (expression, legend)): (usize, &(&str, &str))| {
        json!({
            "refId": char::from(b'A' + u8::try_from(place).unwrap_or(0)).to_string(),
            "datasource": source(),
            "expr": expression,
            "legendFormat": legend,
        })
    };
    json!({
        "id": id,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": source(),
        "gridPos": grid,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": panel.min}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": panel.targets.iter().enumerate().map(target).collect::<Vec<_>>(),
    })
}
