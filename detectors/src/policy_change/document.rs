//! A policy document as IAM reads it.
//!
//! Grammar: AWS, "Grammar of the IAM JSON policy language". Single things may stand for lists; names of elements and
//! `Effect` are read in any case, as documents in the wild have them. Size and number of elements are capped.

use crate::json::{self, JsonError, Value, one_or_many};
use crate::policy_change::condition::{self, Condition};
use crate::policy_change::extract;
use crate::policy_change::path::member;

/// Longer documents are not opened. The longest AWS takes is 100 KB (OpenSearch Service).
pub(crate) const MAX_BYTES: usize = 256 * 1024;
/// More statements, principals, actions, resources and condition values than this together are not looked at.
pub(crate) const MAX_ELEMENTS: usize = 16_384;

/// More statements than this are not looked at: so many, of 60 bytes each, are longer than any policy may be.
pub(crate) const MAX_STATEMENTS: usize = 2_048;

/// Why a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Over [`MAX_BYTES`].
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Over [`MAX_ELEMENTS`].
    #[error("more than {MAX_ELEMENTS} elements")]
    TooMany,
    /// Over [`MAX_STATEMENTS`].
    #[error("more than {MAX_STATEMENTS} statements")]
    TooManyStatements,
    /// Not JSON, or nested too deep.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// JSON, but no policy.
    #[error("no Statement")]
    NoStatement,
    /// JSON, but no rules of OpenSearch Serverless.
    #[error("no Rules")]
    NoRules,
    /// A statement is malformed.
    #[error("statement {index}: {what}")]
    Statement {
        /// Counted from 1.
        index: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Its statements, in order.
    pub statements: Vec<Statement>,
}

/// Whether a statement gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Statement {
    /// `Sid`, or nothing.
    pub sid: String,
    /// `Effect`.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`.
    pub principals: Elements<Principal>,
    /// `Action` or `NotAction`.
    pub actions: Elements<String>,
    /// `Resource` or `NotResource`.
    pub resources: Elements<String>,
    /// `Condition`: all must hold.
    pub conditions: Vec<Condition>,
}

/// The values of an element, of its `Not` form, or neither.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Elements<T> {
    /// These.
    Only(Vec<T>),
    /// All but these.
    AllBut(Vec<T>),
    /// The element is missing.
    Absent,
}

impl<T> Elements<T> {
    /// The values, however they count.
    pub(crate) fn values(&self) -> &[T] {
        match self {
            Self::Only(values) | Self::AllBut(values) => values,
            Self::Absent => &[],
        }
    }
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Principal {
    /// Which sort.
    pub kind: PrincipalKind,
    /// As it is written.
    pub value: String,
}

impl Principal {
    /// Whether it is every principal there is: a star for services or providers is not.
    pub(crate) fn is_everyone(&self) -> bool {
        self.kind == PrincipalKind::Aws && self.value == "*"
    }
}

/// The sort of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PrincipalKind {
    /// `"*"` or `{"AWS": …}`.
    Aws,
    /// `{"Service": …}`.
    Service,
    /// `{"Federated": …}`.
    Federated,
    /// `{"CanonicalUser": …}`.
    CanonicalUser,
    /// Another member of `Principal`.
    Other,
}

impl Document {
    /// Reads a text in any of the forms that facts keep in one: percent-encoded, quoted once more, or plain JSON.
    pub(crate) fn of_text(text: &str) -> Result<Self, Unreadable> {
        let text = extract::decode(text);
        if text.len() > MAX_BYTES {
            return Err(Unreadable::TooLong);
        }
        match json::parse(&text)? {
            Value::String(inner) => Self::parse(&inner),
            value => Self::read(&value),
        }
    }

    /// Reads a text as facts keep it: JSON.
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_BYTES {
            return Err(Unreadable::TooLong);
        }
        Self::read(&json::parse(text)?)
    }

    /// Reads an opened document: an object with `Statement`, a list of statements, or a single statement.
    pub(crate) fn read(value: &Value) -> Result<Self, Unreadable> {
        let statements = match value {
            Value::Array(items) => items.as_slice(),
            Value::Object(_) => match member(value, "Statement") {
                Some(statements) => one_or_many(statements),
                None if member(value, "Effect").is_some() => std::slice::from_ref(value),
                None => return Err(Unreadable::NoStatement),
            },
            _ => return Err(Unreadable::NoStatement),
        };
        if statements.len() > MAX_STATEMENTS {
            return Err(Unreadable::TooManyStatements);
        }
        let mut budget = MAX_ELEMENTS;
        let statements = statements
            .iter()
            .enumerate()
            .map(|(i, statement)| Reader { index: i + 1, budget: &mut budget }.statement(statement))
            .collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

struct Reader<'b> {
    index: usize,
    budget: &'b mut usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &'static str) -> Unreadable {
        Unreadable::Statement { index: self.index, what }
    }

    fn spend(&mut self, elements: usize) -> Result<(), Unreadable> {
        *self.budget = self.budget.checked_sub(elements).ok_or(Unreadable::TooMany)?;
        Ok(())
    }

    fn statement(&mut self, value: &Value) -> Result<Statement, Unreadable> {
        self.spend(1)?;
        if !value.is_object() {
            return Err(self.wrong("not an object"));
        }
        let effect = match member(value, "Effect").and_then(Value::as_str) {
            Some(e) if e.eq_ignore_ascii_case("allow") => Effect::Allow,
            Some(e) if e.eq_ignore_ascii_case("deny") => Effect::Deny,
            _ => return Err(self.wrong("Effect is neither Allow nor Deny")),
        };
        let principals = match (member(value, "Principal"), member(value, "NotPrincipal")) {
            (Some(only), _) => Elements::Only(self.principals(only)?),
            (None, Some(but)) => Elements::AllBut(self.principals(but)?),
            (None, None) => Elements::Absent,
        };
        Ok(Statement {
            sid: member(value, "Sid").and_then(Value::as_str).unwrap_or_default().to_owned(),
            effect,
            principals,
            actions: self.elements(value, "Action", "NotAction")?,
            resources: self.elements(value, "Resource", "NotResource")?,
            conditions: self.conditions(member(value, "Condition"))?,
        })
    }

    fn elements(&mut self, value: &Value, only: &str, but: &str) -> Result<Elements<String>, Unreadable> {
        Ok(match (member(value, only), member(value, but)) {
            (Some(only), _) => Elements::Only(self.texts(only)?),
            (None, Some(but)) => Elements::AllBut(self.texts(but)?),
            (None, None) => Elements::Absent,
        })
    }

    fn texts(&mut self, value: &Value) -> Result<Vec<String>, Unreadable> {
        let items = one_or_many(value);
        self.spend(items.len())?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| self.wrong("a value is no string")))
            .collect()
    }

    fn principals(&mut self, value: &Value) -> Result<Vec<Principal>, Unreadable> {
        let Some(members) = value.as_object() else {
            // `"*"`; some services write a bare account or ARN.
            return Ok(self
                .texts(value)?
                .into_iter()
                .map(|value| Principal { kind: sort_of(&value), value })
                .collect());
        };
        let mut principals = Vec::new();
        for (kind, values) in members {
            let kind = match kind.to_ascii_lowercase().as_str() {
                "aws" => PrincipalKind::Aws,
                "service" => PrincipalKind::Service,
                "federated" => PrincipalKind::Federated,
                "canonicaluser" => PrincipalKind::CanonicalUser,
                _ => PrincipalKind::Other,
            };
            principals.extend(self.texts(values)?.into_iter().map(|value| Principal { kind, value }));
        }
        Ok(principals)
    }

    fn conditions(&mut self, value: Option<&Value>) -> Result<Vec<Condition>, Unreadable> {
        let mut conditions = Vec::new();
        let Some(value) = value else { return Ok(conditions) };
        let operators = value.as_object().ok_or_else(|| self.wrong("Condition is no object"))?;
        for (operator, keys) in operators {
            let keys = keys.as_object().ok_or_else(|| self.wrong("a condition operator holds no object"))?;
            for (key, values) in keys {
                let values = one_or_many(values);
                self.spend(1 + values.len())?;
                conditions.push(condition::Condition::read(operator, key, values));
            }
        }
        Ok(conditions)
    }
}

/// The sort of a principal written without saying.
fn sort_of(value: &str) -> PrincipalKind {
    if value.ends_with(".amazonaws.com") || value.ends_with(".amazonaws.com.cn") {
        PrincipalKind::Service
    } else {
        PrincipalKind::Aws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_things_are_lists_and_letters_have_no_case() {
        let one = Document::parse(
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}}"#,
        )
        .unwrap();
        let many = Document::parse(
            r#"{"statement":[{"effect":"allow","principal":["*"],"action":["s3:GetObject"],"resource":["*"]}]}"#,
        )
        .unwrap();
        assert_eq!(one, many);
        assert_eq!(one.statements[0].principals.values()[0].kind, PrincipalKind::Aws);
    }

    #[test]
    fn what_is_no_policy_is_said_to_be_none() {
        for (text, expected) in [
            ("", "not valid JSON"),
            ("[]", ""),
            ("{}", "no Statement"),
            ("3", "no Statement"),
            (r#"{"Statement":[{"Effect":"Maybe"}]}"#, "statement 1: Effect is neither Allow nor Deny"),
            (r#"{"Statement":["x"]}"#, "statement 1: not an object"),
            (r#"{"Statement":[{"Effect":"Allow","Action":[1]}]}"#, "statement 1: a value is no string"),
            (r#"{"Statement":[{"Effect":"Deny","Condition":3}]}"#, "statement 1: Condition is no object"),
        ] {
            let said = Document::parse(text).map_or_else(|e| e.to_string(), |_| String::new());
            assert_eq!(said, expected, "{text}");
        }
        assert_eq!(Document::parse(&" ".repeat(MAX_BYTES + 1)), Err(Unreadable::TooLong));
        let many = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":[{}"a"]}}]}}"#,
            "\"a\",".repeat(MAX_ELEMENTS)
        );
        assert_eq!(Document::parse(&many), Err(Unreadable::TooMany));
        let statements =
            format!(r#"[{}{{"Effect":"Deny"}}]"#, r#"{"Effect":"Deny"},"#.repeat(MAX_STATEMENTS));
        assert_eq!(Document::parse(&statements), Err(Unreadable::TooManyStatements));
        assert_eq!(
            Document::parse(&("[".repeat(100) + &"]".repeat(100))),
            Err(Unreadable::Json(JsonError::TooDeep))
        );
    }
}
