//! Finding members in request parameters as CloudTrail writes them: first letters may be capital or not, lists may be
//! one thing, newer calls wrap everything in `<Operation>Request` or `<operation>Input`.

use crate::json::{Value, one_or_many};
use crate::policy_change::wildcard::{Case, matches};

/// More values than this under one path are not looked at: no call takes so many.
const MAX_VALUES: usize = 1_024;

/// The values at a dotted path, lists walked, letters of any case, wrappers looked through. `list[member=value]` keeps those
/// of a list that have such a member.
pub(crate) fn values<'v>(root: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    for start in roots(root) {
        walk(start, path, &mut found);
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// The first string, number or boolean at any of the paths (separated by commas), as text.
pub(crate) fn text(root: &Value, paths: &str) -> Option<String> {
    paths
        .split(',')
        .find_map(|path| values(root, path).into_iter().find_map(scalar))
        .filter(|t| !t.is_empty())
}

/// A string, number or boolean as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// All strings in and under a value, up to a bound.
pub(crate) fn strings<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    if out.len() >= MAX_VALUES {
        return;
    }
    match value {
        Value::String(s) => out.push(s),
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(members) => members.values().for_each(|member| strings(member, out)),
        _ => {}
    }
}

/// The member of an object, whatever the case of its letters.
pub(crate) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| members.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// Whether a condition of clauses joined by ` & ` holds; an empty one does.
pub(crate) fn holds(root: &Value, when: &str) -> bool {
    when.is_empty() || when.split(" & ").all(|clause| clause_holds(root, clause))
}

fn clause_holds(root: &Value, clause: &str) -> bool {
    let any = |path: &str, test: &dyn Fn(&str) -> bool| {
        values(root, path).into_iter().filter_map(scalar).any(|text| test(&text))
    };
    if let Some(path) = clause.strip_prefix('!') {
        values(root, path).is_empty()
    } else if let Some(path) = clause.strip_suffix('?') {
        !values(root, path).is_empty()
    } else if let Some((path, unwanted)) = clause.split_once("!=") {
        !any(path, &|text| text.eq_ignore_ascii_case(unwanted))
    } else if let Some((path, wanted)) = split_clause(clause) {
        any(path, &|text| text.eq_ignore_ascii_case(wanted))
    } else if let Some((path, pattern)) = clause.split_once('~') {
        any(path, &|text| matches(pattern, text, Case::Ignored))
    } else if let Some((path, limit)) = clause.split_once('<') {
        let limit: f64 = limit.parse().unwrap_or(f64::NEG_INFINITY);
        any(path, &|text| text.parse::<f64>().is_ok_and(|n| n < limit))
    } else {
        false
    }
}

/// A clause at the `=` that is not within brackets.
fn split_clause(clause: &str) -> Option<(&str, &str)> {
    let brackets = clause.rfind(']').map_or(0, |end| end + 1);
    let at = brackets + clause[brackets..].find('=')?;
    Some((&clause[..at], &clause[at + 1..]))
}

/// The value itself, then what its wrappers hold.
fn roots(root: &Value) -> impl Iterator<Item = &Value> {
    let wrapped = root.as_object().into_iter().flatten().filter_map(|(name, value)| {
        ((name.ends_with("Request") || name.ends_with("Input")) && value.is_object()).then_some(value)
    });
    std::iter::once(root).chain(wrapped)
}

fn walk<'v>(value: &'v Value, path: &str, out: &mut Vec<&'v Value>) {
    if out.len() >= MAX_VALUES {
        return;
    }
    if let Value::Array(items) = value {
        return items.iter().for_each(|item| walk(item, path, out));
    }
    if path.is_empty() {
        if !value.is_null() {
            out.push(value);
        }
        return;
    }
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, having) = name.strip_suffix(']').and_then(|n| n.split_once('[')).unwrap_or((name, ""));
    match member(value, name) {
        Some(inner) if having.is_empty() => walk(inner, rest, out),
        Some(inner) => one_or_many(inner)
            .iter()
            .filter(|item| clause_holds(item, having))
            .for_each(|item| walk(item, rest, out)),
        // EC2 puts lists under `items`.
        None => {
            if let Some(items) = value.get("items") {
                walk(items, path, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn finds_members_in_any_dress() {
        for (parameters, path, expected) in [
            (r#"{"userName":"a"}"#, "userName", Some("a")),
            (r#"{"UserName":"a"}"#, "userName", Some("a")),
            (r#"{"FooRequest":{"UserName":"a"}}"#, "userName", Some("a")),
            (r#"{"fooInput":{"userName":"a"}}"#, "x,userName", Some("a")),
            (r#"{"p":{"items":[{"cidrIp":"0.0.0.0/0"}]}}"#, "p.cidrIp", Some("0.0.0.0/0")),
            (r#"{"p":[{"q":1},{"q":2}]}"#, "p.q", Some("1")),
            (r#"{"p":{}}"#, "p.q", None),
            (r#"{"p":[{"path":"/a","value":1},{"path":"/b","value":2}]}"#, "p[path=/b].value", Some("2")),
            (r#"{"p":[{"path":"/a","value":1}]}"#, "p[path=/b].value", None),
            (r#""text""#, "p", None),
        ] {
            assert_eq!(text(&parse(parameters).unwrap(), path).as_deref(), expected, "{parameters}");
        }
    }

    #[test]
    fn conditions() {
        let root =
            parse(r#"{"enable":false,"days":1,"acl":"public-read","list":[{"s":"x"},{"s":"y"}]}"#).unwrap();
        for (when, expected) in [
            ("", true),
            ("enable=false", true),
            ("enable=true", false),
            ("days<8", true),
            ("days<1", false),
            ("acl~public-*", true),
            ("list.s=y", true),
            ("list.s?", true),
            ("!list.t", true),
            ("!list", false),
            ("enable=false & days<8", true),
            ("enable=false & days<1", false),
            ("list[s=y].s=y", true),
            ("list[s=y].s=x", false),
            ("nonsense", false),
        ] {
            assert_eq!(holds(&root, when), expected, "{when}");
        }
    }
}
