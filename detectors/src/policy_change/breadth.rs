//! How many of a service's resources a statement is about.
//!
//! The form of ARNs: AWS, "Identify AWS resources with Amazon Resource Names (ARNs)". A star in a pattern stands for colons
//! too, so `arn:aws:iam:*` is every ARN of IAM.

use crate::policy_change::document::Elements;
use crate::policy_change::wildcard::{Case, fixed_start, is_wild, matches};
use crate::policy_change::work::Work;

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breadth {
    /// None: the resources are other services'.
    Nothing,
    /// Some, by name.
    Named,
    /// The caller alone: `user/${aws:username}`.
    Own,
    /// All of a type: `arn:aws:iam::123456789012:role/*`.
    Type,
    /// All there are, at least in an account or region.
    All,
}

impl Breadth {
    /// Whether nobody had to name a resource.
    pub(crate) fn is_broad(self) -> bool {
        self >= Self::Type
    }
}

/// A service that only patterns for every service stand for.
pub(crate) const ANY_SERVICE: &str = "\0";

/// How many of the resources of a service, named as in ARNs, the patterns stand for.
pub(crate) fn breadth(resources: &Elements<String>, service: &str, work: &Work) -> Breadth {
    match resources {
        Elements::Only(resources) => resources
            .iter()
            .take_while(|_| work.spend(2))
            .map(|resource| of_pattern(resource, service))
            .max()
            .unwrap_or(Breadth::Nothing),
        Elements::AllBut(_) | Elements::Absent => Breadth::All,
    }
}

fn of_pattern(pattern: &str, service: &str) -> Breadth {
    let mut rest = Some(pattern);
    let mut passed_star = false;
    for (at, text) in ["arn", "aws", service, "", ""].into_iter().enumerate() {
        let Some(here) = rest else { return Breadth::Named };
        let (part, after) = here.split_once(':').map_or((here, None), |(part, after)| (part, Some(after)));
        let fits = match at {
            // Other partitions are `aws-cn` and the like.
            1 => part.starts_with("aws") || matches(part, text, Case::Counts),
            0 | 2 => matches(part, text, Case::Counts),
            // Any region, any account.
            3 => after.is_some() || is_wild(part),
            _ => after.is_some() || fixed_start(part).bytes().all(|b| b.is_ascii_digit()),
        };
        if !fits {
            // A star before may have stood for more than its part of the ARN; without one the ARN is another service's.
            let whole = pattern.bytes().filter(|b| *b == b':').count() >= 5;
            return match at {
                _ if passed_star && !(whole && at == 2) => of_name(here, ""),
                2 => Breadth::Nothing,
                0 if part.contains('*') => of_name(part.trim_start_matches('*'), ""),
                _ => Breadth::Named,
            };
        }
        if after.is_none() {
            return if part.ends_with('*') { Breadth::All } else { Breadth::Named };
        }
        passed_star |= part.contains('*');
        rest = after;
    }
    rest.map_or(Breadth::Named, |name| of_name(name, service))
}

/// Of the part of an ARN that begins with the type, or the name where the service has one type only.
fn of_name(name: &str, service: &str) -> Breadth {
    const TYPES: [&str; 8] = ["function", "group", "key", "parameter", "policy", "role", "secret", "user"];
    if is_wild(name) {
        return Breadth::All;
    }
    let (kind, rest) = name.split_once(['/', ':']).unwrap_or((name, ""));
    let is_type = if service == "s3" {
        // A bucket's name stands where others have their type.
        is_wild(kind)
    } else {
        let of_a_type = is_wild(rest) && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let from_type_on =
            rest.is_empty() && kind.strip_suffix('*').is_some_and(|kind| TYPES.contains(&kind));
        of_a_type || from_type_on
    };
    if is_type {
        Breadth::Type
    } else if kind == "user" && (rest == "${aws:username}" || rest.ends_with("/${aws:username}")) {
        Breadth::Own
    } else {
        Breadth::Named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_as_broad_as_what_it_stands_for() {
        use Breadth::{All, Named, Nothing, Own, Type};
        for (pattern, service, expected) in [
            ("*", "iam", All),
            ("**", ANY_SERVICE, All),
            ("?*", ANY_SERVICE, All),
            ("a*", ANY_SERVICE, All),
            ("arn:*", ANY_SERVICE, All),
            ("*:*", ANY_SERVICE, All),
            ("arn:aws:*", ANY_SERVICE, All),
            ("arn:aws:*:*:*:*", ANY_SERVICE, All),
            ("b*", ANY_SERVICE, Named),
            ("bucket", "s3", Named),
            ("arn:aws:iam:*", ANY_SERVICE, Nothing),
            ("arn:aws:iam:*", "iam", All),
            ("arn:aws:iam::*", "iam", All),
            ("arn:aws:iam::123456789012*", "iam", All),
            ("arn:aws:iam::*:*", "iam", All),
            ("arn:aws:i*", "iam", All),
            ("arn:aws:i*", "s3", Nothing),
            ("arn:aws-cn:iam::123456789012:role/*", "iam", Type),
            ("arn:aws:iam::123456789012:role/*", "iam", Type),
            ("arn:aws:iam::123456789012:role*", "iam", Type),
            ("arn:*:iam::*:role/*", "iam", Type),
            ("arn:*:iam::*:role/*", "s3", Nothing),
            ("arn:aws:iam::*:role/?*", "iam", Type),
            ("*:role/*", "iam", Type),
            ("arn:aws:iam:*:role/*", "iam", Type),
            ("arn:aws:iam:*:role/app-*", "iam", Named),
            ("arn:*:role/app", "iam", Named),
            ("arn:aws:iam::123456789012:role/app-*", "iam", Named),
            ("arn:aws:iam::123456789012:role/team/*", "iam", Named),
            ("arn:aws:iam::*:user/${aws:username}", "iam", Own),
            ("arn:aws:iam::*:user/*/${aws:username}", "iam", Own),
            ("arn:aws:lambda:*:*:function:*", "lambda", Type),
            ("arn:aws:lambda:*:*:function:*", "iam", Nothing),
            ("arn:aws:sns:*:*:app-*", "sns", Named),
            ("arn:aws:sns:*:app-*", "sns", Named),
            ("arn:aws:secretsmanager:*:secret:*", "secretsmanager", All),
            ("arn:aws:kms:us-east-1:123456789012:key/1", "kms", Named),
            ("arn:aws:s3:::*", "s3", All),
            ("arn:aws:s3:::*", "iam", Nothing),
            ("arn:aws:s3:::bucket/*", "s3", Named),
            ("arn:aws:s3:::*/*", "s3", Type),
            ("arn:aws:s3:::?*/*", "s3", Type),
            ("*/*", "s3", Type),
            ("arn:aws:s3:::*-logs/*", "s3", Named),
            ("arn:aws", "s3", Named),
            ("", "s3", Named),
        ] {
            assert_eq!(of_pattern(pattern, service), expected, "{pattern} of {service:?}");
        }
    }
}
