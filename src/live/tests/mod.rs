//! Live against a world in memory in which everything goes wrong.

mod looks;
mod parity;
mod reading;
mod traffic;
mod world;

use std::collections::VecDeque;

use rand::seq::SliceRandom as _;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use trailhound_detectors::catalogue::{Detectors, Ledgers};
use trailhound_detectors::{Finding, TimeRange};

use super::*;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::Origin;
use crate::store::item;
use traffic::{ACCOUNTS, object, week};
use world::{Chaos, World, at, much_later};

fn message(id: usize, object: &ObjectRef) -> Message {
    Message { id: id.to_string(), notices: vec![Notice::Object(object.clone())] }
}

/// What replay makes of the same objects: facts, and findings by id.
fn replayed(objects: &[(ObjectRef, Vec<u8>)]) -> (Ledgers, BTreeMap<String, Finding>) {
    replayed_with(objects, &world::quick())
}

fn replayed_with(objects: &[(ObjectRef, Vec<u8>)], config: &Config) -> (Ledgers, BTreeMap<String, Finding>) {
    let intake = Intake { lateness_seconds: config.learning.lateness_seconds(), ..Intake::default() };
    let mut worker = Worker::new(intake.into());
    for (object, stored) in objects {
        worker.take(&Origin::new(object.uri()), stored);
    }
    let detectors = Detectors::new(&config.detectors).unwrap();
    let found = detectors.judge(&worker.ledgers, &config.environment(), TimeRange::ALL);
    (worker.ledgers, found.into_iter().map(|finding| (finding.id(), finding)).collect())
}

/// All facts in the table.
async fn stored(world: &World) -> Ledgers {
    let mut ledgers = Ledgers::default();
    item::pull(&FactStore::new(world.clone()), &mut ledgers, |_| ()).await.unwrap();
    ledgers
}

/// Closed to the end, so that facts closed on the way and facts never closed can be compared.
fn closed(mut ledgers: Ledgers) -> Ledgers {
    ledgers.close(i64::MAX / 120);
    ledgers
}

/// Messages in nearly the order of their delivery, some of them twice.
fn queue(objects: &[(ObjectRef, Vec<u8>)], rng: &mut Pcg64Mcg) -> VecDeque<Message> {
    let mut order: Vec<(usize, usize)> = Vec::new();
    for place in 0..objects.len() {
        order.push((place + rng.random_range(0..4), place));
        if rng.random_bool(0.2) {
            order.push((place + rng.random_range(0..6), place));
        }
    }
    order.sort_unstable();
    order.iter().enumerate().map(|(id, (_, place))| message(id, &objects[*place].0)).collect()
}

/// Plays the queue to its end with so many processes at once; processes die and are replaced, messages come again.
async fn play(world: &World, mut queue: VecDeque<Message>, handlers: usize, rng: &mut Pcg64Mcg) {
    let mut processes: Vec<_> = (0..handlers).map(|_| world.process()).collect();
    let mut rounds = 0;
    while !queue.is_empty() {
        rounds += 1;
        assert!(rounds < 10_000, "the queue never empties");
        let batches: Vec<Vec<Message>> = (0..handlers)
            .map(|_| {
                let size = rng.random_range(1..8).min(queue.len());
                queue.drain(..size).collect()
            })
            .collect();
        let one_dies = rng.random_bool(0.3) && world.chaos.one_in > 0;
        if one_dies {
            world.chaos.die_after(rng.random_range(0..40));
        }
        let all = futures_util::future::join_all(
            processes.iter().zip(&batches).map(|(process, batch)| process.handle(batch, much_later())),
        );
        tokio::select! {
            reports = all => {
                for (report, mut batch) in reports.into_iter().zip(batches) {
                    assert!(report.tally.reconciles());
                    batch.retain(|m| report.failed.contains(&m.id));
                    batch.shuffle(rng);
                    queue.extend(batch);
                }
            }
            () = world.chaos.death() => {
                processes = (0..handlers).map(|_| world.process()).collect();
                queue.extend(batches.into_iter().flatten());
            }
        }
        world.chaos.die_after(-1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_order_live_tells_exactly_what_replay_finds() {
    let objects = week(1, 7);
    let (facts, found) = replayed(&objects);
    assert!(found.len() > 5, "the week must hold something to find: {}", found.len());
    let world = World::new(&objects, Chaos::new(7, 0));
    let process = world.process();
    // What is delivered together holds events of the same hours, and nothing else does.
    for together in objects.chunks(traffic::TOGETHER) {
        let messages: Vec<_> =
            together.iter().chain(together).map(|(object, _)| message(0, object)).collect();
        // Now, so that windows close on the way.
        let now = Origin::new(together[0].0.uri()).delivered.unwrap().plus(600);
        let report = process.handle(&messages, at(now)).await;
        assert!(report.failed.is_empty());
    }
    assert_eq!(world.ids(), found.into_keys().collect());
    assert!(closed(stored(&world).await) == closed(facts), "other facts");
}

/// Looks until everything that a backlog showed is told.
async fn settle(world: &World) {
    let process = world.process();
    for round in 1..1_000 {
        let now = much_later().now.plus(round * 3_600);
        if !process.look(now, at(now)).await.is_incomplete {
            return;
        }
    }
    panic!("something is held back for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_order_one_four_and_sixteen_handlers_tell_exactly_what_replay_finds() {
    let objects = week(1, 7);
    let (facts, found) = replayed(&objects);
    for handlers in [1, 4, 16] {
        let mut rng = Pcg64Mcg::seed_from_u64(handlers as u64);
        let world = World::new(&objects, Chaos::new(7, 0));
        let queue = queue(&objects, &mut rng);
        play(&world, queue, handlers, &mut rng).await;
        assert!(world.published.lock().unwrap().is_empty(), "held back until the backlog is worked off");
        settle(&world).await;
        assert_eq!(world.ids(), found.keys().cloned().collect(), "{handlers} handlers");
        assert!(closed(stored(&world).await) == closed(facts.clone()), "{handlers} handlers: other facts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alert_is_lost_whatever_fails_or_dies() {
    for seed in 0..6 {
        let objects = week(seed, 3);
        let (facts, found) = replayed(&objects);
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let world = World::new(&objects, Chaos::new(seed, [6, 15, 30][seed as usize % 3]));
        let queue = queue(&objects, &mut rng);
        play(&world, queue, 1 + seed as usize % 4, &mut rng).await;
        settle(&world).await;
        assert_eq!(world.ids(), found.keys().cloned().collect(), "seed {seed}");
        assert!(world.chaos.faults.load(std::sync::atomic::Ordering::Relaxed) > 10, "seed {seed}: too calm");
        assert!(closed(stored(&world).await) == closed(facts), "seed {seed}: other facts");
    }
}

#[tokio::test]
async fn what_a_warm_process_knows_costs_no_call_to_the_table() {
    let objects = week(3, 1);
    let world = World::new(&objects, Chaos::new(0, 0));
    let process = world.process();
    let messages: Vec<_> = objects.iter().enumerate().map(|(id, (o, _))| message(id, o)).collect();
    let newest = Origin::new(objects.last().unwrap().0.uri()).delivered.unwrap();
    let now = at(newest.plus(60));
    let first = process.handle(&messages, now).await;
    assert!(first.failed.is_empty() && first.store.writes > 0);
    // When all but the newest was a backlog, and that is worked off.
    let now = at(newest.plus(12 * 60));
    let fresh = &messages[messages.len() - traffic::TOGETHER..];
    process.handle(fresh, now).await;
    let (gets, puts) = (world.chaos.calls_of("get"), world.chaos.calls_of("put"));
    let again = process.handle(fresh, now).await;
    assert!(again.keys > 0 && again.tally.judged > 0);
    assert_eq!(again.store, StoreCounts { cache_hits: again.keys, ..StoreCounts::default() });
    assert_eq!((world.chaos.calls_of("get"), world.chaos.calls_of("put")), (gets, puts));
    assert_eq!(again.alerts.known, again.alerts.found);
}

#[tokio::test]
async fn exactly_the_messages_of_bad_objects_are_handed_back() {
    let mut objects = week(4, 1);
    let sound = objects[1].1.clone();
    objects[1].1 = sound[..sound.len() / 2].to_vec();
    objects[3].1 = b"<html>no log</html>".to_vec();
    objects[5].0.size = Some(u64::MAX);
    let bomb = traffic::gzip(&vec![b' '; 64 << 20]);
    objects[7].1 = bomb;
    let mut missing = objects[0].0.clone();
    missing.key = missing.key.replace("_00000", "_99999").into();
    let world = World::new(&objects, Chaos::new(0, 0));
    let mut messages: Vec<_> = objects.iter().enumerate().map(|(id, (o, _))| message(id, o)).collect();
    messages.push(Message { id: "missing".into(), notices: vec![Notice::Object(missing)] });
    messages
        .push(Message { id: "broken".into(), notices: vec![Notice::Broken("?"), Notice::Ignored("test")] });
    messages.push(Message { id: "fine".into(), notices: vec![Notice::Ignored("test")] });
    messages[8].notices.push(Notice::Object(objects[1].0.clone()));
    let report = world.process().handle(&messages, much_later()).await;
    let expected = ["1", "3", "5", "7", "8", "missing", "broken"];
    assert_eq!(report.failed, expected.iter().map(ToString::to_string).collect(), "{:#?}", report.troubles);
    assert_eq!(report.ignored, BTreeMap::from([("test", 2)]));
    assert_eq!(report.troubles.len(), 6, "{:#?}", report.troubles);
}

#[tokio::test]
async fn what_there_is_no_time_for_is_handed_back_and_done_next_time() {
    let objects = week(5, 1);
    let world = World::new(&objects, Chaos::new(0, 0));
    let process = world.process();
    let messages: Vec<_> = objects.iter().enumerate().map(|(id, (o, _))| message(id, o)).collect();
    let none = process.handle(&messages, Moment { deadline: Instant::now(), ..much_later() }).await;
    assert_eq!(none.failed.len(), messages.len());
    assert!(world.published.lock().unwrap().is_empty());
    let all = process.handle(&messages, much_later()).await;
    assert!(all.failed.is_empty());
    settle(&world).await;
    assert_eq!(world.ids(), replayed(&objects).1.into_keys().collect());
}

#[tokio::test]
async fn records_in_another_accounts_folder_are_told_and_judged() {
    let objects = week(6, 1);
    let (_, stored) = &objects[0];
    let (mut planted, _) = object("999999999999", 1_772_420_400, 1, &[]);
    planted.size = None;
    let world = World::new(&[(planted.clone(), stored.clone())], Chaos::new(0, 0));
    let report = world.process().handle(&[message(1, &planted)], much_later()).await;
    assert!(report.failed.is_empty() && report.tally.judged > 0);
    let published = world.published.lock().unwrap();
    let alert = published.iter().find(|a| a.kind == "misplaced_records").unwrap();
    assert_eq!(alert.account, "999999999999");
    assert!(alert.reasons[0].text.contains(ACCOUNTS[0]), "{:?}", alert.reasons);
}

#[tokio::test]
async fn a_false_size_costs_a_second_fetch_and_nothing_else() {
    let mut objects = week(4, 1);
    objects.truncate(1);
    // Incompressible, so that it is larger than the pieces a small size is rounded up to.
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let noise: String = (0..300_000).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
    let record = serde_json::json!({ "Records": [{ "eventName": noise }] });
    objects[0].1 = traffic::gzip(record.to_string().as_bytes());
    assert!(objects[0].1.len() > 128 << 10);
    objects[0].0.size = Some(1);
    let world = World::new(&objects, Chaos::new(0, 0));
    let report = world.process().handle(&[message(1, &objects[0].0)], much_later()).await;
    assert!(report.failed.is_empty(), "{:?}", report.troubles);
    assert_eq!((report.tally.records, world.chaos.calls_of("fetch")), (1, 2));
}

#[tokio::test]
async fn what_is_too_much_for_one_invocation_is_handed_back() {
    let objects = week(4, 1);
    let mut world = World::new(&objects, Chaos::new(0, 0));
    world.bounds.fetches = 1;
    world.bounds.batch_bytes = 20_000;
    let mut messages: Vec<_> = objects.iter().enumerate().map(|(id, (o, _))| message(id, o)).collect();
    let mut rounds = 0;
    while !messages.is_empty() {
        rounds += 1;
        let report = world.process().handle(&messages, much_later()).await;
        let left = messages.len();
        messages.retain(|m| report.failed.contains(&m.id));
        assert!(messages.len() < left, "no progress: {:?}", report.troubles);
    }
    assert!(rounds > 1);
    assert!(closed(stored(&world).await) == closed(replayed(&objects).0));
}
