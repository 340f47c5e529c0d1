//! The name that may have been meant.

/// More letters than this are no slip of a finger.
const SLIPS_MAX: usize = 2;

/// The one of the names that is nearest to what was typed, if it is near enough: a beginning of it, or a few letters away.
pub(crate) fn nearest<'a>(typed: &str, names: &[&'a str]) -> Option<&'a str> {
    let slips = |name: &str| {
        let begins = !typed.is_empty() && (name.starts_with(typed) || typed.starts_with(name));
        if begins { 1 } else { distance(typed, name) }
    };
    let near = names.iter().map(|name| (slips(name), *name)).min_by_key(|(slips, _)| *slips);
    // (with a short word almost every other one is near)
    near.filter(|(slips, name)| *slips <= SLIPS_MAX.min(name.len() / 2)).map(|(_, name)| name)
}

/// How many letters have to be put in, left out or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, same) in other.iter().map(|o| *o == letter).enumerate() {
            let changed = diagonal + usize::from(!same);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_put_in_left_out_and_changed() {
        for (one, other, letters) in
            [("", "", 0), ("pool", "pool", 0), ("poll", "pool", 1), ("kitten", "sitting", 3), ("", "race", 4)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters), "{one} {other}");
        }
    }

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["process", "thread", "pool", "race", "subprocess"];
        for (typed, meant) in [
            ("proces", Some("process")),
            ("processes", Some("process")),
            ("threads", Some("thread")),
            ("poll", Some("pool")),
            ("subp", Some("subprocess")),
            ("lock", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &names), meant, "{typed}");
        }
    }
}
