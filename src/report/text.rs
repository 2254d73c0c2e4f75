//! Text on its way to a terminal.
//!
//! Strings in a log are chosen by whoever made the call: a session name may hold an escape sequence that rewrites the
//! screen, or a direction mark that makes one name read like another. Everything that came from a log goes through
//! [`plain`] before it is shown.

use std::borrow::Cow;

/// Longer strings are cut: a name may be 10 KB of spaces.
const MAX_CHARS: usize = 1_000;

/// The text with everything that could act on a terminal, or hide from its reader, replaced by `�`; line breaks too.
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_short = text.len() <= MAX_CHARS;
    if is_short && text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown: String =
        text.chars().take(MAX_CHARS).map(|c| if acts_or_hides(c) { '\u{FFFD}' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Control characters, direction marks, and characters without a shape.
fn acts_or_hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Breaks a text into lines of at most `width` characters, at spaces only: what is longer (a path, a part of a command) stays
/// whole, and can be copied.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if used + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                used += 1 + length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_log_acts_on_the_terminal() {
        for (from_log, shown) in [
            ("plain", "plain"),
            ("\u{1b}[2Jgone", "\u{FFFD}[2Jgone"),
            ("a\nb\rc\td\u{7f}", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}"),
            ("\u{9b}31m", "\u{FFFD}31m"),
            ("user\u{202e}nimda", "user\u{FFFD}nimda"),
            ("ad\u{200b}min", "ad\u{FFFD}min"),
            ("\u{e0041}tag", "\u{FFFD}tag"),
            ("Jürgen 株式会社", "Jürgen 株式会社"),
        ] {
            assert_eq!(plain(from_log), shown, "{from_log:?}");
        }
    }

    #[test]
    fn long_strings_are_cut() {
        let shown = plain(&"x".repeat(100_000)).into_owned();
        assert_eq!(shown.chars().count(), MAX_CHARS + 1);
        assert!(shown.ends_with('…'));
    }

    #[test]
    fn lines_break_at_spaces_only() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("a bbbbbbb c", 3), ["a", "bbbbbbb", "c"]);
        assert_eq!(wrap("ü ü  ü", 3), ["ü ü", "ü"]);
        assert_eq!(wrap(" ", 10), Vec::<String>::new());
        assert_eq!(wrap("a b", 0), ["a", "b"]);
    }
}
