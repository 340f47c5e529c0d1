//! `loadgen selftest`: its counts are right on any machine; its times are those of the machine and are not judged here.

use crate::tool::ran;

#[test]
fn both_ends_count_alike_and_every_question_is_answered() {
    let ran = ran(&["selftest", "-d", "200ms", "-J", "--quiet"]);
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap();
    let named =
        |part: &str| checks.iter().filter(|check| check["name"].as_str().unwrap().contains(part)).count();
    assert_eq!(
        (named("count"), named("requests"), named("sent late"), named("time"), named("stall of 1.00 s: m")),
        (7, 2, 1, 2, 2)
    );
    for check in checks.iter().filter(|check| check["name"].as_str().unwrap().ends_with(": count")) {
        assert_eq!(check["passed"], true, "{check}");
    }
    let wrong = checks.iter().any(|check| check["passed"] == false);
    assert_eq!(ran.code, Some(i32::from(wrong)), "{}", ran.stderr);
    // the stall is in the time of each request that it held up, and not in the uncorrected one
    let client = &report["trials"].as_array().unwrap().last().unwrap()["client"];
    let (corrected, uncorrected) = (&client["reply"]["mean"], &client["open"]["uncorrected"]["mean"]);
    assert!(corrected.as_f64().unwrap() > 5.0 * uncorrected.as_f64().unwrap(), "{corrected} {uncorrected}");
    assert!(client["reply"]["max"].as_u64() > Some(900_000_000), "{}", client["reply"]);
}
