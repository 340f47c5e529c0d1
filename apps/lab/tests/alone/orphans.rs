//! The program as somebody who gets the orphans: so it is as process 1 of a container.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::prctl::set_child_subreaper;
use tempfile::tempdir;

use crate::family::{LONG, child};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("an_adopted_orphan_is_not_left_behind", an_adopted_orphan_is_not_left_behind),
    ("what_is_left_behind_is_exit_code_1", what_is_left_behind_is_exit_code_1),
];

/// Gives the exit code, stdout and stderr.
fn lab(arguments: &[&str], path: &str, folder: &Path) -> (Option<i32>, String, String) {
    let [out, err] = ["out", "err"].map(|name| folder.join(name));
    let lab = child(|| -> Result<(), std::io::Error> {
        set_child_subreaper(true).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(arguments).env("PATH", path);
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        // comes back only if it fails
        Err(command.exec())
    });
    let code = lab.join(Some(LONG)).unwrap();
    (code, fs::read_to_string(out).unwrap(), fs::read_to_string(err).unwrap())
}

fn an_adopted_orphan_is_not_left_behind() {
    let folder = tempdir().unwrap();
    let arguments = ["run", "process/pid", "process/terminate"];
    let (code, stdout, stderr) = lab(&arguments, &std::env::var("PATH").unwrap(), folder.path());
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("the main process itself"), "{stdout}");
}

/// The shell that it finds leaves a child behind, each time.
fn what_is_left_behind_is_exit_code_1() {
    let folder = tempdir().unwrap();
    let shell = folder.path().join("sh");
    fs::write(&shell, "#!/bin/sh\nsleep 20 > /dev/null 2>&1 &\nexec /bin/sh \"$@\"\n").unwrap();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let (code, stdout, stderr) = lab(&["run", "subprocess/call", "--json"], &path, folder.path());
    assert_eq!(code, Some(1), "{stdout} {stderr}");
    assert_eq!(stderr, "error: subprocess/call: a bug: it left 5 processes and 0 descriptors behind\n");
    assert!(stdout.contains(r#""left_behind":{"processes":5,"descriptors":0}"#), "{stdout}");
}
