//! Adding a change at once against joining facts that hold nothing else.

use proptest::prelude::*;

use super::*;

/// Second, call, document, weight, whether it went through.
type Told = (i64, u64, usize, usize, bool);

fn change((.., document, weight, succeeded): Told) -> (Change, Option<Arc<str>>) {
    let text: Option<Arc<str>> = (document > 0).then(|| format!("text {document}").into());
    let what = text.as_ref().map_or(What::Gone, |text| What::Set(Kind::Identity, Digest::of(text)));
    let circumstances = crate::finding::Circumstances {
        error_code: (!succeeded).then(|| "AccessDenied".into()),
        ..Default::default()
    };
    let doing = Doing {
        what,
        thing: "user".into(),
        id: "kim".into(),
        action: 0,
        actor: "lee".into(),
        actor_kind: ActorKind::User,
        region: "eu-west-1".into(),
    };
    let change = Change {
        doing: doing.into(),
        evidence: Evidence {
            time: EventTime(0),
            event_id: "e".into(),
            object: Arc::default(),
            circumstances: Arc::new(circumstances),
        },
        weight: Severity::ALL[weight],
    };
    (change, text)
}

/// Exactly the documents that changes refer to.
fn by_hand(facts: &Remembered) -> BTreeMap<Digest, usize> {
    let mut referred = BTreeMap::new();
    for digest in facts.changes.values().filter_map(Change::digest) {
        *referred.entry(digest).or_default() += 1;
    }
    referred
}

fn told(span: Range<i64>) -> impl Strategy<Value = Told> {
    (span, 0..4_u64, 0..6_usize, 0..Severity::ALL.len(), any::<bool>())
}

proptest! {
    #[test]
    fn a_change_is_added_as_facts_are_joined(
        changes in prop::collection::vec(told(0..2 * crate::time::HOUR), 0..250),
        horizon in 0..2 * crate::time::HOUR,
    ) {
        let (mut facts, mut joined) = (Remembered::default(), Remembered::default());
        for told in changes {
            let (time, call) = (EventTime(told.0), CallId(told.1));
            let (change, text) = change(told);
            let mut one = Remembered::default();
            one.insert(time, call, change.clone(), text.as_ref());
            joined.join(&one);
            facts.insert(time, call, change, text.as_ref());
            prop_assert_eq!(&facts, &joined);
        }
        for _ in 0..2 {
            let referred = by_hand(&facts);
            prop_assert_eq!(facts.documents.references().collect::<BTreeMap<_, _>>(), referred);
            let stored = postcard::to_stdvec(&facts).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Remembered>(&stored).unwrap(), &facts);
            crate::ledger::Facts::forget(&mut facts, EventTime(horizon));
        }
    }
}

#[test]
fn all_of_a_change_is_stored_side_by_side() {
    let (change, _) = change((1, 2, 3, 4, true));
    let bytes = postcard::to_stdvec(&change).unwrap();
    assert_eq!(postcard::from_bytes::<Change>(&bytes).unwrap(), change);
    let members = serde_json::to_value(&change).unwrap();
    let names: Vec<&str> = members.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["action", "actor", "actor_kind", "evidence", "id", "region", "thing", "weight", "what"];
    assert_eq!(names, expected);
}
