//! Privilege-escalation paths: which of the known ones a document makes possible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::policy_change::condition::Condition;
use crate::policy_change::difference::is_broad;
use crate::policy_change::document::{Document, Effect, Elements, Statement};
use crate::policy_change::identity;
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, is_anything, matches};

/// A known way to more rights.
#[derive(Debug)]
pub(crate) struct Path {
    /// Its id in the source.
    pub(crate) id: &'static str,
    /// How it works: `self-escalation`, `principal-access`, `new-passrole`, `existing-passrole`.
    pub(crate) category: &'static str,
    /// The actions it takes, in lower case.
    pub(crate) actions: Vec<&'static str>,
}

/// The paths, in the order of the source.
pub(crate) static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    include_str!("../../data/escalation_paths.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (id, rest) = line.split_once('\t')?;
            let (category, actions) = rest.split_once('\t')?;
            Some(Path { id, category, actions: actions.split(' ').collect() })
        })
        .collect()
});

/// Every action a verdict on an identity policy asks about, sorted: patterns are looked up here, not tried one by one.
static ASKED: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut asked: Vec<_> =
        PATHS.iter().flat_map(|p| p.actions.iter().copied()).chain(identity::data_actions()).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
});

/// How an action is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The statement that allows it, on the most.
    pub(crate) statement: usize,
    /// On all resources, or all of a type.
    pub(crate) on_everything: bool,
    /// Services the role may be passed to, where conditions say.
    passed_to: Option<Vec<String>>,
}

/// Which of the actions asked about a document allows.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    grants: BTreeMap<&'static str, Grant>,
}

impl Allowed {
    /// Reads all statements once.
    pub(crate) fn of(document: &Document) -> Self {
        let mut grants: BTreeMap<&'static str, Grant> = BTreeMap::new();
        for (index, statement) in document.statements.iter().enumerate() {
            if statement.effect != Effect::Allow {
                continue;
            }
            let grant = Grant {
                statement: index,
                on_everything: is_broad(&statement.resources) && !is_bounded(&statement.conditions),
                passed_to: passed_to(&statement.conditions),
            };
            for action in asked_of(statement) {
                let known = grants.entry(action).or_insert_with(|| grant.clone());
                if (grant.on_everything, grant.passed_to.is_none())
                    > (known.on_everything, known.passed_to.is_none())
                {
                    *known = grant.clone();
                }
            }
        }
        for statement in &document.statements {
            // A denial with conditions may not hold.
            if statement.effect == Effect::Deny
                && statement.conditions.is_empty()
                && is_total(&statement.resources)
            {
                for action in asked_of(statement) {
                    grants.remove(action);
                }
            }
        }
        Self { grants }
    }

    /// How an action (lower case) is allowed, if it is.
    pub(crate) fn get(&self, action: &str) -> Option<&Grant> {
        self.grants.get(action)
    }
}

/// Conditions that keep new rights within a permissions boundary.
fn is_bounded(conditions: &[Condition]) -> bool {
    conditions.iter().any(|c| c.key == "iam:permissionsboundary" && !c.negated && !c.if_exists)
}

fn passed_to(conditions: &[Condition]) -> Option<Vec<String>> {
    conditions.iter().find(|c| c.key == "iam:passedtoservice" && !c.negated).map(|c| c.values.clone())
}

fn is_total(resources: &Elements<String>) -> bool {
    matches!(resources, Elements::Only(resources) if resources.iter().any(|r| is_anything(r)))
}

/// The actions asked about that a statement's `Action` or `NotAction` stands for.
fn asked_of(statement: &Statement) -> Vec<&'static str> {
    match &statement.actions {
        Elements::Only(patterns) => named(patterns),
        Elements::AllBut(patterns) => {
            let named = named(patterns);
            ASKED.iter().copied().filter(|action| named.binary_search(action).is_err()).collect()
        }
        Elements::Absent => Vec::new(),
    }
}

fn named(patterns: &[String]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for pattern in patterns {
        let pattern = pattern.to_ascii_lowercase();
        let fixed = pattern.split(['*', '?']).next().unwrap_or("");
        let start = ASKED.partition_point(|a| *a < fixed);
        found.extend(
            ASKED[start..]
                .iter()
                .take_while(|a| a.starts_with(fixed))
                .filter(|a| matches(&pattern, a, Case::Counts)),
        );
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Verdicts on the paths a document makes possible, gathered by how bad they are.
pub(crate) fn judge(allowed: &Allowed, has_iam: bool, out: &mut Vec<Verdict>) {
    let mut found: BTreeMap<Code, (Vec<String>, Vec<usize>)> = BTreeMap::new();
    for path in PATHS.iter() {
        let Some(code) = possible(path, allowed) else { continue };
        // `iam:*` was said already; what it makes possible by itself needs no list.
        if has_iam && path.actions.iter().all(|a| a.starts_with("iam:")) {
            continue;
        }
        let (paths, statements) = found.entry(code).or_default();
        paths.push(format!("{} ({})", path.id, path.actions.join(" + ")));
        statements.extend(path.actions.iter().filter_map(|a| allowed.get(a)).map(|g| g.statement));
    }
    for (code, (paths, mut statements)) in found {
        const SHOWN: usize = 5;
        statements.sort_unstable();
        statements.dedup();
        let more = paths.len().saturating_sub(SHOWN);
        let mut text = format!("possible: {}", paths[..paths.len() - more].join(", "));
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        out.push(Verdict::new(code, text, statements));
    }
}

fn possible(path: &Path, allowed: &Allowed) -> Option<Code> {
    let grants: Vec<&Grant> = path.actions.iter().map(|a| allowed.get(a)).collect::<Option<_>>()?;
    for grant in &grants {
        if let Some(services) = &grant.passed_to
            && !path.actions.iter().any(|a| services.iter().any(|s| is_service_of(s, a)))
        {
            return None;
        }
    }
    Some(match path.category {
        _ if !grants.iter().all(|g| g.on_everything) => Code::EscalationNarrow,
        // Assuming roles is only as bad as the roles that let themselves be assumed.
        "self-escalation" => Code::Escalation,
        "principal-access" if path.actions.iter().any(|a| a.starts_with("iam:")) => Code::Escalation,
        _ => Code::EscalationByService,
    })
}

/// Whether `lambda.amazonaws.com` (or a pattern) is the service of `lambda:createfunction`.
fn is_service_of(service: &str, action: &str) -> bool {
    let prefix = match action.split(':').next().unwrap_or("") {
        // Tasks take the role, not the service's own name.
        "ecs" => "ecs-tasks",
        prefix => prefix,
    };
    matches(service, &format!("{prefix}.amazonaws.com"), Case::Ignored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(statements: &str) -> Vec<Code> {
        let document = Document::parse(&format!(r#"{{"Statement":[{statements}]}}"#)).unwrap();
        let mut out = Vec::new();
        judge(&Allowed::of(&document), false, &mut out);
        out.into_iter().map(|v| v.code).collect()
    }

    #[test]
    fn the_paths_are_read() {
        assert!(PATHS.len() > 60);
        for path in PATHS.iter() {
            assert!(path.actions.iter().all(|a| a.contains(':') && *a == a.to_ascii_lowercase()), "{path:?}");
        }
    }

    #[test]
    fn wildcards_complete_paths_and_denials_take_them_away() {
        let allow = |a: &str, r: &str| format!(r#"{{"Effect":"Allow","Action":{a},"Resource":"{r}"}}"#);
        let deny = r#"{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#;
        assert_eq!(codes(&allow(r#""iam:Put*""#, "*")), [Code::Escalation]);
        assert_eq!(codes(&format!("{},{deny}", allow(r#""iam:Put*""#, "*"))), []);
        assert_eq!(
            codes(&allow(r#""iam:PutUserPolicy""#, "arn:aws:iam::123456789012:user/a")),
            [Code::EscalationNarrow]
        );
        assert_eq!(codes(&allow(r#"["iam:PassRole","ec2:Run*"]"#, "*")), [Code::EscalationByService]);
        assert_eq!(codes(&allow(r#""iam:PassRole""#, "*")), []);
        assert_eq!(codes(&allow(r#"["ec2:Describe*","iam:Get*"]"#, "*")), []);
    }

    #[test]
    fn passing_a_role_to_another_service_is_no_path() {
        let pass = |service: &str| {
            format!(
                r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"*",
                    "Condition":{{"StringEquals":{{"iam:PassedToService":"{service}"}}}}}},
                  {{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}}"#
            )
        };
        assert_eq!(codes(&pass("ec2.amazonaws.com")), [Code::EscalationByService]);
        assert_eq!(codes(&pass("lambda.amazonaws.com")), []);
    }

    #[test]
    fn not_action_allows_the_rest() {
        let statement = |but: &str| format!(r#"{{"Effect":"Allow","NotAction":[{but}],"Resource":"*"}}"#);
        assert!(codes(&statement(r#""s3:*""#)).contains(&Code::Escalation));
        assert!(!codes(&statement(r#""iam:*""#)).contains(&Code::Escalation));
    }
}
