//! Assets: the style sheet, the script, the icon, and samples of input files.
//!
//! The first three have a hash of their contents in their names, so caches may keep them for ever.

use super::app::App;
use super::request::Request;
use super::response::Response;
use super::response_filters::fnv1a;
use crate::error::{Error, Result};
use crate::ingest::kind::Kind;

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
const ICON: Asset = asset("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg"));

const fn asset(stem: &'static str, suffix: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
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
    let asset =
        found.ok_or_else(|| Error::not_found("there is no such asset (the page that names it is an older one)"))?;
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
