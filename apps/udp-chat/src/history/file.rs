//! The history's file: appended to, in whole lines.
//!
//! **How it works.** The file is opened with `O_APPEND`, so that each `write` goes to the end, whoever else appends to the
//! same file, and made with mode 0600. One `write` carries whole lines. A disk that becomes full cuts the last `write`
//! short, perhaps within a line: then that half line is cut off again, as long as nobody has appended since.
//!
//! **Where it breaks.** Between the look at the file's length and the cut, another program could append: that window is
//! a few microseconds long and open only while the disk is full. A half line behind which somebody else has written
//! stays, glued to their line; ours is written again in full. What cannot be cut (a pipe) is continued instead.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// A file that lines are appended to.
#[derive(Debug)]
pub(super) struct HistoryFile {
    file: File,
    path: PathBuf,
    /// It has an end that can be cut off and a disk that can be synced.
    regular: bool,
    /// The last line in it has no end.
    open_line: bool,
}

/// What became of a half line.
enum Cut {
    /// It is gone.
    Done,
    /// Somebody has written behind it.
    Others,
    /// It is still the last thing in the file.
    Impossible,
}

impl HistoryFile {
    /// Opens the file, or makes it. Looks at its last byte and no more.
    ///
    /// # Errors
    /// It cannot be appended to, or its end cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = open_or_create(path)?;
        let about = file.metadata()?;
        let regular = about.is_file();
        let open_line = regular && about.len() > 0 && last_byte(path, about.len())? != Some(b'\n');
        Ok(Self { file, path: path.to_owned(), regular, open_line })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last line in the file has no end: what comes next must not be glued to it.
    pub(super) fn line_is_open(&self) -> bool {
        self.open_line
    }

    /// Appends whole lines. Gives how many of the bytes need not be written again, and why not all of them.
    pub(super) fn append(&mut self, lines: &[u8]) -> (usize, io::Result<()>) {
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return (self.keep_whole(lines, written), Err(io::ErrorKind::WriteZero.into())),
                // usually all; else it was a signal, or the disk is full and the next turn says so
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (self.keep_whole(lines, written), Err(error)),
            }
        }
        if written > 0 {
            self.open_line = false;
        }
        (written, Ok(()))
    }

    /// So many of these bytes went in before the writing failed: see to it that the file ends with a whole line.
    fn keep_whole(&mut self, lines: &[u8], written: usize) -> usize {
        let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |newline| newline + 1);
        if written == whole {
            self.open_line &= whole == 0;
            return whole;
        }
        match self.cut(written - whole) {
            Cut::Done => self.open_line &= whole == 0,
            Cut::Others => self.open_line = false,
            Cut::Impossible => {
                self.open_line = true;
                return written;
            }
        }
        whole
    }

    /// Takes back the last bytes that we have appended.
    fn cut(&mut self, excess: usize) -> Cut {
        if !self.regular {
            return Cut::Impossible;
        }
        // with O_APPEND, the position after a write is where that write ended
        let (Ok(ours), Ok(about)) = (self.file.stream_position(), self.file.metadata()) else {
            return Cut::Impossible;
        };
        if about.len() != ours {
            return Cut::Others;
        }
        match self.file.set_len(ours - (excess as u64).min(ours)) {
            Ok(()) => Cut::Done,
            Err(_) => Cut::Impossible,
        }
    }

    /// Waits until what was written is on the disk itself.
    ///
    /// # Errors
    /// The disk has failed, and the kernel may have forgotten what it could not write: trying again would succeed and
    /// mean nothing.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.regular { self.file.sync_data() } else { Ok(()) }
    }

    /// Opens the file anew, after an error that belongs to the old opening. If that fails, the old one stays.
    pub(super) fn reopen(&mut self) {
        if let Ok(file) = open_or_create(&self.path) {
            self.file = file;
        }
    }
}

/// What an error of the system means, without its number.
pub(crate) fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // O_NONBLOCK: a pipe that nobody reads is an error and not a wait for ever; a file does not know the flag
    options.append(true).mode(0o600).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).open(path)?;
            sync_folder(path);
            Ok(file)
        }
        opened => opened,
    }
}

/// Makes a new file's name last, too. Some file systems cannot, which is no reason to keep no history.
fn sync_folder(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// The last byte of a file of this length, by an opening of its own: the other one cannot read.
fn last_byte(path: &Path, length: u64) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let count = File::open(path)?.read_at(&mut byte, length.saturating_sub(1))?;
    Ok((count == 1).then_some(byte[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.txt");
        let mut file = HistoryFile::open(&path).unwrap();
        assert!(!file.line_is_open());
        assert_eq!(file.append(b"one\ntwo\n").0, 8);
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_half_line_is_cut_off_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.txt");
        let mut file = HistoryFile::open(&path).unwrap();
        // as a full disk leaves it: nine of twelve bytes went in
        file.append(b"one\ntwo\nt").1.unwrap();
        assert_eq!(file.keep_whole(b"one\ntwo\nthr\n", 9), 8);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert!(!file.line_is_open());
        file.append(b"th").1.unwrap();
        assert_eq!(file.keep_whole(b"thr\n", 2), 0);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn what_others_have_appended_is_never_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.txt");
        let mut file = HistoryFile::open(&path).unwrap();
        let mut other = HistoryFile::open(&path).unwrap();
        file.append(b"one\ntw").1.unwrap();
        other.append(b"theirs\n").1.unwrap();
        assert_eq!(file.keep_whole(b"one\ntwo\n", 6), 4);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwtheirs\n");
        assert!(!file.line_is_open());
    }

    #[test]
    fn a_full_disk_is_an_error_with_a_name() {
        let mut file = HistoryFile::open(Path::new("/dev/full")).unwrap();
        let (written, result) = file.append(b"one\n");
        assert_eq!((written, why(&result.unwrap_err()).as_str()), (0, "No space left on device"));
    }

    #[test]
    fn a_pipe_without_a_reader_and_a_folder_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(HistoryFile::open(&pipe).unwrap_err().raw_os_error(), Some(libc::ENXIO));
        assert_eq!(HistoryFile::open(folder.path()).unwrap_err().raw_os_error(), Some(libc::EISDIR));
        assert!(HistoryFile::open(&folder.path().join("no/such/folder")).is_err());
    }
}
