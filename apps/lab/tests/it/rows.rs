//! The 49 examples of the tutorials: each has a test that asserts what is true, and a line of docs/tutorials.md that says how to see
//! it. Those that are prose only have the measurement that answers them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::program::lab;

/// From the top of the tree.
const LESSONS: &str = "apps/lab/tests/it/lessons/";
const ALONE: &str = "common/tests/alone/main.rs";
const CHAT: &str = "apps/udp-chat/tests/it/";
const ECHO: &str = "apps/tcp-echo/tests/it/";

/// Folder or file, file, function.
type Test = (&'static str, &'static str, &'static str);

/// The number of the example, and its tests.
const ROWS: &[(u8, &[Test])] = &[
    (1, &[(LESSONS, "process.rs", "start")]),
    (2, &[(LESSONS, "process.rs", "join")]),
    (3, &[(LESSONS, "pool.rs", "basic"), (LESSONS, "pool.rs", "unjoined")]),
    (
        4,
        &[
            (LESSONS, "globals.rs", "a_forked_process_changes_its_copy"),
            (LESSONS, "globals.rs", "a_spawned_process_begins_anew"),
        ],
    ),
    (5, &[(LESSONS, "queue.rs", "process")]),
    (6, &[(LESSONS, "manager.rs", "queue")]),
    (
        7,
        &[
            (LESSONS, "globals.rs", "a_thread_changes_it_for_all"),
            (LESSONS, "process.rs", "cost"),
            (LESSONS, "process.rs", "terminate"),
        ],
    ),
    (
        8,
        &[
            (LESSONS, "process.rs", "exit_codes"),
            (LESSONS, "process.rs", "daemon"),
            (ALONE, "", "a_daemon_dies_with_a_killed_parent"),
            (ALONE, "", "names_tell_the_family"),
        ],
    ),
    (9, &[(LESSONS, "process.rs", "info")]),
    (10, &[(LESSONS, "process.rs", "many"), (ALONE, "", "active_children_reaps")]),
    (11, &[(LESSONS, "class.rs", "process")]),
    (12, &[(LESSONS, "process.rs", "timeout"), (ALONE, "", "join_waits_as_long_as_it_is_told")]),
    (13, &[(LESSONS, "parallel.rs", "cpu")]),
    (14, &[(LESSONS, "queue.rs", "value"), (LESSONS, "queue.rs", "drain")]),
    (15, &[(LESSONS, "pipe.rs", "duplex"), (LESSONS, "pipe.rs", "end")]),
    (16, &[(LESSONS, "manager.rs", "shared"), (LESSONS, "manager.rs", "lost_update")]),
    (17, &[(LESSONS, "pool.rs", "callback")]),
    (18, &[(LESSONS, "thread.rs", "start"), (LESSONS, "thread.rs", "who_is_not_joined_ends_with_main")]),
    (19, &[(LESSONS, "thread.rs", "tasks"), (LESSONS, "thread.rs", "who_is_joined_does_all_its_work")]),
    (20, &[(LESSONS, "thread.rs", "order")]),
    (21, &[(LESSONS, "thread.rs", "enumerate")]),
    (22, &[(LESSONS, "thread.rs", "arguments")]),
    (
        23,
        &[
            (CHAT, "conversation.rs", "the_original_session_works_and_ends"),
            (CHAT, "hostile.rs", "the_longest_datagram_is_kept_whole"),
        ],
    ),
    (24, &[(CHAT, "conversation.rs", "what_comes_is_shown_and_saved_and_can_be_answered")]),
    (25, &[(LESSONS, "class.rs", "thread")]),
    (
        26,
        &[
            (ECHO, "fidelity.rs", "sixteen_mebibytes"),
            (ECHO, "rude.rs", "a_reset_in_mid_message"),
            (ECHO, "many.rs", "five_hundred_that_pass"),
        ],
    ),
    (27, &[(LESSONS, "race.rs", "lost"), (LESSONS, "globals.rs", "a_thread_changes_it_for_all")]),
    (28, &[(LESSONS, "race.rs", "lost")]),
    (29, &[(LESSONS, "mutex.rs", "api")]),
    (30, &[(LESSONS, "mutex.rs", "correct"), (LESSONS, "mutex.rs", "cost")]),
    (31, &[(LESSONS, "deadlock.rs", "detected"), (LESSONS, "deadlock.rs", "ordered")]),
    (32, &[(LESSONS, "queue.rs", "fifo")]),
    (33, &[(LESSONS, "queue.rs", "lifo")]),
    (34, &[(LESSONS, "queue.rs", "priority")]),
    (
        35,
        &[
            (CHAT, "conversation.rs", "every_clean_end_keeps_everything"),
            (CHAT, "history.rs", "a_file_of_the_tutorials_program_is_continued_in_its_own_form"),
        ],
    ),
    (
        36,
        &[(LESSONS, "process.rs", "start"), (LESSONS, "class.rs", "process"), (LESSONS, "pool.rs", "basic")],
    ),
    (37, &[(LESSONS, "process.rs", "tasks")]),
    (
        38,
        &[
            (LESSONS, "process.rs", "exit_codes"),
            (LESSONS, "process.rs", "terminate"),
            (LESSONS, "process.rs", "info"),
        ],
    ),
    (39, &[(LESSONS, "process.rs", "pid")]),
    (40, &[(LESSONS, "class.rs", "an_endless_one_is_ended")]),
    (41, &[(LESSONS, "process.rs", "terminate"), (LESSONS, "process.rs", "held_locks")]),
    (42, &[(LESSONS, "globals.rs", "a_forked_process_changes_its_copy")]),
    (43, &[(LESSONS, "queue.rs", "bounded")]),
    (44, &[(LESSONS, "pool.rs", "queueing"), (LESSONS, "pool.rs", "killed")]),
    (45, &[(LESSONS, "manager.rs", "pool_queue")]),
    (46, &[(LESSONS, "process.rs", "pids")]),
    (47, &[(LESSONS, "pool.rs", "sleep"), (LESSONS, "pool.rs", "close")]),
    (48, &[(LESSONS, "subprocess.rs", "call")]),
    (49, &[(LESSONS, "subprocess.rs", "communicate")]),
];

/// Those whose counterparts are other programs or this page itself.
const ELSEWHERE: &[u8] = &[23, 24, 26, 35, 36];

#[test]
fn each_of_the_49_examples_has_its_tests() {
    assert!(ROWS.iter().map(|(row, _)| *row).eq(1..=49));
    for (row, tests) in ROWS {
        assert!(!tests.is_empty(), "example {row}");
        for (folder, file, function) in *tests {
            let text = read(&format!("{folder}{file}"));
            assert!(
                text.contains(&format!("fn {function}(")),
                "example {row}: no {function} in {folder}{file}"
            );
        }
    }
}

#[test]
fn each_of_the_49_examples_has_a_line_in_the_documentation_whose_commands_are_right() {
    let page = read("docs/tutorials.md");
    let lessons = lessons();
    let mut shown = BTreeSet::new();
    for row in 1..=49 {
        let start = format!("| {row} | ");
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with(&start)).collect();
        let [line] = lines[..] else { panic!("example {row} has {} lines", lines.len()) };
        let commands: Vec<&str> = line.split('`').filter_map(|code| code.strip_prefix("lab run ")).collect();
        assert!(!commands.is_empty() || ELSEWHERE.contains(&row), "example {row} has no command");
        for command in commands {
            let rows = lessons.iter().find(|(name, _)| name == command).map(|(_, rows)| rows);
            let rows = rows.unwrap_or_else(|| panic!("example {row}: there is no {command}"));
            assert!(rows.contains(&row) || row == 36, "{command} does not say that it is example {row}");
            shown.insert(command);
        }
    }
    // and the other way round: what is there is on the page
    for (name, rows) in &lessons {
        assert!(shown.contains(name.as_str()), "{name} is not in docs/tutorials.md");
        assert!(!rows.is_empty(), "{name} is no example of the tutorials");
    }
}

/// `LESSON/EXAMPLE` and its rows.
fn lessons() -> Vec<(String, Vec<u8>)> {
    let listed: Value = serde_json::from_str(&lab(&["list", "--json"]).stdout).unwrap();
    let mut all = Vec::new();
    for lesson in listed.as_array().unwrap() {
        for example in lesson["examples"].as_array().unwrap() {
            let name = format!("{}/{}", lesson["name"].as_str().unwrap(), example["name"].as_str().unwrap());
            all.push((name, serde_json::from_value(example["rows"].clone()).unwrap()));
        }
    }
    all
}

fn read(path: &str) -> String {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}
