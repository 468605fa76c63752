//! Uploads: files of `/load` that were refused for bad rows, kept so that corrections need no second upload.
//!
//! They lie in temporary files without a name, so they are gone when the server stops, however it stops.

use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::ingest::import::{self, Choices};
use crate::ingest::options::ReadOptions;
use crate::ingest::rows::Corrections;
use crate::ingest::source::Source;
use crate::scratch::ScratchFile;

/// How many uploads are kept; the oldest goes first.
const UPLOADS_MAX: usize = 8;

/// How many bytes the files of all of them have together; the last one is kept whatever its length.
const UPLOADS_BYTES_MAX: u64 = 512 << 20;

/// How long an upload is kept after its last use.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// One uploaded file.
#[derive(Debug)]
pub struct UploadedFile {
    /// Its name.
    pub name: String,
    /// Its bytes, as sent.
    pub bytes: ScratchFile,
}

/// The files of one form, and what was corrected since.
#[derive(Debug)]
pub struct Upload {
    /// The files, in order.
    pub files: Vec<UploadedFile>,
    /// How their rows are read.
    pub options: ReadOptions,
    /// The choices of the form.
    pub choices: Choices,
    /// For each input the lines that are corrected.
    pub corrections: HashMap<String, Corrections>,
}

impl Upload {
    /// The files again, with the corrections in place of the lines they correct.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn sources(&self, bytes_max: u64) -> io::Result<Vec<Source<'static>>> {
        let source = |file: &UploadedFile| {
            let mut bytes = file.bytes.try_clone()?;
            bytes.seek(SeekFrom::Start(0))?;
            Ok(Source {
                options: self.options,
                corrections: self.corrections.clone(),
                ..import::upload(&file.name, bytes, bytes_max)
            })
        };
        self.files.iter().map(source).collect()
    }
}

/// An upload that is kept.
#[derive(Debug)]
struct Kept {
    id: Uuid,
    /// When it was last used.
    used: Instant,
    /// How long its files are.
    bytes: u64,
    upload: Arc<Mutex<Upload>>,
}

/// The uploads that are kept, the latest last.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<Vec<Kept>>);

impl Uploads {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.used.elapsed() < KEPT_FOR);
        kept
    }

    /// Keeps an upload, and returns its id.
    pub fn keep(&self, upload: Upload) -> Uuid {
        let id = Uuid::new_v4();
        let mut kept = self.kept();
        let bytes = upload.files.iter().map(|file| file.bytes.written()).sum();
        let mut all = bytes;
        let fits = |kept: &&Kept| {
            all += kept.bytes;
            all <= UPLOADS_BYTES_MAX
        };
        let stay = kept.iter().rev().take(UPLOADS_MAX - 1).take_while(fits).count();
        let gone = kept.len() - stay;
        kept.drain(..gone);
        kept.push(Kept {
            id,
            used: Instant::now(),
            bytes,
            upload: Arc::new(Mutex::new(upload)),
        });
        id
    }

    /// The upload with that id, if it is still kept.
    pub fn find(&self, id: Uuid) -> Option<Arc<Mutex<Upload>>> {
        let mut kept = self.kept();
        let place = kept.iter().position(|kept| kept.id == id)?;
        let mut found = kept.remove(place);
        found.used = Instant::now();
        let upload = Arc::clone(&found.upload);
        kept.push(found);
        Some(upload)
    }

    /// Lets go of the upload with that id.
    pub fn forget(&self, id: Uuid) {
        self.kept().retain(|kept| kept.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::interval::Micros;

    #[test]
    fn the_oldest_upload_goes_when_a_new_one_has_no_place() {
        let uploads = Uploads::default();
        let upload = || Upload {
            files: Vec::new(),
            options: ReadOptions::until(Micros::MAX),
            choices: Choices::default(),
            corrections: HashMap::new(),
        };
        let ids: Vec<_> = (0..UPLOADS_MAX).map(|_| uploads.keep(upload())).collect();
        assert!(uploads.find(ids[0]).is_some());
        uploads.keep(upload());
        assert!(uploads.find(ids[0]).is_some(), "it was used");
        assert!(uploads.find(ids[1]).is_none());
        uploads.forget(ids[0]);
        assert!(uploads.find(ids[0]).is_none());
    }
}
