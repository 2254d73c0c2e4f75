//! What an interrupted replay leaves, so that the same command goes on where it stopped.
//!
//! ```text
//! "trailhound resume\n"  18 bytes
//! format version         u32, little endian
//! SHA-256 of the body    32 bytes
//! body                   postcard of what is saved: names of the files read, facts, counts
//! ```
//!
//! Files are remembered by name, not by place: what was delivered in the meantime is read when its turn comes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trailhound_detectors::catalogue::Ledgers;

use crate::engine::blind::BlindSpot;
use crate::engine::tally::Tally;
use crate::engine::worker::Intake;
use crate::ingest::LogFile;
use crate::store::snapshot::{self, SnapshotError};
use crate::whole_file::WholeFile;

const MAGIC: &[u8; 18] = b"trailhound resume\n";
const FORMAT: u32 = 1;
const HEADER: usize = MAGIC.len() + size_of::<u32>() + 32;

/// Why an interrupted replay can't be gone on with, or what there is can't be saved.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The file could not be read or written.
    #[error("cannot {what} {path}")]
    File {
        /// What was to be done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another command left it.
    #[error(
        "{path} was left by a replay of other inputs, another span, other accounts or limits, or by another version of \
         Trailhound: give the same command again, or another file"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is no such file, or damaged.
    #[error("{path} is no sound file of `--resume` ({what}): delete it to begin anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The facts in it are refused.
    #[error("{path} can't be gone on with: delete it to begin anew")]
    Facts {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SnapshotError,
    },
}

/// A file that an interrupted replay goes on from.
#[derive(Debug)]
pub(super) struct Resume {
    path: PathBuf,
    command: [u8; 32],
    read: BTreeSet<[u8; 16]>,
}

/// What was known when the file was written.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) ledgers: Ledgers,
    pub(super) tally: Tally,
    /// What could not be seen until then, in words.
    pub(super) blind: BTreeSet<String>,
}

#[derive(Serialize)]
struct Saving<'a> {
    command: [u8; 32],
    read: &'a BTreeSet<[u8; 16]>,
    tally: &'a Tally,
    blind: Vec<&'a str>,
    facts: Vec<u8>,
}

#[derive(Deserialize)]
struct Saved {
    command: [u8; 32],
    read: BTreeSet<[u8; 16]>,
    tally: Tally,
    blind: BTreeSet<String>,
    facts: Vec<u8>,
}

impl Resume {
    /// Opens the file at `path`, where there is one, for a command that reads `inputs` by `intake`.
    pub(super) fn open(
        path: &Path,
        inputs: &str,
        intake: &Intake,
    ) -> Result<(Self, Option<Before>), ResumeError> {
        let path = path.to_owned();
        let command = format!("{}\n{inputs}\n{intake:?}", env!("CARGO_PKG_VERSION"));
        let command = Sha256::digest(command.as_bytes()).into();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Self { path, command, read: BTreeSet::new() }, None));
            }
            Err(source) => return Err(ResumeError::File { what: "read", path, source }),
        };
        let saved = match decode(&bytes) {
            Ok(saved) => saved,
            Err(what) => return Err(ResumeError::Damaged { path, what }),
        };
        if saved.command != command {
            return Err(ResumeError::Foreign { path });
        }
        let ledgers = snapshot::decode(&saved.facts, &path)
            .map_err(|source| ResumeError::Facts { path: path.clone(), source })?;
        let before = Before { ledgers, tally: saved.tally, blind: saved.blind };
        Ok((Self { path, command, read: saved.read }, Some(before)))
    }

    /// Whether a file was read before the interruption.
    pub(super) fn has_read(&self, file: &LogFile) -> bool {
        self.read.contains(&name(file))
    }

    /// Files were read since.
    pub(super) fn note(&mut self, files: &[&LogFile]) {
        self.read.extend(files.iter().map(|file| name(file)));
    }

    /// Writes what is known now in place of what the file held.
    pub(super) fn save<'a>(
        &self,
        ledgers: &Ledgers,
        tally: &Tally,
        blind: impl Iterator<Item = &'a BlindSpot>,
    ) -> Result<(), ResumeError> {
        let failed = |source| ResumeError::File { what: "write", path: self.path.clone(), source };
        let body = snapshot::encode(ledgers).and_then(|facts| {
            let Self { command, read, .. } = self;
            postcard::to_stdvec(&Saving {
                command: *command,
                read,
                tally,
                blind: blind.map(|b| b.text).collect(),
                facts,
            })
        });
        let body = body.map_err(|e| failed(std::io::Error::other(e)))?;
        let mut file = WholeFile::create(&self.path).map_err(failed)?;
        for part in [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &Sha256::digest(&body), &body] {
            file.write_all(part).map_err(failed)?;
        }
        file.commit().map_err(failed)
    }
}

/// A name is told from another by half of its hash.
fn name(file: &LogFile) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(file.origin().name.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

fn decode(bytes: &[u8]) -> Result<Saved, String> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or("it ends inside its header")?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (version, checksum) = rest.split_at(size_of::<u32>());
    if magic != MAGIC || version != FORMAT.to_le_bytes() {
        return Err("another program or version wrote it".to_owned());
    }
    if Sha256::digest(body).as_slice() != checksum {
        return Err("its checksum does not match".to_owned());
    }
    postcard::from_bytes(body).map_err(|e| e.to_string())
}
