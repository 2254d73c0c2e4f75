//! Opening JSON that came from a log: parts of a record, and documents quoted inside them.
//!
//! simd-json reads it; the result is a [`serde_json::Value`], whose objects are sorted, so what is made of
//! them comes out in one order. Of duplicate keys the last one counts, as it does for AWS's own readers.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
pub use serde_json::Value;

pub mod walk;

/// Deeper nesting than this is refused before parsing: no AWS document comes near it.
pub const MAX_DEPTH: usize = 64;

/// Why a text was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Not JSON.
    #[error("not valid JSON")]
    Invalid,
}

/// Parses a whole JSON text.
pub fn parse(text: &str) -> Result<Value, JsonError> {
    if depth(text.as_bytes()) > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    let mut bytes = text.as_bytes().to_vec();
    replace_lone_surrogates(&mut bytes);
    simd_json::serde::from_slice(&mut bytes).map_err(|_| JsonError::Invalid)
}

/// Writes `\ufffd` over every escaped surrogate that has no partner, which parsers refuse: a caller who gets one into a
/// record must not get the record lost. Escapes keep their length, so nothing moves.
pub fn replace_lone_surrogates(text: &mut [u8]) {
    let mut at = 0;
    while let Some(escape) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()).map(|i| at + i) {
        at = escape + 2;
        match surrogate(text, escape) {
            Some(0xd800..=0xdbff) if matches!(surrogate(text, escape + 6), Some(0xdc00..=0xdfff)) => {
                at = escape + 12;
            }
            Some(_) => text[escape + 2..escape + 6].copy_from_slice(b"fffd"),
            None => {}
        }
    }
}

/// The UTF-16 surrogate that is escaped at `at`.
fn surrogate(text: &[u8], at: usize) -> Option<u32> {
    let hex = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    let unit = hex.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))?;
    matches!(unit, 0xd800..=0xdfff).then_some(unit)
}

/// The deepest nesting of brackets outside strings.
pub fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut rest) = (0usize, 0usize, text);
    while let Some(i) = rest.iter().position(|b| matches!(b, b'"' | b'[' | b'{' | b']' | b'}')) {
        let byte = rest[i];
        rest = &rest[i + 1..];
        match byte {
            b'"' => loop {
                match memchr::memchr2(b'"', b'\\', rest) {
                    Some(i) if rest[i] == b'\\' => rest = rest.get(i + 2..).unwrap_or_default(),
                    Some(i) => {
                        rest = &rest[i + 1..];
                        break;
                    }
                    None => return deepest,
                }
            },
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
    deepest
}

/// The value at a path of object keys.
pub fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |v, key| v.get(key))
}

/// The string at a path of object keys.
pub fn str_at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path)?.as_str()
}

/// A value that is one thing or a list of things, as a list.
pub fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// A part of a record as it stood in the log, not yet opened: valid JSON text, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raw<'a>(Option<&'a str>);

impl<'a> Raw<'a> {
    /// Wraps the text of one JSON value.
    pub fn new(text: &'a str) -> Self {
        match text.trim_ascii() {
            "" | "null" => Self(None),
            text => Self(Some(text)),
        }
    }

    /// The part is missing or `null`.
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// The text as it stood in the log.
    pub fn text(&self) -> &'a str {
        self.0.unwrap_or("null")
    }

    /// The whole part. A part that is a string holding JSON (some exporters write that) is opened once more.
    pub fn open(&self) -> Value {
        let Some(text) = self.0 else { return Value::Null };
        match parse(text) {
            Ok(Value::String(inner)) => parse(&inner).unwrap_or(Value::String(inner)),
            Ok(value) => value,
            Err(_) => Value::Null,
        }
    }

    /// The string member `key` of the part's top level, read without opening the rest.
    pub fn top_str(&self, key: &str) -> Option<Cow<'a, str>> {
        let text = self.0?;
        if text.starts_with('"') {
            return match self.open().get_mut(key).map(Value::take) {
                Some(Value::String(s)) => Some(Cow::Owned(s)),
                _ => None,
            };
        }
        let of_key = |(name, _): &(&str, &str)| *name == key || unquote(name).as_deref() == Some(key);
        let quoted = walk::members(text).filter(of_key).last()?.1;
        unquote(quoted.strip_prefix('"')?.strip_suffix('"')?)
    }

    /// The same for a member that is looked for often.
    pub fn top_str_of(&self, member: &Member) -> Option<Cow<'a, str>> {
        let text = self.0?;
        match member.plain(text) {
            Some(found) => found.map(Cow::Borrowed),
            None => self.top_str(member.name),
        }
    }

    /// The first of some members, by their order here, that is a string at the part's top level, read without opening the rest.
    pub fn first_top_str<const N: usize>(&self, keys: &[&str; N]) -> Option<Cow<'a, str>> {
        let text = self.0?;
        if text.starts_with('"') {
            return keys.iter().find_map(|key| self.top_str(key));
        }
        // Of each the last counts, whatever it is.
        let mut found = [None; N];
        for (name, value) in walk::members(text) {
            let Some(name) = unquote(name) else { continue };
            if let Some(place) = keys.iter().position(|key| **key == *name) {
                found[place] = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            }
        }
        found.into_iter().flatten().find_map(unquote)
    }

    /// The plain strings called `ARN` anywhere in the part (as in `resources`), in order, read without opening it.
    pub fn arns(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        const NAME: &str = "\"ARN\"";
        static NAMES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));
        let text = self.0.unwrap_or_default();
        // A quote inside a string is escaped, so the name with its quotes is never part of one.
        NAMES.find_iter(text.as_bytes()).filter_map(move |at| {
            let value = text[at + NAME.len()..].trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
            let arn = value.strip_prefix('"')?;
            let end = memchr::memchr2(b'"', b'\\', arn.as_bytes())?;
            (arn.as_bytes()[end] == b'"').then(|| &arn[..end])
        })
    }
}

/// A member of the top level that is looked for often.
#[derive(Debug)]
pub struct Member {
    name: &'static str,
    quoted: Finder<'static>,
}

impl Member {
    /// The member of this name, which must be plain: letters, digits, hyphens.
    pub fn new(name: &'static str) -> Self {
        Self { name, quoted: Finder::new(&format!("\"{name}\"")).into_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its value in an object of the ordinary form, if that is a string; nothing at all where the form is not ordinary: with
    /// an escape anywhere, or with the name twice, behind something nested, or before a space.
    fn plain<'a>(&self, text: &'a str) -> Option<Option<&'a str>> {
        let bytes = text.as_bytes();
        // Without escapes a quote always begins or ends a string, so the name with its quotes is a whole one.
        if bytes.first() != Some(&b'{') || memchr::memchr(b'\\', bytes).is_some() {
            return None;
        }
        let mut found = self.quoted.find_iter(bytes);
        let Some(at) = found.next() else { return Some(None) };
        let nested = memchr::memchr2(b'{', b'[', &bytes[1..]).map_or(bytes.len(), |at| at + 1);
        let value = at + self.quoted.needle().len() + 1;
        if at > nested || found.next().is_some() || bytes.get(value - 1) != Some(&b':') {
            return None;
        }
        match bytes.get(value) {
            Some(b'"') => {
                let end = memchr::memchr(b'"', &bytes[value + 1..])?;
                Some(text.get(value + 1..value + 1 + end))
            }
            Some(byte) if !byte.is_ascii_whitespace() => Some(None),
            _ => None,
        }
    }
}

/// What stands between the quotes of a JSON string, escapes decoded.
fn unquote(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    match parse(&format!("\"{inner}\"")) {
        Ok(Value::String(s)) => Some(Cow::Owned(s)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_looked_for_often_are_what_they_are_anyhow() {
        let member = Member::new("name");
        for text in [
            "null",
            "[]",
            "{}",
            r#"{"name":"a"}"#,
            r#"{"x":1,"name":"a","y":{"name":"b"}}"#,
            r#"{"y":{"name":"b"},"name":"a"}"#,
            r#"{"y":{"name":"b"}}"#,
            r#"{"y":["name"],"name":"a"}"#,
            r#"{"x":"name","y":"name"}"#,
            r#"{"x":"name","name":"a"}"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":"a","\u006eame":"b"}"#,
            r#"{"name":"a\"b"}"#,
            r#"{"x":"\"name\":\"c\"","name":"a"}"#,
            r#"{"name" : "a"}"#,
            r#"{"name": "a"}"#,
            r#"{ "name":"a"}"#,
            r#"{"name":7}"#,
            r#"{"name":null}"#,
            r#"{"name":{"name":"a"}}"#,
            r#"{"name":""}"#,
            r#"{"name":"{"}"#,
            r#"{"x":"{","name":"a"}"#,
            r#"[{"name":"a"}]"#,
            r#""{\"name\":\"a\"}""#,
        ] {
            let raw = Raw::new(text);
            assert_eq!(raw.top_str_of(&member), raw.top_str("name"), "{text}");
            let opened = raw.open();
            assert_eq!(raw.top_str_of(&member).as_deref(), str_at(&opened, &["name"]), "{text}");
        }
    }

    #[test]
    fn the_first_of_some_members_is_the_first_that_is_found_alone() {
        let keys = ["a", "b", "c"];
        for text in [
            "null",
            "{}",
            r#"{"b":"1"}"#,
            r#"{"c":"1","b":"2"}"#,
            r#"{"a":7,"c":"1","b":"2"}"#,
            r#"{"a":"1","a":null,"b":"2"}"#,
            r#"{"b":"1","a":"2","a":"3"}"#,
            r#"{"b":"1","b":{"a":"2"},"c":"3"}"#,
            r#"{"\u0061":"\u0031","b":"2"}"#,
            r#"{"document":"{\"a\":\"1\"}","b":"2\"3"}"#,
            r#""{\"c\":\"1\",\"b\":\"2\"}""#,
            r#"["a","b"]"#,
        ] {
            let raw = Raw::new(text);
            let alone = keys.iter().find_map(|key| raw.top_str(key));
            assert_eq!(raw.first_top_str(&keys), alone, "{text}");
        }
    }

    #[test]
    fn arns_are_read_without_opening() {
        let arns = |text| Raw::new(text).arns().collect::<Vec<_>>();
        assert_eq!(
            arns(r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"},{"ARN" : "arn:aws:s3:::b"}]"#),
            ["arn:aws:s3:::b/k", "arn:aws:s3:::b"]
        );
        for none in
            ["null", "[]", r#"[{"ARN":null}]"#, r#"["\"ARN\":\"x\""]"#, r#"{"ARN":"a\u0062"}"#, r#"["ARN"]"#]
        {
            assert!(arns(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn depth_ignores_brackets_in_strings() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[","b":[{}]}"#), 3);
        assert_eq!(depth(br#""unterminated [["#), 0);
        assert_eq!(depth(br#"{"a\"#), 1);
    }

    #[test]
    fn too_deep_is_refused_and_the_last_duplicate_counts() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(parse(&deep), Err(JsonError::TooDeep));
        assert_eq!(parse(r#"{"a":1,"a":2}"#).unwrap()["a"], 2);
        assert_eq!(
            parse(r#"{"a":123456789012345678901234567890}"#).unwrap()["a"],
            1.234_567_890_123_456_8e29
        );
        assert_eq!(parse("{"), Err(JsonError::Invalid));
    }

    #[test]
    fn a_part_that_is_a_string_of_json_is_opened() {
        assert_eq!(Raw::new(r#""{\"a\":1}""#).open()["a"], 1);
        assert_eq!(Raw::new(r#""plain""#).open(), "plain");
        assert!(Raw::new(" null ").is_null());
        assert_eq!(Raw::new(r#"{"x":{"k":"no"},"k":"yes"}"#).top_str("k").as_deref(), Some("yes"));
    }

    #[test]
    fn surrogates_without_a_partner_are_replaced_and_pairs_stay() {
        for (text, read) in [
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""a\uD800""#, "a\u{fffd}"),
            (r#""\ud800\u0041""#, "\u{fffd}A"),
            (r#""\\ud800""#, r"\ud800"),
            (r#""\u00e9""#, "é"),
        ] {
            assert_eq!(parse(text).unwrap(), read, "{text}");
        }
        for text in [r#""\ud8""#, r#""\"#, r#""\ud80g""#] {
            assert_eq!(parse(text), Err(JsonError::Invalid), "{text}");
        }
    }

    #[test]
    fn a_member_read_alone_is_the_member_of_the_opened_part() {
        for text in [
            r#"{"k":"v"}"#,
            r#"{"k":"a\"b\u00e9\ud800"}"#,
            r#"{"\u006b":"escaped key"}"#,
            r#"{"k":"first","k":"last"}"#,
            r#"{"k":"first","k":7}"#,
            r#"{"a":{"k":"inner"},"b":["k","v"]}"#,
            r#"{"a":"\",\"k\":\"forged\"" , "k" : "true one" }"#,
            r#"{"k":null}"#,
            r#"["k","v"]"#,
            r#""{\"k\":\"in a string\"}""#,
            r#""k""#,
            "{}",
            "7",
        ] {
            let raw = Raw::new(text);
            let opened = raw.open();
            assert_eq!(raw.top_str("k").as_deref(), opened.get("k").and_then(Value::as_str), "{text}");
        }
    }
}
