//! `--slo 'p99<5ms,errors<0.1%'`: what a server is held to.

use common::units;

use crate::stats::slo::{Promise, Promised, Side};

/// The longest first: `<=` begins with `<`, and `p99.9` with `p99`.
const SIDES: [(&str, Side); 4] =
    [("<=", Side::AtMost), (">=", Side::AtLeast), ("<", Side::Below), (">", Side::Above)];
const FIGURES: [(&str, Promised); 10] = [
    ("p50", Promised::P50),
    ("p90", Promised::P90),
    ("p99", Promised::P99),
    ("p99.9", Promised::P999),
    ("p99.99", Promised::P9999),
    ("max", Promised::Max),
    ("mean", Promised::Mean),
    ("errors", Promised::Errors),
    ("rate", Promised::Rate),
    ("cpu", Promised::Cpu),
];
/// The most promises of one command.
const PROMISES_MAX: usize = 32;

/// Parses one promise.
///
/// # Errors
/// What is wrong with it and what would be right.
pub(super) fn promise(text: &str) -> Result<Promise, String> {
    let text = text.trim();
    let at = text.find(['<', '>']).ok_or_else(|| "expected FIGURE<BOUND, for example p99<5ms".to_owned())?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (sign, side) = *SIDES.iter().find(|(sign, _)| rest.starts_with(sign)).unwrap_or(&SIDES[2]);
    let (_, figure) = FIGURES.iter().find(|(known, _)| *known == name).ok_or_else(|| {
        let names = FIGURES.map(|(name, _)| name).join(", ");
        format!("\"{name}\" cannot be promised: choose from {names}")
    })?;
    let bound = bound(*figure, rest[sign.len()..].trim())?;
    Ok(Promise { figure: *figure, side, bound, text: text.replace(' ', "") })
}

fn bound(figure: Promised, text: &str) -> Result<f64, String> {
    match figure {
        Promised::Errors => match text.strip_suffix('%').map(|number| number.trim().parse::<f64>()) {
            Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
            None if text == "0" => Ok(0.0),
            _ => Err(format!("\"{text}\" is no share of requests: write for example errors<0.1%")),
        },
        Promised::Rate => {
            units::count(text.strip_suffix("/s").unwrap_or(text).trim()).map(|rate| rate as f64)
        }
        _ => units::duration(text).map(|time| time.as_nanos() as f64),
    }
}

/// Whether there are not too many.
pub(super) fn few_enough(promises: &[Promise]) -> Result<(), String> {
    if promises.len() > PROMISES_MAX {
        return Err(format!("--slo: {} promises are too many: at most {PROMISES_MAX}", promises.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Promised, Side, f64) {
        let promise = promise(text).unwrap();
        (promise.figure, promise.side, promise.bound)
    }

    #[test]
    fn promises_are_read_as_people_write_them() {
        assert_eq!(parsed("p99<5ms"), (Promised::P99, Side::Below, 5e6));
        assert_eq!(parsed("p99.9 <= 1.5s"), (Promised::P999, Side::AtMost, 1.5e9));
        assert_eq!(parsed("errors<0.1%"), (Promised::Errors, Side::Below, 0.001));
        assert_eq!(parsed("errors<=0"), (Promised::Errors, Side::AtMost, 0.0));
        assert_eq!(parsed("rate>=100k"), (Promised::Rate, Side::AtLeast, 1e5));
        assert_eq!(parsed("rate>5000/s"), (Promised::Rate, Side::Above, 5e3));
        assert_eq!(parsed("cpu<10us"), (Promised::Cpu, Side::Below, 1e4));
        assert_eq!(promise("mean < 2ms").unwrap().text, "mean<2ms");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_would_be_right() {
        for (wrong, right) in [
            ("p99", "p99<5ms"),
            ("p98<1ms", "choose from p50, p90"),
            ("p99<5", "5ms"),
            ("errors<0.1", "errors<0.1%"),
            ("errors<101%", "errors<0.1%"),
            ("rate>1.5", "whole number"),
            ("p99<", "number"),
            ("<5ms", "choose from"),
        ] {
            let told = promise(wrong).unwrap_err();
            assert!(told.contains(right), "{wrong}: {told}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9.<>=% µ]{0,12}") {
            let _ = promise(&text);
        }
    }
}
