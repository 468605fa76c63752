//! Wall times of business hours, in every form with one reading.

use super::field::{Fault, RowNotes};
use crate::civil::parse_local_time;
use crate::ingest::problem::{Code, excerpt};
use crate::uptime::interval::{DAY, HOUR, MINUTE, Micros};

/// The end of a stretch, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `09:00:00`.
    Usual,
    /// `9:00`.
    Short,
    /// `9:00 AM`, `0900`, `26:00`.
    Other,
}

/// The opening and the closing of a row, whose texts are in slots 2 and 3.
pub(super) fn times<'a>(
    fields: [&'a [u8]; 2],
    texts: [&str; 2],
    notes: &mut RowNotes,
) -> Result<[Micros; 2], Fault<'a>> {
    let [start, mut end] = [(2, fields[0], texts[0]), (3, fields[1], texts[1])].map(|(slot, field, text)| {
        let Some((time, form)) = parse(text) else {
            let reason = format!(
                "no time of day `{}` (expected a form like `09:00:00`)",
                excerpt(text.as_bytes())
            );
            return Err(Fault::of(slot, field, Code::Time, reason));
        };
        Ok((time, form))
    });
    let (start, start_form) = start?;
    if start >= DAY {
        let reason = "a day cannot start at or after its end (write the time on the row of the next day)";
        return Err(Fault::of(2, fields[0], Code::Time, reason));
    }
    if let Ok((time, Form::Other)) = &mut end
        && *time > DAY
    {
        // Timetables count on after midnight: 26:00 is 02:00 of the next day.
        *time -= DAY;
        if *time > start {
            let reason = "a stretch of more than 24 hours (write it as two rows, one for each day)";
            return Err(Fault::of(3, fields[1], Code::Time, reason));
        }
    }
    let (end, end_form) = end?;
    for form in [start_form, end_form] {
        match form {
            Form::Usual => {}
            Form::Short => notes.add(Code::TimeShort),
            Form::Other => notes.add(Code::TimeForm),
        }
    }
    if [start, end] == [0, 0] {
        notes.add(Code::MidnightToMidnight);
    }
    Ok([start, end])
}

fn parse(text: &str) -> Option<(Micros, Form)> {
    if let Some(time) = parse_local_time(text) {
        return Some((time.us_local, if time.short { Form::Short } else { Form::Usual }));
    }
    let other = twelve_hours(text)
        .or_else(|| four_digits(text))
        .or_else(|| after_midnight(text))?;
    Some((other, Form::Other))
}

/// `9:00 AM`, `9am`, `12:30:00 p.m.`: 12 AM is midnight and 12 PM is noon.
fn twelve_hours(text: &str) -> Option<Micros> {
    let text = text.to_ascii_lowercase();
    let text = text.replace("a.m.", "am").replace("p.m.", "pm");
    let (clock, half) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(clock), _) => (clock, 0),
        (_, Some(clock)) => (clock, DAY / 2),
        _ => return None,
    };
    let clock = clock.trim_end();
    if !clock.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let of_day = if clock.contains(':') {
        parse_local_time(clock)?.us_local
    } else {
        clock.parse::<u8>().ok().map(|hour| i64::from(hour) * HOUR)?
    };
    (HOUR..13 * HOUR).contains(&of_day).then(|| of_day % (DAY / 2) + half)
}

/// `0900`, `2400`.
fn four_digits(text: &str) -> Option<Micros> {
    let is_number = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = text.parse().ok().filter(|_| is_number)?;
    let time = number / 100 * HOUR + number % 100 * MINUTE;
    (number % 100 < 60 && time <= DAY).then_some(time)
}

/// `25:00` to `48:00`, with or without seconds.
fn after_midnight(text: &str) -> Option<Micros> {
    let (hour, rest) = text.split_once(':')?;
    let hour: i64 = hour.parse().ok().filter(|hour| (24..=48).contains(hour))?;
    let time = parse_local_time(&format!("{:02}:{rest}", hour - 24))?;
    let time = time.us_local + DAY;
    (time <= 2 * DAY).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_with_one_reading_is_read() {
        let minute = |hour: i64, minute: i64| hour * HOUR + minute * MINUTE;
        for (text, expected, form) in [
            ("09:00:00", minute(9, 0), Form::Usual),
            ("9:00", minute(9, 0), Form::Short),
            ("9:00 AM", minute(9, 0), Form::Other),
            ("5:30 pm", minute(17, 30), Form::Other),
            ("9am", minute(9, 0), Form::Other),
            ("11 p.m.", minute(23, 0), Form::Other),
            ("12:00 AM", 0, Form::Other),
            ("12:15PM", minute(12, 15), Form::Other),
            ("0900", minute(9, 0), Form::Other),
            ("0000", 0, Form::Other),
            ("2400", DAY, Form::Other),
            ("26:00", minute(26, 0), Form::Other),
            ("25:30:00", minute(25, 30), Form::Other),
        ] {
            assert_eq!(parse(text), Some((expected, form)), "{text}");
        }
        for text in [
            "13:00 PM", "0:30 am", "900", "0960", "2401", "9", "9.00", "49:00", "am", "noon", "24:61", "+9am",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_end_after_midnight_is_on_the_next_day() {
        let read = |start: &str, end: &str| {
            let mut notes = RowNotes::default();
            times([b"", b""], [start, end], &mut notes).map_err(|fault| fault.slot)
        };
        assert_eq!(read("09:00", "26:00"), Ok([9 * HOUR, 2 * HOUR]));
        assert_eq!(read("09:00", "33:00"), Ok([9 * HOUR, 9 * HOUR]));
        assert_eq!(read("09:00", "34:00"), Err(Some(3)));
        assert_eq!(read("25:00", "26:00"), Err(Some(2)));
        assert_eq!(read("24:00", "26:00"), Err(Some(2)));
        assert_eq!(read("0900", "12:00 AM"), Ok([9 * HOUR, 0]));
    }
}
