//! Files made from the code itself, and held to it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use trailhound::config::Config;
use trailhound::detectors::catalogue;

/// Compares a file with what it should be, or rewrites it when asked to.
fn assert_in_step(file: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("TRAILHOUND_BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "{file} is out of step: TRAILHOUND_BLESS=1 cargo test --test it generated");
}

#[test]
fn the_detectors_chapter() {
    let mut text = String::from(
        "<!-- Written from the detectors' own documentation: see CONTRIBUTING.md. -->\n\n# Detectors\n",
    );
    for entry in catalogue::ENTRIES {
        write!(text, "\n## {}\n\n", entry.name).unwrap();
        let docs = entry.docs.strip_prefix(&format!("# {}\n", entry.name)).unwrap_or(entry.docs);
        let mut is_code = false;
        for line in docs.trim().lines() {
            is_code ^= line.starts_with("```");
            let deeper = if line.starts_with('#') && !is_code { "#" } else { "" };
            writeln!(text, "{deeper}{line}").unwrap();
        }
    }
    assert_in_step("docs/detectors.md", &text);
}

#[test]
fn the_default_configuration() {
    assert_in_step("src/config/default.toml", &commented_default());
}

const HEAD: &str = "\
# Trailhound's configuration: every field, with its default. What is left out keeps its default;
# what is unknown is refused. `trailhound config check FILE` says what is wrong, and where.
";

const SUPPRESSION: &str = r#"
# Findings to stay silent about for a while. Every matcher given must match; `*` stands for any characters, `?` for one.
# Silenced findings still teach, and are counted. One table each:
#
# [[suppressions]]
# reason = "the website bucket is public on purpose"   # required
# expires = 2026-12-31                                 # required: the last day, by event time
# owner = "web-team@example.com"
# detector = "policy_change"
# kind = "public*"
# account = "123456789012"
# actor = "arn:aws:iam::123456789012:role/deploy"
# entity = "arn:aws:s3:::example-website"
# event = "s3:PutBucketPolicy"
# source = "203.0.113.0/24"
"#;

/// The defaults as TOML, each field below its own documentation.
fn commented_default() -> String {
    let schema = Config::schema();
    let values = toml::to_string(&Config::default()).unwrap();
    let mut text = HEAD.to_owned();
    let mut table = Vec::new();
    let mut written: Vec<String> = Vec::new();
    for line in values.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            unset(&schema, &table, &written, &mut text);
            written.clear();
            table = name.split('.').map(str::to_owned).collect();
            text.push('\n');
            comment(describe(&schema, &table), &mut text);
            writeln!(text, "{line}").unwrap();
        } else if let Some((name, _)) = line.split_once(" = ") {
            comment(describe(&schema, &[&table[..], &[name.to_owned()]].concat()), &mut text);
            writeln!(text, "{line}").unwrap();
            written.push(name.to_owned());
        }
    }
    unset(&schema, &table, &written, &mut text);
    text + SUPPRESSION
}

/// Fields without a default value, as comments.
fn unset(schema: &Value, table: &[String], written: &[String], text: &mut String) {
    let Some(fields) = at(schema, table).and_then(|t| t.get("properties")).and_then(Value::as_object) else {
        return;
    };
    for (name, field) in fields {
        let is_table = resolve(schema, field)["type"] == "object";
        if !table.is_empty() && !is_table && !written.contains(name) {
            comment(describe(schema, &[table, std::slice::from_ref(name)].concat()), text);
            writeln!(text, "# {name} =").unwrap();
        }
    }
}

fn comment(words: &str, text: &mut String) {
    for paragraph in words.split("\n\n") {
        for line in trailhound::report::text::wrap(&paragraph.replace('\n', " "), 108) {
            writeln!(text, "# {line}").unwrap();
        }
    }
}

fn describe<'s>(schema: &'s Value, path: &[String]) -> &'s str {
    let Some((last, before)) = path.split_last() else { return "" };
    if let [tables, name] = path
        && tables == "detectors"
    {
        return catalogue::ENTRIES.iter().find(|e| e.name == name).map_or("", |e| e.purpose);
    }
    let field = at(schema, before).and_then(|t| t["properties"].get(last));
    let own = field.and_then(|f| f.get("description")).and_then(Value::as_str);
    own.or_else(|| resolve(schema, field?).get("description")?.as_str()).unwrap_or("")
}

fn at<'s>(schema: &'s Value, path: &[String]) -> Option<&'s Value> {
    path.iter().try_fold(schema, |inside, step| Some(resolve(schema, inside["properties"].get(step)?)))
}

fn resolve<'s>(schema: &'s Value, value: &'s Value) -> &'s Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|p| schema.pointer(p)).unwrap_or(value)
}
