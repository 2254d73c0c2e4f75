//! Sequences: steps of one actor that come to more than each by itself.
//!
//! | sequence | steps |
//! |---|---|
//! | `rights_and_credentials` | gave a user grave rights, and made credentials for it |
//! | `trust_and_assume` | changed who may assume a role, then assumed it |
//! | `rights_and_role` | gave a role grave rights, then assumed it or handed it to a service, or handed it over first |
//! | `rights_and_use` | gave itself grave rights, and made another call that changes access |
//! | `denied_changed_allowed` | was refused a call, changed its own rights or the role's trust, then got through |
//!
//! Handing a role over completes a path: the service then runs what the actor says with the role's rights, and calls that make it
//! run (`lambda:Invoke` and its like) are data events that most trails lack.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::detector::{Around, Detector};
use crate::finding::{Anchor, Circumstances, Entity, Evidence, Finding, FindingActor, Reason, Severity};
use crate::ledger::Key;
use crate::policy_change::analysis::{Kind, Setting};
use crate::policy_change::facts::{Remembered, What};
use crate::policy_change::lifts::own_name;
use crate::policy_change::steps::{GROUP, SPAN, Step, StepKind};
use crate::policy_change::work::Work;
use crate::policy_change::{Config, PolicyChange, lifted, next};
use crate::time::{EventTime, TimeRange};

/// Techniques of who gives itself rights by policies and roles.
pub(super) const ROLE: &[&str] = &["T1098.003", "T1548.005"];

/// A sequence found.
pub(super) struct Story<'s> {
    pub(super) kind: &'static str,
    pub(super) severity: Severity,
    pub(super) said: String,
    pub(super) mitre: &'static [&'static str],
    /// In the order they were taken.
    pub(super) steps: Vec<&'s Step>,
    /// Whom or what it is about: it is told once a day for each.
    pub(super) about: &'s str,
}

/// Findings of one actor.
pub(crate) fn actor(
    config: &Config,
    key: &Key,
    facts: &Remembered,
    around: &Around<'_, Remembered>,
    out: &mut Vec<Finding>,
) {
    let steps: Vec<Taken<'_>> = facts.steps.iter().map(Taken::new).collect();
    let mut told: BTreeSet<(&str, String, i64)> = BTreeSet::new();
    let teller = Teller { key, around, own: own_name(&key.entity) };
    let mut before = Before { steps: &steps, ..Before::default() };
    let mut tell = |time: EventTime, story: Story<'_>| {
        // One a day, sequence and target: loops of a script are one story.
        let first = told.insert((story.kind, story.about.to_owned(), time.day()));
        if first && around.span.contains(time) && story.severity >= config.report_from {
            out.push(finding(key, time, &story));
        }
    };
    for taken in &steps {
        let Taken { time, step, .. } = taken;
        before.from = steps.partition_point(|before| before.time < time.plus(-SPAN));
        let stories = teller.stories(&before, taken);
        before.add(step);
        stories.into_iter().for_each(|story| tell(*time, story));
    }
    teller.lifted(&steps, &facts.tries).into_iter().for_each(|(time, story)| tell(time, story));
}

pub(super) struct Teller<'t> {
    pub(super) key: &'t Key,
    pub(super) around: &'t Around<'t, Remembered>,
    pub(super) own: String,
}

/// A step, with what was found out about it: every later one may ask.
pub(super) struct Taken<'s> {
    pub(super) time: EventTime,
    pub(super) step: &'s Step,
    weight: OnceCell<Severity>,
    held: OnceCell<Option<Held>>,
    /// Whether it can have lifted a refusal.
    pub(super) widens: OnceCell<bool>,
    /// What is left for finding out which calls it names.
    pub(super) work: Work,
}

impl<'s> Taken<'s> {
    fn new((time, step): (EventTime, &'s Step)) -> Self {
        let (weight, held, widens) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { time, step, weight, held, widens, work: Work::default() }
    }
}

/// The steps before one, and where among all they stand, in order.
#[derive(Default)]
struct Before<'a, 's> {
    steps: &'a [Taken<'s>],
    /// Those before this are too old.
    from: usize,
    count: usize,
    by_target: HashMap<(StepKind, &'s str), Vec<usize>>,
    rights: Vec<usize>,
}

impl<'a, 's> Before<'a, 's> {
    fn add(&mut self, step: &'s Step) {
        self.by_target.entry((step.kind, &step.target)).or_default().push(self.count);
        if step.kind == StepKind::Rights {
            self.rights.push(self.count);
        }
        self.count += 1;
    }

    /// Where steps of a sort stand that are about something.
    fn about(&self, kind: StepKind, target: &'s str) -> &[usize] {
        let places = self.by_target.get(&(kind, target)).map_or(&[][..], |places| places);
        self.young(places)
    }

    fn young<'p>(&self, places: &'p [usize]) -> &'p [usize] {
        &places[places.partition_point(|place| *place < self.from)..]
    }

    /// All of them from a place on.
    fn after(&self, place: usize) -> &'a [Taken<'s>] {
        &self.steps[place..self.count]
    }
}

impl Teller<'_> {
    /// The sequences that a step completes.
    fn stories<'s>(&self, before: &Before<'_, 's>, taken: &Taken<'s>) -> Vec<Story<'s>> {
        let last = taken.step;
        let opener = |kind: StepKind, least: Severity| {
            let places = before.about(kind, &last.target).iter().rev();
            places
                .map(|place| &before.steps[*place])
                .find(|taken| self.weight(taken) >= least)
                .map(|taken| taken.step)
        };
        let mut found = Vec::new();
        let mut tell = |kind, severity, mitre, steps: Vec<&'s Step>, said: String| {
            found.push(Story { kind, severity, said, mitre, steps, about: &last.target });
        };
        let target = &last.target;
        const CREDENTIALS: &[&str] = &["T1098.001", "T1098.003"];
        match last.kind {
            StepKind::Credential => {
                if let Some(rights) = opener(StepKind::Rights, Severity::High) {
                    let said = format!("gave {target} grave rights, then made credentials for it");
                    tell("rights_and_credentials", Severity::High, CREDENTIALS, vec![rights, last], said);
                }
            }
            StepKind::Rights if self.weight(taken) >= Severity::High => {
                if let Some(made) = opener(StepKind::Credential, Severity::Informational) {
                    let said = format!("made credentials for {target}, then gave it grave rights");
                    tell("rights_and_credentials", Severity::High, CREDENTIALS, vec![made, last], said);
                }
                if let Some(passed) = opener(StepKind::Pass, Severity::Informational) {
                    let said = format!("handed {target} to a service, then gave it grave rights");
                    tell("rights_and_role", Severity::High, ROLE, vec![passed, last], said);
                }
            }
            StepKind::Assume | StepKind::Pass => {
                if last.kind == StepKind::Assume
                    && let Some(trust) = opener(StepKind::Trust, Severity::Informational)
                {
                    let said = format!("changed who may assume {target}, then assumed it");
                    tell("trust_and_assume", Severity::High, ROLE, vec![trust, last], said);
                }
                if let Some(rights) = opener(StepKind::Rights, Severity::High) {
                    let then =
                        if last.kind == StepKind::Assume { "assumed it" } else { "handed it to a service" };
                    let said = format!("gave {target} grave rights, then {then}");
                    tell("rights_and_role", Severity::High, ROLE, vec![rights, last], said);
                }
            }
            _ => {}
        }
        if last.kind == StepKind::Assume
            && let Some((denied, changed)) = self.denied_then_changed(before, last)
        {
            found.push(lifted::story(denied, changed, last));
        }
        found.extend(self.used(before, last));
        found
    }

    /// How much a step gives, with what is known of the policy it attached or made count.
    fn weight(&self, Taken { time, step, weight, .. }: &Taken<'_>) -> Severity {
        if step.weight >= Severity::High || step.policy.is_empty() {
            return step.weight;
        }
        *weight.get_or_init(|| {
            let Around { others, environment, notes, .. } = self.around;
            let account = &*self.key.account;
            let setting = Setting { kind: Kind::Identity, account, organization: &environment.organization };
            let known = if step.policy.starts_with(GROUP) {
                notes.held(*others, account, &step.policy).weight_at(*time, &setting, (*others, notes))
            } else {
                notes.policy(*others, account, &step.policy).weight_at(*time, &setting, notes)
            };
            known.map_or(step.weight, |known| known.max(step.weight))
        })
    }

    /// Grave rights the actor gave itself, and what it did with them.
    fn used<'s>(&self, before: &Before<'_, 's>, last: &'s Step) -> Option<Story<'s>> {
        // Another version of a policy, and making it count, belong to the giving.
        if last.kind != StepKind::Done || last.evidence.name.contains("PolicyVersion") {
            return None;
        }
        let same_record = |step: &Step| step.evidence.event_id == last.evidence.event_id;
        // To attach a policy to somebody is no use of it. Steps of one record stand side by side.
        let beside = before.after(before.from).iter().rev().map(|taken| taken.step);
        let beside = beside.take_while(|step| same_record(step));
        let attached = beside.map(|step| &step.policy).find(|policy| !policy.is_empty());
        let rights = before.young(&before.rights).iter().rev().map(|place| &before.steps[*place]);
        let (rights, held) = rights
            .filter(|Taken { step, .. }| !same_record(step))
            .filter(|Taken { step, .. }| attached.is_none_or(|policy| *policy != step.policy))
            .filter(|Taken { step, .. }| step.evidence.name != last.evidence.name)
            .filter_map(|taken| Some((taken, self.holds(taken)?)))
            .find(|(taken, _)| self.weight(taken) >= Severity::High)
            .map(|(taken, held)| (taken.step, held))?;
        let (severity, whose) = match held {
            Held::Own => (Severity::High, ""),
            Held::Unknown => (Severity::Medium, " (whether it is attached to the caller is not known)"),
        };
        Some(Story {
            kind: "rights_and_use",
            severity,
            said: format!("gave {}{whose} grave rights, then called {}", rights.target, last.target),
            mitre: &["T1098.003", "T1548.005"],
            steps: vec![rights, last],
            about: &rights.target,
        })
    }

    /// Whether the actor itself has what a step gave.
    pub(super) fn holds(&self, taken: &Taken<'_>) -> Option<Held> {
        *taken.held.get_or_init(|| self.finds_held(taken))
    }

    fn finds_held(&self, Taken { time, step, .. }: &Taken<'_>) -> Option<Held> {
        if *step.target == *self.own {
            return Some(Held::Own);
        }
        if !step.target.starts_with("policy/") {
            return None;
        }
        match self.facts(&self.attachment(&step.policy)) {
            Some(facts) => facts
                .changes()
                .take_while(|(at, _)| at <= time)
                .filter(|(_, change)| change.succeeded())
                .last()
                .is_some_and(|(_, change)| matches!(change.what, What::Attach(_)))
                .then_some(Held::Own),
            // A policy that was only just created is attached to nobody.
            None => (*step.evidence.name != *"CreatePolicy").then_some(Held::Unknown),
        }
    }

    /// A refusal of the role that the last step assumed, and after it a change that can have lifted it: of the role's trust, or of the
    /// actor's own rights.
    fn denied_then_changed<'s>(
        &self,
        before: &Before<'_, 's>,
        last: &'s Step,
    ) -> Option<(&'s Step, &'s Step)> {
        // If it got through before, that was nothing new any more.
        let passed = before.about(last.kind, &last.target).last().map_or(0, |place| place + 1);
        let denied = before.about(StepKind::Denied, &last.target);
        let denied = *denied.get(denied.partition_point(|place| *place < passed))?;
        let changed = before.after(denied).iter().rev().find(|taken| match taken.step.kind {
            StepKind::Trust => taken.step.target == last.target,
            StepKind::Rights => self.holds(taken) == Some(Held::Own) && self.widens(taken),
            _ => false,
        })?;
        Some((before.steps[denied].step, changed.step))
    }
}

/// Whether rights are the actor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Own,
    Unknown,
}

fn finding(key: &Key, time: EventTime, story: &Story<'_>) -> Finding {
    let last = story.steps[story.steps.len() - 1];
    let first = story.steps[0];
    let name = key.entity.rsplit(['/', '#', ':']).next().unwrap_or(&key.entity);
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let reasons = story.steps.iter().map(|step| {
        let Evidence { time, circumstances, .. } = &step.evidence;
        let Circumstances { name, source, error_code, .. } = &**circumstances;
        let outcome = error_code.as_ref().map_or(String::new(), |code| format!(", refused with {code}"));
        // Of a call that is known by its name alone the log tells nothing it was about.
        let on = if is_label(&step.target, name) { String::new() } else { format!(" on {}", step.target) };
        Reason::new(code(step.kind), format!("{time}: {name} of {source}{on}{outcome}"))
    });
    Finding {
        detector: PolicyChange::NAME,
        kind: story.kind,
        anchor: Anchor::Once(format!("{} {}", story.about, time.day())),
        severity: story.severity,
        title: format!("{name} {}", story.said),
        summary: format!(
            "{} {}. Each step may be ordinary; together they are a known way to more rights. See whether one person meant all of it.",
            key.entity, story.said
        ),
        account: key.account.to_string(),
        region: None,
        actor: Some(FindingActor {
            id: key.entity.to_string(),
            kind: last.actor_kind.name(),
            session: text(&last.evidence.session),
            access_key: text(&last.evidence.access_key),
        }),
        entity: Entity { kind: "actor", id: key.entity.to_string() },
        // Where it is completed: the first step may lie a day back.
        window: TimeRange { start: time, end: time },
        measure: None,
        reasons: reasons.collect(),
        mitre: story.mitre.to_vec(),
        evidence: story.steps.iter().map(|step| step.evidence.clone()).collect(),
        evidence_total: story.steps.len() as u64,
        actors: Vec::new(),
        next_steps: vec![
            format!("Ask the owner of {} whether all of this was meant", key.entity),
            format!(
                "See what it did since: aws cloudtrail lookup-events --start-time {} --lookup-attributes AttributeKey=Username,AttributeValue={}",
                first.evidence.time,
                next::word(name)
            ),
        ],
        continues: None,
    }
}

/// Whether a step is about no more than its own call, `service:Call`.
fn is_label(target: &str, name: &str) -> bool {
    target.split_once(':').is_some_and(|(service, call)| !service.contains('/') && name.starts_with(call))
}

fn code(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Rights => "gave_rights",
        StepKind::Trust => "changed_trust",
        StepKind::Access => "changed_access",
        StepKind::Denied => "denied",
        StepKind::Credential => "made_credentials",
        StepKind::Assume => "assumed_role",
        StepKind::Pass => "passed_role",
        StepKind::Done => "allowed",
    }
}

#[cfg(test)]
mod tests {
    use crate::policy_change::tests::found;

    type Told<'c> = (&'c str, &'c str, &'c str, &'c str);

    fn stories(calls: &[Told<'_>]) -> Vec<String> {
        const CODES: [&str; 7] = [
            "gave_rights",
            "changed_trust",
            "denied ",
            "made_credentials",
            "assumed_role",
            "passed_role",
            "allowed",
        ];
        found(calls)
            .into_iter()
            .filter(|line| CODES.iter().any(|code| format!("{line} ").contains(code)))
            .collect()
    }

    #[test]
    fn steps_of_one_actor_make_a_story() {
        let admin = r#"{"userName":"u","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#;
        let rights = ("iam", "AttachUserPolicy", admin, "");
        let access_key = ("iam", "CreateAccessKey", r#"{"userName":"u"}"#, "");
        let other_key = ("iam", "CreateAccessKey", r#"{"userName":"v"}"#, "");
        let trust = r#"{"roleName":"r","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"111122223333\"},\"Action\":\"sts:AssumeRole\"}}"}"#;
        let trusted = ("iam", "UpdateAssumeRolePolicy", trust, "");
        let assume = (
            "sts",
            "AssumeRole",
            r#"{"roleArn":"arn:aws:iam::111122223333:role/r","roleSessionName":"s"}"#,
            "",
        );
        let own = r#"{"userName":"kim","policyName":"p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::b\"}}"}"#;
        let lifted = ("iam", "PutUserPolicy", own, "");
        let tried = |error| ("iam", "CreateUser", r#"{"userName":"w"}"#, error);
        assert_eq!(stories(&[rights, access_key]), ["high gave_rights made_credentials"]);
        assert_eq!(stories(&[access_key, rights]), ["high made_credentials gave_rights"]);
        assert_eq!(stories(&[rights, other_key]), [""; 0]);
        let harmless = (
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"u","policyArn":"arn:aws:iam::111122223333:policy/p"}"#,
            "",
        );
        assert_eq!(stories(&[harmless, access_key]), [""; 0]);
        assert_eq!(stories(&[trusted, assume]), ["high changed_trust assumed_role"]);
        assert_eq!(stories(&[assume, trusted]), [""; 0]);
        assert_eq!(
            stories(&[tried("AccessDenied"), lifted, tried("")]),
            ["medium denied gave_rights allowed"]
        );
        assert_eq!(stories(&[lifted, tried("AccessDenied"), tried("")]), [""; 0], "the change came first");
        assert_eq!(stories(&[tried("AccessDenied"), rights, tried("")]), [""; 0], "somebody else's rights");
    }

    const ARN: &str = "arn:aws:iam::111122223333:policy/p";

    fn version(name: &'static str, action: &str) -> (&'static str, String) {
        let text = format!(r#"{{"Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
        let request = serde_json::json!({ "policyName": "p", "policyArn": ARN, "setAsDefault": true, "policyDocument": text });
        (name, request.to_string())
    }

    #[test]
    fn rights_an_actor_gave_itself_and_used_are_a_story() {
        let (call, grave) = version("CreatePolicyVersion", "iam:*");
        let (created, new) = version("CreatePolicy", "iam:*");
        let (_, mild) = version("CreatePolicyVersion", "s3:ListAllMyBuckets");
        let own = format!(r#"{{"userName":"kim","policyArn":"{ARN}"}}"#);
        let attached = ("iam", "AttachUserPolicy", own.as_str(), "");
        let detached = ("iam", "DetachUserPolicy", own.as_str(), "");
        let wrote = ("iam", call, grave.as_str(), "");
        let used = ("iam", "CreateUser", r#"{"userName":"w"}"#, "");
        assert_eq!(stories(&[attached, wrote, used]), ["high gave_rights allowed"]);
        assert_eq!(
            stories(&[attached, wrote, used, used, ("iam", "CreateLoginProfile", r#"{"userName":"w"}"#, "")])
                .len(),
            1,
            "one story"
        );
        assert_eq!(stories(&[wrote, used]), ["medium gave_rights allowed"], "whose it is is not known");
        assert_eq!(stories(&[attached, detached, wrote, used]), [""; 0], "it is not the actor's any more");
        assert_eq!(stories(&[attached, ("iam", call, mild.as_str(), ""), used]), [""; 0]);
        assert_eq!(
            stories(&[("iam", created, new.as_str(), ""), used]),
            [""; 0],
            "a new policy is attached to nobody"
        );
        assert_eq!(stories(&[used, attached, wrote]), [""; 0], "not used after");
        let inline = r#"{"userName":"kim","policyName":"p","policyDocument":"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"}"#;
        let gave = ("iam", "PutUserPolicy", inline, "");
        assert_eq!(stories(&[gave, used]), ["high gave_rights allowed"]);
        let shell = ("ssm", "StartSession", r#"{"target":"i-0a"}"#, "");
        assert_eq!(stories(&[gave, shell]), ["high gave_rights allowed"], "a shell with a machine's role");
        assert_eq!(stories(&[shell, gave]), [""; 0]);
    }

    #[test]
    fn policies_of_ones_own_count_by_their_text() {
        let (created, grave) = version("CreatePolicyVersion", "*");
        let (_, mild) = version("CreatePolicyVersion", "s3:ListAllMyBuckets");
        let to_user = format!(r#"{{"userName":"u","policyArn":"{ARN}"}}"#);
        let to_role = format!(r#"{{"roleName":"r","policyArn":"{ARN}"}}"#);
        let key = ("iam", "CreateAccessKey", r#"{"userName":"u"}"#, "");
        let function = (
            "lambda",
            "CreateFunction20150331",
            r#"{"functionName":"f","role":"arn:aws:iam::111122223333:role/r"}"#,
            "",
        );
        let attach_user = ("iam", "AttachUserPolicy", to_user.as_str(), "");
        let attach_role = ("iam", "AttachRolePolicy", to_role.as_str(), "");
        for (text, told) in [(&grave, true), (&mild, false)] {
            let wrote = ("iam", created, text.as_str(), "");
            let credentials: &[&str] = if told { &["high gave_rights made_credentials"] } else { &[] };
            let of = |calls: &[Told<'_>], code: &str| -> Vec<String> {
                stories(calls).into_iter().filter(|line| line.contains(code)).collect()
            };
            assert_eq!(of(&[wrote, attach_user, key], "made_credentials"), credentials);
            let passed: &[&str] = if told { &["high gave_rights passed_role"] } else { &[] };
            assert_eq!(of(&[wrote, attach_role, function], "passed_role"), passed);
            // The role was handed over first: the code that runs with it gets the rights.
            let after: &[&str] = if told { &["high passed_role gave_rights"] } else { &[] };
            assert_eq!(of(&[wrote, function, attach_role], "passed_role"), after);
        }
    }

    #[test]
    fn roles_are_handed_to_services_by_many_calls() {
        let admin = (
            "iam",
            "AttachRolePolicy",
            r#"{"roleName":"r","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
            "",
        );
        let role = "arn:aws:iam::111122223333:role/r";
        for (service, name, request) in [
            ("cloudformation", "CreateStack", format!(r#"{{"stackName":"s","roleARN":"{role}"}}"#)),
            ("glue", "CreateJob", format!(r#"{{"name":"j","role":"{role}"}}"#)),
            (
                "ec2",
                "RunInstances",
                r#"{"iamInstanceProfile":{"arn":"arn:aws:iam::111122223333:instance-profile/r"}}"#.to_owned(),
            ),
            ("ecs", "RunTask", format!(r#"{{"overrides":{{"taskRoleArn":"{role}"}}}}"#)),
            ("sagemaker", "CreateNotebookInstance", format!(r#"{{"roleArn":"{role}"}}"#)),
            ("states", "CreateStateMachine", format!(r#"{{"roleArn":"{role}"}}"#)),
        ] {
            let call = (service, name, request.as_str(), "");
            assert_eq!(stories(&[admin, call]), ["high gave_rights passed_role"], "{service}");
            assert_eq!(stories(&[call, admin]), ["high passed_role gave_rights"], "{service}");
            assert_eq!(stories(&[call]), [""; 0], "{service}");
        }
    }
}
