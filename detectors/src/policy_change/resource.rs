//! Verdicts on policies that say who may come: of resources, and trust policies of roles.

use std::collections::BTreeMap;

use crate::actor::account_of_arn;
use crate::finding::Severity;
use crate::policy_change::analysis::{Kind, Setting};
use crate::policy_change::condition::{clip, is_account, shorten};
use crate::policy_change::difference::quote;
use crate::policy_change::document::{Document, Effect, Elements, Statement};
use crate::policy_change::reach::{Denials, Party, Standing, parties, standing};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, fixed_start, matches};
use crate::policy_change::work::Work;

/// Verdicts on every `Allow` statement.
pub(crate) fn judge(document: &Document, setting: &Setting<'_>, work: &Work, out: &mut Vec<Verdict>) {
    let denials = Denials::of(document);
    for (index, statement) in document.statements.iter().enumerate() {
        if statement.effect != Effect::Allow {
            continue;
        }
        if statement.principals == Elements::Absent {
            let text = format!("names no principal, so nobody can say whom it lets in: {}", quote(statement));
            out.push(Verdict::new(Code::Undecided, text, vec![index]));
            continue;
        }
        // Who comes by one statement for one reason is told of in one verdict.
        let mut told: BTreeMap<Code, Vec<String>> = BTreeMap::new();
        let terms = Terms::of(statement);
        for party in parties(&denials, statement, work) {
            if let Some((code, said)) = verdict(&party, &terms, setting, work) {
                told.entry(code).or_default().push(said);
            }
        }
        // Each is put in words.
        const WORDS: usize = 300;
        out.extend(told.into_iter().take_while(|_| work.spend(WORDS)).map(|(code, said)| {
            let text = format!("{}: {}", shorten(&said), quote(statement));
            Verdict { severity: severity(code, setting), ..Verdict::new(code, text, vec![index]) }
        }));
    }
}

fn severity(code: Code, setting: &Setting<'_>) -> Severity {
    match code {
        Code::Undecided => Severity::Informational,
        // It may be the own one: nobody said.
        Code::OtherOrganization if setting.organization.id.is_empty() => Severity::Low,
        code => code.severity(),
    }
}

/// What letting a party in comes to, and why.
fn verdict(party: &Party, terms: &Terms<'_>, setting: &Setting<'_>, work: &Work) -> Option<(Code, String)> {
    Some(match party {
        Party::Anyone if setting.kind == Kind::Trust => {
            (Code::PublicTrust, "anyone may assume the role".to_owned())
        }
        Party::Anyone => (publicity(terms.statement), "anyone gets access".to_owned()),
        Party::Fenced(what) => {
            (Code::PublicFenced, format!("anyone gets access whom the condition {what} lets through"))
        }
        Party::Account(account) => return of_account(account, terms, setting),
        Party::Organization(id) => {
            let own = *id == setting.organization.id;
            let code = if own { Code::KnownAccount } else { Code::OtherOrganization };
            (code, format!("accounts of the organization {} get access", clip(id)))
        }
        // Roles are safe: to give a service a role, the caller needs `iam:PassRole` on it.
        Party::Service(_) | Party::Through(..) if setting.kind == Kind::Trust => return None,
        Party::Service(service) => {
            let code = if terms.delivers_only { Code::ServiceDelivery } else { Code::ConfusedDeputy };
            (code, format!("{} gets access whoever it acts for", clip(service)))
        }
        // For one bucket or the like.
        Party::Through(_, whom) if matches!(**whom, Party::Fenced(_)) => return None,
        Party::Through(service, whom) => {
            let (code, said) = verdict(whom, terms, setting, work)?;
            let code = if terms.delivers_only { Code::ServiceDelivery } else { code };
            (code, format!("{said} through {}", clip(service)))
        }
        Party::Federated(provider) => {
            let trusted = of_provider(provider, terms, work);
            let owner = account_of_arn(provider);
            // Of a document whose account is not known, the providers are taken for its own.
            let foreign = (is_account(owner) && !setting.account.is_empty())
                .then(|| of_account(owner, terms, setting))
                .flatten();
            foreign.into_iter().chain([trusted]).max_by_key(|(code, _)| code.severity())?
        }
        Party::Opaque(id) => (
            Code::Undecided,
            format!("the id {} does not tell whose it is, or belongs to nobody any more", clip(id)),
        ),
    })
}

/// What a statement demands and gives, whoever it lets in: looked at once, as it may name thousands.
struct Terms<'s> {
    statement: &'s Statement,
    external_id: bool,
    delivers_only: bool,
    saml_audience: bool,
    /// Conditions that may say whose tokens count: the provider and the claim that the key names, and the values.
    claims: Vec<Claim<'s>>,
}

/// What a token must hold.
struct Claim<'s> {
    provider: &'s str,
    name: &'s str,
    values: &'s [String],
}

impl<'s> Terms<'s> {
    fn of(statement: &'s Statement) -> Self {
        let conditions = &statement.conditions;
        let demanded = || conditions.iter().filter(|c| c.demands());
        Self {
            statement,
            external_id: demanded().any(|c| c.key == "sts:externalid"),
            delivers_only: delivers_only(statement),
            saml_audience: demanded().any(|c| c.key == "saml:aud"),
            claims: demanded()
                .filter_map(|c| {
                    let (provider, name) = c.key.rsplit_once(':')?;
                    Some(Claim { provider, name, values: &c.values })
                })
                .collect(),
        }
    }
}

fn of_account(account: &str, terms: &Terms<'_>, setting: &Setting<'_>) -> Option<(Code, String)> {
    let trust = setting.kind == Kind::Trust;
    let external_id = terms.external_id;
    let (code, who) = match standing(account, setting.account, setting.organization) {
        Standing::Own => return None,
        Standing::Known => (Code::KnownAccount, "a known one".to_owned()),
        Standing::Vendor(name) if trust && !external_id => {
            (Code::VendorWithoutExternalId, format!("one of {name}"))
        }
        Standing::Vendor(name) => (Code::Vendor, format!("one of {name}")),
        Standing::Delivery(name) if terms.delivers_only => {
            (Code::ServiceDelivery, format!("one of AWS, for {name}"))
        }
        Standing::Delivery(_) | Standing::Unknown if trust => (Code::OtherAccountTrust, "unknown".to_owned()),
        Standing::Delivery(_) | Standing::Unknown => (Code::OtherAccount, "unknown".to_owned()),
    };
    let missing =
        if trust && !external_id && code != Code::KnownAccount { ", no sts:ExternalId demanded" } else { "" };
    Some((code, format!("account {account} ({who}) gets access{missing}")))
}

/// Log delivery: the service writes, and reads no more than the ACL or location it needs to.
fn delivers_only(statement: &Statement) -> bool {
    const DELIVERY: [&str; 11] = [
        "s3:putobject",
        "s3:getbucketacl",
        // Billing reports.
        "s3:getbucketpolicy",
        "s3:getbucketlocation",
        "s3:listbucket",
        "s3:putobjectacl",
        "logs:createlogstream",
        "logs:putlogevents",
        "kms:generatedatakey*",
        "kms:encrypt",
        "kms:describekey",
    ];
    match &statement.actions {
        Elements::Only(actions) => {
            actions.iter().all(|a| DELIVERY.contains(&a.to_ascii_lowercase().as_str()))
        }
        _ => false,
    }
}

fn of_provider(provider: &str, terms: &Terms<'_>, work: &Work) -> (Code, String) {
    let (code, said) = if provider.contains(":saml-provider/") {
        if terms.saml_audience {
            (Code::Federated, "its assertions are trusted for an audience")
        } else {
            (Code::Saml, "its assertions are trusted without SAML:aud")
        }
    } else if names_subject(provider, &terms.claims, work) {
        (Code::Federated, "its tokens are trusted for named subjects")
    } else {
        (Code::WebIdentity, "its tokens are trusted without a condition that names who may come")
    };
    (code, format!("{}: {said}", clip(provider)))
}

/// Whether a condition pins down whose tokens count: the subject, or for Cognito's pools the pool, or for social logins the
/// application. Pools that let guests in give them tokens too, as whoever asks.
fn names_subject(provider: &str, claims: &[Claim<'_>], work: &Work) -> bool {
    const BY_AUDIENCE: [&str; 4] = [COGNITO, "www.amazon.com", "graph.facebook.com", "accounts.google.com"];
    // As many claims for each of as many providers.
    if !work.spend(claims.len()) {
        return false;
    }
    let host = provider.split_once(":oidc-provider/").map_or(provider, |(_, host)| host);
    let of_host = || claims.iter().filter(|claim| claim.provider.eq_ignore_ascii_case(host));
    let guests =
        provider == COGNITO && of_host().any(|claim| claim.name == "amr" && lets_guests_in(claim.values));
    !guests
        && of_host().any(|claim| match claim.name {
            // `repo:*` and the like name a sort of subject, not one.
            "sub" => {
                work.spend(8 * claim.values.len()) && claim.values.iter().all(|v| names_more_than_a_sort(v))
            }
            "aud" | "app_id" => BY_AUDIENCE.contains(&provider),
            // Claims that say who just as well.
            "oaud"
            | "repository"
            | "repository_id"
            | "repository_owner_id"
            | "email"
            | "job_workflow_ref" => true,
            _ => false,
        })
}

const COGNITO: &str = "cognito-identity.amazonaws.com";

/// Whether a way to have come (`amr`) that guests come by is among those taken.
fn lets_guests_in(values: &[String]) -> bool {
    values.iter().any(|value| matches(value, "unauthenticated", Case::Counts))
}

/// Whether the fixed beginning of a subject names somebody. `repo:octo*` names everyone who takes a name like that.
fn names_more_than_a_sort(subject: &str) -> bool {
    const SORTS: [&str; 6] = ["", "repo", "system", "system:serviceaccount", "project_path", "organization"];
    let fixed = fixed_start(subject);
    fixed == subject
        || (!SORTS.contains(&fixed.trim_end_matches([':', '/']))
            && (!fixed.starts_with("repo:") || fixed.contains('/')))
}

/// How bad it is that anyone may.
fn publicity(statement: &Statement) -> Code {
    let Elements::Only(actions) = &statement.actions else { return Code::PublicControl };
    if actions.iter().all(|a| matches("execute-api:Invoke", a, Case::Ignored)) {
        return Code::PublicApi;
    }
    if actions.iter().any(|a| is_control(a)) { Code::PublicControl } else { Code::Public }
}

/// Writes, manages, or is a wildcard over a service.
fn is_control(action: &str) -> bool {
    const VERBS: [&str; 15] = [
        "*",
        "put",
        "delete",
        "create",
        "update",
        "modify",
        "set",
        "add",
        "remove",
        "attach",
        "write",
        "tag",
        "post",
        "replicate",
        "manage",
    ];
    // Made from what is shared, in the taker's account: no more than reading it.
    const COPIES: [&str; 2] = ["ec2:createvolume", "ec2:createvpcendpoint"];
    if COPIES.contains(&action.to_ascii_lowercase().as_str()) {
        return false;
    }
    let name = action.split_once(':').map_or(action, |(_, name)| name).to_ascii_lowercase();
    VERBS.iter().any(|verb| name.starts_with(verb))
}
