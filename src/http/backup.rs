//! `GET /api/backup`: the database as one checked file, for admins.
//!
//! The copy is made into a file without a name, so it is whole, checked and of known length before its first byte is
//! sent, and takes no memory. One is made at a time; those that are sent share the room for temporary files.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, TryLockError};

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

use super::app::App;
use super::request::Request;
use super::response::Response;
use crate::clock::machine_us;
use crate::db::audit::Action;
use crate::db::backup::{self, Care};
use crate::db::backup_folder::name_of;
use crate::error::{Error, Result};
use crate::jobs;
use crate::scratch::ScratchFile;

/// How much of the copy is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Makes a backup and sends it.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    if request.header("Sec-Fetch-Site") == Some("cross-site") {
        return Err(Error::forbidden(
            "a page of another site asks for a backup (open it from a page of this server)",
        ));
    }
    let turn = Arc::clone(&app.site.backup_turn);
    let _turn = match turn.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::unavailable(
                "another backup is being made (try again in a minute)",
            ));
        }
        turn => turn,
    };
    app.site.writer.watch().verify()?;
    let mut care = Care {
        progress: &mut |_, _| {},
        findings: &jobs::findings,
    };
    let (mut file, copied) = backup::spooled(&app.site.file, &app.site.scratch, &mut care)?;
    let failed = |error: io::Error| Error::failed("the backup cannot be read again").because(error);
    let digest = sha256(&mut file).map_err(failed)?;
    let name = name_of(&app.site.file, machine_us());
    let (author, subject) = (app.author(), name.clone());
    app.site
        .writer
        .try_write(move |db| author.did(db, Action::Backup, &subject, copied.bytes))?;
    let name: String = name
        .chars()
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect();
    let answer = Response::new(200, "application/vnd.sqlite3", Vec::new())
        .with("Content-Disposition", format!("attachment; filename=\"{name}\""))
        .with("Repr-Digest", format!("sha-256=:{}:", BASE64.encode(&digest)))
        .with("Backup-SHA-256", HEXLOWER.encode(&digest));
    Ok(answer.with_file(file))
}

/// Whether a letter needs no quoting in a header field.
fn plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

fn sha256(file: &mut ScratchFile) -> io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}
