//! The application: the state that handlers work with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use rusqlite::Connection;
use uuid::Uuid;

use super::attempts::Attempts;
use super::keyring::Keyring;
use super::meters::Meters;
use super::turns::Turns;
use super::uploads::Uploads;
use super::visitor::{Proof, Visitor};
use crate::access::Audience;
use crate::clock;
use crate::config::Live;
use crate::db;
use crate::db::acknowledgements::{self, Acknowledgement};
use crate::db::audit::Author;
use crate::db::backup_folder::BackupFolder;
use crate::db::connection::{folder_of, keep_few_pages, open_reader};
use crate::db::fit::FitCache;
use crate::db::fleet::labels;
use crate::db::incident_reasons::{Note, Reasons};
use crate::db::writer::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::fleet_view::heat::Past;
use crate::fleet_view::{FleetView, FleetViews, MonthsLeft};
use crate::health::{Condition, Health};
use crate::hot_window::{HotWindow, Inputs};
use crate::ingest::machine_time::{AHEAD_MINUTES, MachineTime};
use crate::ingest::options::{NewStores, STORES_MAX};
use crate::jobs::statement::{Parameters, Statement, check_names};
use crate::jobs::{Format, JobRequest, Jobs, Report, ReportState, Requester};
use crate::phrases::locale::Locale;
use crate::scratch::Scratch;
use crate::uptime::fleet::StoreKey;
use crate::uptime::interval::{MINUTE, Micros};
use crate::uptime::report::Question;
use crate::uptime::target::MonthLeft;
use crate::uptime::window::reach;
use crate::watcher::replay::{self, Sent};

/// The default limit of a body of rows, in bytes.
pub const BODY_BYTES_MAX: u64 = 1 << 30;

/// How many bodies of the greatest length may wait on the disk at once, with what is made of them.
const BODIES_ON_DISK_MAX: u64 = 4;

/// How many bytes may wait on the disk at least; replies wait there, too.
const DISK_BYTES: u64 = 1 << 30;

/// The clock of reports whose caller names no instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The newest poll: a report of old data is about its own time.
    #[default]
    Data,
    /// The clock that says what is now.
    System,
}

/// What is known of the stores. Handlers reach it through [`App`] alone, which leaves out what the visitor must not
/// know of.
#[derive(Clone)]
pub struct Data {
    hot: Arc<HotWindow>,
    views: Arc<FleetViews>,
    jobs: Jobs,
}

impl Data {
    /// The polls in memory, the views of the fleet, and the queue of reports.
    pub fn new(hot: Arc<HotWindow>, views: Arc<FleetViews>, jobs: Jobs) -> Self {
        Self { hot, views, jobs }
    }
}

/// The state that all handlers share.
#[derive(Clone)]
pub struct Site {
    /// The database file.
    pub file: PathBuf,
    /// The data that each visitor sees a part of.
    pub data: Data,
    /// The only way to change the database.
    pub writer: Writer,
    /// The turns of costly questions.
    pub turns: Arc<Turns>,
    /// The credentials.
    pub keyring: Arc<Keyring>,
    /// Clients that try secrets.
    pub attempts: Arc<Mutex<Attempts>>,
    /// Whether the stores of all sources are the same ones.
    pub fits: Arc<FitCache>,
    /// Who is told what: receivers, alert rules and digests.
    pub messaging: Arc<Live>,
    /// Refused uploads, for corrections.
    pub uploads: Arc<Uploads>,
    /// When the server started.
    pub started_at: Micros,
    /// What is counted.
    pub meters: Arc<Meters>,
    /// Held while a client's backup is made.
    pub backup_turn: Arc<Mutex<()>>,
    /// The backups that the server makes, if it makes any.
    pub backups: Option<Arc<BackupFolder>>,
    /// Whether pages are read-only.
    pub read_only_pages: bool,
    /// Whether requests are logged at the level `debug` alone.
    pub is_quiet: bool,
    /// The clock of reports.
    pub clock: Clock,
    /// The clock that says what is now.
    pub now: clock::Clock,
    /// How far polls may be ahead of that clock.
    pub ahead: Micros,
    /// How pages write times and numbers; none for what the zones of most stores suggest.
    pub locale: Option<Locale>,
    /// The sign that pages print before amounts of money, if any.
    pub currency: Option<String>,
    /// The target of stores without their own, in hundredths of a per cent, if any.
    pub target: Option<i64>,
    /// The longest body of rows, in bytes as sent and as unpacked.
    pub body_bytes_max: u64,
    /// The room for temporary files of all requests together.
    pub scratch: Scratch,
    /// How many stores the database may have.
    pub stores_max: u64,
}

impl Site {
    /// A site with an empty memory, which serves this machine only, with the defaults of `serve`.
    pub fn new(file: PathBuf, data: Data, writer: Writer) -> Self {
        Self {
            scratch: room_beside(&file, BODY_BYTES_MAX),
            file,
            data,
            writer,
            turns: Arc::default(),
            keyring: Arc::new(Keyring::empty()),
            attempts: Arc::default(),
            fits: Arc::default(),
            messaging: Arc::default(),
            uploads: Arc::default(),
            started_at: clock::machine_us(),
            meters: Arc::default(),
            backup_turn: Arc::default(),
            backups: None,
            read_only_pages: false,
            is_quiet: false,
            clock: Clock::Data,
            now: clock::Clock::Machine,
            ahead: i64::from(AHEAD_MINUTES) * MINUTE,
            locale: None,
            currency: None,
            target: None,
            body_bytes_max: BODY_BYTES_MAX,
            stores_max: STORES_MAX,
        }
    }

    /// The machine's time, judged by the newest poll that is stored. The health says when doubt begins and ends.
    pub fn machine_time(&self, newest_poll: Option<Micros>) -> MachineTime {
        let time = MachineTime::new(self.now.now_us(), self.ahead, self.now.earliest_us(), newest_poll);
        let health = self.health();
        match time.sentence() {
            Some(sentence) => health.begin(Condition::ClockSuspect, || {
                format!("{sentence}; polls ahead of it are answered 503 until the machine's clock is set")
            }),
            None => health.clear(Condition::ClockSuspect),
        }
        time
    }

    /// Whether the polls are in memory.
    pub(super) fn is_warm(&self) -> bool {
        self.data.hot.is_read()
    }

    /// The queue of reports of all visitors, for its numbers.
    pub(super) fn jobs(&self) -> &Jobs {
        &self.data.jobs
    }

    /// What is wrong now.
    pub fn health(&self) -> &Arc<Health> {
        self.writer.watch().health()
    }

    /// Remembers that the database is broken, if an error says so.
    pub(super) fn note(&self, error: &Error) {
        if error.kind() == ErrorKind::Broken {
            self.health().set(Condition::DatabaseBroken, error.message());
        }
    }

    /// The folder of the database, which has room for temporary files.
    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.file)
    }
}

/// The room for temporary files beside a database, where bodies have at most `body_bytes_max` bytes.
pub fn room_beside(file: &Path, body_bytes_max: u64) -> Scratch {
    let bytes_max = body_bytes_max.saturating_mul(BODIES_ON_DISK_MAX);
    Scratch::bounded(folder_of(file), bytes_max.max(DISK_BYTES))
}

/// Idle readers: as many as were ever in use at once, far fewer than handlers.
pub type Readers = Arc<Mutex<Vec<Connection>>>;

/// The state of one handler thread.
pub struct App {
    pub(super) site: Site,
    /// Who sent the request that is answered now.
    pub(super) visitor: Arc<Visitor>,
    readers: Readers,
    db: Option<Connection>,
}

impl App {
    /// The state of one thread; all threads share the site and the readers.
    pub fn new(site: Site, readers: Readers, nobody: Arc<Visitor>) -> Self {
        Self {
            site,
            visitor: nobody,
            readers,
            db: None,
        }
    }

    /// A reader for this request; a new one if none is free.
    pub(super) fn db(&mut self) -> Result<&mut Connection> {
        self.site.writer.watch().verify()?;
        if self.db.is_none() {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            self.db = readers.pop();
        }
        match &mut self.db {
            Some(db) => Ok(db),
            none => {
                // The client did nothing wrong, whatever is wrong with the file.
                let opened = open_reader(&self.site.file).map_err(|error| match error.kind() {
                    ErrorKind::Invalid | ErrorKind::Failed => error.of_kind(ErrorKind::Broken),
                    _ => error,
                });
                let opened = opened?;
                keep_few_pages(&opened)?;
                Ok(none.insert(opened))
            }
        }
    }

    /// The reader, and the data that it belongs to.
    fn parts(&mut self) -> Result<(&mut Connection, Data, Audience)> {
        let (data, audience) = (self.site.data.clone(), self.visitor.audience.clone());
        Ok((self.db()?, data, audience))
    }

    /// The machine's time, judged by the newest poll.
    pub(super) fn machine_time(&mut self) -> Result<MachineTime> {
        let newest = self.newest_poll()?;
        Ok(self.time_beside(newest))
    }

    /// The machine's time, judged by the newest poll that exists for the visitor. Only that of all stores decides about
    /// the server's health.
    pub(super) fn time_beside(&self, newest: Option<Micros>) -> MachineTime {
        if self.visitor.audience.is_all() {
            return self.site.machine_time(newest);
        }
        let now = &self.site.now;
        MachineTime::new(now.now_us(), self.site.ahead, now.earliest_us(), newest)
    }

    /// Why the newest poll's instant is used in place of the machine's, which the server was told to use.
    pub(super) fn doubt_of_as_of(&mut self) -> Result<Option<String>> {
        match self.site.clock {
            Clock::Data => Ok(None),
            Clock::System => Ok(self.machine_time()?.sentence()),
        }
    }

    /// The instant of a report whose caller names none; none if the newest poll's is to be used, also because the
    /// machine's clock cannot be right.
    pub(super) fn as_of(&mut self) -> Result<Option<Micros>> {
        match self.site.clock {
            Clock::Data => Ok(None),
            Clock::System => {
                let time = self.machine_time()?;
                Ok(time.doubt.is_none().then_some(time.at))
            }
        }
    }

    /// The instant of the newest poll that exists for the visitor, if there is one.
    pub(super) fn newest_poll(&mut self) -> Result<Option<Micros>> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        hot.newest_poll(db, None, &audience)
    }

    /// The same for polls at or before `until`.
    pub(super) fn newest_poll_until(&mut self, until: Micros) -> Result<Option<Micros>> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        hot.newest_poll(db, Some(until), &audience)
    }

    /// The instant of the oldest poll that exists for the visitor.
    pub(super) fn oldest_poll(&mut self) -> Result<Option<Micros>> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        hot.oldest_poll(db, &audience)
    }

    /// The inputs of numbers at `as_of`, with the stores that exist for the visitor.
    pub(super) fn inputs(&mut self, as_of: Micros) -> Result<Inputs> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        hot.inputs_of(db, as_of, &audience)
    }

    /// The fleet at `question`, as it is for the visitor.
    pub(super) fn fleet(&mut self, question: Question) -> Result<Arc<FleetView>> {
        let (db, Data { hot, views, .. }, audience) = self.parts()?;
        views.view(db, &hot, question, &audience)
    }

    /// The weeks before that of `view`, for its heat map.
    pub(super) fn past(&mut self, view: &FleetView) -> Result<Arc<Past>> {
        let (db, Data { views, .. }, _) = self.parts()?;
        views.past(db, view)
    }

    /// The month of each store of `view` with a target.
    pub(super) fn months_left(&mut self, view: &FleetView) -> Result<MonthsLeft> {
        let target = self.site.target;
        let (db, Data { views, .. }, _) = self.parts()?;
        views.left(db, view, target)
    }

    /// The month of one store with a target; none if it is gone.
    pub(super) fn month_left(&mut self, key: StoreKey, question: Question, target: i64) -> Result<Option<MonthLeft>> {
        let all = self.site.target;
        let (db, Data { hot, views, .. }, _) = self.parts()?;
        let inputs = hot.inputs(db, question.as_of)?;
        let months = views.months(db, &inputs, question, all)?;
        let store = inputs.fleet.stores().iter().find(|store| store.key == key);
        Ok(store.map(|store| months.left(&inputs, store, question, target)))
    }

    /// What was noted for the incidents of `view`.
    pub(super) fn reasons(&mut self, view: &FleetView) -> Result<Reasons> {
        let span = reach(view.question.as_of);
        Reasons::between(self.db()?, span.start, span.end)
    }

    /// The alert whose link led the visitor here; none if no alert has it.
    pub(super) fn acknowledgement(&mut self) -> Result<Option<Acknowledgement>> {
        let Proof::Alert(hash) = self.visitor.proof else {
            return Ok(None);
        };
        acknowledgements::find(self.db()?, &hash)
    }

    /// Acknowledges that alert, with the reason of its incidents, if one is given.
    pub(super) fn acknowledge(&mut self, note: Option<Note>) -> Result<()> {
        let Proof::Alert(hash) = self.visitor.proof else {
            return Ok(());
        };
        let author = self.author();
        self.site.writer.try_write(move |db| {
            acknowledgements::acknowledge(db, &hash, note.as_ref(), &author)?;
            Ok(())
        })
    }

    /// What the alert rules would have sent from one day of a zone to another, both included; and whether there are
    /// none, so that it is what one with all defaults would have sent. It takes a turn: each minute of each store is
    /// looked at.
    pub(super) fn replay(&mut self, zone: Tz, first: i64, last: i64) -> Result<(Vec<Sent>, bool)> {
        let (turns, messaging) = (Arc::clone(&self.site.turns), self.site.messaging.get());
        let _turn = turns.wait(self.visitor.credential)?;
        let span = replay::days(zone, first, last, self.site.now.now_us());
        let db = self.db()?;
        let (rules, is_default) = replay::rules_to_try(db, &messaging)?;
        Ok((replay::replay(db, rules, span, |_| {})?, is_default))
    }

    /// The statement with these parameters, of the stores that exist for the visitor.
    pub(super) fn statement(&mut self, parameters: Parameters, question: Question) -> Result<Statement> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        Statement::new(db, (&hot, &audience), parameters, question)
    }

    /// The reader and the polls in memory, and the stores that exist for the visitor.
    pub(super) fn window(&mut self) -> Result<(&mut Connection, Arc<HotWindow>, Audience)> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        Ok((db, hot, audience))
    }

    /// Checks that the store and the owner that a statement names exist for the visitor.
    pub(super) fn check_names(&mut self, parameters: &Parameters) -> Result<()> {
        let (db, Data { hot, .. }, audience) = self.parts()?;
        let view = db::read(db)?;
        let (fleet, _) = hot.fleet_of(&view, &audience)?;
        check_names(&fleet, &labels(&view)?, parameters)
    }

    /// Who changes something now, for the audit.
    pub(super) fn author(&self) -> Author {
        Author {
            at: self.site.now.now_us(),
            actor: self.visitor.actor(),
        }
    }

    /// Reads the credentials again after a change.
    pub(super) fn load_credentials(&mut self) -> Result<()> {
        let keyring = Arc::clone(&self.site.keyring);
        keyring.load(self.db()?)
    }

    /// Which new stores the visitor may name.
    pub(super) fn new_stores(&self) -> NewStores {
        match self.visitor.known_stores_only {
            true => NewStores::None,
            false => NewStores::UpTo(self.site.stores_max),
        }
    }

    /// Who orders a report.
    pub(super) fn requester(&self) -> Requester {
        Requester {
            credential: self.visitor.credential,
            audience: self.visitor.audience.clone(),
            actor: Some(self.visitor.actor()),
            callback: None,
        }
    }

    /// Orders a report; returns its id, its state, and whether only memory has it.
    pub(super) fn order(&mut self, mut order: JobRequest) -> Result<(Uuid, ReportState, bool)> {
        if order.as_of.is_none() && !self.visitor.audience.is_all() {
            order.as_of = self.newest_poll()?;
        }
        let (db, Data { jobs, .. }, _) = self.parts()?;
        let (id, state) = jobs.trigger(db, order)?;
        Ok((id, state, jobs.is_volatile(id)))
    }

    /// A report that the visitor may see.
    pub(super) fn report(&mut self, id: Uuid) -> Result<Report> {
        let (db, Data { jobs, .. }, audience) = self.parts()?;
        jobs.find(db, id, &audience)
    }

    /// The newest reports that the visitor may see; with `before`, those that arrived before that one.
    pub(super) fn reports(&mut self, before: Option<Uuid>, limit: u32) -> Result<Vec<Report>> {
        let (db, Data { jobs, .. }, audience) = self.parts()?;
        jobs.list(db, before, limit, &audience)
    }

    /// The file of a recent report that the visitor may see, from memory; none if memory does not have it.
    pub(super) fn recent_file(&self, id: Uuid, format: Format) -> Result<Option<Arc<Vec<u8>>>> {
        self.site.data.jobs.recent(id, format, &self.visitor.audience)
    }

    /// The file of a report that the visitor may see; none unless it is complete.
    pub(super) fn file_of(&mut self, report: &Report, format: Format) -> Result<Option<Arc<Vec<u8>>>> {
        let (db, Data { jobs, .. }, _) = self.parts()?;
        jobs.file(db, report.id, format)
    }

    /// The number of reports in each state, of all visitors.
    pub(super) fn report_counts(&mut self) -> Result<Vec<(ReportState, i64)>> {
        let (db, Data { jobs, .. }, _) = self.parts()?;
        jobs.counts(db)
    }

    /// Forgets products whose reports were deleted.
    pub(super) fn forget_reports(&self, ids: &[Uuid]) {
        self.site.data.jobs.forget(ids);
    }

    /// Returns the reader to the others; after a panic it is closed.
    pub(super) fn done(&mut self, panicked: bool) {
        if let Some(db) = self.db.take().filter(|_| !panicked) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.push(db);
        }
    }
}
