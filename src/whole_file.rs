//! A file that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file being written. What was there before stays until [`WholeFile::commit`]; dropped before that, nothing is left
/// behind. The file is the writer's own: alerts name people and access keys.
#[derive(Debug)]
pub struct WholeFile(Inner);

#[derive(Debug)]
enum Inner {
    /// Beside its final place, so that moving it there is one step.
    Replacing { file: BufWriter<NamedTempFile>, path: PathBuf },
    /// A device or pipe, such as `/dev/null`, is written to, never replaced.
    Device(BufWriter<File>),
}

impl WholeFile {
    /// Starts writing what is to become the file at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
            }
            Ok(metadata) if !metadata.is_file() => {
                return Ok(Self(Inner::Device(BufWriter::new(File::options().write(true).open(path)?))));
            }
            _ => {}
        }
        // Through a link, the file it points at is what is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::metadata(directory)?;
        let file = NamedTempFile::with_prefix_in(".trailhound-", directory)?;
        Ok(Self(Inner::Replacing { file: BufWriter::new(file), path }))
    }

    /// Puts the file in its place.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Inner::Device(mut file) => file.flush(),
            Inner::Replacing { file, path } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Replacing { file, .. } => file.write(bytes),
            Inner::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Replacing { file, .. } => file.flush(),
            Inner::Device(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        fs::write(&path, "old").unwrap();

        let mut abandoned = WholeFile::create(&path).unwrap();
        abandoned.write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");

        let mut output = WholeFile::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_folder_is_refused_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(WholeFile::create(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert!(WholeFile::create(&folder.path().join("missing/alerts.jsonl")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_to_and_a_link_is_followed() {
        use std::os::unix::fs::FileTypeExt as _;

        let mut null = WholeFile::create(Path::new("/dev/null")).unwrap();
        null.write_all(b"x").unwrap();
        null.commit().unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());

        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut output = WholeFile::create(&link).unwrap();
        output.write_all(b"new").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
