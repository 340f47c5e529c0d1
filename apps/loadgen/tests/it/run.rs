//! `loadgen run` against each kind of server: every failing has its own clear result.

use std::io::Write;
use std::net::TcpListener;

use crate::tool::{correct, echo, every, pool, ran, serve, short, silent};

#[test]
fn a_correct_server_is_served_and_the_books_balance() {
    let ran = short(correct(), &["-c", "5", "-P", "3", "-s", "1KiB"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let client = ran.client();
    let requests = &client["requests"];
    assert!(requests["ok"].as_u64().unwrap() > 10, "{client}");
    assert_eq!(requests["scheduled"], requests["ok"]);
    assert_eq!(requests["balanced"], true);
    assert_eq!(client["reply"]["count"], requests["ok"]);
    let connections = &client["connections"];
    assert_eq!((&connections["requested"], &connections["served"]), (&5.into(), &5.into()));
    assert!(client["seconds"].as_f64().unwrap() >= 0.2);
    assert!(ran.classes().is_empty());
}

#[test]
fn messages_of_one_byte_and_of_a_megabyte_come_back() {
    for (size, depth) in [("1", "16"), ("7", "1"), ("1MiB", "4")] {
        let ran = short(correct(), &["-c", "2", "-s", size, "-P", depth, "-n", "40"]);
        assert_eq!(ran.code, Some(0), "size {size}: {}", ran.stderr);
        assert_eq!(ran.client()["requests"]["ok"], 40, "size {size}");
    }
}

#[test]
fn a_total_is_kept_exactly_also_with_several_threads() {
    let ran = short(correct(), &["-n", "1001", "-c", "7", "-t", "3", "-P", "4"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let client = ran.client();
    assert_eq!((&client["requests"]["ok"], &client["requests"]["scheduled"]), (&1001.into(), &1001.into()));
}

#[test]
fn reconnecting_opens_a_connection_for_each_share_of_requests() {
    let ran = short(correct(), &["-n", "60", "-c", "3", "--reconnect", "1", "-w", "0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let client = ran.client();
    assert_eq!(client["requests"]["ok"], 60);
    // the first three were opened before the measuring began; the last ones may find that nothing is left to send
    let opened = client["connections"]["opened"].as_u64().unwrap();
    assert!((57..=59).contains(&opened), "{client}");
    assert_eq!(client["connect"]["count"], opened);
    let ran = short(correct(), &["-n", "60", "-c", "1", "-P", "4", "--reconnect", "10", "-w", "0"]);
    assert_eq!((ran.code, &ran.client()["connections"]["opened"]), (Some(0), &5.into()), "{}", ran.stderr);
}

#[test]
fn a_changed_byte_is_corrupt() {
    let spoilt = every(20);
    let server = serve(move |stream, _| {
        echo(stream, |piece| {
            if spoilt() {
                piece[11] ^= 1;
            }
            true
        });
    });
    let ran = short(server, &["-c", "4"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.classes(), ["corrupt"]);
    let client = ran.client();
    assert!(client["first_wrong"].as_str().unwrap().contains("byte 11 "), "{client}");
    assert!(client["errors"][0]["connections"].as_u64() > Some(1), "the run goes on: {client}");
    assert_eq!(client["requests"]["balanced"], true);
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("corrupt"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn surplus_bytes_are_corrupt() {
    let server = serve(|stream, _| {
        echo(stream, |piece| {
            piece.push(b'!');
            true
        });
    });
    let ran = short(server, &["-c", "2"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["corrupt".to_owned()]), "{}", ran.stderr);
}

#[test]
fn dropped_bytes_are_noticed() {
    // with more requests behind it the reply goes on with wrong bytes; alone it never becomes complete
    let dropping = || {
        let spoilt = every(10);
        serve(move |stream, _| {
            echo(stream, |piece| {
                if spoilt() {
                    piece.remove(0);
                }
                true
            });
        })
    };
    let ran = short(dropping(), &["-c", "2", "-P", "4"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["corrupt".to_owned()]), "{}", ran.stderr);
    let spoilt = every(10);
    let truncating = serve(move |stream, _| {
        echo(stream, |piece| {
            if spoilt() {
                piece.pop();
            }
            true
        });
    });
    let ran = short(truncating, &["-c", "2", "-T", "50ms"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["timed_out".to_owned()]), "{}", ran.stderr);
}

#[test]
fn a_server_that_closes_early_is_told_from_one_that_resets() {
    let closing = serve(|stream, number| {
        let mut left = 5 + number;
        echo(stream, move |piece| {
            left -= 1;
            if left == 0 {
                piece.truncate(30);
            }
            left > 0
        });
    });
    let ran = short(closing, &["-c", "2"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["closed_early".to_owned()]), "{}", ran.stderr);
    assert_eq!(ran.client()["requests"]["balanced"], true);

    let spoilt = every(10);
    let resetting = serve(move |stream, _| {
        let handle = stream.try_clone().unwrap();
        echo(stream, |piece| {
            if !spoilt() {
                return true;
            }
            // a close with this option is a reset
            let linger = Some(std::time::Duration::ZERO);
            socket2::SockRef::from(&handle).set_linger(linger).unwrap();
            piece.clear();
            false
        });
    });
    let ran = short(resetting, &["-c", "2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let classes = ran.classes();
    assert!(classes.iter().any(|class| class == "reset" || class == "closed_early"), "{classes:?}");
}

/// Also where the sending itself fails, a failed connection is replaced after a pause that doubles each time.
#[test]
fn a_server_that_resets_while_much_is_sent_is_not_stormed() {
    let server = serve(|stream, _| {
        // until the client's socket is full, so that it waits for room
        let mut queue = vec![0; 8 << 20];
        let (mut before, mut same) = (0, 0);
        while same < 50 {
            let now = stream.peek(&mut queue).unwrap();
            same = if now == before { same + 1 } else { 0 };
            before = now;
            std::thread::yield_now();
        }
        // unread bytes make a reset of this close
        drop(stream);
    });
    let ran = short(server, &["-c", "1", "-s", "16MiB", "--reconnect", "1", "-w", "0", "-d", "400ms"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let errors = ran.client()["errors"].clone();
    let failed: u64 = errors.as_array().unwrap().iter().map(|e| e["connections"].as_u64().unwrap()).sum();
    // pauses of 1, 2, 4, ... 256 ms
    assert!((1..=12).contains(&failed), "{errors}");
}

#[test]
fn a_server_that_stalls_is_timed_out() {
    let server = serve(|stream, number| {
        let mut left = if number < 2 { 50 } else { usize::MAX };
        let mut held = stream.try_clone().unwrap();
        echo(stream, |piece| {
            left -= 1;
            if left == 0 {
                held.flush().unwrap();
                loop {
                    std::thread::park();
                }
            }
            let _ = piece;
            true
        });
    });
    let ran = short(server, &["-c", "2", "-T", "60ms"]);
    assert_eq!((ran.code, ran.classes()), (Some(1), vec!["timed_out".to_owned()]), "{}", ran.stderr);
    let client = ran.client();
    assert!(client["requests"]["ok"].as_u64() > Some(0), "replaced connections go on: {client}");
}

#[test]
fn a_server_that_never_answers_is_named_as_such() {
    for warmup in ["50ms", "0"] {
        let ran = short(silent(), &["-c", "3", "-T", "80ms", "-w", warmup]);
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.client()["ending"], "not_served", "{}", ran.stdout);
        assert_eq!(ran.client()["connections"]["served"], 0);
        assert!(ran.stderr.contains("nothing was answered within 80.0 ms"), "{}", ran.stderr);
    }
}

#[test]
fn no_server_at_all_is_one_helpful_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let ran = ran(&["run", &address, "--quiet"]);
    let expected =
        format!("error: cannot connect to {address}: connection refused: is the server running there?\n");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (Some(1), "", expected));
}

#[test]
fn a_small_pool_serves_as_many_as_it_has_workers_and_that_is_no_error() {
    let ran = short(pool(2), &["-c", "50", "-T", "300ms"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let client = ran.client();
    assert_eq!(client["connections"]["served"], 2);
    assert_eq!(client["connections"]["established"], 50);
    assert_eq!(client["requests"]["in_flight_at_end"], 48);
    // but nobody knows that it is a pool: it may as well be a server that hangs
    let verdict = &ran.json()["trials"][0]["verdict"];
    assert_eq!(verdict["level"], "suspect");
    assert!(
        verdict["reasons"].to_string().contains("48 connections had no reply within 300 ms"),
        "{verdict}"
    );
    assert_eq!(client["requests"]["balanced"], true);
    // where connections come and go, everybody's turn comes
    let ran = short(pool(2), &["-c", "10", "--reconnect", "1"]);
    assert_eq!((ran.code, &ran.client()["connections"]["served"]), (Some(0), &10.into()), "{}", ran.stderr);
}

/// With the first reply, the others are not yet left waiting: each has its own time limit.
#[test]
fn a_first_reply_is_waited_for_as_long_as_any_other() {
    for _ in 0..3 {
        let ran = short(correct(), &["-c", "50", "-n", "50", "-w", "0"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.client()["requests"]["ok"], 50, "{}", ran.stdout);
    }
}

/// A connection that carries one request has one under way, however deep the pipeline.
#[test]
fn a_pipeline_is_no_deeper_than_its_connections_live() {
    for (reconnect, words) in
        [("1", "64 B messages, a new"), ("4", "messages, 4 under way on each, replaced")]
    {
        let server = correct().to_string();
        let load = ["run", &server, "-n", "16", "-w", "0", "-c", "2", "-P", "16", "--reconnect", reconnect];
        let ran = ran(&load);
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
}

#[test]
fn an_address_in_brackets_and_a_name_are_found() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream, |_| true));
        }
    });
    for target in [format!("[::1]:{port}"), format!("localhost:{}", correct().port())] {
        let ran = ran(&["run", &target, "-n", "10", "-w", "0", "-c", "1", "--quiet"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("10 ok"), "{}", ran.stdout);
    }
}
