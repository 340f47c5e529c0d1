//! The saver with real files: order, exact gaps, torn tails, several writers, a full disk.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(30);

fn settings(path: &Path, capacity: usize) -> Settings {
    Settings { path: path.to_owned(), format: Format::Classic, sync: Sync::Off, capacity }
}

fn sent(text: &str) -> Record {
    let to: SocketAddr = ([127, 0, 0, 1], 7890).into();
    Record { time: 1_795_211_103_123, what: What::Sent(to, text.as_bytes().to_vec()) }
}

fn silent(line: &str) -> bool {
    panic!("told: {line}");
}

/// Saves, and waits for room now and then, so that all of it fits.
fn save_all(history: &mut History, texts: impl Iterator<Item = String>) {
    let flusher = history.flusher();
    for text in texts {
        history.save(sent(&text));
        if history.depth() > 50 {
            assert!(flusher.wait(LONG));
        }
    }
}

fn all_saved(history: History) {
    assert_eq!(history.finish(), Finished { lost: 0, error: None });
}

#[test]
fn what_goes_in_comes_out_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    for (round, sync) in
        [Sync::Always, Sync::Every(Duration::from_secs(1)), Sync::Off].into_iter().enumerate()
    {
        let mut history = start(&Settings { sync, ..settings(&path, 100) }, silent).unwrap();
        save_all(&mut history, (0..500).map(|n| format!("{round} {n}")));
        assert!(history.flusher().wait(LONG));
        assert_eq!((history.recorded(), history.unsaved()), (500, 0));
        all_saved(history);
    }
    let expected: String = (0..3)
        .flat_map(|round| (0..500).map(move |n| format!("<<<(127.0.0.1, 7890):{round} {n}\n")))
        .collect();
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn what_waits_is_written_at_a_clean_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let mut history = start(&settings(&path, 10_000), silent).unwrap();
    (0..10_000).for_each(|n| history.save(sent(&n.to_string())));
    // a flusher that is still there holds nothing up
    let flusher = history.flusher();
    all_saved(history);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 10_000);
    assert!(!flusher.wait(LONG));
}

/// Every number is in the file once, or counted in the gap that stands where it is missing.
fn assert_exact(text: &str, saved: u64) -> u64 {
    let (mut next, mut missing) = (0, 0);
    for line in text.lines() {
        if let Some(gap) = line.strip_prefix("# gap: ") {
            let count: u64 = gap.split(' ').next().unwrap().parse().unwrap();
            next += count;
            missing += count;
        } else {
            assert_eq!(line, format!("<<<(127.0.0.1, 7890):{next}"));
            next += 1;
        }
    }
    assert_eq!(next, saved);
    missing
}

#[test]
fn gaps_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    for capacity in 1..6 {
        let path = folder.path().join(capacity.to_string());
        let mut history = start(&settings(&path, capacity), silent).unwrap();
        (0..5_000).for_each(|n| history.save(sent(&n.to_string())));
        let unsaved = history.unsaved();
        assert_eq!(history.finish(), Finished { lost: unsaved, error: None });
        assert_eq!(assert_exact(&fs::read_to_string(&path).unwrap(), 5_000), unsaved);
    }
}

#[test]
fn a_torn_tail_is_ended_and_nothing_is_cut_at_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let valid = "2026-11-20T21:45:03.123Z <<<(::1, 7890):grüße\\n\n2026-11-20T21:45:04.000Z # gap: 1 message not saved\n";
    for end in 0..=valid.len() {
        fs::write(&path, &valid.as_bytes()[..end]).unwrap();
        let mut history = start(&settings(&path, 10), silent).unwrap();
        history.save(sent("next"));
        all_saved(history);
        let whole = end == 0 || valid.as_bytes()[end - 1] == b'\n';
        let mark = if whole { "" } else { " # torn\n" };
        let expected = [&valid.as_bytes()[..end], mark.as_bytes(), b"<<<(127.0.0.1, 7890):next\n"].concat();
        assert_eq!(fs::read(&path).unwrap(), expected, "cut at {end}");
    }
}

#[test]
fn a_torn_tail_is_ended_even_if_nobody_speaks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    fs::write(&path, "hal").unwrap();
    all_saved(start(&settings(&path, 10), silent).unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"hal # torn\n");
}

#[test]
fn two_writers_on_one_file_damage_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let mut histories =
        [start(&settings(&path, 100), silent).unwrap(), start(&settings(&path, 100), silent).unwrap()];
    thread::scope(|threads| {
        for (writer, history) in histories.iter_mut().enumerate() {
            threads.spawn(move || save_all(history, (0..2_000).map(|n| format!("{writer} {n}"))));
        }
    });
    histories.into_iter().for_each(all_saved);
    let text = fs::read_to_string(&path).unwrap();
    for writer in 0..2 {
        let head = format!("<<<(127.0.0.1, 7890):{writer} ");
        let numbers: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(&head)).collect();
        assert_eq!(numbers, (0..2_000).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(text.lines().count(), 4_000);
}

#[test]
fn a_file_of_the_python_program_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let python = ">>>('10.0.0.2', 7890):two\nlines\n<<<(localhost, 7890):hi\n";
    fs::write(&path, python).unwrap();
    let mut history = start(&settings(&path, 10), silent).unwrap();
    history.save(sent("a\nb"));
    all_saved(history);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{python}<<<(127.0.0.1, 7890):a\\nb\n"));
}

#[test]
fn a_full_disk_is_told_once_and_does_not_hold_up_the_end() {
    let (teller, told) = mpsc::sync_channel(10);
    let tell = move |line: &str| teller.send(line.to_owned()).is_ok();
    let mut history = start(&settings(Path::new("/dev/full"), 3), tell).unwrap();
    history.save(sent("0"));
    // now the saver holds the first one, and pauses: three fit behind it
    let warning = told.recv_timeout(LONG).unwrap();
    assert_eq!(
        warning,
        "history: cannot write /dev/full: No space left on device: messages wait in memory, 3 at most"
    );
    (1..10).for_each(|n| history.save(sent(&n.to_string())));
    assert_eq!((history.depth(), history.unsaved(), history.recorded()), (3, 6, 0));
    assert!(!history.flusher().wait(Duration::from_millis(5)));
    let error = Some("cannot write /dev/full: No space left on device".to_owned());
    assert_eq!(history.finish(), Finished { lost: 10, error });
    assert_eq!(told.recv(), Err(mpsc::RecvError));
}

#[test]
fn when_the_disk_takes_lines_again_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // a pipe that is full is the kind of full disk that a test can empty
    let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (teller, told) = mpsc::sync_channel(10);
    let tell = move |line: &str| teller.send(line.to_owned()).is_ok();
    let mut history = start(&settings(&path, 20_000), tell).unwrap();
    let saved = 10_000;
    (0..saved).for_each(|n| history.save(sent(&n.to_string())));
    assert!(told.recv_timeout(LONG).unwrap().contains("cannot write"));
    let text = thread::spawn(move || {
        let last = format!("<<<(127.0.0.1, 7890):{}\n", saved - 1);
        let mut text = Vec::new();
        let mut block = [0; 4096];
        while !text.ends_with(last.as_bytes()) {
            let count = io::Read::read(&mut &reader, &mut block).unwrap();
            text.extend_from_slice(&block[..count]);
        }
        String::from_utf8(text).unwrap()
    });
    assert!(history.flusher().wait(LONG));
    assert!(told.recv_timeout(LONG).unwrap().ends_with("can be written again"));
    assert_eq!(history.recorded(), saved);
    assert_eq!(assert_exact(&text.join().unwrap(), saved), 0);
    assert_eq!(history.finish().lost, 0);
}
