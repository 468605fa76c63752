//! A row of the report: uptime and downtime of each window, in hundredths of its unit.
//!
//! Reports are stored as these numbers and rendered from them.

use super::interval::Micros;
use super::window::{PerWindow, Unit, Window, WindowTotal};

/// How many numbers a row has: uptime of every window, then downtime of every window.
pub const COLUMNS: usize = 2 * Window::ALL.len();

/// The numbers of a row, two bytes each, little-endian; [`UNKNOWN`] where the report has none.
pub type Cells = [u8; 2 * COLUMNS];

/// Stands for an unknown number.
pub const UNKNOWN: u16 = u16::MAX;

/// The largest number in a row: the whole of the longest window.
pub const HUNDREDTHS_MAX: Micros = {
    let (mut most, mut next) = (0, 0);
    while next < Window::ALL.len() {
        let window = Window::ALL[next];
        let hundredths = window.length() / window.unit().hundredth();
        most = if hundredths > most { hundredths } else { most };
        next += 1;
    }
    assert!(
        most < UNKNOWN as Micros,
        "a window this long needs wider cells, and a kind of report that says so"
    );
    most
};

/// The numbers of a store's totals, halves rounded up.
pub fn cells(totals: &PerWindow<WindowTotal>) -> Cells {
    let mut cells = [0; 2 * COLUMNS];
    let (pairs, _) = cells.as_chunks_mut();
    let (ups, downs) = pairs.split_at_mut(Window::ALL.len());
    let pairs = ups.iter_mut().zip(downs);
    for (window, (up, down)) in Window::ALL.into_iter().zip(pairs) {
        let cell = |micros| u16::try_from(hundredths(micros, window.unit())).unwrap_or(UNKNOWN);
        let known = totals[window].known();
        let known = known.map_or((UNKNOWN, UNKNOWN), |(up, down)| (cell(up), cell(down)));
        (*up, *down) = (known.0.to_le_bytes(), known.1.to_le_bytes());
    }
    cells
}

/// The numbers of a row, in order.
pub fn numbers(cells: &Cells) -> impl Iterator<Item = u16> {
    cells.as_chunks().0.iter().map(|&cell| u16::from_le_bytes(cell))
}

/// A length of time in hundredths of a unit, halves rounded up.
pub fn hundredths(micros: Micros, unit: Unit) -> Micros {
    // Each division is by a constant, so the compiler multiplies.
    match unit {
        Unit::Minutes => (micros + Unit::Minutes.hundredth() / 2) / Unit::Minutes.hundredth(),
        Unit::Hours => (micros + Unit::Hours.hundredth() / 2) / Unit::Hours.hundredth(),
    }
}

/// The numbers of one window as the report writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Uptime, in the window's unit.
    pub uptime: String,
    /// Downtime, in the same unit.
    pub downtime: String,
}

impl Figures {
    /// The figures of a window's total; none if it is unknown.
    pub fn of(total: &WindowTotal, window: Window) -> Option<Self> {
        let (uptime, downtime) = total.known()?;
        Some(Self {
            uptime: figure(uptime, window.unit()),
            downtime: figure(downtime, window.unit()),
        })
    }
}

/// A length of time in hours, rounded like the report; it may be longer than a window.
pub fn hours(micros: Micros) -> String {
    figure(micros, Unit::Hours)
}

/// A length of time in a unit, rounded like the report.
pub fn figure(micros: Micros, unit: Unit) -> String {
    let hundredths = hundredths(micros, unit);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::super::interval::{DAY, HOUR};
    use super::*;

    #[test]
    fn numbers_have_two_decimals_and_halves_round_up() {
        let minutes = |micros| figure(micros, Unit::Minutes);
        assert_eq!(
            [0, 299_999, 300_000, 600_000].map(minutes),
            ["0.00", "0.00", "0.01", "0.01"]
        );
        assert_eq!(minutes(HOUR), "60.00");
        assert_eq!(hours(7 * DAY), "168.00");
        assert_eq!(hours(31 * DAY), "744.00");
        assert_eq!(hours(10 * HOUR - 1), "10.00");
        assert_eq!(HUNDREDTHS_MAX, 16_800);
    }

    #[test]
    fn a_row_has_all_uptimes_before_all_downtimes() {
        let totals = PerWindow::new(|window| match window {
            Window::Hour => WindowTotal::Closed,
            Window::Day => WindowTotal::Unknown { business: 1 },
            Window::Week => WindowTotal::Known {
                uptime: HOUR,
                downtime: 7 * DAY - HOUR,
            },
        });
        let numbers: Vec<_> = numbers(&cells(&totals)).collect();
        assert_eq!(numbers, [0, UNKNOWN, 100, 0, UNKNOWN, 16_700]);
    }
}
