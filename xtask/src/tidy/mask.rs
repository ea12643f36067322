//! Tells code, comments and literals of Rust apart, as far as the laws need it: a word in a comment is no code.

use std::ops::Range;

/// Copies of one text, of the same length and with the same lines, each with all but its own kind blanked.
pub(crate) struct Masked {
    /// Without comments and without the contents of literals; their quotes stay.
    pub(crate) code: String,
    /// As `code`, without what is compiled for tests only.
    pub(crate) production: String,
    /// Only the comments.
    pub(crate) comments: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

pub(crate) fn mask(text: &str) -> Masked {
    let kinds = kinds(text);
    let keep = |kind: Kind| blanked(text, |at| kinds[at] != kind);
    let code = keep(Kind::Code);
    let tests = test_items(&code);
    let production = blanked(&code, |at| tests.iter().any(|item| item.contains(&at)));
    Masked { code, production, comments: keep(Kind::Comment) }
}

/// The text with a space for each byte that `blank` says, line ends excepted.
fn blanked(text: &str, blank: impl Fn(usize) -> bool) -> String {
    let bytes = text.bytes().enumerate().map(|(at, byte)| if byte != b'\n' && blank(at) { b' ' } else { byte });
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

/// What each byte belongs to.
fn kinds(text: &str) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let follows_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (kind, inside, end) = if rest.starts_with("//") {
            let end = rest.find('\n').unwrap_or(rest.len());
            (Kind::Comment, 0..end, end)
        } else if rest.starts_with("/*") {
            let end = block_comment(rest);
            (Kind::Comment, 0..end, end)
        } else if let Some((inside, end)) = raw_string(rest).filter(|_| !follows_name) {
            (Kind::Literal, inside, end)
        } else if rest.starts_with('"') {
            let end = quoted(rest, '"');
            (Kind::Literal, 1..end - 1, end)
        } else if let Some(end) = char_literal(rest) {
            (Kind::Literal, 1..end - 1, end)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        kinds[at + inside.start..at + inside.end].fill(kind);
        at += end;
    }
    kinds
}

/// The length of a block comment, with those nested in it.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The inside and the length of `r"..."`, `r#"..."#` and their byte and C forms.
fn raw_string(text: &str) -> Option<(Range<usize>, usize)> {
    let after = text.strip_prefix("r").or(text.strip_prefix("br")).or(text.strip_prefix("cr"))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let start = text.len() - after.len() + hashes + 1;
    if !after[hashes..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let inside = text[start..].find(&close).map_or(text.len(), |at| start + at);
    Some((start..inside, (inside + close.len()).min(text.len())))
}

/// The length of a literal that opens and closes with `quote`, at least both quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len().max(2)
}

/// The length of a character literal, if this is one: a lifetime has no second quote.
fn char_literal(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(quoted(text, '\''));
    }
    let one = inside.chars().next()?.len_utf8();
    inside[one..].starts_with('\'').then_some(one + 2)
}

/// Where the items stand that a `#[cfg(test)]` of any form puts aside, the attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let attribute = start..start + closing(&code[start + 1..]).map_or(1, |end| end + 1);
        let condition = &code[attribute.clone()];
        let tests = condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "test");
        if tests && !condition.contains("not(test") && !items.last().is_some_and(|item| item.contains(&start)) {
            items.push(start..attribute.end + item_end(&code[attribute.end..]));
        }
    }
    items
}

/// Where an item ends: after its block, or after its semicolon.
fn item_end(code: &str) -> usize {
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        match c {
            ';' => return at + 1,
            '}' => return at,
            '{' => return at + closing(&code[at..]).unwrap_or(code.len() - at),
            '(' | '[' => at += closing(&code[at..]).unwrap_or(code.len() - at),
            _ => at += c.len_utf8(),
        }
    }
    code.len()
}

/// The length up to and with the bracket that closes the first one.
fn closing(code: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of the code, without blanks.
    fn code(text: &str) -> String {
        mask(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_contents_of_literals_are_no_code() {
        assert_eq!(code("a /* b /* c */ d */ e // f\ng"), "a e g");
        assert_eq!(
            code(r#"x("a \" b", 'c', '\'', b"d")"#),
            r#"x("     ", ' ', '  ', b" ")"#.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        assert_eq!(code("r#\"todo \" x\"# + br\"y\" + for\"z\""), "r#\" \"# + br\" \" + for\" \"");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn length_and_lines_are_kept() {
        let text = "let s = \"ä\nö\"; // ü\n/* é\n */ ok";
        let masked = mask(text);
        for copy in [&masked.code, &masked.production, &masked.comments] {
            assert_eq!((copy.len(), copy.lines().count()), (text.len(), text.lines().count()));
        }
    }

    #[test]
    fn items_for_tests_are_no_production_code() {
        let text = "a();\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() { {} } }\nc();\n#[cfg(all(test, loom))] mod d;\n#[cfg(not(test))] fn e() {}\n\
            #[cfg(test)] fn f(x: [u8; 2]) { g() }\nh();";
        let production = mask(text).production;
        let kept: Vec<&str> =
            ["a()", "fn b", "c()", "mod d", "fn e", "g()", "h()"].into_iter().filter(|item| production.contains(item)).collect();
        assert_eq!(kept, ["a()", "c()", "fn e", "h()"]);
    }
}
