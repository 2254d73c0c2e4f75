//! IAM's wildcards: `*` for any characters, `?` for one. Actions ignore case, ARNs don't.

/// How letters compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Actions, condition keys.
    Ignored,
    /// ARNs, names.
    Counts,
}

/// Longer patterns match only what equals them: the search below is quadratic in the worst case, and no ARN comes near.
const MAX_PATTERN: usize = 2_048;

/// Whether the pattern stands for the text. A `*` in the text is only stood for by a `*`, so for two patterns the answer is
/// whether the first stands for all that the second does.
pub(crate) fn matches(pattern: &str, text: &str, case: Case) -> bool {
    search(pattern, text, case, usize::MAX).0 == Some(true)
}

/// Whether the pattern stands for the text, and the steps it took to tell; no answer once those are more than `limit`.
pub(crate) fn search(pattern: &str, text: &str, case: Case, limit: usize) -> (Option<bool>, usize) {
    let same = |p: u8, t: u8| p == t || (case == Case::Ignored && p.eq_ignore_ascii_case(&t));
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    if pattern.len() > MAX_PATTERN || text.len() > MAX_PATTERN {
        let equal = pattern.len() == text.len() && pattern.iter().zip(text).all(|(p, t)| same(*p, *t));
        return (Some(equal), pattern.len().min(text.len()));
    }
    let (mut p, mut t) = (0, 0);
    let mut steps = 0;
    // Where to resume when a guess of how much the last star stands for fails.
    let mut resume: Option<(usize, usize)> = None;
    while t < text.len() {
        steps += 1;
        if steps > limit {
            return (None, steps);
        }
        match pattern.get(p) {
            Some(b'*') => {
                resume = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') if text[t] != b'*' => {
                p += 1;
                t += 1;
            }
            Some(c) if same(*c, text[t]) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, taken)) = resume else { return (Some(false), steps) };
                resume = Some((after_star, taken + 1));
                p = after_star;
                t = taken + 1;
            }
        }
    }
    (Some(pattern[p..].iter().all(|c| *c == b'*')), steps)
}

/// Nothing but stars: stands for anything.
pub(crate) fn is_anything(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|b| b == b'*')
}

/// What stands before the first wildcard: all of a text without one.
pub(crate) fn fixed_start(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or(pattern)
}

/// Wildcards only, with a star: stands for anything but the shortest texts.
pub(crate) fn is_wild(pattern: &str) -> bool {
    pattern.contains('*') && pattern.bytes().all(|b| matches!(b, b'*' | b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("S3:get*", "s3:GetObject", true),
            ("iam:*Policy*", "iam:PutUserPolicyNow", true),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXcYYb", false),
            ("s3:?etObject", "s3:GetObject", true),
            ("s3:?etObject", "s3:etObject", false),
            ("", "", true),
            ("", "x", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, text, Case::Ignored), expected, "{pattern} {text}");
        }
        assert!(!matches("arn:aws:s3:::A", "arn:aws:s3:::a", Case::Counts));
    }

    #[test]
    fn one_pattern_stands_for_another_only_when_it_is_wider() {
        for (wide, narrow, expected) in [
            ("s3:*", "s3:Get*", true),
            ("s3:Get*", "s3:*", false),
            ("?", "*", false),
            ("*", "?", true),
            ("s3:G?t*", "s3:Get*", true),
            ("*a", "*ba", true),
        ] {
            assert_eq!(matches(wide, narrow, Case::Ignored), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn endless_patterns_are_not_searched() {
        let pattern = "a*".repeat(50_000);
        assert!(!matches(&pattern, &"a".repeat(50_000), Case::Counts));
        assert!(matches(&pattern, &pattern, Case::Counts));
    }
}
