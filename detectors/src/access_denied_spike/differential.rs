//! The facts against counting event ids by hand, on streams in disorder, with copies.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::AccessDeniedSpike;
use super::facts::FLOOR;
use super::observe::{ACCOUNT, CALLS, SOURCE_CALLS};
use crate::Facts as _;
use crate::ledger::KeyRef;
use crate::testing::{self, Call, teach, user};
use crate::time::EventTime;
use crate::window::WINDOW_MINUTES;

const USERS: [&str; 3] = [
    "arn:aws:iam::111122223333:user/kim",
    "arn:aws:iam::111122223333:user/lee",
    "arn:aws:iam::111122223333:user/sam",
];
const ACTIONS: [(&str, &str); 5] = [
    ("s3", "ListBuckets"),
    ("s3", "PutBucketPolicy"),
    ("iam", "CreateUser"),
    ("iam", "ListUsers"),
    ("ec2", "RunInstances"),
];
const ADDRESSES: [&str; 2] = ["198.51.100.7", "2001:db8::1"];

/// A refusal: second, user, action, address.
type Refused = (i64, usize, usize, usize);

fn calls(stream: &[(u64, Refused)]) -> Vec<Call<'static>> {
    let call = |(id, (second, who, what, address)): &(u64, Refused)| {
        let (service, name) = ACTIONS[*what];
        Call {
            id: id.to_string(),
            identity: user(USERS[*who]),
            source_ip: ADDRESSES[*address],
            error_code: "AccessDenied",
            ..Call::new(service, name, EventTime(1_772_445_600 + second))
        }
    };
    stream.iter().map(call).collect()
}

/// What a window holds: calls, actions, services, parties, grave actions.
type Sizes = (usize, usize, usize, usize, usize);

/// The largest window of each hour by hand, of the refusals that `mine` chooses and gives a party.
fn by_hand<P: Ord>(
    stream: &[(u64, Refused)],
    mine: impl Fn(&Refused) -> Option<P>,
) -> BTreeMap<i64, (i64, Sizes)> {
    let minute = |refused: &Refused| (1_772_445_600 + refused.0).div_euclid(60);
    let chosen: Vec<_> = stream.iter().filter(|(_, refused)| mine(refused).is_some()).collect();
    let mut largest: BTreeMap<i64, (i64, Sizes)> = BTreeMap::new();
    for start in chosen.iter().map(|(_, refused)| minute(refused)).collect::<BTreeSet<_>>() {
        let inside: Vec<_> =
            chosen.iter().filter(|(_, r)| (start..start + WINDOW_MINUTES).contains(&minute(r))).collect();
        let ids: BTreeSet<_> = inside.iter().map(|(id, _)| id).collect();
        let actions: BTreeSet<_> = inside.iter().map(|(_, r)| r.2).collect();
        let services: BTreeSet<_> = actions.iter().map(|action| ACTIONS[*action].0).collect();
        let parties: BTreeSet<_> = inside.iter().map(|(_, r)| mine(r)).collect();
        let grave = actions.iter().filter(|action| [1, 2, 4].contains(*action)).count();
        let sizes = (ids.len(), actions.len(), services.len(), parties.len(), grave);
        if ids.len() as u64 >= FLOOR
            && largest.get(&start.div_euclid(60)).is_none_or(|(_, known)| sizes.0 > known.0)
        {
            largest.insert(start.div_euclid(60), (start, sizes));
        }
    }
    largest
}

proptest! {
    #[test]
    fn windows_hold_what_counting_by_hand_finds(
        refusals in prop::collection::vec((0i64..9_000, 0usize..3, 0usize..5, 0usize..2), 1..120),
        copies in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        close_at in 0i64..150,
    ) {
        let stream: Vec<(u64, Refused)> = (0..).zip(refusals).collect();
        let mut disorder = stream.clone();
        disorder.extend(copies.iter().map(|copy| *copy.get(&stream)));
        disorder.reverse();
        let disordered_calls = calls(&disorder);
        let ledger = teach::<AccessDeniedSpike>(&disordered_calls);
        let actor = |who: usize| KeyRef { class: CALLS, account: testing::ACCOUNT, entity: USERS[who] };
        let source = |at: usize| KeyRef { class: SOURCE_CALLS, account: "", entity: ADDRESSES[at] };
        let account = KeyRef { class: ACCOUNT, account: testing::ACCOUNT, entity: "" };
        let expected = (0..3)
            .map(|who| (actor(who), by_hand(&stream, |r| (r.1 == who).then_some(r.3))))
            .chain((0..2).map(|at| (source(at), by_hand(&stream, |r| (r.3 == at).then_some(r.1)))))
            .chain([(account, by_hand(&stream, |r| Some(r.1)))]);
        for (key, expected) in expected {
            let Some(facts) = ledger.get(key) else {
                prop_assert!(expected.is_empty());
                continue;
            };
            let mut facts = facts.clone();
            facts.close(1_772_445_600 / 60 + close_at);
            let found: BTreeMap<i64, (i64, Sizes)> = facts
                .windows
                .hours(FLOOR)
                .into_iter()
                .map(|(hour, peak)| {
                    let s = &peak.summary;
                    let (count, services, parties) = (peak.count, s.services.0, s.parties.0);
                    let sizes = [count, s.actions(), services, parties].map(|n| n as usize);
                    (hour, (peak.start, (sizes[0], sizes[1], sizes[2], sizes[3], s.grave.len())))
                })
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
