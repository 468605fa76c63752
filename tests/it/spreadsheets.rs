//! Spreadsheets and archives: what they hold is read as from CSV files, by the command, the API and `/load`.
//!
//! Workbooks come from a real writer. No light one writes `.ods`, so these tests write its XML themselves.

use std::io::{Cursor, Read, Write};

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use store_monitor::civil::parse_instant;
use store_monitor::ingest::batch;
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::{Refusal, Source};
use store_monitor::scratch::Scratch;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Answer, Home, Server};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";
const ZIP: &str = "application/zip";

/// The inputs that all shapes below hold.
const POLLS: &str = "store_id,status,timestamp_utc\n\
    12,active,2026-11-05 17:02:10.5 UTC\n12,inactive,2026-11-06 00:00:00 UTC\nb,active,2026-11-05 18:00:00 UTC\n";
const HOURS: &str =
    "store_id,day,start_time_local,end_time_local\n12,3,09:00:00,24:00:00\nb,4,00:00:00,17:30:00\n";
const ZONES: &str = "store_id,timezone_str\n12,America/New_York\nb,Europe/Madrid\n";

/// A zip of these members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        let options = SimpleFileOptions::default();
        if name.ends_with('/') {
            zip.add_directory(*name, options).expect("a folder");
        } else {
            zip.start_file(*name, options).expect("a member");
            zip.write_all(bytes).expect("its bytes");
        }
    }
    zip.finish().expect("a zip").into_inner()
}

/// A workbook of these inputs as somebody would have typed them: numbers, dates and times, and an empty sheet.
fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let (instant, time) = (
        Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
        Format::new().set_num_format("hh:mm"),
    );
    let at = |text| ExcelDateTime::parse_from_str(text).expect("an instant");

    let sheet = book.add_worksheet().set_name("polls").expect("a name");
    // A line above the header, and one between the rows, are empty.
    for (row, id, status, when) in [
        (2, 12.0, "active", "2026-11-05 17:02:10.500"),
        (4, 12.0, "inactive", "2026-11-06 00:00:00"),
    ] {
        sheet.write_number(row, 0, id).expect("an id");
        sheet.write_string(row, 1, status).expect("a status");
        sheet
            .write_datetime_with_format(row, 2, at(when), &instant)
            .expect("an instant");
    }
    for (column, text) in (0..).zip(["store_id", "status", "timestamp_utc"]) {
        sheet.write_string(1, column, text).expect("a header");
    }
    for (column, text) in (0..).zip(["b", "active", "2026-11-05 18:00:00 UTC"]) {
        sheet.write_string(5, column, text).expect("a text");
    }

    book.add_worksheet().set_name("nothing").expect("a name");

    let sheet = book.add_worksheet().set_name("hours").expect("a name");
    for (column, text) in (0..).zip(HOURS.lines().next().expect("a header").split(',')) {
        sheet.write_string(0, column, text).expect("a header");
    }
    let hours = [
        (1, "12", 3.0, "09:00", "24:00"),
        (2, "b", 4.0, "00:00", "17:30"),
    ];
    for (row, id, day, start, end) in hours {
        match id.parse() {
            Ok(number) => sheet.write_number(row, 0, number),
            Err::<f64, _>(_) => sheet.write_string(row, 0, id),
        }
        .expect("an id");
        sheet.write_number(row, 1, day).expect("a day");
        for (column, text) in [(2, start), (3, end)] {
            // A spreadsheet has midnight at the end of a day as one day.
            match text {
                "24:00" => sheet.write_number_with_format(row, column, 1.0, &time),
                text => sheet.write_datetime_with_format(row, column, at(text), &time),
            }
            .expect("a time");
        }
    }

    let sheet = book.add_worksheet().set_name("zones").expect("a name");
    for (row, line) in (0..).zip(ZONES.lines()) {
        for (column, text) in (0..).zip(line.split(',')) {
            sheet.write_string(row, column, text).expect("a text");
        }
    }
    book.save_to_buffer().expect("a workbook")
}

/// A sheet of one column and row for each given text.
fn sheet_of(rows: &[&[Typed]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("polls").expect("a name");
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            match cell {
                Typed::Text(text) => sheet.write_string(row, column, *text),
                Typed::Number(number) => sheet.write_number(row, column, *number),
            }
            .expect("a cell");
        }
    }
    book.save_to_buffer().expect("a workbook")
}

enum Typed {
    Text(&'static str),
    Number(f64),
}

/// The same inputs as LibreOffice writes them.
fn document() -> Vec<u8> {
    let text = |text: &str| {
        format!(
            "<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"
        )
    };
    let typed = |kind: &str, value: &str| {
        let name = if kind == "float" {
            "value".to_owned()
        } else {
            format!("{kind}-value")
        };
        format!(
            "<table:table-cell office:value-type=\"{kind}\" office:{name}=\"{value}\"><text:p>shown</text:p></table:table-cell>"
        )
    };
    let row = |cells: &[String]| {
        let rest = "<table:table-cell table:number-columns-repeated=\"16380\"/>";
        format!(
            "<table:table-row>{}{rest}</table:table-row>",
            cells.concat()
        )
    };
    let header = |csv: &str| {
        let names: Vec<_> = csv
            .lines()
            .next()
            .expect("a header")
            .split(',')
            .map(text)
            .collect();
        row(&names)
    };
    let table = |name: &str, rows: &[String]| {
        let rest = "<table:table-row table:number-rows-repeated=\"1048570\"><table:table-cell/></table:table-row>";
        format!(
            "<table:table table:name=\"{name}\"><table:table-column/>{}{rest}</table:table>",
            rows.concat()
        )
    };
    let polls = [
        header(POLLS),
        row(&[
            typed("float", "12"),
            text("active"),
            typed("date", "2026-11-05T17:02:10.500000000"),
        ]),
        row(&[
            typed("float", "12"),
            text("inactive"),
            typed("date", "2026-11-06"),
        ]),
        row(&[text("b"), text("active"), text("2026-11-05 18:00:00 UTC")]),
    ];
    let hours = [
        header(HOURS),
        row(&[
            typed("float", "12"),
            typed("float", "3"),
            typed("time", "PT09H00M00S"),
            typed("time", "PT24H00M00S"),
        ]),
        row(&[
            text("b"),
            typed("float", "4"),
            typed("time", "PT00H00M00S"),
            typed("time", "PT17H30M00S"),
        ]),
    ];
    let zones: Vec<_> = ZONES
        .lines()
        .map(|line| row(&line.split(',').map(text).collect::<Vec<_>>()))
        .collect();
    let tables = [
        table("polls", &polls),
        table("hours", &hours),
        table("nothing", &[]),
        table("zones", &zones),
    ];
    let content = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><office:document-content><office:body><office:spreadsheet>{}\
         </office:spreadsheet></office:body></office:document-content>",
        tables.concat()
    );
    ods(&content, "")
}

fn ods(content: &str, about_it: &str) -> Vec<u8> {
    let manifest = format!(
        "<manifest:manifest><manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"{ODS}\"/>\
         <manifest:file-entry manifest:full-path=\"content.xml\">{about_it}</manifest:file-entry></manifest:manifest>"
    );
    zip(&[
        ("mimetype", ODS.as_bytes()),
        ("content.xml", content.as_bytes()),
        ("META-INF/manifest.xml", manifest.as_bytes()),
    ])
}

fn packed() -> Vec<u8> {
    zip(&[
        ("data/", b""),
        ("data/polls.csv", POLLS.as_bytes()),
        ("__MACOSX/data/._polls.csv", b"\0\x05\x16\x07"),
        ("data/hours.csv", HOURS.as_bytes()),
        ("data/.DS_Store", b"\0\0\0\x01Bud1"),
        ("data/zones.csv", ZONES.as_bytes()),
    ])
}

/// Every shape of the inputs: a file's name, its media type and its bytes.
fn shapes() -> [(&'static str, &'static str, Vec<u8>); 3] {
    [
        ("book.xlsx", XLSX, workbook()),
        ("book.ods", ODS, document()),
        ("data.zip", ZIP, packed()),
    ]
}

/// A home with the inputs from CSV files.
fn expected() -> Home {
    let home = Home::new();
    for (name, text) in [
        ("polls.csv", POLLS),
        ("hours.csv", HOURS),
        ("zones.csv", ZONES),
    ] {
        home.write(name, text);
    }
    home.import(&["polls.csv", "hours.csv", "zones.csv"]);
    home
}

fn upload(server: &Server, name: &str, bytes: &[u8]) -> Answer {
    let head = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--xyz--\r\n"].concat();
    server.post("/load", "multipart/form-data; boundary=xyz", &[], &body)
}

#[test]
fn each_sheet_and_each_file_of_a_zip_is_read_as_a_file_of_its_own() {
    let expected = expected().exports();
    for (name, _, bytes) in shapes() {
        let home = Home::new();
        home.write(name, bytes);
        let told = home.import(&[name]);
        assert_eq!(home.exports(), expected, "{name}: {told}");
        if name != "data.zip" {
            let note = format!("note: {name}, sheet \"nothing\": no_rows, once: ");
            assert!(told.stderr.contains(&note), "{told}");
        }
        // Again, and from stdin: nothing changes.
        home.import(&[name]).says(&["0 rows accepted, 7 unchanged"]);
        let mut command = home.command(&["import", "-"]);
        crate::harness::run(&mut command, &home.read(name))
            .exits(0)
            .says(&["7 unchanged"]);
        let ours = [
            "store-monitor.db",
            "store-monitor.db-reserve",
            "store-monitor.db-status",
        ];
        let others = home
            .names()
            .into_iter()
            .filter(|name| !ours.contains(&&**name));
        assert_eq!(others.collect::<Vec<_>>(), [name]);
    }
}

#[test]
fn a_page_takes_them_too() {
    let expected = expected().exports();
    for (name, _, bytes) in shapes() {
        let home = Home::new();
        let server = Server::start(&home);
        let answer = upload(&server, name, &bytes);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(home.exports(), expected, "{name}");
    }
}

#[test]
fn the_api_takes_one_kind_from_them_and_refuses_the_others() {
    let home = Home::new();
    let server = Server::start(&home);
    let rows: Vec<Vec<Typed>> = POLLS
        .lines()
        .map(|line| line.split(',').map(Typed::Text).collect())
        .collect();
    let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
    let file = sheet_of(&rows);
    let answer = server.post("/api/polls", XLSX, &[], &file);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], 3);
    // As with CSV, the bytes tell what they are; several files of the kind are one call.
    let two = zip(&[("a.csv", POLLS.as_bytes()), ("b.csv", POLLS.as_bytes())]);
    for media_type in [ZIP, "text/csv"] {
        let answer = server.post("/api/polls", media_type, &[], &two);
        assert_eq!(answer.json()["unchanged"], 6, "{}", answer.text());
    }
    for (name, media_type, bytes) in shapes() {
        let answer = server.post("/api/timezones", media_type, &[], &bytes);
        let detail = answer.problem(422);
        let part = match name {
            "data.zip" => "file \"data/polls.csv\"",
            _ => "sheet \"polls\"",
        };
        assert!(
            detail.starts_with(&format!("the body, {part} line")),
            "{detail}"
        );
        let error = &answer.json()["errors"][0];
        assert_eq!(
            (&error["code"], &error["part"]),
            (&"wrong_kind".into(), &part.into())
        );
    }
    assert_eq!(
        home.print(&["export", "timezones"]),
        b"store_id,timezone_str\n"
    );
    let bad = zip(&[("a.csv", b"store_id,timezone_str\na,Nowhere\n")]);
    let answer = server.post("/api/timezones", ZIP, &[], &bad);
    let error = &answer.json()["errors"][0];
    assert_eq!(
        (&error["line"], &error["part"]),
        (&2.into(), &"file \"a.csv\"".into())
    );
    let json = server.post("/api/polls", "application/json", &[], &two);
    assert!(json.problem(422).contains("neither gzipped nor as JSON"));
}

#[test]
fn an_id_that_a_spreadsheet_rounded_is_refused_with_its_row() {
    use Typed::{Number, Text};
    let header: &[Typed] = &[Text("store_id"), Text("status"), Text("timestamp_utc")];
    let row = |id| [id, Text("active"), Text("2026-11-05 18:00:00 UTC")];
    let good = row(Number(999_999_999_999_999.0));
    let text = row(Text("8139195336952109568"));
    let bad = [
        Number(8_139_195_336_952_109_568.0),
        Number(1e15),
        Number(12.5),
    ];
    let home = Home::new();
    home.write("good.xlsx", sheet_of(&[header, &good, &text]));
    home.import(&["good.xlsx"]).says(&["2 rows accepted"]);
    let server = Server::start(&home);
    for id in bad {
        let row = row(id);
        let book = sheet_of(&[header, &good, &row]);
        home.write("bad.xlsx", &book);
        let refused = home.run(&["import", "bad.xlsx"]).exits(2);
        assert!(
            refused
                .stderr
                .contains("bad.xlsx, sheet \"polls\" line 3, column store_id: "),
            "{refused}"
        );
        let answer = server.post("/api/polls", XLSX, &[], &book);
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["code"], "store_id_damaged");
        assert_eq!(upload(&server, "bad.xlsx", &book).status, 422);
    }
    assert_eq!(server.get("/api/stores").json()["total"], 2);
}

#[test]
fn an_archive_that_is_not_read_says_what_to_do() {
    let home = Home::new();
    let check = |name: &str, bytes: &[u8], words: &[&str]| {
        home.write(name, bytes);
        home.run(&["import", name]).exits(2).refuses(words);
    };
    let zip_of = |inner: &[u8]| zip(&[("inner", inner)]);
    let nested = [
        "data.zip, file \"inner\": ",
        "an archive in an archive (unpack the outer one",
    ];
    check("data.zip", &zip_of(&zip_of(POLLS.as_bytes())), &nested);
    check("data.zip", &zip_of(&workbook()), &nested);
    check("data.zip", &zip_of(b"\x1f\x8brest"), &nested);
    check(
        "data.zip",
        &zip_of(b"PAR1rest"),
        &["file \"inner\"", "a Parquet file", "duckdb -c"],
    );
    check(
        "data.zip",
        &zip_of(b"hello\n"),
        &["file \"inner\" line 1: no known header"],
    );
    check(
        "data.zip",
        &zip(&[("data/", b"")]),
        &["there is no file in the archive"],
    );
    let whole = packed();
    check(
        "data.zip",
        &whole[..whole.len() / 2],
        &["the zip archive is damaged"],
    );
    // A stored member whose bytes are not those of its checksum.
    let mut changed = zip_of(&POLLS.as_bytes().repeat(20));
    let middle = changed.len() / 3;
    changed[middle] ^= 0x55;
    check("data.zip", &changed, &["the zip archive is damaged"]);
    let mut locked = zip_of(POLLS.as_bytes());
    for (magic, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = locked
            .windows(4)
            .position(|part| part == magic)
            .expect("a header");
        locked[at + flags] |= 1;
    }
    check(
        "data.zip",
        &locked,
        &["file \"inner\": the file in the archive has a password"],
    );
    check(
        "a.ods",
        &ods("", "<manifest:encryption-data/>"),
        &["a.ods: the spreadsheet has a password"],
    );
    check(
        "a.ods",
        &ods("<a></b>", ""),
        &["a.ods: the spreadsheet is damaged"],
    );
    check(
        "a.ods",
        &ods("<a></a>", ""),
        &["a.ods: the spreadsheet has no sheet"],
    );
    // What a test of this project's wrote is no workbook of anybody's.
    let stub = [
        ("[Content_Types].xml", &b"<Types/>"[..]),
        ("xl/workbook.xml", b"<x/>"),
    ];
    check("real.xlsx", &zip(&stub), &["real.xlsx: the "]);
    let book = workbook();
    check(
        "book.xlsx",
        &book[..book.len() - 30],
        &["book.xlsx: the zip archive is damaged"],
    );
    for (member, words) in [
        ("xl/workbook.bin", "a binary workbook, .xlsb"),
        ("word/document.xml", "a Word document"),
        ("Index/Document.iwa", "a Numbers or Pages document"),
    ] {
        check("a.zip", &zip(&[(member, b"")]), &[words]);
    }
}

#[test]
fn every_other_format_is_named_with_the_command_that_makes_csv_of_it() {
    let home = Home::new();
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest";
    for (bytes, words) in [
        (&b"\xfd7zXZ\0rest"[..], ["an xz archive", "xz -d FILE"]),
        (b"BZh91AY&SY", ["a bzip2 archive", "bzip2 -d FILE"]),
        (b"\x28\xb5\x2f\xfdrest", ["a zstd archive", "zstd -d FILE"]),
        (b"7z\xbc\xaf\x27\x1crest", ["a 7z archive", "7z x FILE"]),
        (b"Rar!\x1a\x07rest", ["a rar archive", "unrar x FILE"]),
        (&tar, ["a tar archive", "tar -xf FILE"]),
        (
            b"PAR1rest",
            [
                "a Parquet file",
                "duckdb -c \"COPY (FROM 'FILE.parquet') TO 'FILE.csv'\"",
            ],
        ),
        (
            old,
            [
                "an old .xls workbook",
                "soffice --headless --convert-to csv FILE",
            ],
        ),
        (
            b"SQLite format 3\0rest",
            ["an SQLite database", "sqlite3 -header -csv FILE"],
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            ["the pointer that Git LFS leaves", "git lfs pull"],
        ),
    ] {
        home.write("a.csv", bytes);
        home.run(&["import", "a.csv"]).exits(2).refuses(&words);
    }
}

#[test]
fn a_small_archive_cannot_unpack_to_much() {
    let home = Home::new();
    let server = Server::start_with(&home, &["serve", "--max-body", "160000"]);
    let rows = "a,active,2026-11-05 18:00:00 UTC\n".repeat(2000);
    let file = format!("store_id,status,timestamp_utc\n{rows}");
    // The limit is of all members together.
    let two = zip(&[("a.csv", file.as_bytes()), ("b.csv", file.as_bytes())]);
    assert_eq!(server.post("/api/polls", ZIP, &[], &two).status, 200);
    let members: Vec<_> = ["a", "b", "c"].map(|name| (name, file.as_bytes())).into();
    let three = zip(&members);
    assert!(three.len() < 20_000);
    let refused = server.post("/api/polls", ZIP, &[], &three).problem(413);
    assert!(refused.contains("more than 160000 bytes"), "{refused}");
    let bomb = vec![b' '; 200_000];
    let book = [
        ("[Content_Types].xml", &b"<Types/>"[..]),
        ("xl/workbook.xml", b"<x/>"),
        ("xl/sharedStrings.xml", &bomb),
    ];
    server
        .post("/api/polls", XLSX, &[], &zip(&book))
        .problem(413);
    let content = format!("<a>{}</a>", "<b/>".repeat(60_000));
    server
        .post("/api/polls", ODS, &[], &ods(&content, ""))
        .problem(413);
}

/// The parts of a zip.
fn parts(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    (0..zip.len())
        .map(|index| {
            let mut part = zip.by_index(index).expect("a part");
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes).expect("its bytes");
            (part.name().expect("a name").into_owned(), bytes)
        })
        .collect()
}

#[test]
fn a_damaged_spreadsheet_is_read_or_refused_and_never_more() {
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % limit.max(1)
    };
    let mut outcomes = [0, 0];
    for whole in [parts(&workbook()), parts(&document())] {
        for _ in 0..400 {
            let mut members = whole.clone();
            let count = members.len();
            let (_, part) = &mut members[below(count)];
            for _ in 0..=below(3) {
                let at = below(part.len());
                match below(4) {
                    0 => part.truncate(at),
                    1 => drop(part.splice(at..at, *b"99999999")),
                    2 if at < part.len() => drop(part.remove(at)),
                    _ if at < part.len() => part[at] ^= 1 << below(7),
                    _ => {}
                }
            }
            let members: Vec<_> = members
                .iter()
                .map(|(name, part)| (&**name, &**part))
                .collect();
            let file = zip(&members);
            let folder = std::env::temp_dir();
            let source = Source::new("a", &*file);
            let latest = parse_instant("2027-01-01 00:00:00 UTC").expect("an instant");
            let read = batch::read(
                [source],
                MachineTime::until(latest),
                &Scratch::unbounded(&folder),
                &mut |_, _| Ok(()),
            );
            match read {
                Ok(_) => outcomes[0] += 1,
                Err(Refusal::File { .. }) => outcomes[1] += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(outcomes.iter().all(|&times| times > 50), "{outcomes:?}");
}
