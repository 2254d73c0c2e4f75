//! Objects that share a parcel: none is lost with another, and whoever comes again brings all that was said.

use std::collections::BTreeMap;

use super::super::kind::{self, FactKey, Kind};
use super::super::read::{Batch, ObjectError, Reader};
use super::*;

const PANICS: &[u8] = b"what nobody thought of";

fn reader(world: &World) -> Reader {
    let mut reader = Reader::new(Intake::default(), world.bounds.clone());
    reader.take = |worker, origin, stored| {
        assert_ne!(stored, PANICS);
        worker.take(origin, stored);
    };
    reader
}

async fn read(reader: &Reader, world: &World, objects: &[ObjectRef]) -> Batch {
    reader.read(world, objects, &kind::kinds(), much_later().deadline).await
}

/// Facts of a key, as they would be stored, after joining what these batches taught.
fn taught<'a>(kind: &dyn Kind, key: &FactKey, batches: impl IntoIterator<Item = &'a Batch>) -> Vec<u8> {
    let mut known = None;
    for batch in batches {
        if let Some(joined) = kind.join(&batch.ledgers, key, known.as_ref(), None) {
            known = Some(joined.facts);
        }
    }
    known.map_or_else(Vec::new, |facts| kind.encode(&key.key, &facts).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_parcel_cost_no_other_and_keep_what_each_taught() {
    let mut objects = week(4, 2);
    let sound = objects[4].1.clone();
    objects[4].1 = sound[..sound.len() - 20].to_vec();
    let panicking = objects.len() / 2;
    objects[panicking].1 = PANICS.to_vec();
    let world = World::new(&objects, Chaos::new(0, 0));
    let named: Vec<ObjectRef> = objects.iter().map(|(object, _)| object.clone()).collect();
    let reader = reader(&world);
    let kinds = kind::kinds();
    // Twice: a worker that has read before must read as a new one does.
    for round in 0..2 {
        let together = read(&reader, &world, &named).await;
        assert_eq!(
            together.failed.keys().copied().collect::<Vec<_>>(),
            [4, panicking],
            "{:?}",
            together.failed
        );
        assert!(matches!(together.failed[&panicking], ObjectError::Panicked));
        assert_eq!(together.times.len(), objects.len() - 1);
        let mut alone = BTreeMap::new();
        for (place, object) in named.iter().enumerate().filter(|(place, _)| *place != panicking) {
            alone.insert(place, read(&reader, &world, std::slice::from_ref(object)).await);
        }
        assert!(alone[&4].tally.judged > 0, "cut in the middle of what can be read");
        let mut all = Ledgers::default();
        alone.values().for_each(|batch| all.absorb(batch.ledgers.clone()));
        assert!(together.ledgers == all, "round {round}: other facts");
        assert_eq!(together.tally.judged, alone.values().map(|batch| batch.tally.judged).sum::<u64>());
        let mut shared = 0;
        for (key, touched) in &together.touched {
            let kind = &*kinds[usize::from(key.kind)];
            let of = |object: &usize| alone.get(object).filter(|batch| batch.touched.contains_key(key));
            assert!(touched.objects.iter().all(|object| of(object).is_some()), "{key:?}: {touched:?}");
            let named: Vec<_> =
                touched.objects.iter().filter(|o| !together.failed.contains_key(o)).filter_map(of).collect();
            let said = taught(kind, key, named.iter().copied());
            for (object, batch) in &alone {
                if let Some(mine) = batch.touched.get(key)
                    && !together.failed.contains_key(object)
                {
                    let more = taught(kind, key, named.iter().copied().chain([batch]));
                    assert!(
                        said == more,
                        "round {round}, {key:?}: {object} taught what none of {touched:?} did"
                    );
                    assert!(touched.since <= mine.since || !touched.objects.contains(object));
                    shared += usize::from(!touched.objects.contains(object));
                }
            }
        }
        assert_eq!(together.touched.keys().count(), all.keys().iter().map(|(_, count)| count).sum::<usize>());
        assert!(shared > 0, "no key that one object told of for another");
    }
}
