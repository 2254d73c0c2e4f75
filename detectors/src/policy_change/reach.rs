//! Who a statement of a resource or trust policy lets in, conditions and denials counted.

use crate::environment::Organization;
use crate::policy_change::condition::{Condition, Fence, is_account};
use crate::policy_change::difference;
use crate::policy_change::document::{Document, Effect, Elements, Principal, PrincipalKind, Statement};
use crate::policy_change::vendors::{self, Known};

/// Somebody who is let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// Anyone at all.
    Anyone,
    /// Anyone, but for a condition on network, tag or source.
    Fenced(String),
    /// An account, or somebody in it.
    Account(String),
    /// An organisation.
    Organization(String),
    /// An AWS service.
    Service(String),
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
pub(crate) fn parties(denials: &Denials<'_>, statement: &Statement) -> Vec<Party> {
    let mut fences: Vec<Fence> = statement.conditions.iter().filter_map(Condition::fence).collect();
    fences.extend(denials.around(statement));
    let mut parties: Vec<Party> = match &statement.principals {
        Elements::Only(principals) => principals.iter().flat_map(|p| party(p, &fences)).collect(),
        // Everyone but those named: as good as everyone.
        Elements::AllBut(_) => fenced(&fences),
        Elements::Absent => Vec::new(),
    };
    parties.sort_unstable();
    parties.dedup();
    parties
}

fn party(principal: &Principal, fences: &[Fence]) -> Vec<Party> {
    let value = principal.value.as_str();
    match principal.kind {
        PrincipalKind::Service => vec![Party::Service(value.to_owned())],
        PrincipalKind::Federated => vec![Party::Federated(value.to_owned())],
        PrincipalKind::CanonicalUser => vec![Party::Opaque(value.to_owned())],
        PrincipalKind::Aws | PrincipalKind::Other => {
            if value.starts_with("arn:") && value.contains(":organization/") {
                return vec![Party::Organization(value.rsplit('/').next().unwrap_or(value).to_owned())];
            }
            let account = if is_account(value) { value } else { crate::actor::account_of_arn(value) };
            if is_account(account) {
                return vec![Party::Account(account.to_owned())];
            }
            if account == "cloudfront" {
                return vec![Party::Service("cloudfront.amazonaws.com".to_owned())];
            }
            // `*` alone, or in the place of the account.
            if value.contains('*') && (account.is_empty() || account.contains('*')) {
                return fenced(fences);
            }
            vec![Party::Opaque(value.to_owned())]
        }
    }
}

/// Everyone, as far as the tightest fence leaves them.
fn fenced(fences: &[Fence]) -> Vec<Party> {
    let tightest = fences.iter().min_by_key(|fence| match fence {
        Fence::Accounts(_) => 0,
        Fence::Organizations(_) => 1,
        Fence::Network(_) => 2,
        Fence::Named(_) => 3,
    });
    match tightest {
        None => vec![Party::Anyone],
        Some(Fence::Accounts(accounts)) => accounts.iter().cloned().map(Party::Account).collect(),
        Some(Fence::Organizations(ids)) => ids.iter().cloned().map(Party::Organization).collect(),
        Some(Fence::Network(what) | Fence::Named(what)) => vec![Party::Fenced(what.clone())],
    }
}

/// Denials of everyone outside a fence.
pub(crate) struct Denials<'d> {
    fences: Vec<(&'d Statement, Fence)>,
}

impl<'d> Denials<'d> {
    /// More such denials are not looked at, so that a long document costs no more than its length.
    const MAX: usize = 16;

    /// Those of a document.
    pub(crate) fn of(document: &'d Document) -> Self {
        let denials = document.statements.iter().filter(|s| s.effect == Effect::Deny && denies_everyone(s));
        // Of several conditions all must hold for the denial: only a single one is a fence.
        let fences = denials.filter_map(|deny| match deny.conditions.as_slice() {
            [only] => Some((deny, only.fence_of_deny()?)),
            _ => None,
        });
        Self { fences: fences.take(Self::MAX).collect() }
    }

    /// The fences of denials that stand for all that a statement allows.
    fn around(&self, allow: &Statement) -> impl Iterator<Item = Fence> {
        self.fences
            .iter()
            .filter(move |(deny, _)| {
                difference::actions_cover(&deny.actions, &allow.actions)
                    && difference::resources_cover(&deny.resources, &allow.resources)
            })
            .map(|(_, fence)| fence.clone())
    }
}

fn denies_everyone(deny: &Statement) -> bool {
    matches!(&deny.principals, Elements::Only(principals) if principals.iter().any(|p| p.value == "*"))
}
