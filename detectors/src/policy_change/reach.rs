//! Who a statement of a resource or trust policy lets in, conditions and denials counted.

use crate::environment::Organization;
use crate::policy_change::condition::{Condition, Fence, is_account};
use crate::policy_change::difference;
use crate::policy_change::document::{Document, Effect, Elements, Principal, PrincipalKind, Statement};
use crate::policy_change::vendors::{self, Known};
use crate::policy_change::wildcard::fixed_start;
use crate::policy_change::work::Work;

/// Somebody who is let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// Anyone at all.
    Anyone,
    /// Anyone, but for a condition on network, source or unique id.
    Fenced(String),
    /// An account, or somebody in it.
    Account(String),
    /// An organisation.
    Organization(String),
    /// An AWS service, whoever it acts for.
    Service(String),
    /// An AWS service, acting for these only.
    Through(String, Box<Party>),
    /// An identity provider.
    Federated(String),
    /// Somebody only an opaque id is known of.
    Opaque(String),
}

/// How an account stands to the configured world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The resource's own.
    Own,
    /// A member of the organisation, or trusted.
    Known,
    /// A vendor's, with its name.
    Vendor(String),
    /// An AWS service's, which delivers logs from it.
    Delivery(&'static str),
    /// Nobody said.
    Unknown,
}

/// How `account` stands, seen from a resource in `own`.
pub(crate) fn standing(account: &str, own: &str, organization: &Organization) -> Standing {
    if account == own {
        Standing::Own
    } else if organization.accounts.contains(account) || organization.trusted_accounts.contains(account) {
        Standing::Known
    } else if let Some(name) = organization.vendor_accounts.get(account) {
        Standing::Vendor(name.clone())
    } else {
        match vendors::owner(account) {
            Some(Known::Vendor(name)) => Standing::Vendor(name.to_owned()),
            Some(Known::Delivery(name)) => Standing::Delivery(name),
            None => Standing::Unknown,
        }
    }
}

/// Everybody an `Allow` statement lets in, sorted, each once.
pub(crate) fn parties(denials: &Denials<'_>, statement: &Statement, work: &Work) -> Vec<Party> {
    let (mut parties, mut everyone) = (Vec::new(), false);
    if denials.of_everyone(statement, work) {
        return parties;
    }
    match &statement.principals {
        Elements::Only(principals) => {
            for principal in principals {
                match party(principal) {
                    Party::Anyone => everyone = true,
                    Party::Service(service) => parties.extend(acting(&service, statement)),
                    party => parties.push(party),
                }
            }
        }
        // Everyone but those named: as good as everyone.
        Elements::AllBut(_) => everyone = true,
        Elements::Absent => {}
    }
    if everyone {
        let conditions: Vec<Fence> = statement.conditions.iter().filter_map(Condition::fence).collect();
        parties.extend(fenced(conditions.iter().chain(denials.around(statement, work))));
    }
    parties.sort_unstable();
    parties.dedup();
    parties
}

/// Whom a principal names, fences aside.
fn party(principal: &Principal) -> Party {
    let value = principal.value.as_str();
    match principal.kind {
        // Any service, and so anyone who can make one act.
        PrincipalKind::Service if fixed_start(value).is_empty() => Party::Anyone,
        PrincipalKind::Service => Party::Service(value.to_owned()),
        PrincipalKind::Federated => Party::Federated(value.to_owned()),
        PrincipalKind::CanonicalUser => Party::Opaque(value.to_owned()),
        PrincipalKind::Aws | PrincipalKind::Other => {
            // An organization, or a unit of it: `arn:aws:organizations::123456789012:ou/o-abc/ou-xyz`.
            if value.starts_with("arn:")
                && crate::actor::arn_part(value, 2) == "organizations"
                && let Some(id) = value.split('/').find(|part| part.starts_with("o-"))
            {
                return Party::Organization(id.to_owned());
            }
            let account = if is_account(value) { value } else { crate::actor::account_of_arn(value) };
            if is_account(account) {
                Party::Account(account.to_owned())
            } else if account == "cloudfront" && value.contains('*') {
                Party::Service("cloudfront.amazonaws.com".to_owned())
            } else if value.contains('*') && (account.is_empty() || account.contains('*')) {
                // `*` alone, or in the place of the account.
                Party::Anyone
            } else {
                Party::Opaque(value.to_owned())
            }
        }
    }
}

/// Everyone, as far as the tightest fence leaves them.
fn fenced<'f>(fences: impl Iterator<Item = &'f Fence>) -> Vec<Party> {
    match fences.min_by_key(tightness) {
        None => vec![Party::Anyone],
        Some(Fence::Accounts(accounts)) => accounts.iter().cloned().map(Party::Account).collect(),
        Some(Fence::Organizations(ids)) => ids.iter().cloned().map(Party::Organization).collect(),
        Some(Fence::Network(what) | Fence::Named(what)) => vec![Party::Fenced(what.clone())],
    }
}

/// The tightest first.
fn tightness(fence: &&Fence) -> u8 {
    match fence {
        Fence::Accounts(_) => 0,
        Fence::Organizations(_) => 1,
        Fence::Network(_) => 2,
        Fence::Named(_) => 3,
    }
}

/// A service, and whom it acts for.
fn acting(service: &str, statement: &Statement) -> Vec<Party> {
    let sources: Vec<Fence> = statement.conditions.iter().filter_map(Condition::source).collect();
    let through = |party| Party::Through(service.to_owned(), Box::new(party));
    if sources.is_empty() {
        return vec![Party::Service(service.to_owned())];
    }
    fenced(sources.iter()).into_iter().map(through).collect()
}

/// Denials of everyone, of everyone outside a fence, and of everyone but those named.
pub(crate) struct Denials<'d> {
    whole: Vec<&'d Statement>,
    fences: Vec<(&'d Statement, Fence)>,
}

impl<'d> Denials<'d> {
    /// More such denials are not looked at, so that a long document costs no more than its length.
    const MAX: usize = 16;

    /// Those of a document.
    pub(crate) fn of(document: &'d Document) -> Self {
        let denials =
            || document.statements.iter().filter(|s| s.effect == Effect::Deny && denies_everyone(s));
        let whole = denials().filter(|s| s.conditions.is_empty()).take(Self::MAX).collect();
        // Of several conditions all must hold for the denial: only a single one is a fence.
        let fences = denials().filter_map(|deny| match deny.conditions.as_slice() {
            [only] => Some((deny, only.fence_of_deny()?)),
            _ => None,
        });
        let spared =
            document.statements.iter().filter(|s| s.effect == Effect::Deny && s.conditions.is_empty());
        let spared = spared.filter_map(|deny| Some((deny, Fence::Accounts(spared_by(deny)?))));
        Self { whole, fences: fences.take(Self::MAX).chain(spared.take(Self::MAX)).collect() }
    }

    /// Whether all that a statement allows is denied to everyone.
    fn of_everyone(&self, allow: &Statement, work: &Work) -> bool {
        !self.whole.is_empty() && difference::is_covered(allow, &self.whole, work)
    }

    /// The fences of denials that stand for all that a statement allows.
    fn around(&self, allow: &Statement, work: &Work) -> impl Iterator<Item = &Fence> {
        self.fences
            .iter()
            .filter(move |(deny, _)| {
                difference::actions_cover(&deny.actions, &allow.actions, work)
                    && difference::resources_cover(&deny.resources, &allow.resources, work)
            })
            .map(|(_, fence)| fence)
    }
}

/// The accounts of the principals that a denial of everyone else spares; nothing where it names others than accounts and those
/// in them.
fn spared_by(deny: &Statement) -> Option<Vec<String>> {
    let Elements::AllBut(principals) = &deny.principals else { return None };
    let account = |principal: &Principal| match party(principal) {
        Party::Account(account) => Some(account),
        _ => None,
    };
    let mut accounts: Vec<String> = principals.iter().map(account).collect::<Option<_>>()?;
    accounts.sort_unstable();
    accounts.dedup();
    Some(accounts)
}

fn denies_everyone(deny: &Statement) -> bool {
    matches!(&deny.principals, Elements::Only(principals) if principals.iter().any(Principal::is_everyone))
}
