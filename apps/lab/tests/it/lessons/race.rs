//! The lesson about lost updates.

use crate::program::run;

#[test]
fn lost() {
    let run = run("race/lost");
    let [expected, got, lost] = ["expected", "got", "lost"].map(|name| run.facts[name].as_u64().unwrap());
    assert_eq!(expected, 2_000_000);
    assert!(got >= 2 && got < expected && got + lost == expected, "{run:?}");
    let percent = run.facts["lost_percent"].as_f64().unwrap();
    assert!((percent - lost as f64 / 20_000.0).abs() < 1e-6, "{percent} % of {lost}");
    assert!((1..=1000).contains(&run.facts["attempts"].as_u64().unwrap()));
    assert!(run.saw[0].contains(&format!("{percent:.1} %")), "{:?}", run.saw);
    // the last attempt is told: by both threads, and its result
    let told = run.events.iter().rev().take(3).map(|event| event.who.as_str()).collect::<Vec<_>>();
    assert_eq!(told, ["main", "thread 2", "thread 1"]);
}
