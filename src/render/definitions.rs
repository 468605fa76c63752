//! What the columns of products mean, in sentences: the second sheet of a workbook.

use crate::civil;
use crate::uptime::interval::Micros;
use crate::uptime::period::Period;
use crate::uptime::report::Question;
use crate::uptime::statement_row::{COLUMN_NAMES, COLUMNS};
use crate::uptime::timeline::Interpolation;
use crate::uptime::window::Window;

/// What a product's columns mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definitions {
    /// The title of the whole.
    pub title: String,
    /// The instant up to which polls are known.
    pub as_of: Micros,
    /// Names and their meanings, in order.
    pub meanings: Vec<(String, String)>,
}

/// The meanings of the statement's numbers, in the order of its columns.
const STATEMENT: [&str; COLUMNS] = [
    "Hours in which the store meant to be open: its business hours, special days included.",
    "Hours of business time online.",
    "Hours of business time offline.",
    "Uptime over uptime and downtime, in per cent. What is not all is never 100.00, and what is something never 0.00.",
    "The part of business time within 60 minutes of a poll that counts, in per cent.",
    "The least downtime: hours that are certainly offline. An instant is certain within 60 minutes of a poll that counts, \
     unless it lies between two polls of different status.",
    "The most downtime: business time less the hours that are certainly online.",
    "How many stretches of downtime without uptime in between there are.",
    "The least downtime times the store's sales an hour.",
    "Downtime times the store's sales an hour; empty where those are not known.",
    "The most downtime times the store's sales an hour.",
];

impl Definitions {
    /// Those of the report of the last hour, day and week.
    pub fn of_report(question: Question) -> Self {
        let mut meanings = shared(question);
        meanings.push((
            "store_id".to_owned(),
            "The store's id, as its inputs have it.".to_owned(),
        ));
        for (measure, status) in [("uptime", "online"), ("downtime", "offline")] {
            for window in Window::ALL {
                let name = format!("{measure}_last_{}", window.name());
                let mut unit = window.unit().as_str().to_owned();
                unit[..1].make_ascii_uppercase();
                let from = civil::format_utc(window.before(question.as_of).start);
                let meaning = format!("{unit} of business time {status} from {from} up to as_of.");
                meanings.push((name, meaning));
            }
        }
        meanings.push(empty());
        Self {
            title: "Uptime and downtime of the last hour, day and week".to_owned(),
            as_of: question.as_of,
            meanings,
        }
    }

    /// Those of a statement, whose first column, if it has one beside the period, is `label`.
    pub fn of_statement(question: Question, period: &Period, label: Option<&str>) -> Self {
        let [from, to] = [period.from, period.to].map(civil::format_day);
        let mut meanings = shared(question);
        let own = |name: &str, meaning: &str| (name.to_owned(), meaning.to_owned());
        if let Some(label) = label {
            let meaning = "The store's id or the owner, as the inputs have it. Business time and coverage of an owner \
                           count all its stores; the other numbers those of which something is known.";
            meanings.push(own(label, meaning));
        }
        meanings.push((
            "period".to_owned(),
            format!(
                "A part of the time from {from} to {to}, both included, by each store's own clock; it ends at as_of if that \
                 is earlier."
            ),
        ));
        let columns = COLUMN_NAMES.iter().zip(STATEMENT);
        meanings.extend(columns.map(|((name, _), meaning)| own(name, meaning)));
        meanings.push(empty());
        Self {
            title: format!("Statement from {from} to {to}"),
            as_of: question.as_of,
            meanings,
        }
    }
}

/// The instant and the rule.
fn shared(question: Question) -> Vec<(String, String)> {
    let rule = match question.rule {
        Interpolation::Nearest => "nearest: each instant has the status of the nearest poll that counts.",
        Interpolation::Previous => "previous: each instant has the status of the last poll that counts before it.",
    };
    vec![
        ("as_of".to_owned(), civil::format_utc(question.as_of)),
        ("interpolation".to_owned(), rule.to_owned()),
        (
            "business time".to_owned(),
            "The time in which a store means to be open. Only polls inside it count.".to_owned(),
        ),
    ]
}

fn empty() -> (String, String) {
    (
        "an empty cell".to_owned(),
        "Unknown: no poll counts, or the store's sales are not known. Without business time, hours are 0.00."
            .to_owned(),
    )
}
