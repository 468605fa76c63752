//! The panels of the dashboard: what each shows, and by which expressions.

/// A panel.
pub(super) struct Panel {
    /// Its title.
    pub(super) title: &'static str,
    /// What to look for.
    pub(super) about: &'static str,
    /// Grafana's name of the unit.
    pub(super) unit: &'static str,
    /// The lowest value of its axis, if it has one.
    pub(super) min: Option<i64>,
    /// Its expressions, each with its legend.
    pub(super) targets: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    about: &'static str,
    unit: &'static str,
    targets: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel {
        title,
        about,
        unit,
        min: Some(0),
        targets,
    }
}

/// Every panel, what matters most first. Each expression takes the server that is chosen.
#[rustfmt::skip]
pub(super) const PANELS: &[Panel] = &[
    Panel {
        min: None,
        ..panel("Ingest lag", "How far the newest poll is behind the clock. Above two usual gaps polls have stopped.", "s", &[
            (r#"store_monitor_ingest_lag_seconds{instance=~"$instance"}"#, "lag"),
            (r#"2 * store_monitor_usual_gap_seconds{instance=~"$instance"}"#, "two usual gaps"),
        ])
    },
    panel("Stores", "Stores by state, as the fleet page shows them.", "short", &[
        (r#"sum by (state) (store_monitor_store_states{instance=~"$instance"})"#, "{{state}}"),
    ]),
    panel("Conditions", "What /health says is wrong: each line at 1 is a sentence there.", "short", &[
        (r#"store_monitor_condition{instance=~"$instance"} > 0"#, "{{condition}}"),
        (r#"1 - store_monitor_database_readable{instance=~"$instance"}"#, "database unreadable"),
    ]),
    panel("Rows taken", "Rows a second that came over HTTP.", "rps", &[
        (r#"sum by (kind, outcome) (rate(store_monitor_rows_taken_total{instance=~"$instance"}[5m])) > 0"#, "{{kind}} {{outcome}}"),
    ]),
    panel("Rows refused", "Bad rows and files in five minutes, by the code that their sender was told.", "short", &[
        (r#"sum by (kind, code) (increase(store_monitor_rows_refused_total{instance=~"$instance"}[5m]))"#, "{{kind}} {{code}}"),
    ]),
    panel("Requests", "Answers a second, by status.", "reqps", &[
        (r#"sum by (status) (rate(store_monitor_http_requests_total{instance=~"$instance"}[5m]))"#, "{{status}}"),
    ]),
    panel("Slow requests", "The time within which 99 of 100 requests of a route are answered.", "s", &[
        (r#"histogram_quantile(0.99, sum by (le, method, route) (rate(store_monitor_http_request_duration_seconds_bucket{instance=~"$instance"}[5m])))"#, "{{method}} {{route}}"),
    ]),
    panel("Refusals", "Requests and connections in five minutes that no handler saw.", "short", &[
        (r#"sum by (reason) (increase(store_monitor_refusals_total{instance=~"$instance"}[5m])) > 0"#, "{{reason}}"),
        (r#"increase(store_monitor_connections_displaced_total{instance=~"$instance"}[5m])"#, "idle ones displaced"),
    ]),
    panel("Connections", "Open connections, new ones a second, and the limit.", "short", &[
        (r#"store_monitor_connections{instance=~"$instance"}"#, "open"),
        (r#"rate(store_monitor_connections_accepted_total{instance=~"$instance"}[5m])"#, "new a second"),
        (r#"store_monitor_connections_limit{instance=~"$instance"}"#, "limit"),
    ]),
    panel("Handlers", "Requests that are answered or wait for a handler.", "short", &[
        (r#"store_monitor_requests_in_hand{instance=~"$instance"}"#, "answered now"),
        (r#"store_monitor_requests_waiting{instance=~"$instance"}"#, "waiting"),
        (r#"store_monitor_requests_in_hand_limit{instance=~"$instance"}"#, "handlers"),
    ]),
    panel("Commits", "How long commits take, and how many there are a second.", "s", &[
        (r#"histogram_quantile(0.99, rate(store_monitor_commit_duration_seconds_bucket{instance=~"$instance"}[5m]))"#, "99 of 100 within"),
        (r#"histogram_quantile(0.5, rate(store_monitor_commit_duration_seconds_bucket{instance=~"$instance"}[5m]))"#, "half of them within"),
    ]),
    panel("Write queue", "Changes that wait, and changes that were turned away in five minutes.", "short", &[
        (r#"store_monitor_write_queue_changes{instance=~"$instance"}"#, "waiting"),
        (r#"sum by (reason) (increase(store_monitor_changes_refused_total{instance=~"$instance"}[5m]))"#, "refused: {{reason}}"),
        (r#"increase(store_monitor_commits_failed_total{instance=~"$instance"}[5m])"#, "failed commits"),
    ]),
    panel("Reports", "Reports that wait, and those that ended in five minutes.", "short", &[
        (r#"store_monitor_reports_waiting{instance=~"$instance"}"#, "waiting"),
        (r#"sum by (kind, state) (increase(store_monitor_reports_ended_total{instance=~"$instance"}[5m]))"#, "{{kind}} {{state}}"),
    ]),
    panel("Time of a report", "The time within which 99 of 100 reports are made.", "s", &[
        (r#"histogram_quantile(0.99, sum by (le, kind) (rate(store_monitor_report_duration_seconds_bucket{instance=~"$instance"}[15m])))"#, "{{kind}}"),
    ]),
    panel("Files", "The database and its write-ahead log.", "bytes", &[
        (r#"store_monitor_database_bytes{instance=~"$instance"}"#, "database"),
        (r#"store_monitor_log_bytes{instance=~"$instance"}"#, "log"),
    ]),
    panel("Free disk", "Free room on the database's disk.", "bytes", &[
        (r#"store_monitor_disk_free_bytes{instance=~"$instance"}"#, "free"),
    ]),
    panel("Checkpoints", "Copies of the log into the database: their time, and those that were cut short or failed.", "short", &[
        (r#"histogram_quantile(0.99, rate(store_monitor_checkpoint_duration_seconds_bucket{instance=~"$instance"}[15m]))"#, "99 of 100 within, in s"),
        (r#"increase(store_monitor_checkpoints_partial_total{instance=~"$instance"}[5m])"#, "partial"),
        (r#"increase(store_monitor_checkpoints_failed_total{instance=~"$instance"}[5m])"#, "failed"),
    ]),
    panel("Age of the newest backup", "It rises to the period of backups, and falls to 0.", "s", &[
        (r#"store_monitor_backup_age_seconds{instance=~"$instance"}"#, "age"),
    ]),
    panel("Memory", "Memory of the process, and polls that it holds.", "bytes", &[
        (r#"process_resident_memory_bytes{instance=~"$instance"}"#, "resident"),
    ]),
    panel("Processor", "Cores in use.", "short", &[
        (r#"rate(process_cpu_seconds_total{instance=~"$instance"}[5m])"#, "cores"),
    ]),
    panel("Open files", "Files and connections of the process, and how many it may have.", "short", &[
        (r#"process_open_fds{instance=~"$instance"}"#, "open"),
        (r#"process_max_fds{instance=~"$instance"}"#, "limit"),
    ]),
];
