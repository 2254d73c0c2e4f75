//! How dangerous a call is by its kind: the access level AWS gives the IAM action behind it.
//!
//! `data/access_levels.tsv` is made by `scripts/access_levels.py` from a public table of IAM actions; source, licence and
//! the spellings in which CloudTrail differs stand there. The first word of a name tells the level of most actions, so
//! the table holds words, and those actions a word is wrong about. What no word tells counts as a write.

use std::sync::LazyLock;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// What sort of access a call needs, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLevel {
    /// Names things.
    List,
    /// Reads what is in them.
    Read,
    /// Changes tags only.
    Tagging,
    /// Creates, changes, deletes, runs.
    Write,
    /// Changes who may do what.
    Permissions,
}

impl AccessLevel {
    /// All, mildest first.
    pub const ALL: [Self; 5] = [Self::List, Self::Read, Self::Tagging, Self::Write, Self::Permissions];

    /// The name in the table.
    pub fn name(self) -> &'static str {
        ["list", "read", "tagging", "write", "permissions"][self as usize]
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        ["list", "read", "tagging", "write", "permissions management"][self as usize]
    }

    /// Whether nothing is changed.
    pub fn only_reads(self) -> bool {
        self <= Self::Read
    }

    /// The level of a call: `service` without `.amazonaws.com`, `name` without an API version.
    ///
    /// Builds its table when first asked; meant to be asked once for each distinct call.
    pub fn of(service: &str, name: &str) -> Self {
        let listed = |service: &str, name: &str| TABLE.get(&(service, name)).copied();
        listed(service, name)
            .or_else(|| listed(ANY_SERVICE, &first_word(name).to_ascii_lowercase()))
            .unwrap_or(Self::Write)
    }
}

const ANY_SERVICE: &str = "*";

static TABLE: LazyLock<HashMap<(&'static str, &'static str), AccessLevel>> =
    LazyLock::new(|| rows(include_str!("../data/access_levels.tsv")).collect());

fn rows(table: &'static str) -> impl Iterator<Item = ((&'static str, &'static str), AccessLevel)> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (service, level, names) = (fields.next()?, fields.next()?, fields.next()?);
            let level = AccessLevel::ALL.into_iter().find(|l| l.name() == level)?;
            Some(names.split(' ').map(move |name| ((service, name), level)))
        })
        .flatten()
}

/// `List` of `ListBuckets`; a second word belongs to `Batch` and `Admin`. The script that makes the table does the same.
fn first_word(name: &str) -> &str {
    let word_end = |from: usize| {
        let first = name[from..].chars().next().map_or(0, char::len_utf8);
        name[from + first..]
            .find(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
            .map_or(name.len(), |i| from + first + i)
    };
    let end = word_end(0);
    let continues = name[end..].starts_with(|c: char| c.is_ascii_uppercase());
    let end = if matches!(&name[..end], "Batch" | "Admin") && continues { word_end(end) } else { end };
    &name[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read_and_differs_from_its_word() {
        let table = include_str!("../data/access_levels.tsv");
        let names = table.lines().filter(|l| !l.starts_with('#')).flat_map(|l| {
            let names = l.rsplit('\t').next().unwrap();
            names.split(' ')
        });
        assert_eq!(TABLE.len(), names.count());
        for ((service, name), level) in TABLE.iter().filter(|((service, _), _)| *service != ANY_SERVICE) {
            assert_ne!(AccessLevel::of(ANY_SERVICE, name), *level, "{service}:{name} needs no row");
        }
    }

    #[test]
    fn levels_of_known_actions_of_other_spellings_and_of_unknown_names() {
        use AccessLevel::{List, Permissions, Read, Tagging, Write};
        for (service, name, level) in [
            ("iam", "CreateAccessKey", Permissions),
            ("iam", "PutRolePolicy", Permissions),
            ("s3", "PutBucketPolicy", Permissions),
            ("lambda", "UpdateFunctionCode", Write),
            ("ec2", "RunInstances", Write),
            ("ec2", "CreateTags", Tagging),
            ("ec2", "DescribeInstances", List),
            ("secretsmanager", "GetSecretValue", Read),
            ("dynamodb", "BatchGetItem", Read),
            ("dynamodb", "BatchWriteItem", Write),
            // Spelt otherwise by CloudTrail.
            ("s3", "ListBuckets", List),
            ("s3", "HeadObject", Read),
            ("s3", "DeleteBucketPublicAccessBlock", Permissions),
            ("monitoring", "GetMetricData", Read),
            ("email", "SendEmail", Write),
            ("signin", "ConsoleLogin", Read),
            ("sts", "GetCallerIdentity", Read),
            // In no table.
            ("brandnew", "DescribeThings", Read),
            ("brandnew", "batchGetThings", Write),
            ("brandnew", "BatchGetThings", Read),
            ("brandnew", "TagThing", Tagging),
            ("brandnew", "Frobnicate", Write),
            ("brandnew", "", Write),
            ("", "ÄndereAlles", Write),
        ] {
            assert_eq!(AccessLevel::of(service, name), level, "{service}:{name}");
        }
    }

    #[test]
    fn first_words() {
        for (name, word) in [
            ("ListBuckets", "List"),
            ("listThings", "list"),
            ("BatchGetItem", "BatchGet"),
            ("Batch2Things", "Batch"),
            ("Batch", "Batch"),
            ("Invoke", "Invoke"),
            ("ESHttpGet", "E"),
            ("", ""),
            ("é9", "é"),
        ] {
            assert_eq!(first_word(name), word);
        }
    }
}
