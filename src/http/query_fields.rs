//! The fields of queries and paths, in the groups that routes share.

use super::field::Field;
use super::field::Values::{self, Credential, Date, File, Instant, Number, OneOf, Owner, Period, Report, Store, Text};

/// How far into a list a page of it may begin: beyond the end of the longest.
pub(super) const OFFSET_MAX: usize = 1_000_000_000;

/// A number beyond that of every row of the audit.
pub(super) const AUDIT_LAST: usize = 1_000_000_000_000;

/// How many lines a page of a list has, at most.
pub(super) const PAGE_LINES_MAX: usize = 1000;

/// How many reports a page of the history has, at most.
pub(super) const PAGE_REPORTS_MAX: usize = 100;

const RULES: Values = OneOf(&["nearest", "previous"]);
const CUTS: Values = OneOf(&["total", "day", "week", "month"]);
const WHOSE: Values = OneOf(&["store", "group", "fleet"]);
const NUMBERINGS: Values = OneOf(&["monday=0", "monday=1", "sunday=0", "sunday=1"]);
const STATES: Values = OneOf(&["online", "offline", "closed", "not-sure", "unvouched"]);
const ORDERS: Values = OneOf(&[
    "name",
    "owner",
    "state",
    "downtime",
    "lost_sales",
    "online",
    "coverage",
    "last_poll",
]);

const fn field(name: &'static str, values: Values, about: &'static str) -> Field {
    Field::new(name, values, about)
}

pub(super) const STORE: Field = field("id", Store, "The store's id.").required();
pub(super) const TOKEN: Field = field("id", Credential, "The token's name.").required();
pub(super) const LINK: Field = field("id", Credential, "The link's name.").required();
pub(super) const ALERT: Field = field("id", Credential, "The rule's name.").required();
pub(super) const ALERT_LINK: Field = field("id", Credential, "The secret of the link, sma_….").required();
pub(super) const REPORT: Field = field("id", Report, "The report's id, a UUID.").required();
pub(super) const DATE: Field = field("date", Date, "A local date, such as 2026-12-25.").required();

/// The name of a file or page in a path.
pub(super) const fn file(about: &'static str) -> Field {
    field("id", File, about).required()
}

pub(super) const AS_OF: &[Field] = &[field(
    "as_of",
    Instant,
    "An instant, such as 2026-11-01T12:00:00Z. Default: the newest poll, or the machine's clock with --clock system.",
)];
pub(super) const EDIT: &[Field] = &[field(
    "edit",
    Text,
    "The name of a rule that was made here: the form of the page has it.",
)];
pub(super) const REPLAYED: &[Field] = &[
    field(
        "from",
        Date,
        "The first day, by the clock of most stores. Default: a week before the last.",
    ),
    field("to", Date, "The last day. Default: that of the newest poll."),
];
pub(super) const CALLBACK: &[Field] = &[field(
    "callback",
    Text,
    "The name or the URL of a webhook of the configuration: it gets the facts once the report has ended.",
)];
pub(super) const READY: &[Field] = &[field(
    "ready",
    OneOf(&["1"]),
    "Whether it would take polls and make reports now: 503 with the reasons if not.",
)];
pub(super) const LOCAL: &[Field] = &[field(
    "as_of_local",
    Text,
    "An instant by the page's clock, such as 2026-11-01T12:00; the answer is a redirect to the page with as_of.",
)];
pub(super) const FOR: &[Field] = &[field(
    "for",
    OneOf(&["spreadsheet"]),
    "Names that a spreadsheet would take for formulas get an apostrophe before them.",
)];
pub(super) const NEXT: &[Field] = &[field(
    "next",
    Text,
    "The path of this server to which the log-in leads.",
)];
pub(super) const MADE: &[Field] = &[field(
    "made",
    Text,
    "The id of a report that was just made: the page marks it.",
)];
pub(super) const REMOVED: &[Field] = &[field(
    "removed",
    Text,
    "The id of a store that was just removed: the page says so.",
)];
pub(super) const RULE: &[Field] =
    &[field("interpolation", RULES, "How the time between polls is filled in.").or(r#""nearest""#)];
pub(super) const OWNER: &[Field] = &[field("group", Owner, "Only this owner's stores.")];
const ONE_STORE: Field = field("store", Store, "Only this store.");
const WHOSE_ROWS: Field = field(
    "per",
    WHOSE,
    "Whose rows it has: each store's, each owner's, or those of all.",
)
.or(r#""store""#);
pub(super) const PERIOD: &[Field] = &[
    field(
        "from",
        Date,
        "The first date, by each store's own clock. It is required, here or in the body.",
    ),
    field("to", Date, "The last date. It is required, here or in the body."),
    field("by", CUTS, "How the period is cut; weeks are ISO weeks.").or(r#""total""#),
    WHOSE_ROWS,
    ONE_STORE,
    OWNER[0],
];
pub(super) const BAD_ROWS: &[Field] = &[
    field(
        "on_bad_row",
        OneOf(&["refuse", "skip"]),
        "Whether one bad row refuses all.",
    )
    .or(r#""refuse""#),
    field(
        "ids_as_written",
        OneOf(&["false", "true", "0", "1", "no", "yes"]),
        "Take store ids that look damaged by a spreadsheet.",
    )
    .or(r#""false""#),
    field("days", NUMBERINGS, "How the days of business hours are numbered.").or(r#""monday=0""#),
    field(
        "hours",
        OneOf(&["replace", "merge"]),
        "What new business hours replace: all of the store's version, or those of the weekdays named.",
    )
    .or(r#""replace""#),
    field(
        "valid_from",
        Date,
        "The local date from which business hours hold whose rows do not say it. Default: from the beginning.",
    ),
];
pub(super) const SHOWN: &[Field] = &[
    field(
        "period",
        Period,
        "A month such as 2026-10, or an ISO week such as 2026-W44. Default: the month of as_of.",
    ),
    field("from", Date, "The first local date, in place of a period."),
    field("to", Date, "The last local date."),
    field(
        "choice",
        OneOf(&["period", "dates"]),
        "Which of both holds if there are both. Default: the dates.",
    ),
];
pub(super) const DIGEST: &[Field] = &[
    field(
        "week",
        Period,
        "An ISO week such as 2026-W44, or a month. Default: the last whole week at as_of.",
    ),
    field("month", Period, "A month such as 2026-10, or a week."),
    field("day", Date, "A local date, in place of a week."),
    ONE_STORE,
    OWNER[0],
];
pub(super) const STATEMENT_PART: &[Field] = &[
    field(
        "by",
        CUTS,
        "How the period is cut. Default: by day for one store, else not at all.",
    ),
    WHOSE_ROWS,
    ONE_STORE,
    OWNER[0],
];
pub(super) const MADE_STATEMENT: &[Field] = &[field(
    "report",
    Report,
    "The id of a statement that was made: the page shows it.",
)];
pub(super) const REPORT_ID: &[Field] = &[field("report_id", Report, "The report's id.").required()];
pub(super) const SPAN: &[Field] = &[
    field("from", Instant, "The first instant, such as 2026-11-01T12:00:00Z.").required(),
    field("to", Instant, "The instant after the last one.").required(),
];
pub(super) const VERSION: &[Field] = &[field(
    "valid_from",
    Date,
    "The local date from which the hours hold. Without one: those that hold from the beginning.",
)];
pub(super) const HISTORY: &[Field] = &[
    field("limit", Number(1, PAGE_REPORTS_MAX), "At most 100.").or("100"),
    field("before", Report, "The last id of the page before."),
];
pub(super) const LIST: &[Field] = &[
    field(
        "q",
        Text,
        "Words of the name, the owner or the id, in any order and any case.",
    ),
    field("group", Owner, "The owner."),
    field(
        "state",
        STATES,
        "The store's state now; unvouched: too few polls in its week to be sure.",
    ),
    field("sort", ORDERS, "The column that the list is sorted by."),
    field("order", OneOf(&["asc", "desc"]), "The direction."),
    OFFSET[0],
];
pub(super) const INCIDENTS: &[Field] = &[
    field(
        "q",
        Text,
        "Words of the store's name, owner or id, in any order and any case.",
    ),
    field("group", Owner, "The owner."),
    field(
        "state",
        OneOf(&["ongoing", "ended"]),
        "Only those that go on, or only those that ended.",
    ),
    field(
        "cause",
        Instant,
        "Only those of the shared cause that begins at this instant.",
    ),
];
pub(super) const OFFSET: &[Field] = &[field("offset", Number(0, OFFSET_MAX), "How many are passed over.").or("0")];
pub(super) const LIMIT: &[Field] = &[field("limit", Number(1, PAGE_LINES_MAX), "How many, at most 1000.").or("100")];
pub(super) const AUDIT_BEFORE: &[Field] = &[field(
    "before",
    Number(1, AUDIT_LAST),
    "The number of the last row of the page before.",
)];
pub(super) const AUDIT: &[Field] = &[
    AUDIT_BEFORE[0],
    field("limit", Number(1, PAGE_LINES_MAX), "How many rows.").or("100"),
];
