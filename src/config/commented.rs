//! The default configuration as a commented text. It is made from the fields' own documentation and defaults, so it can't be
//! older than they are, and a new detector's table is in it without another line.

use std::fmt::{self, Write};

use serde_json::Value as Schema;
use trailhound_detectors::catalogue;

use super::Config;

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
# kind = "policy_*"
# account = "123456789012"
# actor = "arn:aws:iam::123456789012:role/deploy"
# entity = "arn:aws:s3:::example-website"
# event = "s3:PutBucketPolicy"
# source = "203.0.113.0/24"
"#;

/// The defaults as TOML, each field below its own documentation.
pub(super) fn default() -> Option<String> {
    let values = toml::to_string(&Config::default()).ok()?;
    let mut text = Text { schema: Config::schema(), written: HEAD.to_owned() };
    let mut table = Vec::new();
    for line in values.lines() {
        text.line(line, &mut table).ok()?;
    }
    Some(text.written + SUPPRESSION)
}

struct Text {
    schema: Schema,
    written: String,
}

impl Text {
    /// Writes a line of TOML below the documentation of what it sets. `table` is the table it stands in.
    fn line<'l>(&mut self, line: &'l str, table: &mut Vec<&'l str>) -> fmt::Result {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            *table = name.split('.').collect();
            self.written.push('\n');
            self.comment(table)?;
        } else if let Some((field, _)) = line.split_once(" = ") {
            self.comment(&[table, &[field][..]].concat())?;
        } else {
            return Ok(());
        }
        writeln!(self.written, "{line}")
    }

    fn comment(&mut self, path: &[&str]) -> fmt::Result {
        let words = match path {
            ["detectors", name] => {
                catalogue::ENTRIES.iter().find(|e| e.name == *name).map_or("", |e| e.purpose)
            }
            _ => describe(&self.schema, path).unwrap_or(""),
        };
        for line in words.lines() {
            writeln!(self.written, "# {line}")?;
        }
        Ok(())
    }
}

/// The documentation of the field at a path, or of its type.
fn describe<'s>(schema: &'s Schema, path: &[&str]) -> Option<&'s str> {
    let (last, tables) = path.split_last()?;
    let table =
        tables.iter().try_fold(schema, |t, step| Some(resolve(schema, t["properties"].get(step)?)))?;
    let field = table["properties"].get(last)?;
    field["description"].as_str().or_else(|| resolve(schema, field)["description"].as_str())
}

/// Follows `$ref` into `$defs`.
pub(super) fn resolve<'s>(schema: &'s Schema, value: &'s Schema) -> &'s Schema {
    let pointer = value.get("$ref").and_then(Schema::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(value)
}
