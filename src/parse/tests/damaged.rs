//! Objects with something wrong in them: what is whole is judged, what is not is counted, and the end is told.

use super::*;

/// The record with another id.
fn numbered(id: usize) -> String {
    RECORD.replace("e-1", &format!("e-{id}"))
}

fn ids(seen: &[String]) -> Vec<&str> {
    seen.iter().filter_map(|line| line.rsplit(' ').next()).collect()
}

#[test]
fn a_bad_record_costs_itself_alone() {
    for bad in [
        r#"{"eventVersion":"1.08","a":tru}"#.to_owned(),
        r#"{"eventVersion":"1.08","a" "b"}"#.to_owned(),
        r#"{"eventVersion":"1.08","a":"no end of a string}"#.to_owned(),
        r#"{"eventVersion":"1.08","a":{"b":1}"#.to_owned(),
        r#"{"eventVersion":"1.08","a":[1}"#.to_owned(),
        numbered(9).replace(r#""iam.amazonaws.com""#, r#""iam.amazonaws.com"#),
        numbered(9).replace(r#"{"a":[1,"}"]}"#, r#"{"a":[1,"}"]"#),
        numbered(9).replace(r#"{"a":[1,"}"]}"#, r#"{"a":[1,"}"}"#),
        "nonsense".to_owned(),
    ] {
        let text = format!(r#"{{"Records":[{},{bad},{},{}]}}"#, numbered(1), numbered(2), numbered(3));
        let (parsed, seen) = parse(text.as_bytes());
        assert_eq!(ids(&seen), ["e-1", "e-2", "e-3"], "{bad}");
        assert_eq!(parsed.records, 4, "{bad}");
        assert_eq!((parsed.skips[0].index, parsed.cut_after), (1, None), "{bad}");
    }
}

#[test]
fn a_bad_line_costs_itself_alone() {
    for bad in ["nonsense", "{", r#"{"a":"no end"#, r#"{"a":tru}"#, "]", "7"] {
        let text = [&numbered(1), bad, &numbered(2), &numbered(3)].join("\n");
        let (parsed, seen) = parse(text.as_bytes());
        assert_eq!(ids(&seen), ["e-1", "e-2", "e-3"], "{bad}");
        assert_eq!((parsed.records, parsed.cut_after), (4, None), "{bad}");
    }
}

#[test]
fn many_bad_records_cost_themselves_alone() {
    let (mut lines, mut list) = (Vec::new(), Vec::new());
    for id in 0..500 {
        if id < 50 {
            lines.push(r#"{"a":"no end"#.to_owned());
            list.push(numbered(id).replace(r#""us-east-1""#, r#""us-east-1"#));
        }
        lines.push(numbered(id));
        list.push(numbered(id));
    }
    let (parsed, seen) = parse(lines.join("\n").as_bytes());
    assert_eq!((seen.len(), parsed.records, parsed.cut_after), (500, 550, None));
    let (parsed, seen) = parse(format!(r#"{{"Records":[{}]}}"#, list.join(",")).as_bytes());
    assert_eq!((seen.len(), parsed.records, parsed.cut_after), (500, 550, None));
}

#[test]
fn an_object_cut_anywhere_gives_what_stands_before_the_cut() {
    let whole = format!(r#"{{"Records":[{},{}]}}"#, numbered(1), numbered(2));
    let first_ends = whole.find(&numbered(2)).unwrap() - 1;
    let last_ends = whole.len() - 2;
    for cut in 13..whole.len() - 1 {
        let (parsed, seen) = parse(&whole.as_bytes()[..cut]);
        let judged = usize::from(cut >= first_ends) + usize::from(cut >= last_ends);
        assert_eq!(seen.len(), judged, "{cut}");
        assert_eq!(parsed.cut_after, Some(judged as u64), "{cut}");
    }
    assert_eq!(parse(whole.as_bytes()).0.cut_after, None);
}

#[test]
fn a_record_sent_by_a_caller_is_none_where_the_object_is_cut_or_broken() {
    let sent = format!(r#"{{"x":1}},{}"#, numbered(66));
    let holder = numbered(2).replace(r#"{"a":[1,"}"]}"#, &format!(r#"{{"items":[{sent}]}}"#));
    let cut = &holder[..holder.find("responseElements").unwrap()];
    let (parsed, seen) = parse(format!(r#"{{"Records":[{},{cut}"#, numbered(1)).as_bytes());
    assert_eq!((ids(&seen), parsed.cut_after), (vec!["e-1"], Some(1)));
    let broken = holder.replace(r#""readOnly":true"#, r#""readOnly":tru"#);
    let (parsed, seen) =
        parse(format!(r#"{{"Records":[{},{broken},{}]}}"#, numbered(1), numbered(3)).as_bytes());
    assert_eq!((ids(&seen), parsed.records), (vec!["e-1", "e-3"], 3));
}

#[test]
fn what_is_no_json_says_so() {
    for text in ["<html>", "eventTime,eventName\n", "\u{1f}garbage"] {
        assert_eq!(parse(text.as_bytes()).0, Parsed { content: Content::NotJson, ..Parsed::default() });
    }
    for text in ["", " \n", "\0\0\0", "{\"Records\":[]}", "[]"] {
        assert_eq!(parse(text.as_bytes()).0, Parsed::default(), "{text:?}");
    }
    assert_eq!(parse(b"{\"Records\":[").0.cut_after, Some(0));
    assert_eq!(parse(b"{").0.cut_after, Some(0));
}

#[test]
fn damage_of_any_size_is_read_in_linear_time() {
    let started = std::time::Instant::now();
    for unit in [
        r#"{"eventVersion":x},"#,
        r#"{"eventVersion":"x},"#,
        r#"{"eventVersion":[{},"#,
        "{\"a\n",
        "[",
        "\"",
        "{\"\":",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        let (parsed, seen) = parse(format!("{{\"Records\":[{text}").as_bytes());
        assert!(seen.is_empty() && parsed.records > 0, "{unit}");
        parse(text.as_bytes());
    }
    // Seconds at worst without optimisation; hours if every broken record were looked through to the end.
    assert!(started.elapsed().as_secs() < 120);
}
