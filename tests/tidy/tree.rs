//! The files of the source tree.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the tree.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A Rust file.
pub(crate) struct Source {
    /// From the top of the tree, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// It runs at the user's, as opposed to a test.
    pub(crate) fn is_program(&self) -> bool {
        self.path.contains("/src/") && !self.path.ends_with("/tests.rs")
    }

    /// It decides what to do and does nothing of it.
    pub(crate) fn is_pure(&self) -> bool {
        let pure = ["session.rs", "wire.rs", "chat.rs", "ping.rs", "pace.rs", "measure.rs", "escape.rs"];
        let folders = ["/src/measure/", "/src/stats/", "/src/chat/"];
        self.is_program()
            && (pure.contains(&self.name()) || folders.iter().any(|folder| self.path.contains(folder)))
    }

    /// The file that describes a model: `models/NAME.rs` or `models/NAME/mod.rs`.
    pub(crate) fn is_model(&self) -> bool {
        let Some((_, inside)) = self.path.split_once("/src/models/") else { return false };
        let depth = inside.matches('/').count();
        (depth == 0 && inside != "mod.rs") || (depth == 1 && inside.ends_with("/mod.rs"))
    }
}

/// All Rust files of the suite.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["apps", "common", "tests"] {
        collect(&top().join(folder), &mut found);
    }
    found
}

fn collect(folder: &Path, into: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(top()).unwrap().to_str().unwrap().to_owned();
            // a file that an editor renames just now is gone a moment later
            let Ok(text) = fs::read_to_string(&path) else { continue };
            into.push(Source { path: inside, text });
        }
    }
}

#[test]
fn the_tree_is_found() {
    let paths: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    for path in ["apps/tcp-echo/src/session.rs", "common/src/lib.rs", "tests/tidy/tree.rs"] {
        assert!(paths.iter().any(|p| p == path), "{path} not in {paths:?}");
    }
}

#[test]
fn models_are_told_from_their_parts() {
    let is_model =
        |path: &str| Source { path: format!("apps/x/src/models/{path}"), text: String::new() }.is_model();
    assert!(is_model("thread.rs") && is_model("pool/mod.rs"));
    assert!(!is_model("mod.rs") && !is_model("pool/threads.rs") && !is_model("pool/processes/mod.rs"));
}
