//! Facts in a file: versioned, checksummed, replaced atomically.
//!
//! ```text
//! "trailhound facts\n"   17 bytes
//! format version         u32, little endian
//! SHA-256 of the body    32 bytes
//! body                   postcard: a list of (detector, facts version, bytes), the bytes being postcard of the facts sorted by key
//! ```
//!
//! Equal facts give equal files. A file that is foreign, damaged, or of another version is refused, never guessed at.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trailhound_detectors::Detector;
use trailhound_detectors::catalogue::{self, Ledgers, Slot, Visit};

use crate::whole_file::WholeFile;

const MAGIC: &[u8; 17] = b"trailhound facts\n";
const FORMAT: u32 = 1;
const HEADER: usize = MAGIC.len() + size_of::<u32>() + 32;

/// Why facts could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be read.
    #[error("cannot read facts from {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written; what stood there before still stands.
    #[error("cannot write facts to {path}; an earlier file there is unchanged")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a facts file at all.
    #[error("{path} is no facts file; give a file that `--facts-out` wrote")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The checksum does not match, or the body can't be decoded.
    #[error(
        "{path} is damaged ({what}); restore it from a copy, or make it anew by replaying with `--facts-out`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Written by another version.
    #[error(
        "{path} holds {what} in version {found}, this program knows {known}; {}",
        if found > known { "use the newer Trailhound that wrote it" } else { "make it anew by replaying with `--facts-out`" }
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format, or a detector's facts.
        what: String,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// Facts of a detector this program does not have.
    #[error(
        "{path} holds facts of a detector `{detector}` that this program does not have; use the newer Trailhound that wrote it"
    )]
    UnknownDetector {
        /// The file.
        path: PathBuf,
        /// The detector.
        detector: String,
    },
}

/// The facts of one detector.
#[derive(Serialize, Deserialize)]
struct Section {
    detector: String,
    version: u32,
    facts: Vec<u8>,
}

/// Encodes facts. Equal facts give equal bytes.
pub fn encode(ledgers: &Ledgers) -> Result<Vec<u8>, postcard::Error> {
    struct Sections<'a> {
        ledgers: &'a Ledgers,
        done: Result<Vec<Section>, postcard::Error>,
    }
    impl Visit for Sections<'_> {
        fn visit<D: Detector>(&mut self, slot: Slot<D>) {
            if let Ok(sections) = &mut self.done {
                match postcard::to_stdvec((slot.facts)(self.ledgers)) {
                    Ok(facts) => {
                        sections.push(Section {
                            detector: D::NAME.to_owned(),
                            version: D::FACTS_VERSION,
                            facts,
                        });
                    }
                    Err(e) => self.done = Err(e),
                }
            }
        }
    }
    let mut visit = Sections { ledgers, done: Ok(Vec::new()) };
    catalogue::each(&mut visit);
    let body = postcard::to_stdvec(&visit.done?)?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(&body));
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Decodes what [`encode`] wrote; `path` is for the messages.
pub fn decode(bytes: &[u8], path: &Path) -> Result<Ledgers, SnapshotError> {
    let path = || path.to_owned();
    let damaged = |what: &str| SnapshotError::Damaged { path: path(), what: what.to_owned() };
    if !bytes.starts_with(MAGIC) {
        // A file cut off inside the magic is damaged rather than foreign, but for the empty one.
        return Err(if !bytes.is_empty() && MAGIC.starts_with(bytes) {
            damaged("it ends inside its header")
        } else {
            SnapshotError::Foreign { path: path() }
        });
    }
    let Some((header, body)) = bytes.split_at_checked(HEADER) else {
        return Err(damaged("it ends inside its header"));
    };
    let (version, checksum) = header[MAGIC.len()..].split_at(size_of::<u32>());
    let found = u32::from_le_bytes([version[0], version[1], version[2], version[3]]);
    if found != FORMAT {
        return Err(SnapshotError::Version { path: path(), what: "facts".into(), found, known: FORMAT });
    }
    if Sha256::digest(body).as_slice() != checksum {
        return Err(damaged("its checksum does not match"));
    }
    let sections: Vec<Section> = postcard::from_bytes(body).map_err(|e| damaged(&e.to_string()))?;
    let mut ledgers = Ledgers::default();
    for section in &sections {
        let mut visit = Load { section, into: &mut ledgers, outcome: None };
        catalogue::each(&mut visit);
        match visit.outcome {
            Some(Loaded::Done) => {}
            Some(Loaded::Version(known)) => {
                return Err(SnapshotError::Version {
                    path: path(),
                    what: format!("facts of {}", section.detector),
                    found: section.version,
                    known,
                });
            }
            Some(Loaded::Damaged(e)) => return Err(damaged(&format!("facts of {}: {e}", section.detector))),
            None => {
                return Err(SnapshotError::UnknownDetector {
                    path: path(),
                    detector: section.detector.clone(),
                });
            }
        }
    }
    Ok(ledgers)
}

enum Loaded {
    Done,
    Version(u32),
    Damaged(postcard::Error),
}

struct Load<'a> {
    section: &'a Section,
    into: &'a mut Ledgers,
    outcome: Option<Loaded>,
}

impl Visit for Load<'_> {
    fn visit<D: Detector>(&mut self, slot: Slot<D>) {
        if D::NAME != self.section.detector {
            return;
        }
        self.outcome = Some(if self.section.version != D::FACTS_VERSION {
            Loaded::Version(D::FACTS_VERSION)
        } else {
            match postcard::from_bytes(&self.section.facts) {
                Ok(ledger) => {
                    *(slot.facts_mut)(self.into) = ledger;
                    Loaded::Done
                }
                Err(e) => Loaded::Damaged(e),
            }
        });
    }
}

/// Saves facts, replacing the file at `path` only when all of them are on disk.
pub fn save(ledgers: &Ledgers, path: &Path) -> Result<(), SnapshotError> {
    let failed = |source| SnapshotError::Write { path: path.to_owned(), source };
    let bytes = encode(ledgers).map_err(|e| failed(std::io::Error::other(e)))?;
    let mut file = WholeFile::create(path).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.commit().map_err(failed)?;
    Ok(())
}

/// Loads what [`save`] wrote.
pub fn load(path: &Path) -> Result<Ledgers, SnapshotError> {
    let bytes =
        std::fs::read(path).map_err(|source| SnapshotError::Read { path: path.to_owned(), source })?;
    decode(&bytes, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        decode(bytes, Path::new("f")).expect_err("must be refused").to_string()
    }

    #[test]
    fn what_is_no_sound_facts_file_is_refused_by_name() {
        let sound = encode(&Ledgers::default()).unwrap();
        assert_eq!(decode(&sound, Path::new("f")).unwrap(), Ledgers::default());
        assert!(message(b"").contains("no facts file"));
        assert!(message(b"{\"Records\":[]}").contains("no facts file"));
        assert!(message(&sound[..9]).contains("damaged"));
        assert!(message(&sound[..HEADER - 1]).contains("damaged"));
        assert!(message(&sound[..sound.len() - 1]).contains("checksum"));
        let mut flipped = sound.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(message(&flipped).contains("checksum"));
        let mut newer = sound;
        newer[MAGIC.len()] = 9;
        assert!(message(&newer).contains("newer Trailhound"), "{}", message(&newer));
    }

    fn with_section(section: &Section) -> Vec<u8> {
        let body = postcard::to_stdvec(&vec![section]).unwrap();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&body));
        bytes.extend_from_slice(&body);
        bytes
    }

    #[test]
    fn facts_of_other_detectors_and_versions_are_refused() {
        let mut section = Section { detector: "policy_change".into(), version: 999, facts: vec![0] };
        assert!(message(&with_section(&section)).contains("facts of policy_change in version 999"));
        section.detector = "future_detector".into();
        assert!(message(&with_section(&section)).contains("future_detector"));
    }

    #[test]
    fn saving_replaces_a_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts");
        std::fs::write(&path, "old").unwrap();
        save(&Ledgers::default(), &path).unwrap();
        assert_eq!(load(&path).unwrap(), Ledgers::default());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("no/such/folder/facts");
        assert!(matches!(save(&Ledgers::default(), &missing), Err(SnapshotError::Write { .. })));
    }
}
