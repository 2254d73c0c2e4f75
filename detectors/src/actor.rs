//! Who called. An actor is never a session: baselines belong to the role, the user, the service.
//!
//! | `userIdentity` | actor id |
//! |---|---|
//! | `AssumedRole` | the role's ARN |
//! | `AssumedRole` of an Identity Center role (`AWSReservedSSO_…`) | the role's ARN, `#`, the session name: one person each |
//! | `IAMUser` | the user's ARN; without one `arn:aws:iam::ACCOUNT:user/NAME` |
//! | `Root` | `arn:aws:iam::ACCOUNT:root` |
//! | `AWSService`, or no identity but `invokedBy` | the service's principal, `lambda.amazonaws.com` |
//! | `FederatedUser` | `arn:aws:sts::ACCOUNT:federated-user/NAME` |
//! | `WebIdentityUser`, `SAMLUser` | the provider, `#`, the subject |
//! | `AWSAccount` | `ACCOUNT#PRINCIPAL-ID`; the anonymous principal is `anonymous` |
//! | `Directory`, `IdentityCenterUser`, `Unknown`, others | the best of ARN, on-behalf-of user, name, principal id; else `unknown` |

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::joined::Joined;

/// What sort of caller an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ActorKind {
    /// An IAM role, its sessions folded into it.
    Role,
    /// A person in an Identity Center role.
    IdentityCenterUser,
    /// A service-linked role: AWS acting in the account.
    ServiceLinkedRole,
    /// An IAM user.
    User,
    /// The account's root user.
    Root,
    /// An AWS service.
    Service,
    /// `GetFederationToken` sessions.
    Federated,
    /// OIDC callers.
    WebIdentity,
    /// SAML callers.
    Saml,
    /// A principal of another account, of which only account and principal id are known.
    OtherAccount,
    /// An unauthenticated caller.
    Anonymous,
    /// Anything else.
    Unknown,
}

impl ActorKind {
    /// AWS itself is calling, not somebody's credentials.
    pub fn is_aws(self) -> bool {
        matches!(self, Self::Service | Self::ServiceLinkedRole)
    }

    /// The name used in alerts: `userIdentity.type` where AWS has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Role => "AssumedRole",
            Self::IdentityCenterUser => "IdentityCenterUser",
            Self::ServiceLinkedRole => "ServiceLinkedRole",
            Self::User => "IAMUser",
            Self::Root => "Root",
            Self::Service => "AWSService",
            Self::Federated => "FederatedUser",
            Self::WebIdentity => "WebIdentityUser",
            Self::Saml => "SAMLUser",
            Self::OtherAccount => "AWSAccount",
            Self::Anonymous => "Anonymous",
            Self::Unknown => "Unknown",
        }
    }
}

/// A caller with its sessions folded away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The canonical id of the table above.
    pub id: Arc<str>,
    /// What sort of caller.
    pub kind: ActorKind,
    /// The caller's own account; empty when unknown.
    pub account: Arc<str>,
    /// A short name for people: role or user name, service, person.
    pub name: Arc<str>,
    /// A stable hash of the id.
    pub hash: u64,
    /// What roles like it share, as [`role_family`] says; empty where that says nothing.
    pub family: Arc<str>,
}

/// `userIdentity` as the parser found it. Empty strings stand for absent fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `type`.
    pub kind: &'a str,
    /// `arn`.
    pub arn: &'a str,
    /// `accountId`.
    pub account: &'a str,
    /// `principalId`.
    pub principal_id: &'a str,
    /// `userName`.
    pub user_name: &'a str,
    /// `invokedBy`.
    pub invoked_by: &'a str,
    /// `identityProvider`.
    pub provider: &'a str,
    /// `sessionContext.sessionIssuer.arn`.
    pub issuer_arn: &'a str,
    /// `onBehalfOf.userId`.
    pub on_behalf_of: &'a str,
}

impl<'a> Identity<'a> {
    /// The session name in an assumed-role or federated-user ARN.
    pub fn session_name(&self) -> &'a str {
        assumed_role(self.arn).map_or("", |(_, _, session)| session)
    }

    /// What distinguishes one actor from another, sessions left out.
    fn actor_key(&self) -> [&'a str; 9] {
        let mut key = [
            self.kind,
            self.arn,
            self.account,
            self.principal_id,
            self.user_name,
            self.invoked_by,
            self.provider,
            self.issuer_arn,
            self.on_behalf_of,
        ];
        if let Some((head, role, session)) = assumed_role(self.arn) {
            let is_person = role.starts_with(IDENTITY_CENTER_ROLE);
            key[1] = &self.arn[..head.len() + ASSUMED_ROLE.len() + role.len()];
            key[3] = if is_person { session } else { "" };
            (key[4], key[5]) = ("", "");
        } else if !self.arn.is_empty() {
            (key[3], key[5]) = ("", "");
        }
        key
    }
}

const ASSUMED_ROLE: &str = ":assumed-role/";
const IDENTITY_CENTER_ROLE: &str = "AWSReservedSSO_";

/// Splits `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` into (`arn:aws:sts::ACCOUNT`, ROLE, SESSION).
fn assumed_role(arn: &str) -> Option<(&str, &str, &str)> {
    // The resource of an ARN begins at its fifth colon, whatever names it is made of.
    let (head, resource) = arn.split_at(colon(arn, 5)?);
    let rest = resource.strip_prefix(ASSUMED_ROLE)?;
    let (role, session) = rest.split_once('/').unwrap_or((rest, ""));
    Some((head, role, session))
}

/// The account in an ARN.
pub fn account_of_arn(arn: &str) -> &str {
    arn_part(arn, 4)
}

/// The part of an ARN behind so many colons, up to the next; empty where there are fewer.
pub fn arn_part(arn: &str, colons: usize) -> &str {
    let start = if colons == 0 { Some(0) } else { colon(arn, colons).map(|at| at + 1) };
    let rest = start.and_then(|start| arn.get(start..)).unwrap_or_default();
    colon(rest, 1).map_or(rest, |end| &rest[..end])
}

/// Where the `n`-th colon stands, counted from 1. Eight bytes at a time: ARNs are short and full of colons.
pub(crate) fn colon(text: &str, n: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const COLONS: u64 = ONES * b':' as u64;
    const LOW: u64 = ONES * 0x7f;
    const HIGH: u64 = ONES * 0x80;
    let mut left = n as u64;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let other = u64::from_le_bytes(*word) ^ COLONS;
        // The highest bit of every byte that is a colon.
        let mut colons = !(((other & LOW) + LOW) | other) & HIGH;
        let count = (colons >> 7).wrapping_mul(ONES) >> 56;
        if count >= left {
            (1..left).for_each(|_| colons &= colons - 1);
            return Some(8 * i + colons.trailing_zeros() as usize / 8);
        }
        left -= count;
    }
    let start = 8 * words.len();
    let mut behind = rest.iter().enumerate().filter(|(_, byte)| **byte == b':');
    behind.nth(left as usize - 1).map(|(at, _)| start + at)
}

/// What roles like one share, by an actor's id: the name, or of Identity Center's roles the permission set.
pub fn role_family(actor: &str) -> Option<&str> {
    let (_, path) = actor.split_once(":role/")?;
    let role = path.split('#').next().unwrap_or(path);
    let name = role.rsplit('/').next().unwrap_or(role);
    let family = match name.strip_prefix("AWSReservedSSO_") {
        Some(set) => set.rsplit_once('_').map_or(set, |(set, _)| set),
        None => name,
    };
    (!family.is_empty()).then_some(family)
}

/// Whether a role is one that only a service can take. Anybody may use the usual name for a role of his own: where the log
/// has the role's path, that decides.
fn is_service_linked(role_arn: &str, role: &str, issuer_arn: &str) -> bool {
    role_arn.contains(":role/aws-service-role/")
        || role.starts_with("AWSServiceRoleFor") && !issuer_arn.contains(":role/")
}

impl Actor {
    /// The actor behind an identity.
    pub fn of(identity: &Identity<'_>) -> Self {
        let Identity {
            kind, arn, account, principal_id, user_name, invoked_by, provider, issuer_arn, ..
        } = *identity;
        let account = if account.is_empty() { account_of_arn(arn) } else { account };
        let partition = arn.split(':').nth(1).filter(|p| !p.is_empty()).unwrap_or("aws");
        if let Some((_, role, session)) = assumed_role(arn) {
            let owner = match account_of_arn(arn) {
                "" => account,
                owner => owner,
            };
            let role_arn = if issuer_arn.contains(":role/") {
                issuer_arn.to_owned()
            } else {
                format!("arn:{partition}:iam::{owner}:role/{role}")
            };
            return if role.starts_with(IDENTITY_CENTER_ROLE) && !session.is_empty() {
                Self::new(&format!("{role_arn}#{session}"), ActorKind::IdentityCenterUser, owner, session)
            } else if is_service_linked(&role_arn, role, issuer_arn) {
                Self::new(&role_arn, ActorKind::ServiceLinkedRole, owner, role)
            } else {
                Self::new(&role_arn, ActorKind::Role, owner, role)
            };
        }
        match kind {
            "Root" => {
                Self::new(&format!("arn:{partition}:iam::{account}:root"), ActorKind::Root, account, "root")
            }
            "AWSService" if !invoked_by.is_empty() => Self::service(invoked_by),
            "IAMUser" if !arn.is_empty() => Self::new(arn, ActorKind::User, account, last_segment(arn)),
            "IAMUser" => {
                let name = first_of([user_name, principal_id, "unknown"]);
                Self::new(
                    &format!("arn:{partition}:iam::{account}:user/{name}"),
                    ActorKind::User,
                    account,
                    name,
                )
            }
            "FederatedUser" => {
                let name = first_of([last_segment(arn), user_name, principal_id, "unknown"]);
                let id = if arn.is_empty() {
                    format!("arn:{partition}:sts::{account}:federated-user/{name}")
                } else {
                    arn.to_owned()
                };
                Self::new(&id, ActorKind::Federated, account, name)
            }
            "WebIdentityUser" | "SAMLUser" => {
                let subject = first_of([user_name, principal_id, "unknown"]);
                let kind = if kind == "SAMLUser" { ActorKind::Saml } else { ActorKind::WebIdentity };
                let issuer = first_of([provider, principal_id.split(':').next().unwrap_or(""), "unknown"]);
                Self::new(&format!("{issuer}#{subject}"), kind, account, subject)
            }
            _ if account == "ANONYMOUS_PRINCIPAL" || principal_id == "ANONYMOUS_PRINCIPAL" => {
                Self::new("anonymous", ActorKind::Anonymous, "", "anonymous")
            }
            "AWSAccount" if !account.is_empty() => {
                let name = first_of([principal_id, arn, "unknown"]);
                Self::new(&format!("{account}#{name}"), ActorKind::OtherAccount, account, name)
            }
            "Role" if !arn.is_empty() => Self::new(arn, ActorKind::Role, account, last_segment(arn)),
            _ if arn.contains(":user/") => Self::new(arn, ActorKind::User, account, last_segment(arn)),
            _ if arn.is_empty() && !invoked_by.is_empty() => Self::service(invoked_by),
            _ => {
                let id = first_of([arn, identity.on_behalf_of, user_name, principal_id, "unknown"]);
                Self::new(id, ActorKind::Unknown, account, last_segment(id))
            }
        }
    }

    fn service(principal: &str) -> Self {
        Self::new(principal, ActorKind::Service, "", principal.split('.').next().unwrap_or(principal))
    }

    fn new(id: &str, kind: ActorKind, account: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            kind,
            account: account.into(),
            name: name.into(),
            hash: crate::action::stable_hash(id.as_bytes()),
            family: role_family(id).unwrap_or_default().into(),
        }
    }
}

fn first_of<const N: usize>(candidates: [&str; N]) -> &str {
    candidates.into_iter().find(|c| !c.is_empty()).unwrap_or("")
}

fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Actors seen so far, found without copying.
#[derive(Debug, Default)]
pub struct ActorTable {
    table: HashTable<Known>,
}

/// An actor under what its identity said.
#[derive(Debug)]
struct Known {
    hash: u64,
    identity: Joined<9>,
    actor: Arc<Actor>,
}

impl ActorTable {
    /// The actor behind an identity.
    pub fn intern(&mut self, identity: &Identity<'_>) -> &Arc<Actor> {
        let key = identity.actor_key();
        let mut hasher = FixedState::default().build_hasher();
        key.iter().filter(|part| !part.is_empty()).for_each(|part| hasher.write(part.as_bytes()));
        let hash = hasher.finish();
        let entry =
            self.table.entry(hash, |k| k.hash == hash && k.identity.is(&key), |k| k.hash).or_insert_with(
                || Known { hash, identity: Joined::of(&key), actor: Arc::new(Actor::of(identity)) },
            );
        &entry.into_mut().actor
    }

    /// How many identities were seen.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against looking at every byte.
        #[test]
        fn colons_are_found(text in "[:;a-zé\u{3a}\u{ba}]{0,40}", n in 1usize..12) {
            let expected = text.bytes().enumerate().filter(|(_, byte)| *byte == b':').nth(n - 1);
            prop_assert_eq!(colon(&text, n), expected.map(|(at, _)| at));
            prop_assert_eq!(arn_part(&text, n), text.split(':').nth(n).unwrap_or_default());
        }
    }
}
