//! A program is run, and its exit code says how it ended.

use std::io;
use std::process::Command;

use common::exit::Failure;
use serde_json::json;

use crate::lesson::{Example, Saw};
use crate::stage::Stage;
use crate::subprocess;

pub(super) const CALL: Example =
    Example::new("call", "run a program and wait for its exit code", &[48], call);

fn call(stage: &Stage) -> Result<Saw, Failure> {
    let asked = [("true", 0), ("false", 1), ("exit 3", 3), ("kill -TERM $$", -15), ("kill -KILL $$", -9)];
    let mut codes = Vec::new();
    for (script, expected) in asked {
        let code = subprocess::call(Command::new("sh").args(["-c", script])).map_err(Failure::failed)?;
        stage.says("main", format!("$ sh -c '{script}': exit code {code}"));
        codes.push((script, code, code == expected));
    }
    let missing = subprocess::call(&mut Command::new("no-such-program"));
    match &missing {
        Ok(code) => stage.says("main", format!("$ no-such-program: exit code {code}")),
        Err(e) => stage.says("main", format!("$ no-such-program: no exit code, but an error: {e}")),
    }
    let not_found = missing.is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    let as_expected = codes.iter().filter(|(_, _, right)| *right).count();
    let listed: Vec<String> = codes.iter().map(|(script, code, _)| format!("'{script}' {code}")).collect();
    Ok(Saw::new()
        .fact("exit_codes", codes.iter().map(|(script, code, _)| json!([script, code])).collect::<Vec<_>>())
        .fact("missing_program_is_an_error", not_found)
        .say(format!(
            "{as_expected} of {} exit codes were those that were asked for: {}.",
            asked.len(),
            listed.join(", ")
        ))
        .say(
            if not_found {
                "The program that is not there has no exit code: nothing ran, and the start itself is the error."
            } else {
                "The program that should not be there was there, or was not looked for."
            }
            .to_owned(),
        )
        .note("A program that signal N ended has no exit code of its own: −N stands for it.")
        .shown(not_found && as_expected == asked.len()))
}
