//! Privilege-escalation paths: which of the known ones a document makes possible.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::policy_change::breadth::{Breadth, breadth};
use crate::policy_change::calls;
use crate::policy_change::condition::Condition;
use crate::policy_change::document::{Document, Effect, Elements, Statement};
use crate::policy_change::identity;
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, fixed_start};
use crate::policy_change::work::Work;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant<'d> {
    /// The statement that allows it, on the most.
    pub(crate) statement: usize,
    /// On all resources, or all of a type.
    pub(crate) on_everything: bool,
    /// On the caller itself.
    on_itself: bool,
    /// Services the role may be passed to, where conditions say.
    passed_to: Option<&'d [String]>,
}

/// Which of the actions asked about a document allows.
#[derive(Debug)]
pub(crate) struct Allowed<'d> {
    /// One for each of [`ASKED`].
    grants: Vec<Option<Grant<'d>>>,
}

impl<'d> Allowed<'d> {
    /// Reads all statements once.
    pub(crate) fn of(document: &'d Document, work: &Work) -> Self {
        let mut grants: Vec<Option<Grant<'d>>> = vec![None; ASKED.len()];
        for (index, statement) in document.statements.iter().enumerate() {
            if statement.effect != Effect::Allow {
                continue;
            }
            let is_limited = statement.conditions.iter().any(limits);
            let passed_to = passed_to(&statement.conditions);
            let rank = |grant: &Grant<'_>| (grant.on_everything, grant.on_itself, grant.passed_to.is_none());
            for (action, breadth) in breadths(statement, work) {
                let grant = Grant {
                    statement: index,
                    on_everything: breadth.is_broad() && !is_limited,
                    // Of the rights to be given, only those of users are given to the user itself.
                    on_itself: breadth == Breadth::Own
                        && !is_limited
                        && ASKED[action].ends_with("userpolicy"),
                    passed_to,
                };
                let known = &mut grants[action];
                if known.as_ref().is_none_or(|known| rank(&grant) > rank(known)) {
                    *known = Some(grant);
                }
            }
        }
        // A denial with conditions may not hold.
        for deny in unconditional_denials(document) {
            for (action, _) in breadths(deny, work).into_iter().filter(|(_, b)| *b == Breadth::All) {
                grants[action] = None;
            }
        }
        Self { grants }
    }

    /// How an action (lower case) is allowed, if it is.
    pub(crate) fn get(&self, action: &str) -> Option<&Grant<'d>> {
        self.grants.get(ASKED.binary_search(&action).ok()?)?.as_ref()
    }
}

/// Denials that hold whatever the request, and name the resources they are on.
pub(crate) fn unconditional_denials(document: &Document) -> impl Iterator<Item = &Statement> {
    document.statements.iter().filter(|s| {
        s.effect == Effect::Deny && s.conditions.is_empty() && matches!(s.resources, Elements::Only(_))
    })
}

/// Whether a condition keeps new rights within a permissions boundary, or within policies that give little.
fn limits(condition: &Condition) -> bool {
    condition.demands()
        && match condition.key.as_str() {
            "iam:permissionsboundary" => true,
            "iam:policyarn" => {
                condition.values.iter().all(|arn| fixed_start(arn) == arn && calls::managed(arn).0.is_none())
            }
            _ => false,
        }
}

/// Services a role may be passed to. Whoever passes a role passes it to one, so `IfExists` limits too.
fn passed_to(conditions: &[Condition]) -> Option<&[String]> {
    conditions
        .iter()
        .find(|c| c.key == "iam:passedtoservice" && c.compares_text())
        .map(|c| c.values.as_slice())
}

/// The actions of [`ASKED`], by position, that a statement stands for on any resource of theirs, and on how many.
fn breadths(statement: &Statement, work: &Work) -> Vec<(usize, Breadth)> {
    let mut known: BTreeMap<(&str, &str), Breadth> = BTreeMap::new();
    let asked = asked_of(statement, work).into_iter().enumerate().filter(|(_, asked)| *asked);
    asked
        .map(|(action, _)| {
            let services = resources_of(ASKED[action]);
            let breadth = *known.entry(services).or_insert_with(|| {
                let of = |service| breadth(&statement.resources, service, work);
                if services.0 == services.1 { of(services.0) } else { of(services.0).max(of(services.1)) }
            });
            (action, breadth)
        })
        .filter(|(_, breadth)| *breadth != Breadth::Nothing)
        .collect()
}

/// The services whose resources an action is on, as ARNs name them: one, or two.
fn resources_of(action: &str) -> (&str, &str) {
    match action.split(':').next().unwrap_or("") {
        "sts" => ("iam", "iam"),
        "ec2-instance-connect" => ("ec2", "ec2"),
        "rds-data" => ("rds", "rds"),
        // Commands and sessions are on instances.
        "ssm" if !action.starts_with("ssm:get") => ("ssm", "ec2"),
        service => (service, service),
    }
}

/// For each of [`ASKED`], whether a statement's `Action` or `NotAction` stands for it.
fn asked_of(statement: &Statement, work: &Work) -> Vec<bool> {
    // The list of answers.
    if !work.spend(16) {
        return Vec::new();
    }
    match &statement.actions {
        Elements::Only(patterns) => named(patterns, work),
        Elements::AllBut(patterns) => named(patterns, work).into_iter().map(|named| !named).collect(),
        Elements::Absent => Vec::new(),
    }
}

/// For each of [`ASKED`], whether a pattern stands for it.
fn named(patterns: &[String], work: &Work) -> Vec<bool> {
    let mut named = vec![false; ASKED.len()];
    for pattern in patterns {
        if !work.spend(8) {
            break;
        }
        let pattern = pattern.to_ascii_lowercase();
        let fixed = fixed_start(&pattern);
        let start = ASKED.partition_point(|a| *a < fixed);
        let candidates = ASKED.iter().zip(&mut named).skip(start).take_while(|(a, _)| a.starts_with(fixed));
        for (_, known) in candidates.filter(|(a, known)| !**known && work.matches(&pattern, a, Case::Counts))
        {
            *known = true;
        }
    }
    named
}

/// Verdicts on the paths a document makes possible, gathered by how bad they are.
pub(crate) fn judge(allowed: &Allowed<'_>, has_iam: bool, work: &Work, out: &mut Vec<Verdict>) {
    let mut found: BTreeMap<Code, (Vec<String>, Vec<usize>)> = BTreeMap::new();
    for path in PATHS.iter() {
        let Some(code) = possible(path, allowed, work) else { continue };
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

/// The paths a document makes possible on more than named resources.
pub(crate) fn paths(document: &Document, work: &Work) -> Vec<(&'static Path, Code)> {
    let allowed = Allowed::of(document, work);
    let codes = PATHS.iter().filter_map(|path| Some((path, possible(path, &allowed, work)?)));
    codes.filter(|(_, code)| *code != Code::EscalationNarrow).collect()
}

/// Whether a document allows an action that some path takes.
pub(crate) fn has_part(document: &Document, work: &Work) -> bool {
    let allowed = Allowed::of(document, work);
    PATHS.iter().flat_map(|path| &path.actions).any(|action| allowed.get(action).is_some())
}

fn possible(path: &Path, allowed: &Allowed<'_>, work: &Work) -> Option<Code> {
    let grants: Vec<&Grant<'_>> = path.actions.iter().map(|a| allowed.get(a)).collect::<Option<_>>()?;
    for grant in &grants {
        if let Some(services) = grant.passed_to
            && !path.actions.iter().any(|action| is_one_of(services, &service_of(action), work))
        {
            return None;
        }
    }
    // Whoever may pass any role makes the function or stack that runs it, be it under a name that is laid down.
    let new_carrier = path.category == "new-passrole" && path.actions.contains(&PASS_ROLE);
    let is_wide = |(action, grant): (&&str, &&Grant<'_>)| {
        grant.on_everything
            || (new_carrier && *action != PASS_ROLE)
            || (grant.on_itself && path.category == "self-escalation")
    };
    Some(match path.category {
        _ if !path.actions.iter().zip(&grants).all(is_wide) => Code::EscalationNarrow,
        // Assuming roles is only as bad as the roles that let themselves be assumed.
        "self-escalation" => Code::Escalation,
        "principal-access" if path.actions.iter().any(|a| a.starts_with("iam:")) => Code::Escalation,
        _ => Code::EscalationByService,
    })
}

const PASS_ROLE: &str = "iam:passrole";

/// `lambda.amazonaws.com` of `lambda:createfunction`.
fn service_of(action: &str) -> String {
    let prefix = match action.split(':').next().unwrap_or("") {
        // Tasks take the role, not the service's own name.
        "ecs" => "ecs-tasks",
        prefix => prefix,
    };
    format!("{prefix}.amazonaws.com")
}

fn is_one_of(patterns: &[String], service: &str, work: &Work) -> bool {
    patterns.iter().any(|pattern| work.matches(pattern, service, Case::Ignored))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(statements: &str) -> Vec<Code> {
        let document = Document::parse(&format!(r#"{{"Statement":[{statements}]}}"#)).unwrap();
        let mut out = Vec::new();
        let work = Work::default();
        judge(&Allowed::of(&document, &work), false, &work, &mut out);
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
    fn every_path_is_found_exactly_and_by_wildcards() {
        let work = || Work::default();
        for path in PATHS.iter() {
            let narrow = |action: &&str| {
                let (service, name) = action.split_once(':').unwrap();
                format!("{}:{}*", service.to_uppercase(), &name[..name.len() - 1])
            };
            let short = |action: &&str| format!("{}*", &action[..action.find(':').unwrap() + 2]);
            let exact: Vec<String> = path.actions.iter().map(|a| (*a).to_owned()).collect();
            for actions in [
                exact.clone(),
                path.actions.iter().map(narrow).collect(),
                path.actions.iter().map(short).collect(),
            ] {
                let text =
                    serde_json::json!({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
                let document = Document::read(&text).unwrap();
                let allowed = Allowed::of(&document, &work());
                let found = possible(path, &allowed, &work());
                assert!(
                    found.is_some_and(|code| code != Code::EscalationNarrow),
                    "{} by {actions:?}",
                    path.id
                );
            }
            // Without any one of its actions the path is not there.
            for left_out in 0..exact.len() {
                let mut actions = exact.clone();
                actions.remove(left_out);
                let text =
                    serde_json::json!({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
                let document = Document::read(&text).unwrap();
                assert_eq!(possible(path, &Allowed::of(&document, &work()), &work()), None, "{}", path.id);
            }
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
