//! The page in a real browser: Chromium without a window and without a network.
//!
//! How: a copy of the page gets a script (`browser.js`) that looks at it and presses its buttons. The copy stands in a
//! frame of a phone's or a desk's width and tells the page around it what it found, and the browser prints that page.
//! Another test loads the page as it is: then it is its own policy that must let its script run.

use std::path::{Path, PathBuf};
use std::process::Command;

use loadgen::report::html::{self, Named};
use serde_json::Value;

use crate::formats::single;
use crate::page::rich;
use crate::tool::{correct, short};

/// Milliseconds of the browser's own time, which does not pass while it works.
const BUDGET: &str = "--virtual-time-budget=3000";
/// What looks at the page.
const LOOK: &str = include_str!("browser.js");

/// The browser; none: the test says that it was skipped, and with CI=true fails.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        let allowed = std::env::var("CI").as_deref() != Ok("true");
        assert!(allowed, "chromium is missing, and with CI=true no test may be skipped");
        eprintln!("SKIPPED: chromium is missing (scripts/test installs it)");
    }
    found
}

/// What the browser has made of a file, and what it said on its console.
struct Opened {
    document: String,
    console: Vec<String>,
}

fn open(program: &Path, folder: &Path, file: &Path, more: &[&str]) -> Opened {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let output = Command::new(program)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"])
        .args(["--enable-logging=stderr", "--log-level=0", "--hide-scrollbars", "--window-size=1600,1000"])
        .args([BUDGET, &profile, "--dump-dom"])
        .args(more)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let console = said.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    Opened { document: String::from_utf8_lossy(&output.stdout).into_owned(), console }
}

/// Looks at a page in a frame of this width.
fn look(program: &Path, page: &str, width: u32, dark: bool) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (head, tail) = page.split_once("script-src 'sha256-").unwrap();
    let (_, tail) = tail.split_once('\'').unwrap();
    let copy = format!("{head}script-src 'unsafe-inline'{tail}")
        .replace("</body>", &format!("<script>{LOOK}</script></body>"));
    std::fs::write(folder.path().join("copy.html"), copy).unwrap();
    let frame = format!(
        "<!doctype html><title>-</title><script>onmessage = (e) => {{ document.title = e.data; }};</script>\
         <iframe src=\"copy.html\" width=\"{width}\" height=\"800\" style=\"border:0\"></iframe>"
    );
    let file = folder.path().join("frame.html");
    std::fs::write(&file, frame).unwrap();
    let scheme = if dark { "0" } else { "1" };
    let opened =
        open(program, folder.path(), &file, &[&format!("--blink-settings=preferredColorScheme={scheme}")]);
    assert!(opened.console.is_empty(), "{:?}", opened.console);
    let title = opened.document.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let found = title.map(|(title, _)| title.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    serde_json::from_str(&found.unwrap()).unwrap_or_else(|e| panic!("{e}: {}", opened.document))
}

fn assert_sound(found: &Value, width: u32) {
    assert_eq!(found["width"], width);
    assert_eq!(found["wider"], serde_json::json!([]), "wider than the window");
    assert_eq!(found["untitled"], 0, "pictures without a title");
    assert_eq!(found["unnamed"], 0, "tables without a name or out of the keyboard's reach");
    assert_eq!(found["twice"], serde_json::json!([]), "ids");
    assert_eq!(found["faint"], serde_json::json!([]), "text with too little contrast");
    assert!(found["looked_at"].as_u64().unwrap() > 50, "{found}");
}

#[test]
fn the_page_is_sound_on_a_desk_and_on_a_phone_by_day_and_by_night() {
    let Some(program) = chromium() else { return };
    let both = [("one.json", rich()), ("two.json", single())]
        .map(|(name, report)| Named { name: name.into(), report });
    for (page, width, dark) in [
        (html::render(&rich()), 375, false),
        (html::render(&rich()), 1280, true),
        (html::render_all(&both), 375, true),
    ] {
        let found = look(&program, &page, width, dark);
        assert_sound(&found, width);
        assert_eq!(found["dark"], dark);
        // the first table has three rows; its second column is the verdict, its third the CPU
        let sorted = &found["sorted"];
        assert_eq!(sorted["before"], "none", "{sorted}");
        assert_eq!((&sorted["first"], &sorted["second"]), (&"ascending".into(), &"descending".into()));
        assert_eq!(sorted["others"], "none", "{sorted}");
        let keys = |which: &str| {
            let keys = sorted[which].as_array().unwrap();
            keys.iter().filter_map(Value::as_f64).collect::<Vec<_>>()
        };
        let (up, mut down) = (keys("up"), keys("down"));
        down.reverse();
        assert!(up.len() >= 2 && up.is_sorted() && up == down, "{sorted}");
        assert_eq!(sorted["focus"], true, "a button takes the keyboard");
    }
}

#[test]
fn a_page_of_the_real_program_is_sound_and_its_policy_lets_its_script_run() {
    let Some(program) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.html");
    let ran = short(correct(), &["-n", "500", "-x", "2", "-o", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let page = std::fs::read_to_string(&file).unwrap();
    let found = look(&program, &page, 375, false);
    assert_sound(&found, 375);

    std::fs::write(&file, html::render(&rich())).unwrap();
    let opened = open(&program, folder.path(), &file, &[]);
    assert_eq!(opened.console, Vec::<String>::new());
    assert!(opened.document.contains("<button type=\"button\">server CPU per request</button>"));
}

#[test]
fn without_scripts_the_page_is_all_there() {
    let Some(program) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let page = html::render(&rich());
    let (head, tail) = page.split_once("script-src 'sha256-").unwrap();
    let (_, tail) = tail.split_once('\'').unwrap();
    std::fs::write(&file, format!("{head}script-src 'none'{tail}")).unwrap();
    let opened = open(&program, folder.path(), &file, &[]);
    assert!(!opened.document.contains("<button"), "a button that does nothing");
    for text in ["pool (2 workers)", "8.20 µs", "Reply time by percentile", "How it was measured"] {
        assert!(opened.document.contains(text), "{text}");
    }
}

/// What these tests look with can see.
#[test]
fn the_look_finds_what_is_wrong() {
    let Some(program) = chromium() else { return };
    let wrong = "<p id=\"main\" style=\"x\">twice</p><div class=\"scroll\">-</div><svg class=\"chart\"></svg>\
                 <pre class=\"wide\">wide</pre></main>";
    let page = html::render(&rich()).replacen("</main>", wrong, 1).replacen(
        "</style>",
        ".wide { width: 900px } #main[style] { color: #bbb !important }</style>",
        1,
    );
    // the style is no longer the one that the page allows
    let (head, tail) = page.split_once("style-src 'sha256-").unwrap();
    let (_, tail) = tail.split_once('\'').unwrap();
    let found = look(&program, &format!("{head}style-src 'unsafe-inline'{tail}"), 375, false);
    assert_eq!((&found["untitled"], &found["unnamed"]), (&1.into(), &1.into()), "{found}");
    assert_eq!(found["twice"], serde_json::json!(["main"]));
    assert!(!found["wider"].as_array().unwrap().is_empty(), "{found}");
    assert_eq!(found["faint"].as_array().unwrap().len(), 1, "{found}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, html::render(&rich()).replace("\"use strict\";", "console.error('x');")).unwrap();
    let opened = open(&program, folder.path(), &file, &[]);
    assert!(!opened.console.is_empty(), "a script that the policy forbids is told of");
    assert!(!opened.document.contains("<button"));
}
