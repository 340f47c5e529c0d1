//! The invariants of ARCHITECTURE.md, checked on the source tree. A rule is a function from a file's text to what is
//! wrong in it, so that it can be tried on a few words (`each rule can fail`), and then on the whole tree.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

mod code;
mod manifests;
mod places;
mod rules;
mod tree;

use tree::{Source, sources};

/// All that this rule finds wrong in the files it is about.
fn assert_tidy(about: impl Fn(&Source) -> bool, rule: fn(&str) -> Vec<String>) {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for source in sources().iter().filter(|source| about(source)) {
        looked_at += 1;
        wrong.extend(rule(&source.text).into_iter().map(|what| format!("{}: {what}", source.path)));
    }
    assert!(looked_at > 0, "this rule looks at no file: has one been renamed?");
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn pure_files_use_no_socket_file_or_clock() {
    assert_tidy(Source::is_pure, rules::impure);
}

#[test]
fn the_model_is_matched_in_one_place() {
    let elsewhere = |s: &Source| s.path.starts_with("apps/tcp-echo/src/") && !s.path.ends_with("/model.rs");
    assert_tidy(elsewhere, rules::matches_model);
}

#[test]
fn unsafe_stands_under_sys_only() {
    assert_tidy(|s| !s.path.contains("/sys/") && !s.path.starts_with("tests/tidy/"), rules::has_unsafe);
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    assert_tidy(|s| s.path.contains("/sys/"), rules::unsafe_without_reason);
}

#[test]
fn nothing_that_a_peer_or_the_kernel_causes_panics() {
    // the fault that a client orders has to
    let all_but_that = |s: &Source| s.is_program() && s.path != "apps/tcp-echo/src/faults.rs";
    assert_tidy(all_but_that, rules::can_panic);
}

#[test]
fn every_queue_is_bounded() {
    assert_tidy(Source::is_program, rules::unbounded);
}

#[test]
fn files_are_short() {
    assert_tidy(|_| true, |text| rules::longer_than(400, text));
    assert_tidy(|s| s.path.ends_with("/src/main.rs"), |text| rules::longer_than(60, text));
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    assert_tidy(|_| true, rules::no_first_words);
}

#[test]
fn every_model_says_how_it_works_what_it_costs_and_where_it_breaks() {
    assert_tidy(Source::is_model, rules::missing_headings);
}
