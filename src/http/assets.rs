//! What pages load: the style sheet, the script, the icon, and samples of input files.
//!
//! Each of the first three carries a hash of its contents in its name, so that it may be kept for
//! ever. It must never know which page loads what.

use super::App;
use super::delivery::fnv1a;
use super::request::Request;
use super::response::Response;
use crate::error::{Error, Result};
use crate::ingest::kind::Kind;

/// A file that pages load.
struct Asset {
    stem: &'static str,
    suffix: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const STYLE: Asset = Asset {
    stem: "style",
    suffix: "css",
    media_type: "text/css; charset=utf-8",
    bytes: include_bytes!("assets/style.css"),
};

const SCRIPT: Asset = Asset {
    stem: "script",
    suffix: "js",
    media_type: "text/javascript; charset=utf-8",
    bytes: include_bytes!("assets/script.js"),
};

const ICON: Asset = Asset {
    stem: "icon",
    suffix: "svg",
    media_type: "image/svg+xml",
    bytes: include_bytes!("assets/icon.svg"),
};

impl Asset {
    fn name(&self) -> String {
        format!("{}-{:016x}.{}", self.stem, fnv1a(self.bytes), self.suffix)
    }
}

/// The path of the style sheet.
pub fn style() -> String {
    format!("/assets/{}", STYLE.name())
}

/// The path of the script.
pub fn script() -> String {
    format!("/assets/{}", SCRIPT.name())
}

/// The path of the icon.
pub fn icon() -> String {
    format!("/assets/{}", ICON.name())
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

/// `GET /samples/NAME`: a sample of each kind of input.
pub fn sample(_app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let kinds = Kind::ALL.map(Kind::description);
    let found = kinds.iter().find(|kind| kind.sample_file == request.id);
    let kind = found.ok_or_else(|| {
        let names = kinds.map(|kind| kind.sample_file).join(", ");
        Error::not_found(format!("there is no such sample (there are {names})"))
    })?;
    let file = format!("attachment; filename=\"{}\"", kind.sample_file);
    let text = kind.sample.as_bytes().to_vec();
    let answer = Response::new(200, "text/csv; charset=utf-8", text);
    Ok(answer.with("Content-Disposition", file).revalidated())
}
