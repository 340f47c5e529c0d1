//! The rules about what lies where.

use std::fs;

use crate::tree::top;

/// What may lie at the top, beside files that begin with a dot.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "apps",
    "clippy.toml",
    "common",
    "docs",
    "rustfmt.toml",
    "scripts",
    "target",
    "tests",
];

fn belongs_at_the_top(name: &str) -> bool {
    name.starts_with('.') || TOP.contains(&name)
}

#[test]
fn the_top_level_is_fixed() {
    let entries =
        fs::read_dir(top()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
    let strange: Vec<String> = entries.filter(|name| !belongs_at_the_top(name)).collect();
    assert!(strange.is_empty(), "does not belong at the top: {strange:?}");
    assert!(!belongs_at_the_top("utils") && belongs_at_the_top(".ci"));
}

#[test]
fn a_file_is_named_for_what_it_is() {
    let vague = ["utils.rs", "util.rs", "helpers.rs", "misc.rs", "common.rs"];
    let all = crate::tree::sources();
    let found: Vec<&str> = all
        .iter()
        .map(|s| s.path.as_str())
        .filter(|path| vague.iter().any(|name| path.ends_with(name)))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}
