//! The digest as plain text: at most 78 columns, for a terminal and for mails.

use super::told::{Line, Told};

/// How wide a line is.
const COLUMNS: usize = 78;

/// The digest as plain text.
pub fn text(told: &Told) -> String {
    let mut out = Lines::default();
    out.paragraph("", "", &told.whose);
    out.paragraph("", "", &told.when);
    out.blank();
    out.paragraph("", "", &told.sentences.join(" "));
    if !told.worst.is_empty() {
        out.heading("Worst first");
        out.worst(&told.worst);
        if let Some(more) = &told.worst_more {
            out.paragraph("  ", "  ", more);
        }
    }
    for section in &told.sections {
        out.heading(section.heading);
        for line in &section.lines {
            out.paragraph("  ", "    ", line);
        }
    }
    out.blank();
    out.paragraph("", "", &told.note);
    out.0
}

/// Lines, each at most [`COLUMNS`] wide.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.blank();
        self.0.push_str(heading);
        self.0.push('\n');
    }

    /// Words, with `first` before the first line and `rest` before all others. A number stays with its unit.
    fn paragraph(&mut self, first: &str, rest: &str, words: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in words_of(words) {
            let width = |text: &str| text.chars().count();
            if !is_empty && width(&line) + 1 + width(&word) > COLUMNS {
                self.0.push_str(&line);
                self.0.push('\n');
                rest.clone_into(&mut line);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            is_empty = false;
            for letter in word.chars() {
                // A name without a blank may be longer than a line.
                if width(&line) == COLUMNS {
                    self.0.push_str(&line);
                    self.0.push('\n');
                    rest.clone_into(&mut line);
                }
                line.push(letter);
            }
        }
        self.0.push_str(&line);
        self.0.push('\n');
    }

    /// Two columns of numbers, the names, and below each its incidents.
    fn worst(&mut self, worst: &[Line]) {
        let widest = |of: fn(&Line) -> &str| worst.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
        let (offline, online) = (
            widest(|line| &line.offline).max("offline".len()),
            widest(|line| &line.online).max("online".len()),
        );
        self.0
            .push_str(&format!("  {:>offline$}  {:>online$}\n", "offline", "online"));
        let indent = " ".repeat(offline + online + 6);
        for line in worst {
            let first = format!("  {:>offline$}  {:>online$}  ", line.offline, line.online);
            self.paragraph(&first, &indent, &line.name);
            if !line.about.is_empty() {
                self.paragraph(&indent, &indent, &line.about);
            }
        }
    }
}

/// The words of a text; a number and its unit are one.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_unit = matches!(
            word.trim_end_matches([',', '.', ';', ')', ':']),
            "h" | "min" | "s" | "%" | "d" | "AM" | "PM"
        );
        let goes_on = |last: &str| match is_unit {
            true => last.ends_with(|last: char| last.is_ascii_digit()),
            // `2 h 31 min` is one number.
            false => last.ends_with(" h") && word.bytes().all(|byte| byte.is_ascii_digit()),
        };
        match words.last_mut() {
            Some(last) if goes_on(last) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(words: &str) -> String {
        let mut lines = Lines::default();
        lines.paragraph("  ", "    ", words);
        lines.0
    }

    #[test]
    fn no_line_is_wider_than_78_columns_whatever_the_words() {
        for words in [
            "a".repeat(300),
            "ab ".repeat(100),
            "é".repeat(77),
            "1 h ".repeat(60),
            String::new(),
        ] {
            for line in wrapped(&words).lines() {
                assert!(line.chars().count() <= COLUMNS, "{line}");
            }
        }
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        let told = format!("{} 2 h 4 min.", "x".repeat(70));
        assert_eq!(wrapped(&told), format!("  {}\n    2 h 4 min.\n", "x".repeat(70)));
    }
}
