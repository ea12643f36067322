//! Names and titles that one peer chose and others are shown: short, on one line, and saying what they seem to say.

/// `text` without control characters and without those that turn the direction of writing, cut after `chars_max`.
///
/// A server passes through it every title, name and program before it tells others of them.
///
/// # Examples
/// ```
/// # use orchflow_core::protocol::label::clean;
/// assert_eq!(clean("build\x1b]0;sudo\x07", 64), "build]0;sudo");
/// assert_eq!(clean("invoice\u{202e}fdp.exe", 64), "invoicefdp.exe");
/// assert_eq!(clean("long", 2), "lo");
/// ```
pub fn clean(text: &str, chars_max: usize) -> String {
    text.chars().filter(|c| !c.is_control() && !turns_writing(*c)).take(chars_max).collect()
}

/// Whether a character makes what follows be written the other way, or separates lines (CVE-2021-42574).
fn turns_writing(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays() {
        for text in ["~/src — make", "日本語", "café ☕", "עברית"] {
            assert_eq!(clean(text, 64), text);
        }
    }

    #[test]
    fn controls_of_both_ranges_go() {
        assert_eq!(clean("a\0b\x1bc\x7fd\u{9b}e\u{2029}f\u{2066}g", 64), "abcdefg");
    }
}
