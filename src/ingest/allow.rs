//! Which objects are read at all. A notification can name any bucket and key, and so can whoever may write to the bucket.

use std::collections::BTreeSet;

use super::envelope::ObjectRef;
use super::origin::is_account;

/// Longest key S3 allows, bytes.
const MAX_KEY: usize = 1_024;

/// What may be read. An empty list allows everything of its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Buckets.
    pub buckets: BTreeSet<String>,
    /// What keys start with.
    pub prefixes: Vec<String>,
    /// Accounts, as the path of the key names them.
    pub accounts: BTreeSet<String>,
}

impl Allow {
    /// Whether to read an object; if not, the name to count it by.
    pub fn admits(&self, object: &ObjectRef) -> Result<(), &'static str> {
        if !self.buckets.is_empty() && !self.buckets.contains(&*object.bucket) {
            return Err("other_bucket");
        }
        if !self.prefixes.is_empty() && !self.prefixes.iter().any(|p| object.key.starts_with(p.as_str())) {
            return Err("other_prefix");
        }
        let account = match Layout::of(&object.key) {
            Layout::Trail { account } => account,
            Layout::Digest => return Err("digest"),
            Layout::Insight => return Err("insight"),
            Layout::Foreign => return Err("foreign"),
        };
        if !self.accounts.is_empty() && !self.accounts.contains(account) {
            return Err("other_account");
        }
        Ok(())
    }
}

/// What the path of a key says:
/// `[prefix/]AWSLogs/[o-…/]ACCOUNT/{CloudTrail,CloudTrail-Digest,CloudTrail-Insight}/REGION/Y/M/D/FILE.json.gz`
/// (AWS, "Finding your CloudTrail log files").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout<'a> {
    /// A trail.
    Trail {
        /// The account whose folder it lies in.
        account: &'a str,
    },
    /// Hashes of delivered objects.
    Digest,
    /// CloudTrail Insights.
    Insight,
    /// Nothing CloudTrail writes.
    Foreign,
}

impl<'a> Layout<'a> {
    /// The layout of a key. The first folder that is a product of CloudTrail decides, so nothing behind it can pose as another.
    pub fn of(key: &'a str) -> Self {
        if key.len() > MAX_KEY || ![".json.gz", ".json"].iter().any(|end| key.ends_with(end)) {
            return Self::Foreign;
        }
        let mut before = "";
        for folder in key.split('/') {
            match folder {
                "CloudTrail-Digest" => return Self::Digest,
                "CloudTrail-Insight" => return Self::Insight,
                "CloudTrail" if is_account(before) => return Self::Trail { account: before },
                _ => before = folder,
            }
        }
        Self::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "eu-west-1/2026/03/01/123456789012_CloudTrail_eu-west-1_20260301T1000Z_a.json.gz";

    fn admitted(allow: &Allow, key: &str) -> Result<(), &'static str> {
        allow.admits(&ObjectRef { bucket: "trail".into(), key: key.into(), size: None })
    }

    #[test]
    fn layouts_with_and_without_organisation_and_prefix_are_trails() {
        for head in
            ["AWSLogs", "AWSLogs/o-a1b2c3d4e5", "some/prefix/AWSLogs", "CloudTrail/AWSLogs/o-a1b2c3d4e5"]
        {
            let key = format!("{head}/123456789012/CloudTrail/{FILE}");
            assert_eq!(Layout::of(&key), Layout::Trail { account: "123456789012" }, "{key}");
        }
    }

    #[test]
    fn what_is_no_trail_is_counted_by_its_name() {
        let cases = [
            (format!("AWSLogs/123456789012/CloudTrail-Digest/{FILE}"), "digest"),
            (format!("AWSLogs/123456789012/CloudTrail-Digest/x/999999999999/CloudTrail/{FILE}"), "digest"),
            (format!("AWSLogs/123456789012/CloudTrail-Insight/{FILE}"), "insight"),
            (format!("AWSLogs/123456789012/Config/{FILE}"), "foreign"),
            (format!("AWSLogs/12345678901x/CloudTrail/{FILE}"), "foreign"),
            (format!("../CloudTrail/{FILE}"), "foreign"),
            ("AWSLogs/123456789012/CloudTrail/".to_owned(), "foreign"),
            ("AWSLogs/123456789012/CloudTrail/note.txt".to_owned(), "foreign"),
            (format!("{}AWSLogs/123456789012/CloudTrail/{FILE}", "x/".repeat(600)), "foreign"),
            (String::new(), "foreign"),
        ];
        for (key, why) in cases {
            assert_eq!(admitted(&Allow::default(), &key), Err(why), "{key}");
        }
    }

    #[test]
    fn lists_admit_what_they_name() {
        let key = format!("logs/AWSLogs/123456789012/CloudTrail/{FILE}");
        let allow = |buckets: &[&str], prefixes: &[&str], accounts: &[&str]| Allow {
            buckets: buckets.iter().map(ToString::to_string).collect(),
            prefixes: prefixes.iter().map(ToString::to_string).collect(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(admitted(&allow(&[], &[], &[]), &key), Ok(()));
        assert_eq!(admitted(&allow(&["trail"], &["logs/"], &["123456789012"]), &key), Ok(()));
        assert_eq!(admitted(&allow(&["other"], &[], &[]), &key), Err("other_bucket"));
        assert_eq!(admitted(&allow(&[], &["other/"], &[]), &key), Err("other_prefix"));
        assert_eq!(admitted(&allow(&[], &[], &["999999999999"]), &key), Err("other_account"));
    }
}
