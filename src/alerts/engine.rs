//! The engine: applies rules to a minute, and makes the alerts of it.
//!
//! Whatever it remembers is in its [`State`]. A rule tells of a store at most once until the store is back. Messages
//! wait for stores that join them ([`Rule::group_within`]), and for the end of quiet hours.

use std::collections::{BTreeSet, HashSet};

use super::alert::{About, Alert, Cause, Line};
use super::day::Day;
use super::level::{Level, Store};
use super::rule::{Rule, When};
use super::state::{OpenAlert, Poller, Returned, RuleState, State, Told, Trouble};
use super::watch::Watch;
use crate::uptime::fleet::StoreKey;
use crate::uptime::history::History;
use crate::uptime::interval::{HOUR, Interval, Micros};

/// So many stores of one message make those suspects that have an owner in common with them.
pub const MANY: usize = 3;

/// How long good news of stores that were closed wait for each other.
const LATER_NEWS: Micros = HOUR;

/// Applies rules minute by minute.
#[derive(Debug, Default)]
pub struct Engine {
    rules: Vec<Rule>,
    /// What it remembers.
    pub state: State,
    watch: Watch,
}

/// A minute of a fleet, for one rule.
struct Minute<'a> {
    day: &'a Day,
    watch: &'a Watch,
    rule: &'a Rule,
    poller: Poller,
    at: Micros,
}

impl Engine {
    /// An engine with these rules, which goes on from `state`. What it remembers of other rules is dropped.
    pub fn new(rules: Vec<Rule>, mut state: State) -> Self {
        state
            .rules
            .retain(|name, _| rules.iter().any(|rule| rule.name == *name));
        Self {
            rules,
            state,
            watch: Watch::default(),
        }
    }

    /// The rules that it applies.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The keys of the alerts that nobody acknowledged yet.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        let alerts = self.state.rules.values().flat_map(|rule| &rule.alerts);
        alerts
            .filter(|alert| !alert.acknowledged)
            .map(|alert| alert.key.as_str())
    }

    /// Notes that a receiver acknowledged an alert: it is not repeated, nor told to others.
    pub fn acknowledge(&mut self, key: &str) {
        let alerts = self.state.rules.values_mut().flat_map(|rule| &mut rule.alerts);
        for alert in alerts.filter(|alert| alert.key == key) {
            alert.acknowledged = true;
        }
    }

    /// Looks at every store again: polls or stores may have changed otherwise than by time.
    pub fn refresh(&mut self) {
        self.watch.wake_all();
    }

    /// The alerts of the minute `at`. `history` has all polls from [`REACH`](super::day::REACH) before it; later ones
    /// change nothing. Minutes come in order.
    pub fn step(&mut self, day: &Day, history: &History, at: Micros) -> Vec<Alert> {
        let before = self.state.poller;
        let mut woken = self.watch.look(day, history, before, at);
        let poller = self.watch.poller(before, at);
        if poller != before {
            self.watch.wake_all();
            woken = self.watch.look(day, history, poller, at);
        }
        self.state.poller = poller;
        let mut alerts = Vec::new();
        for rule in &self.rules {
            let state = self.state.rules.entry(rule.name.clone()).or_default();
            let minute = Minute {
                day,
                watch: &self.watch,
                rule,
                poller,
                at,
            };
            minute.tell_poller(state, before, &mut alerts);
            minute.tell_backups(state, self.state.backups_missed, &mut alerts);
            for &place in &woken {
                let store = &day.fleet.stores()[place];
                if rule.stores.has(&store.id, &day.owners[place]) {
                    minute.follow(state, store.key, &self.watch.store(day, poller, at, place));
                }
            }
            if !rule.is_quiet(at) {
                minute.send_due(state, &mut alerts);
                minute.repeat(state, &mut alerts);
            }
        }
        alerts
    }
}

impl<'a> Minute<'a> {
    fn store(&self, key: StoreKey) -> Option<(usize, Store<'a>)> {
        let place = self.day.place(key)?;
        Some((place, self.watch.store(self.day, self.poller, self.at, place)))
    }

    fn alert(&self, what: When, cause: Cause, about: About) -> Alert {
        let rule = self.rule;
        Alert {
            key: format!(
                "alert/{}/{}/{}/{}",
                rule.name,
                what.as_str(),
                cause.as_str(),
                self.at / 1_000_000
            ),
            rule: rule.name.clone(),
            at: self.at,
            what,
            cause,
            about,
            passed: 0,
            to: rule.to.clone(),
            acknowledges: None,
        }
    }

    /// Sends an alert that is open until its stores are back; with none, until its cause has ended.
    fn open(&self, state: &mut RuleState, mut alert: Alert, alerts: &mut Vec<Alert>) {
        alert.acknowledges = Some(alert.key.clone());
        state.alerts.push(OpenAlert {
            key: alert.key.clone(),
            what: alert.what,
            stores: alert.lines().iter().map(|line| line.store).collect(),
            sent_at: self.at,
            last_at: self.at,
            acknowledged: false,
            escalated: false,
        });
        alerts.push(alert);
    }

    fn tell_poller(&self, state: &mut RuleState, before: Poller, alerts: &mut Vec<Alert>) {
        let what = When::PollerOutage;
        if self.poller.away_since.is_some() && before.away_since.is_none() {
            // The outage explains them.
            state.waiting.retain(|_, trouble| trouble.what != When::Silent);
        }
        if !self.rule.when.contains(&what) || self.rule.is_quiet(self.at) {
            return;
        }
        match (self.poller.away_since, state.outage) {
            (Some(since), None) => {
                state.outage = Some(since);
                let Poller { overdue, expected, .. } = self.poller;
                let about = About::PollerAway {
                    since,
                    overdue,
                    expected,
                };
                self.open(state, self.alert(what, Cause::News, about), alerts);
            }
            (None, Some(since)) => {
                state.outage = None;
                state.alerts.retain(|alert| alert.what != what);
                if self.rule.when.contains(&When::BackOnline) {
                    let until = self.poller.back_at.unwrap_or(self.at);
                    let about = About::PollerBack(Interval::new(since, until));
                    let mut alert = self.alert(what, Cause::News, about);
                    alert.key += "/back";
                    alerts.push(alert);
                }
            }
            _ => {}
        }
    }

    fn tell_backups(&self, state: &mut RuleState, missed: Option<Micros>, alerts: &mut Vec<Alert>) {
        let what = When::Backup;
        if !self.rule.when.contains(&what) || self.rule.is_quiet(self.at) {
            return;
        }
        match (missed, state.backups) {
            (Some(since), None) => {
                state.backups = Some(since);
                self.open(
                    state,
                    self.alert(what, Cause::News, About::BackupsMissed(since)),
                    alerts,
                );
            }
            (None, Some(_)) => {
                state.backups = None;
                state.alerts.retain(|alert| alert.what != what);
                if self.rule.when.contains(&When::BackOnline) {
                    let mut alert = self.alert(what, Cause::News, About::BackupsMade);
                    alert.key += "/back";
                    alerts.push(alert);
                }
            }
            _ => {}
        }
    }

    /// Follows one store: its trouble begins to wait for a message, or ends.
    fn follow(&self, state: &mut RuleState, key: StoreKey, store: &Store<'_>) {
        let level = store.level(self.rule);
        if let Some(&told) = state.told.get(&key) {
            if let Some(back_at) = store.ended(self.rule, &told) {
                state.told.remove(&key);
                let others = state.settle(key);
                if self.rule.when.contains(&When::BackOnline) && !told.suspected {
                    state.returned.insert(key, Returned { told, back_at });
                    // The others of its message are asked within the poller's next round.
                    let round = store.rhythm.usual_gap.max(self.rule.wait());
                    let wait = if others { round } else { self.rule.wait() };
                    let due = state.due.entry(When::BackOnline).or_insert(self.at + wait);
                    *due = (*due).min(self.at + wait);
                }
            } else if told.suspected && level == Level::Fine && store.sight.stretch.is_some() {
                state.told.remove(&key);
                state.settle(key);
            }
        }
        match level {
            Level::Trouble(trouble) => {
                if let Some(returned) = state.returned.remove(&key) {
                    // It wavered: no message said that it was back, so none says that it is offline again.
                    state.told.insert(key, returned.told);
                }
                let told = state
                    .told
                    .get_mut(&key)
                    .filter(|told| told.trouble.what == trouble.what);
                let is_told = told.is_some();
                if let Some(told) = told.filter(|told| told.suspected) {
                    (told.trouble, told.suspected) = (trouble, false);
                }
                if is_told || !store.may_be_told(self.rule, &trouble) {
                    return;
                }
                state.waiting.insert(key, trouble);
                let due = self.at + self.rule.wait();
                state.due.entry(trouble.what).or_insert(due);
            }
            Level::Suspect(_) => {}
            Level::Fine if store.sight.stretch.is_some() => {
                state.passed += usize::from(state.waiting.remove(&key).is_some());
            }
            Level::Fine => {}
        }
    }

    /// Sends the messages whose time has come.
    fn send_due(&self, state: &mut RuleState, alerts: &mut Vec<Alert>) {
        for what in [When::Offline, When::Silent, When::BackOnline] {
            if state.due.get(&what).is_none_or(|&due| due > self.at) {
                continue;
            }
            match what {
                When::BackOnline => self.send_back(state, alerts),
                _ => self.send_trouble(state, what, alerts),
            }
        }
    }

    fn send_trouble(&self, state: &mut RuleState, what: When, alerts: &mut Vec<Alert>) {
        state.due.remove(&what);
        let waiting: Vec<(StoreKey, Trouble)> = state
            .waiting
            .iter()
            .filter(|(_, trouble)| trouble.what == what)
            .map(|(&key, &trouble)| (key, trouble))
            .collect();
        let mut lines = Vec::new();
        let mut owners = HashSet::new();
        for (key, was) in waiting {
            state.waiting.remove(&key);
            let Some((place, store)) = self.store(key) else {
                continue;
            };
            // As it is now: more polls may have come. One that is closed now waits for its next business time.
            let trouble = match store.level(self.rule) {
                Level::Trouble(trouble) | Level::Suspect(trouble) if trouble.what == what => trouble,
                _ => was,
            };
            if !store.may_be_told(self.rule, &trouble) {
                continue;
            }
            owners.insert(self.day.owners[place].as_str());
            lines.push(Line::of(
                key,
                &Told {
                    trouble,
                    suspected: false,
                },
                None,
            ));
        }
        if lines.len() >= MANY {
            self.add_suspects(state, what, &owners, &mut lines);
        }
        if lines.is_empty() {
            return;
        }
        for line in &lines {
            state.settle(line.store);
            let told = Told {
                trouble: line.trouble,
                suspected: line.suspected,
            };
            state.told.insert(line.store, told);
        }
        let mut alert = self.alert(what, Cause::News, About::Stores(lines));
        alert.passed = std::mem::take(&mut state.passed);
        self.open(state, alert, alerts);
    }

    /// Adds the stores of the same owners that are about to be in the same trouble: the cause is probably theirs
    /// together, and one message tells it.
    fn add_suspects(&self, state: &RuleState, what: When, owners: &HashSet<&str>, lines: &mut Vec<Line>) {
        let named: BTreeSet<StoreKey> = lines.iter().map(|line| line.store).collect();
        for (place, store) in self.day.fleet.stores().iter().enumerate() {
            let owner = self.day.owners[place].as_str();
            if !owners.contains(owner) || named.contains(&store.key) || state.told.contains_key(&store.key) {
                continue;
            }
            if !self.rule.stores.has(&store.id, owner) {
                continue;
            }
            let seen = self.watch.store(self.day, self.poller, self.at, place);
            if let Level::Suspect(trouble) = seen.level(self.rule)
                && trouble.what == what
                && seen.may_be_told(self.rule, &trouble)
            {
                let told = Told {
                    trouble,
                    suspected: true,
                };
                lines.push(Line::of(store.key, &told, None));
            }
        }
    }

    fn send_back(&self, state: &mut RuleState, alerts: &mut Vec<Alert>) {
        // Those that are closed, or about to close, are told of in their next business time.
        let is_open = |key: StoreKey| self.store(key).map(|(_, store)| store.is_in_hours(self.rule));
        let (mut lines, mut gone) = (Vec::new(), Vec::new());
        for (&key, returned) in &state.returned {
            match is_open(key) {
                Some(true) => lines.push(Line::of(key, &returned.told, Some(returned.back_at))),
                Some(false) => {}
                None => gone.push(key),
            }
        }
        for key in gone.into_iter().chain(lines.iter().map(|line| line.store)) {
            state.returned.remove(&key);
        }
        match state.returned.is_empty() {
            true => state.due.remove(&When::BackOnline),
            // Stores open one after the other: not each of them is a message.
            false => state
                .due
                .insert(When::BackOnline, self.at + LATER_NEWS.max(self.rule.wait())),
        };
        if !lines.is_empty() {
            alerts.push(self.alert(When::BackOnline, Cause::News, About::Back(lines)));
        }
    }

    /// Repeats what lasts, and tells the second receivers of what nobody acknowledged.
    fn repeat(&self, state: &mut RuleState, alerts: &mut Vec<Alert>) {
        let mut open = std::mem::take(&mut state.alerts);
        let gone: Vec<StoreKey> = state.keys().filter(|&key| self.store(key).is_none()).collect();
        for key in gone {
            state.forget(key);
            for alert in &mut open {
                alert.stores.remove(&key);
            }
        }
        for (number, alert) in open.iter_mut().enumerate().filter(|(_, alert)| !alert.acknowledged) {
            let is_over = |after: Option<Micros>, since: Micros| after.is_some_and(|after| self.at - since >= after);
            let escalates = !alert.escalated && is_over(self.rule.escalate_after, alert.sent_at);
            let reminds = is_over(self.rule.remind, alert.last_at);
            if !escalates && !reminds {
                continue;
            }
            let Some(about) = self.still(state, alert) else {
                continue;
            };
            let mut send = |cause: Cause, to: &Vec<String>| {
                let mut sent = self.alert(alert.what, cause, about.clone());
                sent.key += &format!("/{number}");
                sent.to.clone_from(to);
                sent.acknowledges = Some(alert.key.clone());
                alerts.push(sent);
            };
            if escalates {
                send(Cause::Escalation, &self.rule.escalate_to);
                alert.escalated = true;
            }
            if reminds {
                send(Cause::Reminder, &self.rule.to);
                alert.last_at = self.at;
            }
        }
        state.alerts = open;
    }

    /// What an alert would say now; none if nothing of it may be told now.
    fn still(&self, state: &RuleState, alert: &OpenAlert) -> Option<About> {
        match alert.what {
            When::PollerOutage => Some(About::PollerAway {
                since: state.outage?,
                overdue: self.poller.overdue,
                expected: self.poller.expected,
            }),
            When::Backup => Some(About::BackupsMissed(state.backups?)),
            _ => {
                let line = |&key: &StoreKey| {
                    let (_, store) = self.store(key)?;
                    let told = state.told.get(&key)?;
                    store.is_in_hours(self.rule).then(|| Line::of(key, told, None))
                };
                let lines: Vec<_> = alert.stores.iter().filter_map(line).collect();
                (!lines.is_empty()).then_some(About::Stores(lines))
            }
        }
    }
}

#[cfg(test)]
mod tests;
