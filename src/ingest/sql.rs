//! The words, names and values of SQL as MySQL writes it, one after another.

use std::io::{self, BufRead};

use super::problem::{BadFile, Code};

/// How long a name or a word may be.
const NAME_BYTES_MAX: usize = 256;

/// The comment that begins a dump, and the one that ends it. With `--skip-comments` there is neither.
const BEGINS: [&[u8]; 2] = [b" MySQL dump", b" MariaDB dump"];
const ENDS: &[u8] = b" Dump completed";

/// SQL that is being read, byte by byte.
pub(super) struct Sql<R> {
    source: R,
    line: u64,
    /// Whether a comment said that the dump begins, and that it ends.
    began: bool,
    ended: bool,
}

impl<R: BufRead> Sql<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            line: 1,
            began: false,
            ended: false,
        }
    }

    /// The refusal of what stands here.
    pub(super) fn bad(&self, reason: String) -> io::Error {
        io::Error::other(BadFile::new(Some(self.line), Code::Dump, reason))
    }

    fn broken_off(&self) -> io::Error {
        self.bad("the dump breaks off here (make it again, and look at what the dumper says)".to_owned())
    }

    /// Refuses a dump that said where it begins, and not that it is complete.
    pub(super) fn require_end(&self) -> io::Result<()> {
        match self.began && !self.ended {
            true => {
                let reason = "the dump breaks off: its last line should be `-- Dump completed` (make it again)";
                Err(self.bad(reason.to_owned()))
            }
            false => Ok(()),
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let Some(&byte) = self.source.fill_buf()?.first() else {
            return Ok(None);
        };
        self.source.consume(1);
        self.line += u64::from(byte == b'\n');
        Ok(Some(byte))
    }

    fn here(&mut self) -> io::Result<Option<u8>> {
        Ok(self.source.fill_buf()?.first().copied())
    }

    /// The next byte behind spaces and comments, which stays.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.here()? {
                Some(byte) if byte.is_ascii_whitespace() => drop(self.byte()?),
                Some(b'#') => self.skip_line()?,
                Some(b'-') => {
                    // A lone one begins a negative number.
                    let ahead = self.source.fill_buf()?;
                    if ahead.len() > 1 && !ahead.starts_with(b"--") {
                        return Ok(Some(b'-'));
                    }
                    self.byte()?;
                    if self.here()? != Some(b'-') {
                        return Err(self.bad("a lone dash (expected a word)".to_owned()));
                    }
                    self.byte()?;
                    self.comment()?;
                }
                Some(b'/') => {
                    self.byte()?;
                    self.skip_block()?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Reads the comment behind `--`.
    fn comment(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        while let Some(byte) = self.byte()?
            && byte != b'\n'
        {
            if start.len() < NAME_BYTES_MAX {
                start.push(byte);
            }
        }
        self.began |= BEGINS.iter().any(|begins| start.starts_with(begins));
        self.ended |= start.starts_with(ENDS);
        Ok(())
    }

    /// Skips the comment behind `/`.
    fn skip_block(&mut self) -> io::Result<()> {
        if self.byte()? != Some(b'*') {
            return Err(self.bad("a lone slash (expected a comment)".to_owned()));
        }
        let mut is_star = false;
        loop {
            match self.byte()? {
                None => return Err(self.broken_off()),
                Some(b'/') if is_star => return Ok(()),
                Some(byte) => is_star = byte == b'*',
            }
        }
    }

    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        while self.byte()?.is_some_and(|byte| byte != b'\n') {}
        Ok(())
    }

    /// The next sign behind spaces and comments.
    pub(super) fn next_sign(&mut self) -> io::Result<Option<u8>> {
        match self.peek()? {
            Some(_) => self.byte(),
            None => Err(self.broken_off()),
        }
    }

    /// Takes this sign, if it is the next.
    pub(super) fn takes(&mut self, sign: u8) -> io::Result<bool> {
        let is_next = self.peek()? == Some(sign);
        if is_next {
            self.byte()?;
        }
        Ok(is_next)
    }

    /// The next word; none at the end. Lone semicolons are passed over.
    pub(super) fn word(&mut self) -> io::Result<Option<String>> {
        while self.takes(b';')? {}
        match self.peek()? {
            None => Ok(None),
            Some(byte) if is_word(byte) => self.bare().map(Some),
            Some(_) => {
                // The statement is skipped from here.
                Ok(Some(String::new()))
            }
        }
    }

    fn bare(&mut self) -> io::Result<String> {
        let mut word = String::new();
        while let Some(byte) = self.here()?
            && is_word(byte)
        {
            if word.len() == NAME_BYTES_MAX {
                return Err(self.bad("a word that is too long".to_owned()));
            }
            word.push(char::from(byte));
            self.byte()?;
        }
        Ok(word)
    }

    /// The next name: bare, or in backticks or quotes; of `database.table` the last.
    pub(super) fn name(&mut self) -> io::Result<String> {
        let name = match self.peek()? {
            Some(quote @ (b'`' | b'"')) => {
                let mut name = Vec::new();
                self.byte()?;
                self.quoted(quote, &mut name, NAME_BYTES_MAX)?;
                String::from_utf8_lossy(&name).into_owned()
            }
            Some(byte) if is_word(byte) => self.bare()?,
            Some(_) => return Err(self.bad("a name is missing here".to_owned())),
            None => return Err(self.broken_off()),
        };
        match self.takes(b'.')? {
            true => self.name(),
            false => Ok(name),
        }
    }

    /// Reads on behind an opening quote, up to the closing one. Bytes beyond `bytes_max` are dropped.
    fn quoted(&mut self, quote: u8, out: &mut Vec<u8>, bytes_max: usize) -> io::Result<()> {
        loop {
            let byte = self.byte()?.ok_or_else(|| self.broken_off())?;
            let byte = if byte == b'\\' && quote != b'`' {
                match self.byte()?.ok_or_else(|| self.broken_off())? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    b'b' => 8,
                    b'Z' => 26,
                    other => other,
                }
            } else if byte == quote {
                if self.here()? != Some(quote) {
                    return Ok(());
                }
                self.byte()?;
                quote
            } else {
                byte
            };
            if out.len() <= bytes_max {
                out.push(byte);
            }
        }
    }

    /// The next value: a text, a number, or NULL, which is empty.
    pub(super) fn value(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> io::Result<()> {
        loop {
            match self.peek()? {
                None => return Err(self.broken_off()),
                Some(quote @ (b'\'' | b'"')) => {
                    self.byte()?;
                    return self.quoted(quote, out, bytes_max);
                }
                Some(_) => {}
            }
            while let Some(byte) = self.here()?
                && (is_word(byte) || matches!(byte, b'.' | b'-' | b'+'))
                && out.len() < NAME_BYTES_MAX
            {
                out.push(byte);
                self.byte()?;
            }
            // `_utf8mb4'…'` says how the text was encoded.
            let is_introducer = out.first() == Some(&b'_');
            if is_introducer && matches!(self.peek()?, Some(b'\'' | b'"')) {
                out.clear();
                continue;
            }
            let begins = out.first().copied().unwrap_or_default();
            let is_number = begins.is_ascii_digit() || matches!(begins, b'-' | b'+' | b'.');
            if out.eq_ignore_ascii_case(b"NULL") {
                out.clear();
            } else if !(is_number || out.eq_ignore_ascii_case(b"TRUE") || out.eq_ignore_ascii_case(b"FALSE")) {
                let value = String::from_utf8_lossy(out).escape_debug().to_string();
                let reason = format!("`{value}` is no value (expected a text in quotes, a number or NULL)");
                return Err(self.bad(reason));
            }
            return Ok(());
        }
    }

    /// Skips the rest of a statement, with its semicolon.
    pub(super) fn skip_statement(&mut self) -> io::Result<()> {
        self.skip_until(|sign, _| sign == b';').map(drop)
    }

    /// Skips the rest of a part in brackets; whether a comma ended it, and not the bracket.
    pub(super) fn skip_to_comma(&mut self) -> io::Result<bool> {
        let end = self.skip_until(|sign, depth| depth == 0 && matches!(sign, b',' | b')'))?;
        match end {
            None => Err(self.broken_off()),
            Some(end) => Ok(end == b','),
        }
    }

    fn skip_until(&mut self, is_end: impl Fn(u8, usize) -> bool) -> io::Result<Option<u8>> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                None => return Ok(None),
                Some(sign) => {
                    self.byte()?;
                    match sign {
                        b'\'' | b'"' | b'`' => self.quoted(sign, &mut Vec::new(), 0)?,
                        sign if is_end(sign, depth) => return Ok(Some(sign)),
                        b'(' => depth += 1,
                        b')' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || byte >= 0x80
}
