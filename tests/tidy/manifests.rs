//! The rules about `Cargo.toml`.

use std::fs;

use crate::tree::top;

/// The names in the tables whose name ends like this, `[dependencies]` and `[dev-dependencies]` for example.
fn names_in(manifest: &str, table_ends: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with(table_ends);
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split(['.', ' ', '=']).next().map(str::to_owned));
        }
    }
    names
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn programs() -> Vec<String> {
    let entries = fs::read_dir(top().join("apps")).unwrap();
    entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn depends_on_a_program(manifest: &str, programs: &[String]) -> Option<String> {
    names_in(manifest, "dependencies").into_iter().find(|name| programs.contains(name))
}

#[test]
fn no_program_depends_on_another_and_common_on_none() {
    let programs = programs();
    assert!(programs.len() >= 2, "{programs:?}");
    let manifests = programs.iter().map(|program| format!("apps/{program}/Cargo.toml"));
    for path in manifests.chain(["common/Cargo.toml".to_owned()]) {
        assert_eq!(depends_on_a_program(&read(&path), &programs), None, "{path} depends on a program");
    }
}

#[test]
fn all_crates_obey_the_same_lints() {
    let manifests = programs().into_iter().map(|program| format!("apps/{program}/Cargo.toml"));
    for path in manifests.chain(["common/Cargo.toml".to_owned(), "tests/Cargo.toml".to_owned()]) {
        assert!(read(&path).contains("[lints]\nworkspace = true"), "{path} has lints of its own");
    }
}

#[test]
fn every_dependency_has_its_reason_in_the_map() {
    let map = read("ARCHITECTURE.md");
    let silent: Vec<String> = names_in(&read("Cargo.toml"), "workspace.dependencies")
        .into_iter()
        .filter(|name| name != "common" && !map.contains(&format!("`{name}`")))
        .collect();
    assert!(silent.is_empty(), "no reason in ARCHITECTURE.md for {silent:?}");
}

#[test]
fn every_workspace_dependency_is_used() {
    let manifests = programs().into_iter().map(|program| format!("apps/{program}/Cargo.toml"));
    let all = manifests.chain(["common/Cargo.toml".to_owned(), "tests/Cargo.toml".to_owned()]);
    let used: Vec<String> = all.flat_map(|path| names_in(&read(&path), "dependencies")).collect();
    let unused: Vec<String> = names_in(&read("Cargo.toml"), "workspace.dependencies")
        .into_iter()
        .filter(|name| !used.contains(name))
        .collect();
    assert!(unused.is_empty(), "nobody uses {unused:?}");
}

#[test]
fn the_rules_can_fail() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nloadgen.workspace = true\n# b = 1\n[dev-dependencies]\nc = \"1\"\n[lints]\nd = 1";
    assert_eq!(names_in(manifest, "dependencies"), ["loadgen", "c"]);
    assert_eq!(depends_on_a_program(manifest, &["loadgen".to_owned()]), Some("loadgen".to_owned()));
    assert_eq!(depends_on_a_program(manifest, &["lab".to_owned()]), None);
}
