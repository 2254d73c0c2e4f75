//! Log objects that wait to be read, wherever they lie, and who reads them.

use std::cmp::Ordering;
use std::fmt::Debug;

use trailhound_detectors::EventTime;

use super::envelope::ObjectRef;
use super::local::{self, IngestError, LocalFile};
use super::origin::{Origin, delivered};

/// A log object that waits to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFile {
    /// On disk.
    Disk(LocalFile),
    /// In S3.
    S3(S3File),
}

/// A log object in S3, as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3File {
    pub(super) object: ObjectRef,
    delivered: Option<EventTime>,
    pub(super) bytes: u64,
}

impl From<LocalFile> for LogFile {
    fn from(file: LocalFile) -> Self {
        Self::Disk(file)
    }
}

impl LogFile {
    /// An object in S3 whose size is known.
    pub fn in_s3(object: ObjectRef, bytes: u64) -> Self {
        let delivered = delivered(object.key.rsplit('/').next().unwrap_or_default());
        Self::S3(S3File { object, delivered, bytes })
    }

    /// What its name tells.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Disk(file) => file.origin(),
            Self::S3(file) => Origin::new(file.object.uri()),
        }
    }

    /// When it was delivered, by its name.
    pub fn delivered(&self) -> Option<EventTime> {
        match self {
            Self::Disk(file) => file.delivered,
            Self::S3(file) => file.delivered,
        }
    }

    /// Its size in bytes, as it is stored; 0 for standard input.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Disk(file) => file.bytes,
            Self::S3(file) => file.bytes,
        }
    }

    /// The order files are read in: as they were delivered; first those whose names give no time.
    pub fn order(&self, other: &Self) -> Ordering {
        self.delivered().cmp(&other.delivered()).then_with(|| match (self, other) {
            (Self::Disk(one), Self::Disk(other)) => one.order(other),
            (Self::S3(one), Self::S3(other)) => one.object.cmp(&other.object),
            (Self::Disk(_), Self::S3(_)) => Ordering::Less,
            (Self::S3(_), Self::Disk(_)) => Ordering::Greater,
        })
    }
}

/// Hands out the bytes of log objects. Asked from many threads at once.
pub trait Shelf: Debug + Send + Sync {
    /// These will be read, in about this order: whoever fetches from afar can begin.
    fn expect(&self, files: &[LogFile]);

    /// The bytes of an object as stored, in place of what `into` held. At most `limit` bytes.
    fn read(&self, file: &LogFile, limit: u64, into: &mut Vec<u8>) -> Result<(), IngestError>;
}

/// Files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Shelf for Disk {
    fn expect(&self, _: &[LogFile]) {}

    fn read(&self, file: &LogFile, limit: u64, into: &mut Vec<u8>) -> Result<(), IngestError> {
        match file {
            LogFile::Disk(file) => local::read(file, limit, into),
            LogFile::S3(file) => Err(IngestError::NotHere(file.object.uri())),
        }
    }
}
