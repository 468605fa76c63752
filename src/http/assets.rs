//! Files that pages load: the style sheet, the script, the icon, and samples of input files.
//!
//! Each of the first three carries a hash of its contents in its name, so that it may be kept for
//! ever.

use super::app::App;
use super::request::Request;
use super::response::Response;
use super::response_filters::fnv1a;
use crate::error::{Error, Result};

/// A file that pages load.
struct Asset {
    stem: &'static str,
    suffix: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const STYLE: Asset = asset(
    "style",
    "css",
    "text/css; charset=utf-8",
    include_bytes!("assets/style.css"),
);
const SCRIPT: Asset = asset(
    "script",
    "js",
    "text/javascript; charset=utf-8",
    include_bytes!("assets/script.js"),
);
const ICON: Asset = asset(
    "icon",
    "svg",
    "image/svg+xml",
    include_bytes!("assets/icon.svg"),
);

const fn asset(
    stem: &'static str,
    suffix: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
) -> Asset {
    Asset {
        stem,
        suffix,
        media_type,
        bytes,
    }
}

impl Asset {
    fn name(&self) -> String {
        format!("{}-{:016x}.{}", self.stem, fnv1a(self.bytes), self.suffix)
    }
}

/// The paths of the style sheet, the script and the icon.
pub fn paths() -> [String; 3] {
    [STYLE, SCRIPT, ICON].map(|asset| format!("/assets/{}", asset.name()))
}

/// `GET /assets/NAME`.
pub fn get(_app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let assets = [STYLE, SCRIPT, ICON];
    let found = assets.iter().find(|asset| asset.name() == request.id);
    let asset = found.ok_or_else(|| {
        Error::not_found("there is no such asset (the page that names it is an older one)")
    })?;
    let answer = Response::new(200, asset.media_type, asset.bytes.to_vec());
    Ok(answer.cached("public, max-age=31536000, immutable"))
}

/// A sample of an input file.
pub struct Sample {
    /// The name of its rows.
    pub title: &'static str,
    /// Their meaning.
    pub about: &'static str,
    /// Its name.
    pub file: &'static str,
    /// Its rows, with the header.
    pub text: &'static str,
}

/// A sample of each kind, in the order of the steps of a first visit.
pub const SAMPLES: [Sample; 4] = [
    Sample {
        title: "Polls",
        about: "Whether a store answered, and when",
        file: "polls.csv",
        text: include_str!("assets/polls.csv"),
    },
    Sample {
        title: "Business hours",
        about: "When a store means to be open, by its own clock; day 0 is Monday. Without any it is always open",
        file: "business_hours.csv",
        text: include_str!("assets/business_hours.csv"),
    },
    Sample {
        title: "Time zones",
        about: "Where a store is. Without one it is in America/Chicago",
        file: "timezones.csv",
        text: include_str!("assets/timezones.csv"),
    },
    Sample {
        title: "Stores",
        about: "What people call a store, and who owns it (optional)",
        file: "stores.csv",
        text: include_str!("assets/stores.csv"),
    },
];

/// `GET /samples/NAME`.
pub fn sample(_app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let found = SAMPLES.iter().find(|sample| sample.file == request.id);
    let sample = found.ok_or_else(|| {
        let names = SAMPLES.map(|sample| sample.file).join(", ");
        Error::not_found(format!("there is no such sample (there are {names})"))
    })?;
    let file = format!("attachment; filename=\"{}\"", sample.file);
    let answer = Response::new(
        200,
        "text/csv; charset=utf-8",
        sample.text.as_bytes().to_vec(),
    );
    Ok(answer.with("Content-Disposition", file).revalidated())
}
