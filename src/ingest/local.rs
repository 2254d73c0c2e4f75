//! Log objects on disk and on standard input.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trailhound_detectors::EventTime;
use walkdir::WalkDir;

use super::origin::{Origin, delivered};
use super::source::FetchError;

/// Stands for standard input.
const STDIN: &str = "-";

/// Why an input can't be listed or read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Nothing is there.
    #[error("{} does not exist: give a CloudTrail file, a folder of them, or - for standard input", .0.display())]
    Missing(PathBuf),
    /// It is there, and can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An input larger than any log object.
    #[error("{} is larger than the {limit} bytes allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bytes allowed.
        limit: u64,
    },
    /// An object in S3 that could not be fetched.
    #[error("{object} could not be fetched: {}", with_causes(why))]
    Fetch {
        /// `s3://bucket/key`.
        object: String,
        /// Why.
        why: FetchError,
    },
    /// Something in S3, and nobody who fetches from there.
    #[error("{0} lies in S3, and this program was built without the feature `aws`")]
    NotHere(String),
}

impl IngestError {
    /// It is no fault of this input: others can't be had either.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Fetch { why: FetchError::Failed(_), .. })
    }
}

/// A log object on disk. There may be millions, so each holds little: files of one folder share its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    folder: Arc<Path>,
    name: Box<OsStr>,
    /// When it was delivered, by its name.
    pub delivered: Option<EventTime>,
    /// Its size in bytes, as it is stored; 0 for standard input.
    pub bytes: u64,
}

impl LocalFile {
    /// Where it is; `-` for standard input.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&*self.name)
    }

    /// What its name tells.
    pub fn origin(&self) -> Origin {
        match self.path().into_os_string().into_string() {
            Ok(path) => Origin::new(path),
            Err(path) => Origin::new(path.to_string_lossy()),
        }
    }

    /// The order files are read in: as they were delivered; first those whose names give no time.
    pub fn order(&self, other: &Self) -> Ordering {
        self.delivered.cmp(&other.delivered).then_with(|| match Arc::ptr_eq(&self.folder, &other.folder) {
            true => self.name.cmp(&other.name),
            false => self.path_order(other),
        })
    }

    /// The order of the paths, part by part: by bytes, as a separator comes before all of them.
    fn path_order(&self, other: &Self) -> Ordering {
        let [mine, theirs] = [self, other].map(|file| file.folder.as_os_str().as_encoded_bytes());
        let differs = mine.iter().zip(theirs).position(|(a, b)| a != b);
        let common = differs.unwrap_or(mine.len().min(theirs.len()));
        self.bytes_of_path(common).cmp(other.bytes_of_path(common))
    }

    /// The bytes of the path from a place in its folder on, with 0 for separators.
    fn bytes_of_path(&self, from: usize) -> impl Iterator<Item = u8> {
        let is_separator = |byte: u8| std::path::is_separator(char::from(byte));
        let folder = self.folder.as_os_str().as_encoded_bytes();
        let between = folder.last().is_some_and(|last| !is_separator(*last)).then_some(0);
        let folder = folder[from..].iter().map(move |byte| if is_separator(*byte) { 0 } else { *byte });
        folder.chain(between).chain(self.name.as_encoded_bytes().iter().copied())
    }
}

/// Files as they are found.
#[derive(Default)]
struct Listing {
    files: Vec<LocalFile>,
}

impl Listing {
    fn add(&mut self, path: &Path, bytes: u64) {
        let (folder, name) = split(path);
        let folder = match self.files.last() {
            Some(last) if *last.folder == *folder => Arc::clone(&last.folder),
            _ => folder.into(),
        };
        let delivered = name.to_str().and_then(delivered);
        self.files.push(LocalFile { folder, name: name.into(), delivered, bytes });
    }
}

/// Folder and name of a path. Of the ordinary form by its last separator, as there may be millions of them.
fn split(path: &Path) -> (&Path, &OsStr) {
    let text = path.to_str().unwrap_or_default();
    match text.rsplit_once(std::path::is_separator) {
        Some((folder, name))
            if !matches!(name, "" | "." | "..")
                && !folder.is_empty()
                && !folder.ends_with(|end| end == '.' || std::path::is_separator(end)) =>
        {
            (Path::new(folder), OsStr::new(name))
        }
        _ => (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or(path.as_os_str())),
    }
}

/// Every file under `paths`, in the order they were delivered; files whose names give no time come last, by name. Of a
/// folder only files that can be log objects count (`.json`, `.gz` and the like); a file that is named is always taken.
pub fn list(paths: &[PathBuf]) -> Result<Vec<LocalFile>, IngestError> {
    let mut listing = Listing::default();
    for path in paths {
        if path.as_os_str() == STDIN {
            listing.add(path, 0);
            continue;
        }
        let about = std::fs::metadata(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => IngestError::Missing(path.clone()),
            _ => unreadable(path, e),
        })?;
        if about.is_dir() {
            walk(path, &mut listing)?;
        } else {
            listing.add(path, about.len());
        }
    }
    let mut files = listing.files;
    files.sort_by(|a, b| a.delivered.is_none().cmp(&b.delivered.is_none()).then_with(|| a.order(b)));
    files.dedup_by(|a, b| a.name == b.name && a.folder == b.folder);
    Ok(files)
}

/// Links are followed, and a link to a folder above itself is left out; so is a link that leads nowhere.
fn walk(folder: &Path, listing: &mut Listing) -> Result<(), IngestError> {
    let before = listing.files.len();
    // Whoever follows links has to ask about every file on the way, and mostly there are none.
    if add_all(WalkDir::new(folder), folder, listing)? == Walked::UntilALink {
        listing.files.truncate(before);
        add_all(WalkDir::new(folder).follow_links(true), folder, listing)?;
    }
    measure(&mut listing.files[before..]);
    Ok(())
}

/// Asks for the sizes of files, on all cores: nothing else can be done meanwhile. What can't be told is found out in reading.
fn measure(files: &mut [LocalFile]) {
    /// A thread is not worth its while for fewer.
    const FEWEST: usize = 512;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(cores).max(FEWEST);
    let measure = |files: &mut [LocalFile]| {
        for file in files {
            file.bytes = std::fs::metadata(file.path()).map_or(0, |about| about.len());
        }
    };
    std::thread::scope(|scope| {
        let mut shares = files.chunks_mut(share);
        let own = shares.next();
        shares.for_each(|share| drop(scope.spawn(move || measure(share))));
        own.map(measure);
    });
}

/// How far a walk went that does not follow links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walked {
    ToTheEnd,
    UntilALink,
}

fn add_all(walk: WalkDir, folder: &Path, listing: &mut Listing) -> Result<Walked, IngestError> {
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) if e.loop_ancestor().is_some() => continue,
            Err(e) => {
                let path = e.path().unwrap_or(folder).to_owned();
                match e.into_io_error() {
                    Some(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    Some(source) => return Err(IngestError::Unreadable { path, source }),
                    None => continue,
                }
            }
        };
        if entry.file_type().is_symlink() {
            return Ok(Walked::UntilALink);
        }
        if !entry.file_type().is_file() || !is_log_name(entry.path()) {
            continue;
        }
        listing.add(entry.path(), 0);
    }
    Ok(Walked::ToTheEnd)
}

/// Notes and labels lie beside logs; hidden files are nobody's logs.
pub(super) fn is_log_name(path: &Path) -> bool {
    let name = split(path).1.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    !name.starts_with('.')
        && name.rsplit_once('.').is_none_or(|(_, end)| matches!(end, "json" | "jsonl" | "ndjson" | "log"))
}

/// The bytes of a file as stored, in place of what `into` held. At most `limit` bytes.
pub fn read(file: &LocalFile, limit: u64, into: &mut Vec<u8>) -> Result<(), IngestError> {
    into.clear();
    let path = file.path();
    let failed = |e| unreadable(&path, e);
    let read = if path.as_os_str() == STDIN {
        io::stdin().lock().take(limit.saturating_add(1)).read_to_end(into).map_err(failed)?
    } else {
        let mut handle = File::open(&path).map_err(failed)?;
        into.reserve(usize::try_from(file.bytes.min(limit)).unwrap_or(0) + 1);
        Read::take(&mut handle, limit.saturating_add(1)).read_to_end(into).map_err(failed)?
    };
    if read as u64 > limit {
        into.clear();
        return Err(IngestError::TooLarge { path, limit });
    }
    Ok(())
}

/// An error in one line, down to its last cause.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn unreadable(path: &Path, source: io::Error) -> IngestError {
    IngestError::Unreadable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const EARLY: &str = "123456789012_CloudTrail_us-east-1_20230710T1150Z_zz.json.gz";
    const LATE: &str = "123456789012_CloudTrail_eu-west-1_20230710T1155Z_aa.json.gz";

    fn names(files: &[LocalFile]) -> Vec<String> {
        files.iter().map(|f| f.name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn files_come_as_they_were_delivered_and_the_nameless_last() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        for name in ["a/b/events.json", "a/notes.md", "a/.hidden.json", "a/labels.txt"] {
            fs::write(at(name), "[]").unwrap();
        }
        fs::write(at("a").join(LATE), "late").unwrap();
        fs::write(at("a/b").join(EARLY), "early!").unwrap();
        let files = list(&[at("a")]).unwrap();
        assert_eq!(names(&files), [EARLY, LATE, "events.json"]);
        assert_eq!((files[0].bytes, files[1].bytes), (6, 4));
        // A file that is named is taken whatever its name, and nothing is taken twice.
        let files = list(&[at("a/notes.md"), at("a"), at("a/b/events.json")]).unwrap();
        assert_eq!(names(&files), [EARLY, LATE, "events.json", "notes.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("events.json"), "[]").unwrap();
        std::os::unix::fs::symlink(folder.path(), inner.join("circle")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), inner.join("broken.json")).unwrap();
        std::os::unix::fs::symlink(inner.join("events.json"), folder.path().join("linked.json")).unwrap();
        let files = list(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&files), ["events.json", "linked.json"]);
    }

    #[test]
    fn paths_are_ordered_part_by_part() {
        let paths = ["a", "a/b", "a/b/c", "a/b-c/a", "a/bc", "/a", "/a/b", "b", "ab/c", "a.b/c", "aa"];
        let file = |path| {
            let mut listing = Listing::default();
            listing.add(Path::new(path), 0);
            listing.files.remove(0)
        };
        for one in paths {
            for other in paths {
                assert_eq!(
                    file(one).order(&file(other)),
                    Path::new(one).cmp(Path::new(other)),
                    "{one} {other}"
                );
            }
        }
    }

    #[test]
    fn paths_are_split_as_they_are_anyhow() {
        for path in [
            "/a/b", "a/b", "b", "/b", "a//b", "a/./b", "./b", "a/..", "a/", "..", "", "a/b.json", "a./b",
            "a/b.",
        ] {
            let path = Path::new(path);
            let folder = path.parent().unwrap_or(Path::new(""));
            let name = path.file_name().unwrap_or(path.as_os_str());
            let (found, found_name) = split(path);
            assert_eq!((found.as_os_str(), found_name), (folder.as_os_str(), name), "{}", path.display());
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let error = list(&["/no/such/trail".into()]).unwrap_err().to_string();
        assert!(error.contains("/no/such/trail") && error.contains("give a CloudTrail file"), "{error}");
        assert_eq!(names(&list(&["-".into()]).unwrap()), ["-"]);
    }

    #[test]
    fn reading_replaces_what_was_read_before_and_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.json");
        fs::write(&path, "12345").unwrap();
        let file = &list(&[path]).unwrap()[0];
        let mut bytes = b"older".to_vec();
        read(file, 5, &mut bytes).unwrap();
        assert_eq!(bytes, b"12345");
        assert!(matches!(read(file, 4, &mut bytes), Err(IngestError::TooLarge { limit: 4, .. })));
        assert!(bytes.is_empty());
    }
}
