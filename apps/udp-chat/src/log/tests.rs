//! The verb on files that nobody would write on purpose, and some that somebody would.

use super::*;
use crate::escape::is_unsafe;
use std::fs;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/log");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "has the corpus been moved?");
    files
}

fn shown(path: &Path, arguments: &LogArguments) -> Vec<String> {
    let mut out = Vec::new();
    let mut shown = Shown::default();
    show(&File::open(path).unwrap(), arguments, &mut out, &mut shown).unwrap();
    assert!(shown.failed.is_none());
    let text = String::from_utf8(out).unwrap();
    assert_eq!(shown.any, !text.is_empty());
    assert!(!text.replace('\n', "").contains(is_unsafe), "{}: {text}", path.display());
    text.lines().map(str::to_owned).collect()
}

fn of_corpus(name: &str, arguments: &LogArguments) -> Vec<String> {
    shown(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/log").join(name), arguments)
}

#[test]
fn nothing_raw_comes_out_of_any_file() {
    for path in corpus() {
        let text = shown(&path, &LogArguments::default());
        let json = shown(&path, &LogArguments { json: true, ..LogArguments::default() });
        assert_eq!(text.len(), json.len(), "{}", path.display());
        for line in json {
            let object: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(object["text"].is_string() && object["direction"].is_string(), "{line}");
        }
        for last in 0..8 {
            let end = shown(&path, &LogArguments { last: Some(last), ..LogArguments::default() });
            assert_eq!(end, text[text.len().saturating_sub(last)..], "{}", path.display());
        }
    }
}

#[test]
fn own_records_come_out_as_they_stand_and_as_objects() {
    let text = of_corpus("own.txt", &LogArguments::default());
    assert_eq!(text[1], r"2026-11-20T21:45:02.123Z >>>('192.168.1.5', 7890):C:\dir\\new \x1b[31m \u{202e}");
    let json = of_corpus("own.txt", &LogArguments { json: true, ..LogArguments::default() });
    assert_eq!(
        json[1],
        r#"{"time":"2026-11-20T21:45:02.123Z","direction":"received","address":"192.168.1.5","port":7890,"text":"C:\\dir\\new \u001b[31m \u202e"}"#
    );
    assert_eq!(
        json[2],
        r#"{"time":"2026-11-20T21:45:03.123Z","direction":"note","address":null,"port":null,"text":"gap: 17 messages not saved"}"#
    );
}

#[test]
fn a_new_record_and_one_read_back_are_the_same_object() {
    let peer = "[fe80::1%4]:7890".parse().unwrap();
    let record = crate::history::Record {
        time: 1_795_211_104_123,
        what: crate::history::What::Received(peer, "grüße".into()),
    };
    let mut out = Vec::new();
    json::write_record(&record, &mut out).unwrap();
    let file = of_corpus("own.txt", &LogArguments { json: true, last: Some(1), ..LogArguments::default() });
    assert_eq!(String::from_utf8(out).unwrap().trim_end(), file[0]);
}

#[test]
fn a_torn_line_takes_no_other_with_it() {
    let grep = |text: &str| LogArguments { grep: Some(text.into()), ..LogArguments::default() };
    assert_eq!(of_corpus("torn.txt", &LogArguments::default()).len(), 6);
    assert_eq!(of_corpus("torn.txt", &grep("whole")).len(), 1);
    assert_eq!(of_corpus("torn.txt", &grep("no end")).len(), 1);
    assert_eq!(
        of_corpus("zeros.txt", &grep("after it")),
        ["2026-11-20T21:45:02.123Z <<<(::1, 7890):after it"]
    );
}

#[test]
fn files_of_the_python_program_can_be_searched() {
    let all = LogArguments::default();
    assert_eq!(of_corpus("python.txt", &all)[3], "<<<(localhost, 7890):你好");
    assert_eq!(of_corpus("python.txt", &all)[4], r">>>('10.0.0.2', 7890):\x1b[2J\x1b]0;title\x07 C:\new\x");
    let grep = LogArguments { grep: Some(r"C:\new".into()), ..LogArguments::default() };
    assert_eq!(of_corpus("python.txt", &grep).len(), 1);
    let peer = LogArguments { peer: Some("10.0.0.2:7890".parse().unwrap()), ..LogArguments::default() };
    assert_eq!(of_corpus("python.txt", &peer).len(), 2);
    let since = LogArguments { since: Some(0), ..LogArguments::default() };
    assert_eq!(of_corpus("python.txt", &since).len(), 0);
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let arguments = LogArguments { file: Some("/no/such/chat.txt".into()), ..LogArguments::default() };
    let failure = log(&arguments).unwrap_err();
    assert_eq!(failure.code, FAILED);
    assert_eq!(
        failure.message,
        "cannot read /no/such/chat.txt: No such file or directory: name the history file, udp-chat log FILE"
    );
}
