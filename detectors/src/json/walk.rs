//! Finding the ends of values in JSON text without opening it.
//!
//! Nothing here decides whether the text is JSON: on valid text the spans are exact, on any other text they are merely
//! inside it. Strings are stepped over whole, so brackets and quotes inside them can't be taken for structure.

/// The first byte after the string that begins (with its quote) at `at`; `None` when the text ends inside it.
pub fn end_of_string(text: &[u8], at: usize) -> Option<usize> {
    let mut from = at + 1;
    loop {
        let stop = from + memchr::memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[stop] == b'"' {
            return Some(stop + 1);
        }
        from = stop + 2;
    }
}

/// The first byte after the value that begins at `at`; `None` when the text ends inside it. A number or literal may
/// end with the text.
pub fn end_of_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => end_of_string(text, at),
        b'{' | b'[' => {
            let (mut open, mut from) = (0usize, at);
            loop {
                from +=
                    text.get(from..)?.iter().position(|b| matches!(b, b'"' | b'[' | b'{' | b']' | b'}'))?;
                match text[from] {
                    b'"' => {
                        from = end_of_string(text, from)?;
                        continue;
                    }
                    b'{' | b'[' => open += 1,
                    _ => open -= 1,
                }
                from += 1;
                if open == 0 {
                    return Some(from);
                }
            }
        }
        _ => {
            let rest = &text[at..];
            let length = rest.iter().position(|b| matches!(b, b',' | b']' | b'}') || is_space(*b));
            Some(at + length.unwrap_or(rest.len()))
        }
    }
}

/// The first byte at or after `at` that is no white space.
pub fn skip_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !is_space(*b)).unwrap_or(rest.len())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The members of the object that `text` begins with, in their order: each key as it stands between its quotes, escapes
/// and all, and the text of its value. Ends early where the text is no object any more.
pub fn members(text: &str) -> Members<'_> {
    Members { text, at: usize::from(text.starts_with('{')), open: text.starts_with('{') }
}

/// See [`members`].
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
    open: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.open.then(|| self.member()).flatten();
        self.open = member.is_some();
        member
    }
}

impl<'a> Members<'a> {
    fn member(&mut self) -> Option<(&'a str, &'a str)> {
        let bytes = self.text.as_bytes();
        let mut key = skip_space(bytes, self.at);
        if bytes.get(key) == Some(&b',') {
            key = skip_space(bytes, key + 1);
        }
        if bytes.get(key) != Some(&b'"') {
            return None;
        }
        let key_end = end_of_string(bytes, key)?;
        let colon = skip_space(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let value = skip_space(bytes, colon + 1);
        self.at = end_of_value(bytes, value)?;
        Some((self.text.get(key + 1..key_end - 1)?, self.text.get(value..self.at)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hide_structure_and_escapes_hide_quotes() {
        let text = r#"{"a":"}\"]","b\"":[{"c":"{"}],"d":-1.5e3 , "e" : null}"#;
        let found: Vec<_> = members(text).collect();
        assert_eq!(found, [("a", r#""}\"]""#), (r#"b\""#, r#"[{"c":"{"}]"#), ("d", "-1.5e3"), ("e", "null")]);
        assert_eq!(end_of_value(text.as_bytes(), 0), Some(text.len()));
    }

    #[test]
    fn text_that_ends_early_has_no_end() {
        for text in [r#"{"a":1"#, r#"["a"#, r#""a\"#, r#""a\""#, "[", "{[}", ""] {
            assert_eq!(end_of_value(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(end_of_value(b"12", 0), Some(2));
        assert_eq!(end_of_value(b"12", 9), None);
    }

    #[test]
    fn members_of_no_object_are_none() {
        for text in ["", "[1]", "1", "{", "{}", "{1:2}", r#"{"a""#, r#"{"a" 1}"#, r#"{"a":"#] {
            assert_eq!(members(text).count(), 0, "{text}");
        }
    }
}
