//! `[[alert]]`: when which receiver is told.

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::section::Section;
use crate::access::Audience;
use crate::alerts::rule::{QuietHours, REMIND_MIN, Rule, When};
use crate::error::Result;

/// The rule that a table describes.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read(mut table: Section) -> Result<Rule> {
    let name = table.required("name")?;
    let to = table.texts("to")?;
    if to.is_empty() {
        return Err(table.wrong("to", "no receiver is named (write to = \"NAME\" of a [[receiver]])"));
    }
    let defaults = Rule::new(name, to);
    let when = match table.texts("when")? {
        words if words.is_empty() => defaults.when.clone(),
        words => conditions(&table, &words)?,
    };
    let rule = Rule {
        stores: stores(&mut table)?,
        when,
        after: table.length("after")?,
        silent_gaps: gaps(&mut table)?.unwrap_or(defaults.silent_gaps),
        group_within: table.length("group_within")?.unwrap_or(defaults.group_within),
        quiet_before_close: table
            .length("quiet_before_close")?
            .unwrap_or(defaults.quiet_before_close),
        quiet: quiet(&mut table)?,
        remind: table.length("remind")?,
        escalate_after: table.length("escalate_after")?,
        escalate_to: table.texts("escalate_to")?,
        ..defaults
    };
    if rule.remind.is_some_and(|remind| remind < REMIND_MIN) {
        return Err(table.wrong("remind", "is shorter than 15m (write a longer time)"));
    }
    if rule.escalate_after.is_some() == rule.escalate_to.is_empty() {
        return Err(table.wrong("escalate_to", "goes with escalate_after (write both, or neither)"));
    }
    table.finish()?;
    Ok(rule)
}

/// The rule that a text describes: the keys of a table, without its head. Errors begin with the key.
///
/// # Errors
/// As [`read`]; when the text is no TOML.
pub fn parse(text: &str) -> Result<Rule> {
    read(Section::parse("", text)?)
}

fn conditions(table: &Section, words: &[String]) -> Result<Vec<When>> {
    let condition = |word: &String| {
        When::from_name(word).ok_or_else(|| {
            let names: Vec<_> = When::ALL.into_iter().map(When::as_str).collect();
            table.wrong("when", &format!("`{word}` is none of {}", names.join(", ")))
        })
    };
    words.iter().map(condition).collect()
}

fn stores(table: &mut Section) -> Result<Audience> {
    let (store, groups) = (table.text("store")?, table.texts("group")?);
    match (store, groups.is_empty()) {
        (None, true) => Ok(Audience::All),
        (None, false) => Ok(Audience::of_groups(groups)),
        (Some(store), true) => Ok(Audience::Store(store.into())),
        (Some(_), false) => Err(table.wrong("store", "goes not with group (write one of them)")),
    }
}

fn gaps(table: &mut Section) -> Result<Option<u32>> {
    let Some(gaps) = table.number("silent_gaps")? else {
        return Ok(None);
    };
    let gaps = u32::try_from(gaps).ok().filter(|gaps| (2..=1000).contains(gaps));
    match gaps {
        Some(gaps) => Ok(Some(gaps)),
        None => Err(table.wrong("silent_gaps", "is not from 2 to 1000")),
    }
}

fn quiet(table: &mut Section) -> Result<Option<QuietHours>> {
    let (quiet, zone) = (table.text("quiet")?, table.text("timezone")?);
    let Some(text) = quiet else {
        return match zone {
            None => Ok(None),
            Some(_) => Err(table.wrong("timezone", "is that of quiet, which is missing")),
        };
    };
    let zone =
        zone.ok_or_else(|| table.wrong("timezone", "is missing (quiet hours need a zone, such as Europe/Paris)"))?;
    let zone: Tz = zone.parse().map_err(|_| {
        table.wrong(
            "timezone",
            &format!("`{zone}` is no IANA name (write it as Europe/Paris)"),
        )
    })?;
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let times = text
        .split_once('-')
        .and_then(|(start, end)| Some((time(start)?, time(end)?)));
    match times {
        Some((start_local, end_local)) if start_local != end_local => Ok(Some(QuietHours {
            start_local,
            end_local,
            zone,
        })),
        _ => Err(table.wrong("quiet", &format!("`{text}` is not two times (write 22:00-07:00)"))),
    }
}
