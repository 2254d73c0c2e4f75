//! The text of a configuration, with places: which line a field stands on, and which names mean nothing.

use std::ops::Range;

use serde_json::Value as Schema;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Complaint;
use super::commented::resolve;

/// A parsed TOML text that still knows where everything stood.
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Reads TOML, or says where it stops being TOML.
    pub(super) fn parse(text: &'t str) -> Result<Self, Complaint> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner() }),
            Err(error) => Err(complaint(text, error.span(), format!("not valid TOML: {}", error.message()))),
        }
    }

    /// A value that does not fit its field.
    pub(super) fn misfit(&self, error: &toml::de::Error) -> Complaint {
        complaint(self.text, error.span(), error.message().trim_end().to_owned())
    }

    /// A complaint about the field at a dotted path, placed at its nearest table when the field itself is not written.
    pub(super) fn complaint(&self, path: &str, message: &str) -> Complaint {
        let mut place = 0..0;
        let mut inside: Option<&DeValue<'_>> = None;
        for step in path.split('.') {
            let found = match inside {
                None => table_entry(&self.root, step),
                Some(DeValue::Table(table)) => table_entry(table, step),
                Some(DeValue::Array(items)) => {
                    step.parse::<usize>().ok().and_then(|i| items.get(i)).map(|item| (item.span(), item))
                }
                Some(_) => None,
            };
            let Some((span, value)) = found else { break };
            (place, inside) = (span, Some(value.get_ref()));
        }
        let field = path.rsplit_once('.').map_or(path, |(_, field)| field);
        complaint(self.text, Some(place), format!("{field}: {message}"))
    }

    /// Every name the schema does not know, in the order of the text.
    pub(super) fn unknown_names(&self, schema: &Schema) -> Vec<Complaint> {
        let mut unknown = Vec::new();
        let names = Names { schema, text: self.text };
        names.check_table(&self.root, schema, "", &mut unknown);
        unknown.sort_by_key(|c| (c.line, c.column));
        unknown
    }
}

fn table_entry<'a, 't>(
    table: &'a DeTable<'t>,
    name: &str,
) -> Option<(Range<usize>, &'a Spanned<DeValue<'t>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value))
}

/// Compares names with those of a schema.
struct Names<'a> {
    schema: &'a Schema,
    text: &'a str,
}

impl Names<'_> {
    fn check_table(&self, table: &DeTable<'_>, schema: &Schema, path: &str, out: &mut Vec<Complaint>) {
        let schema = resolve(self.schema, schema);
        let Some(known) = schema.get("properties").and_then(Schema::as_object) else { return };
        for (key, value) in table {
            let name: &str = key.get_ref();
            match known.get(name) {
                Some(inner) => {
                    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                    self.check_value(value.get_ref(), inner, &path, out);
                }
                None => {
                    let message = unknown(name, path, known.keys().map(String::as_str));
                    out.push(complaint(self.text, Some(key.span()), message));
                }
            }
        }
    }

    fn check_value(&self, value: &DeValue<'_>, schema: &Schema, path: &str, out: &mut Vec<Complaint>) {
        match value {
            DeValue::Table(table) => self.check_table(table, schema, path, out),
            DeValue::Array(items) => {
                if let Some(schema) = resolve(self.schema, schema).get("items") {
                    for item in items {
                        self.check_value(item.get_ref(), schema, path, out);
                    }
                }
            }
            _ => {}
        }
    }
}

fn unknown<'k>(name: &str, path: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" in [{path}]") };
    let nearest = known
        .clone()
        .map(|k| (strsim::jaro_winkler(name, k), k))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, nearest)) => format!("unknown field `{name}`{place}; did you mean `{nearest}`?"),
        None => {
            let known: Vec<_> = known.map(|k| format!("`{k}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("unknown field `{name}`{place}; there are {known}")
        }
    }
}

fn complaint(text: &str, span: Option<Range<usize>>, message: String) -> Complaint {
    let at = span.map_or(0, |s| s.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Complaint { line, column, message }
}
