//! Real reports against the committed schema.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::tool::{correct, echo, ran, serve, short};

/// As `--schema` prints it.
fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/loadgen.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A report, or a line of NDJSON, that is as the schema says.
pub(crate) fn assert_valid(value: &Value) {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{value:#}");
}

#[test]
fn the_program_prints_the_schema_and_it_refuses_what_is_none() {
    let ran = ran(&["--schema"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // the program was built with the file that is just being made anew
    if std::env::var_os("BLESS").is_none() {
        assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), schema());
    }
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut report = short(correct(), &["-c", "2"]).json();
    assert!(validator.is_valid(&report));
    // what is missing, what is too much, another version, another type
    let spoilt = |spoil: &dyn Fn(&mut Value)| {
        let mut report = report.clone();
        spoil(&mut report);
        !validator.is_valid(&report)
    };
    assert!(spoilt(&|report| drop(report.as_object_mut().unwrap().remove("seed"))));
    assert!(spoilt(&|report| report["trials"][0]["more"] = 1.into()));
    assert!(spoilt(&|report| report["schema"] = 1.into()));
    assert!(spoilt(&|report| report["trials"][0]["client"]["requests"]["ok"] = "many".into()));
    assert!(!validator.is_valid(&serde_json::json!({"type": "report"})));
    report["type"] = "report".into();
    assert!(!validator.is_valid(&report));
}

#[test]
fn each_kind_of_run_is_valid() {
    let loads: [&[&str]; 5] = [
        &["-c", "3", "-t", "2", "-P", "4"],
        &["--reconnect", "1", "-c", "3"],
        &["-R", "500", "--arrivals", "poisson", "-c", "5"],
        &["-R", "100:900", "--pin", "none", "--no-server-cost"],
        &["-n", "100", "-x", "2"],
    ];
    for load in loads {
        let report = short(correct(), load).json();
        assert!(report["trials"][0]["client"]["requests"]["ok"].as_u64() > Some(0), "{report}");
        assert_valid(&report);
    }
}

/// Errors, a first wrong reply, a trial that could not even begin.
#[test]
fn a_failed_run_and_a_failed_comparison_are_valid() {
    let wrong = serve(|stream, number| {
        echo(stream, |piece| {
            piece[0] ^= u8::from(number == 0);
            number != 1
        });
    });
    let ran = short(wrong, &["-c", "4"]);
    assert_eq!((ran.code, ran.classes().is_empty()), (Some(1), false), "{}", ran.stdout);
    assert_valid(&ran.json());

    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("tcp-echo");
    let modes = r#"[{"name": "thread", "serves": "as-many-as-come"}, {"name": "process", "serves": "as-many-as-come"}]"#;
    let text = format!(
        "#!/bin/sh\n[ \"$1\" != --list-modes ] || {{ echo '{modes}'; exit; }}\n[ $2 = thread ] || exit 3\n\
         trap 'exit 0' TERM\nmkfifo {here}/$$; exec 8<>{here}/$$\n\
         echo \"listening on {} (mode thread, pid $$)\"\nread line <&8\n",
        correct(),
        here = folder.path().display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let program = script.display().to_string();
    let lines = folder.path().join("r.ndjson");
    let load = ["compare", "--tcp-echo", &program, "--modes", "thread,process", "-w", "20ms", "-d", "100ms"];
    let more = ["-x", "1", "-J", "--quiet", "-o", lines.to_str().unwrap()];
    let ran = crate::tool::ran(&[&load[..], &more[..]].concat());
    let report = ran.json();
    assert_valid(&report);
    let trials = report["trials"].as_array().unwrap();
    let measured = trials.iter().filter(|trial| trial["client"].is_object()).count();
    // kept connections and churn
    assert_eq!((trials.len(), measured), (4, 2), "{report:#}");
    for line in fs::read_to_string(&lines).unwrap().lines() {
        assert_valid(&serde_json::from_str(line).unwrap());
    }
}

#[test]
fn a_self_test_is_valid() {
    assert_valid(&ran(&["selftest", "-d", "100ms", "-J", "--quiet"]).json());
}
