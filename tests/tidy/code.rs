//! A program's text without what only looks like code, and without its tests.

/// The text with comments and the insides of strings blanked; lines stay where they are.
pub(crate) fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if c == '"' {
            string_end(rest)
        } else {
            char_end(rest)
        };
        let (skipped, tail) = rest.split_at(skip.max(c.len_utf8()));
        match skip {
            0 => out.push(c),
            _ => out.extend(skipped.chars().map(|c| if c == '\n' { c } else { ' ' })),
        }
        rest = tail;
    }
    out
}

/// How long the string is that begins here.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return i + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// How long the character is that begins here; 0 if none does (a lifetime begins like one).
fn char_end(text: &str) -> usize {
    let mut letters = text.char_indices();
    if letters.next().map(|(_, c)| c) != Some('\'') {
        return 0;
    }
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), _) => text[2..].find('\'').map_or(0, |end| end + 3),
        (Some(_), Some((i, '\''))) => i + 1,
        _ => 0,
    }
}

/// Bare code without the items under `#[cfg(test)]`; lines stay where they are.
pub(crate) fn without_tests(text: &str) -> String {
    let code = bare(text);
    let mut out = String::with_capacity(code.len());
    let mut rest = code.as_str();
    while let Some(start) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..start]);
        let item = &rest[start..];
        let end = item_end(item);
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out + rest
}

/// The end of an item: its closing brace, or a semicolon before any brace.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (i, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return i + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return i + 1,
            _ => {}
        }
    }
    item.len()
}

/// The numbers (from 1) of the lines that hold this, not as the end of a longer word.
pub(crate) fn lines_with(code: &str, what: &str) -> Vec<usize> {
    code.lines().enumerate().filter(|(_, line)| holds(line, what)).map(|(i, _)| i + 1).collect()
}

/// Whether the line holds this, not as a part of a longer word.
pub(crate) fn holds(line: &str, what: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(what).any(|(i, _)| {
        let before = line[..i].chars().next_back().is_some_and(in_word) && what.starts_with(in_word);
        let after = line[i + what.len()..].chars().next().is_some_and(in_word) && what.ends_with(in_word);
        !before && !after
    })
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let text = "a(); // b()\nlet s = \"c() \\\" d()\"; /* e() */ let q = '\"'; f::<'x>('\\''); let r = r#\"g\"#; h();";
    let code = bare(text);
    for present in ["a();", "let s", "let q", "f::<'x>", "h();"] {
        assert!(code.contains(present), "{present} in {code}");
    }
    for absent in ["b()", "c()", "d()", "e()", "g"] {
        assert!(!code.contains(absent), "{absent} in {code}");
    }
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn tests_are_left_out_and_what_follows_is_not() {
    let code = without_tests(
        "one();\n#[cfg(test)]\nmod tests {\n fn a() { two() }\n}\nthree();\n#[cfg(test)] use x;\nfour();",
    );
    assert!(!code.contains("two") && !code.contains("use x"), "{code}");
    assert_eq!(lines_with(&code, "three"), [6]);
    assert_eq!(lines_with(&code, "four"), [8]);
}

#[test]
fn a_word_is_not_found_in_a_longer_one() {
    assert!(holds("use std::io::Read;", "io::"));
    assert!(!holds("use studio::Read;", "io::"));
    assert!(holds("unsafe {", "unsafe") && !holds("unsafe_code", "unsafe"));
    assert!(holds("x.unwrap()", ".unwrap()") && !holds("x.unwrap_or(1)", ".unwrap()"));
}
