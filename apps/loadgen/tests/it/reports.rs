//! `loadgen report`: a saved report in every form, and files that are none.

use std::fs;
use std::path::{Path, PathBuf};

use loadgen::report::{csv, html, json, markdown};

use crate::formats::{comparison, single};
use crate::tool::{correct, ran, short};

fn saved(folder: &Path, name: &str, report: &loadgen::report::Report) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, json::render(report)).unwrap();
    path
}

#[test]
fn a_saved_report_is_shown_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let page = folder.path().join("run.html");
    let (file, page) = (file.to_str().unwrap(), page.to_str().unwrap());
    let first = short(correct(), &["-n", "100", "-o", file, "-o", page]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let again = ran(&["report", file, "--format", "json"]);
    assert_eq!((again.code, &again.stdout), (Some(0), &first.stdout));
    let html = ran(&["report", file, "--format", "html"]);
    assert_eq!(html.stdout, fs::read_to_string(page).unwrap());
    let text = ran(&["report", file]);
    assert!(text.stdout.contains("100 ok in"), "{}", text.stdout);
}

#[test]
fn each_form_can_be_printed_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let report = comparison();
    let file = saved(folder.path(), "a.json", &report);
    let file = file.to_str().unwrap();
    for (format, text) in [
        ("md", markdown::render(&report)),
        ("csv", csv::render(&report)),
        ("html", html::render(&report)),
        ("json", json::render(&report)),
    ] {
        let output = folder.path().join(format!("out.{format}"));
        let ran = ran(&["report", file, "-o", output.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
        assert_eq!(fs::read_to_string(output).unwrap(), text);
        assert_eq!(crate::tool::ran(&["report", file, "--format", format]).stdout, text);
    }
}

#[test]
fn several_reports_stand_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let one = saved(folder.path(), "one.json", &comparison());
    let two = saved(folder.path(), "two.json", &single());
    let (one, two) = (one.to_str().unwrap(), two.to_str().unwrap());
    let text = ran(&["report", one, two]).stdout;
    let (first, second) = (text.find(one).unwrap(), text.find(two).unwrap());
    assert!(first < second && text.contains("loadgen run 127.0.0.1:12000"), "{text}");
    let table = ran(&["report", one, two, "--format", "csv"]).stdout;
    assert!(table.starts_with("report,workload,subject,"), "{table}");
    let lines = comparison().trials.len() + single().trials.len() + 1;
    assert_eq!(table.lines().count(), lines);
    let page = ran(&["report", one, two, "--format", "html"]).stdout;
    assert!(page.contains("2 reports") && page.contains("What they share"));
}

#[test]
fn what_is_no_report_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let whole = json::render(&comparison());
    let good = write("good.json", &whole);
    let same = write("same.json", &whole);
    let schema = format!("\"schema\": {}", loadgen::report::data::SCHEMA);
    for (files, code, hint) in [
        (vec!["/nowhere/x.json".to_owned()], 1, "-o FILE.json"),
        (vec![folder.path().to_str().unwrap().to_owned()], 1, "-o FILE.json"),
        (vec![write("a.json", "hello")], 1, "no report of loadgen"),
        (vec![write("b.json", "{}")], 1, "no report of loadgen"),
        (vec![write("c.json", "{\"schema\": 1}")], 1, "a report of version 1"),
        (vec![write("d.json", &format!("{{{schema}}}"))], 1, "not a whole report"),
        (vec![write("e.json", &whole[..whole.len() / 2])], 1, "no report of loadgen"),
        (vec![good.clone(), same], 2, "the same report"),
        (vec![good, "--format".into(), "jpeg".into()], 2, "jpeg"),
        (vec![], 2, "FILE"),
    ] {
        let mut arguments = vec!["report"];
        arguments.extend(files.iter().map(String::as_str));
        let ran = ran(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{files:?} {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{hint}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
}
