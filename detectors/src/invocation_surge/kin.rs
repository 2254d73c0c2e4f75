//! What is usual for keys like one that is too young to be compared with itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::Remembered;
use super::families::{Family, Subject};
use super::judge::Judge;
use super::observe::{ACCOUNT, KIN};
use crate::actor::role_family;
use crate::baseline::Candidate;
use crate::days::Days;
use crate::detector::Lookup;
use crate::ledger::{Class, KeyRef, Ledger};

/// Function names that begin with fewer characters than this have nothing in common.
const SHORTEST_PREFIX: usize = 3;
/// Fewer others of an account say nothing about what is usual in it.
const FEWEST_OTHERS: usize = 3;

/// The days of those like a key.
pub(super) struct Kin {
    /// The same in the other accounts, and all of its name; whose that is.
    alike: Option<(String, Days)>,
    /// The middle one of the account.
    account: Option<Days>,
}

impl Kin {
    pub(super) fn of(judge: &Judge<'_>) -> Self {
        let Judge { key, family, subject, .. } = judge;
        let others = judge.around.others;
        let name = kin_name(*subject, *family, &key.entity);
        let mut alike = in_other_accounts(judge);
        alike.extend(name.map(|name| named(others, kin_key(key.class, "", name))).unwrap_or_default());
        alike.retain(|(account, entity)| (&**account, &**entity) != (&*key.account, &*key.entity));
        alike.sort_unstable();
        alike.dedup();
        let days = days_of(others, key.class, &alike);
        let whose = match (name, family) {
            (Some(prefix), Family::Function | Family::Attempts) => {
                format!("functions named {prefix}…, or the same in other accounts")
            }
            (Some(name), _) => format!("others of the name {name}"),
            (None, _) => "the same in other accounts".to_owned(),
        };
        let mut others_here = named(others, kin_key(key.class, &key.account, ""));
        others_here.retain(|(_, entity)| **entity != *key.entity);
        let here = days_of(others, key.class, &others_here);
        Self {
            alike: (!days.is_empty()).then(|| (whose, most(&days))),
            account: (family.is_volume() && here.len() >= FEWEST_OTHERS).then(|| middle(&here)),
        }
    }

    /// Those of its name.
    pub(super) fn alike(&self) -> Option<Candidate<'_>> {
        self.alike.as_ref().map(|(whose, days)| Candidate { whose, days, since: None })
    }

    /// All others in the account.
    pub(super) fn account(&self) -> Option<Candidate<'_>> {
        self.account.as_ref().map(|days| Candidate {
            whose: "the middle one of its account",
            days,
            since: None,
        })
    }
}

/// Lets those like a new key find it.
pub(super) fn introduce(
    key: KeyRef<'_>,
    (family, subject): (Family, Subject),
    ledger: &mut Ledger<Remembered>,
) {
    let entry = format!("{} {}", key.account, key.entity);
    let account = family.is_volume().then(|| kin_key(key.class, key.account, ""));
    let name = kin_name(subject, family, key.entity).map(|name| kin_key(key.class, "", name));
    for (account, group) in [account, name].into_iter().flatten() {
        let (facts, strings) = ledger.grow(KeyRef { class: KIN, account, entity: &group });
        facts.kin.insert_with(crate::action::stable_hash(entry.as_bytes()), || strings.share(&entry));
    }
}

/// The key that lists the keys of a class that have a name, or all of an account: its account, and its entity.
fn kin_key<'a>(class: Class, account: &'a str, name: &str) -> (&'a str, String) {
    (account, format!("{} {name}", class.0))
}

/// What keys alike have in common: a role's name or permission set, the beginning of a function's name.
fn kin_name(subject: Subject, family: Family, entity: &str) -> Option<&str> {
    if subject == Subject::Actor {
        return role_family(entity);
    }
    if !matches!(family, Family::Function | Family::Attempts) {
        return None;
    }
    let name = entity.rsplit(':').next()?;
    name.rsplit_once(['-', '_']).map(|(prefix, _)| prefix).filter(|prefix| prefix.len() >= SHORTEST_PREFIX)
}

type Members = Vec<(Arc<str>, Arc<str>)>;

fn named(others: &dyn Lookup<Remembered>, (account, group): (&str, String)) -> Members {
    let Some(facts) = others.facts(KeyRef { class: KIN, account, entity: &group }) else { return Vec::new() };
    let pair =
        |entry: &Arc<str>| entry.split_once(' ').map(|(account, entity)| (account.into(), entity.into()));
    facts.kin.iter().filter_map(pair).collect()
}

/// The same role, user, function or table in the other accounts that were seen.
fn in_other_accounts(judge: &Judge<'_>) -> Members {
    let own = &*judge.key.account;
    let everywhere = KeyRef { class: ACCOUNT, account: "", entity: "" };
    let Some(everywhere) = judge.around.others.facts(everywhere) else { return Vec::new() };
    if own.is_empty() || !judge.key.entity.contains(own) {
        return Vec::new();
    }
    let elsewhere = everywhere.accounts.iter().filter(|account| &***account != own);
    elsewhere.map(|account| (Arc::clone(account), judge.key.entity.replace(own, account).into())).collect()
}

fn days_of(others: &dyn Lookup<Remembered>, class: Class, members: &Members) -> Vec<Days> {
    let facts = |(account, entity): &(Arc<str>, Arc<str>)| others.facts(KeyRef { class, account, entity });
    members.iter().filter_map(facts).map(|facts| facts.calls.days()).collect()
}

/// Of each day the busiest of all.
fn most(all: &[Days]) -> Days {
    let mut most = Days::default();
    for days in all {
        crate::lattice::Join::join(&mut most, days);
    }
    most
}

/// Of each day the middle one of all; who was not there that day counts as nothing.
fn middle(all: &[Days]) -> Days {
    let mut by_day: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for (day, count) in all.iter().flat_map(|days| &days.busiest) {
        by_day.entry(*day).or_default().push(*count);
    }
    let middle = |mut counts: Vec<u64>| {
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.get(all.len() / 2).copied().unwrap_or(0)
    };
    by_day.into_iter().map(|(day, counts)| (day, middle(counts))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kin_share() {
        let function = |name: &str| format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
        for (subject, family, entity, kin) in [
            (Subject::Target, Family::Function, function("payments-prod-worker"), Some("payments-prod")),
            (Subject::Throttled, Family::Function, function("shop_Cart"), Some("shop")),
            (Subject::Target, Family::Function, function("orders"), None),
            (Subject::Target, Family::Function, function("a-b"), None),
            (Subject::Target, Family::Objects, "payments-prod-data".to_owned(), None),
            (
                Subject::Actor,
                Family::Objects,
                "arn:aws:iam::111122223333:role/team/app".to_owned(),
                Some("app"),
            ),
            (Subject::Actor, Family::Objects, "arn:aws:iam::111122223333:user/kim".to_owned(), None),
        ] {
            assert_eq!(kin_name(subject, family, &entity), kin, "{entity}");
        }
    }

    #[test]
    fn the_middle_of_an_account_is_not_its_busiest() {
        let days = |counts: &[(i64, u64)]| counts.iter().copied().collect::<Days>();
        let all = [days(&[(1, 5_000), (2, 10)]), days(&[(1, 20)]), days(&[(1, 30), (2, 40)])];
        assert_eq!(middle(&all), days(&[(1, 30), (2, 10)]));
        assert_eq!(most(&all), days(&[(1, 5_000), (2, 40)]));
    }
}
