//! Dumps: the SQL that `mysqldump` and `mariadb-dump` write, as one CSV text a table. A line's number is its row's in
//! the table, behind the header.
//!
//! It reads the rows that INSERT adds, in bounded memory and however long a line is. All other statements are skipped.

use std::collections::HashMap;
use std::io::{self, BufReader, Read};

use super::input::Input;
use super::problem::{BadFile, Code, InputError};
use super::records::RECORD_BYTES_MAX;
use super::sheet;
use super::sql::Sql;

/// How much CSV is made at once.
const CHUNK_BYTES: usize = 1 << 16;

/// Words that begin a part of CREATE TABLE that is no column.
const NO_COLUMNS: [&str; 9] = [
    "PRIMARY",
    "KEY",
    "UNIQUE",
    "CONSTRAINT",
    "INDEX",
    "FULLTEXT",
    "SPATIAL",
    "FOREIGN",
    "CHECK",
];

/// Whether a source that begins so is a dump. No header of a CSV does.
pub(super) fn is_dump(head: &[u8]) -> bool {
    let starts: [&[u8]; 8] = [b"-- ", b"--\n", b"--\r\n", b"/*", b"INSE", b"CREA", b"DROP", b"REPL"];
    starts.iter().any(|start| head.starts_with(start))
}

/// The table into which an INSERT adds rows, and its columns.
#[derive(Clone, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
}

/// A dump that is being read.
pub(super) struct Dump<R> {
    sql: Sql<BufReader<Input<R>>>,
    /// The columns of each table so far, by its name.
    tables: HashMap<String, Vec<String>>,
}

impl<R: Read> Dump<R> {
    pub(super) fn open(source: R, bytes_max: u64) -> Result<Self, InputError> {
        let input = Input::open(source, bytes_max)?;
        Ok(Self {
            sql: Sql::new(BufReader::with_capacity(CHUNK_BYTES, input)),
            tables: HashMap::new(),
        })
    }

    /// Gives the rows of each table that has the columns of a kind to `visit`, with the table's name; returns the names
    /// of the others.
    pub(super) fn each<E>(
        mut self,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), E>,
        refuse: &dyn Fn(InputError) -> E,
    ) -> Result<Vec<String>, E> {
        let (mut skipped, mut found) = (Vec::new(), false);
        let refused = |error: io::Error| refuse(error.into());
        let mut next = self.next_insert().map_err(refused)?;
        while let Some(table) = next {
            let header = table.header();
            if sheet::layout(header.trim_ascii_end()).is_none() {
                if !skipped.contains(&table.name) {
                    skipped.push(table.name);
                }
                self.sql.skip_statement().map_err(refused)?;
                next = self.next_insert().map_err(refused)?;
                continue;
            }
            found = true;
            let mut text = TableText {
                text: header,
                at: 0,
                next: Some(table.clone()),
                table,
                dump: &mut self,
            };
            visit(&text.table.name.clone(), &mut text)?;
            next = text.next.take();
        }
        if !found {
            let names = match skipped.is_empty() {
                true => "it has no rows".to_owned(),
                false => format!("its tables are {}", skipped.join(", ")),
            };
            let reason = format!(
                "no table of this dump has columns such as `store_id,timestamp_utc,status` ({names}; dump the prototype's \
                 tables)"
            );
            return Err(refuse(BadFile::new(None, Code::Header, reason).into()));
        }
        self.sql.require_end().map_err(refused)?;
        Ok(skipped)
    }

    /// The table of the next INSERT, up to the first row's bracket; none at the end.
    fn next_insert(&mut self) -> io::Result<Option<Table>> {
        while let Some(word) = self.sql.word()? {
            match word.to_ascii_uppercase().as_str() {
                "CREATE" => self.create()?,
                "INSERT" | "REPLACE" => {
                    if let Some(table) = self.insert()? {
                        return Ok(Some(table));
                    }
                }
                "DELIMITER" => self.sql.skip_line()?,
                _ => self.sql.skip_statement()?,
            }
        }
        Ok(None)
    }

    /// Notes the columns of `CREATE TABLE name (…)`; other things that are created are skipped.
    fn create(&mut self) -> io::Result<()> {
        let word = self.sql.word()?.unwrap_or_default();
        if !word.eq_ignore_ascii_case("TABLE") {
            return self.sql.skip_statement();
        }
        let mut name = self.sql.name()?;
        if name.eq_ignore_ascii_case("IF") {
            self.sql.name()?;
            self.sql.name()?;
            name = self.sql.name()?;
        }
        let mut columns = Vec::new();
        if self.sql.takes(b'(')? {
            loop {
                let is_quoted = matches!(self.sql.peek()?, Some(b'`' | b'"'));
                let column = self.sql.name()?;
                let is_other = NO_COLUMNS.iter().any(|word| word.eq_ignore_ascii_case(&column));
                if is_quoted || !is_other {
                    columns.push(column);
                }
                if !self.sql.skip_to_comma()? {
                    break;
                }
            }
        }
        self.tables.insert(name, columns);
        self.sql.skip_statement()
    }

    /// The table of `INSERT INTO name [(columns)] VALUES`; none if it adds no rows of values.
    fn insert(&mut self) -> io::Result<Option<Table>> {
        let mut name = self.sql.name()?;
        while ["INTO", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word))
        {
            name = self.sql.name()?;
        }
        let mut columns = None;
        if self.sql.takes(b'(')? {
            let mut named = Vec::new();
            loop {
                named.push(self.sql.name()?);
                if !self.sql.skip_to_comma()? {
                    break;
                }
            }
            columns = Some(named);
        }
        let word = self.sql.word()?.unwrap_or_default();
        if !(word.eq_ignore_ascii_case("VALUES") || word.eq_ignore_ascii_case("VALUE")) {
            self.sql.skip_statement()?;
            return Ok(None);
        }
        let columns = match columns.or_else(|| self.tables.get(&name).cloned()) {
            Some(columns) => columns,
            None => {
                let reason = format!(
                    "the columns of the table `{name}` are not in this dump (leave --no-create-info away, or add \
                     --complete-insert)"
                );
                return Err(self.sql.bad(reason));
            }
        };
        Ok(Some(Table { name, columns }))
    }
}

impl Table {
    fn header(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                line.push(b',');
            }
            quote(column.as_bytes(), &mut line);
        }
        line.push(b'\n');
        line
    }
}

/// The CSV of the INSERTs into one table that follow each other.
struct TableText<'a, R> {
    dump: &'a mut Dump<R>,
    table: Table,
    /// The table of the INSERT whose rows come next; another one once this table ends.
    next: Option<Table>,
    text: Vec<u8>,
    at: usize,
}

impl<R: Read> TableText<'_, R> {
    /// Adds the next row; false at the end of the table.
    fn row(&mut self) -> io::Result<bool> {
        if self.next.as_ref() != Some(&self.table) {
            return Ok(false);
        }
        let sql = &mut self.dump.sql;
        if !sql.takes(b'(')? {
            return Err(sql.bad(format!(
                "a row of `{}` should begin here with a bracket",
                self.table.name
            )));
        }
        let start = self.text.len();
        let mut value = Vec::new();
        loop {
            value.clear();
            sql.value(&mut value, RECORD_BYTES_MAX)?;
            // Beyond the longest record the row is refused anyway.
            if self.text.len() - start <= RECORD_BYTES_MAX {
                quote(&value, &mut self.text);
            }
            match sql.next_sign()? {
                Some(b',') => self.text.push(b','),
                Some(b')') => break,
                _ => {
                    return Err(sql.bad(format!(
                        "a value of `{}` does not end with a comma or a bracket",
                        self.table.name
                    )));
                }
            }
        }
        self.text.push(b'\n');
        if !sql.takes(b',')? {
            sql.skip_statement()?;
            self.next = self.dump.next_insert()?;
        }
        Ok(true)
    }
}

impl<R: Read> Read for TableText<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            while self.text.len() < CHUNK_BYTES && self.row()? {}
        }
        let count = (&self.text[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// Writes a value as a field of CSV. A line end becomes U+2028, which refuses its row and keeps the lines' numbers.
fn quote(value: &[u8], out: &mut Vec<u8>) {
    if !value.iter().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r')) {
        out.extend(value);
        return;
    }
    out.push(b'"');
    for &byte in value {
        match byte {
            b'"' => out.extend(b"\"\""),
            b'\n' | b'\r' => out.extend("\u{2028}".as_bytes()),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Whether gzip that begins so holds a dump.
pub(super) fn is_packed_dump(head: &[u8]) -> bool {
    let mut text = [0; 4];
    let mut unpacked = flate2::read::MultiGzDecoder::new(head);
    unpacked.read_exact(&mut text).is_ok() && is_dump(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tables = Vec<(String, String)>;

    fn read(sql: &str) -> Result<(Tables, Vec<String>), String> {
        let refuse = |error| match error {
            InputError::Refused(file) => format!("{:?}: {}", file.line, file.reason),
            InputError::Io(error) => panic!("{error}"),
        };
        let dump = Dump::open(sql.as_bytes(), u64::MAX).map_err(refuse)?;
        let mut tables = Tables::new();
        let skipped = dump.each(
            &mut |name, text| {
                let mut csv = String::new();
                text.read_to_string(&mut csv).map_err(|error| refuse(error.into()))?;
                tables.push((name.to_owned(), csv));
                Ok(())
            },
            &refuse,
        )?;
        Ok((tables, skipped))
    }

    const CREATE: &str = "CREATE TABLE `polls` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  store_id bigint, `status` \
        enum('active','in,active)') DEFAULT 'a\\'b',\n  `timestamp_utc` datetime(6),\n  PRIMARY KEY (`id`),\n  KEY `k` \
        (`store_id`,`status`)\n) ENGINE=InnoDB COMMENT='x;y';\n";

    #[test]
    fn rows_of_values_become_lines_of_csv() {
        let sql = format!(
            "-- a comment; INSERT INTO x VALUES (1);\n/*!40101 SET NAMES utf8mb4 */;\n{CREATE}LOCK TABLES `polls` WRITE;\n\
             INSERT INTO `polls` VALUES (1,8,'active','2023-01-25 10:00:00'),(2,-9.5,NULL,_utf8mb4'it''s \\\"q\\\", \\n')\n;\
             \nINSERT INTO `d`.`polls` VALUES\n(3 , 'a' ,'b','c');"
        );
        let (tables, skipped) = read(&sql).unwrap();
        assert_eq!(tables.len(), 1);
        let lines: Vec<_> = tables[0].1.lines().collect();
        assert_eq!(
            lines,
            [
                "id,store_id,status,timestamp_utc",
                "1,8,active,2023-01-25 10:00:00",
                "2,-9.5,,\"it's \"\"q\"\", \u{2028}\"",
                "3,a,b,c",
            ]
        );
        assert!(skipped.is_empty());
    }

    #[test]
    fn a_table_of_no_kind_is_skipped_and_named() {
        let sql = format!(
            "{CREATE}INSERT INTO report (a,b) VALUES (1,'); INSERT INTO polls VALUES (');\n\
             INSERT INTO polls (store_id,timestamp_utc,status) VALUES (1,2,3);\nINSERT INTO polls VALUES (1,2,3,4);"
        );
        let (tables, skipped) = read(&sql).unwrap();
        let names: Vec<_> = tables
            .iter()
            .map(|(name, text)| (name.as_str(), text.lines().count()))
            .collect();
        assert_eq!(names, [("polls", 2), ("polls", 2)]);
        assert_eq!(skipped, ["report"]);
    }

    #[test]
    fn a_dump_that_is_not_whole_is_refused_with_its_line() {
        for (sql, words) in [
            (format!("{CREATE}INSERT INTO polls VALUES (1,2,'a"), "Some(8)"),
            (format!("{CREATE}INSERT INTO polls VALUES (1,2,"), "breaks off"),
            (format!("{CREATE}INSERT INTO polls VALUES (1,2,NOW(),4);"), "NOW"),
            (format!("{CREATE}INSERT INTO polls VALUES 7;"), "bracket"),
            ("INSERT INTO polls VALUES (1);".to_owned(), "--complete-insert"),
            ("-- nothing\n".to_owned(), "it has no rows"),
            (
                format!("-- MySQL dump 10.13\n{CREATE}INSERT INTO polls VALUES (1,2,3,4);\n"),
                "Dump completed",
            ),
        ] {
            let reason = read(&sql).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        let whole =
            format!("-- MySQL dump 10.13\n{CREATE}INSERT INTO polls VALUES (1,2,3,4);\n-- Dump completed on x\n");
        assert!(read(&whole).is_ok());
    }
}
