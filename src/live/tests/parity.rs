//! Whole trails, delivered in order and in any order: live must tell what replay finds.
//!
//! `TRAILHOUND_DATA=FOLDER` plays every trail below the folder, too.

use std::path::Path;

use super::*;
use crate::ingest::local;
use crate::simulate::{Options, Verdict, simulate};

type Objects = Vec<(ObjectRef, Vec<u8>)>;

/// The log objects below a folder, in the order of their delivery.
fn objects_of(folder: &Path) -> Objects {
    let mut files = local::list(&[folder.to_owned()]).unwrap();
    files.sort_by(local::LocalFile::order);
    let object = |file: local::LocalFile| {
        let key = file.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(file.path()).unwrap();
        (ObjectRef { bucket: "trail".into(), key: key.into(), size: Some(bytes.len() as u64) }, bytes)
    };
    let mut objects: Objects = files.into_iter().map(object).collect();
    // What is no trail by its key is not read live, and so is no part of the comparison.
    objects.retain(|(object, _)| Allow::default().admits(object).is_ok());
    objects
}

/// A made-up organisation with incidents.
fn simulated_week(seed: u64) -> Objects {
    let folder = tempfile::tempdir().unwrap();
    let options =
        Options { days: 7, accounts: 1, events_per_day: 100, seed, incidents: Some(6), ..Options::default() };
    simulate(&options, &folder.path().join("trail"), 1, |_| Verdict::GoOn).unwrap();
    objects_of(&folder.path().join("trail"))
}

/// What differs between what was told and what replay finds; the shell's own findings left aside.
fn differences(world: &World, found: &BTreeMap<String, Finding>) -> Vec<String> {
    let published = world.published.lock().unwrap();
    let told = published.iter().filter(|alert| alert.detector != "coverage");
    let told: BTreeMap<_, _> = told.map(|alert| (alert.id.clone(), alert)).collect();
    let missing = found.iter().filter(|(id, _)| !told.contains_key(*id));
    let missing =
        missing.map(|(_, f)| format!("missing: {} {} {} {}", f.detector, f.kind, f.window.start, f.title));
    let extra = told.values().filter(|alert| !found.contains_key(&alert.id));
    let extra = extra.map(|a| format!("extra: {} {} {} {}", a.detector, a.kind, a.window.start, a.title));
    missing.chain(extra).collect()
}

/// Delivered in order, each object handled within a minute.
async fn in_order(objects: &Objects) -> Vec<String> {
    let config = Config::default();
    let (_, found) = replayed_with(objects, &config);
    let mut world = World::new(objects, Chaos::new(7, 0));
    world.config = config;
    let process = world.process();
    let delivered = |object: &ObjectRef| Origin::new(object.uri()).delivered;
    for together in objects.chunk_by(|a, b| delivered(&a.0) == delivered(&b.0)) {
        let messages: Vec<_> = together.iter().map(|(object, _)| message(0, object)).collect();
        let now = delivered(&together[0].0).map_or(much_later(), |delivered| at(delivered.plus(60)));
        process.handle(&messages, now).await;
    }
    settle(&world).await;
    differences(&world, &found)
}

/// Delivered in any order, half of it twice, to so many at once.
async fn in_any_order(objects: &Objects, handlers: usize) -> Vec<String> {
    let config = Config::default();
    let (facts, found) = replayed_with(objects, &config);
    let mut rng = Pcg64Mcg::seed_from_u64(handlers as u64);
    let mut world = World::new(objects, Chaos::new(7, 0));
    world.config = config;
    let twice = objects.iter().chain(&objects[objects.len() / 2..]);
    let mut messages: Vec<_> = twice.enumerate().map(|(id, (object, _))| message(id, object)).collect();
    messages.shuffle(&mut rng);
    play(&world, messages.into(), handlers, &mut rng).await;
    settle(&world).await;
    let mut differences = differences(&world, &found);
    if closed(stored(&world).await) != closed(facts) {
        differences.push("other facts".to_owned());
    }
    differences
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulated_week_in_any_order_tells_exactly_what_replay_finds() {
    let objects = simulated_week(5);
    for handlers in [1, 4, 16] {
        assert_eq!(in_any_order(&objects, handlers).await, Vec::<String>::new(), "{handlers} handlers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulated_week_in_order_tells_exactly_what_replay_finds() {
    for seed in 0..2 {
        assert_eq!(in_order(&simulated_week(seed)).await, Vec::<String>::new(), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_trails_tell_exactly_what_replay_finds() {
    let Some(folder) = std::env::var_os("TRAILHOUND_DATA") else { return };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let objects = objects_of(&path);
        if !path.is_dir() || objects.is_empty() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut told = |how: &str, differences: Vec<String>| {
            println!("{name}, {} objects, {how}: {} differences", objects.len(), differences.len());
            all.extend(differences.into_iter().map(|difference| format!("{name}, {how}: {difference}")));
        };
        told("in order", in_order(&objects).await);
        for handlers in [1, 4, 16] {
            told("in any order", in_any_order(&objects, handlers).await);
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}
