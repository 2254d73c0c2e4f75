//! Scheduled looks, and configurations that change.

use serde_json::Value;
use trailhound_detectors::time::{HOUR, MINUTE};

use super::*;

const START: i64 = 1_772_409_600;

/// One object of the account, delivered so many hours after the start.
fn delivered(account: &str, hour: i64, records: &[Value]) -> (ObjectRef, Vec<u8>) {
    object(account, START + hour * HOUR, hour.unsigned_abs() as usize, records)
}

/// An object of the first account every hour, with a record in it.
fn hourly(hours: i64) -> Vec<(ObjectRef, Vec<u8>)> {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let one = |hour| {
        let record = traffic::routine(&mut rng, ACCOUNTS[0], START + hour * HOUR);
        delivered(ACCOUNTS[0], hour, &[record])
    };
    (0..hours).map(one).collect()
}

fn after(hours: i64) -> EventTime {
    EventTime(START + hours * HOUR + 10 * MINUTE)
}

/// Objects of the first account every hour, handled as they come.
async fn deliver(world: &World, hours: impl Iterator<Item = i64>) {
    let process = world.process();
    for hour in hours {
        let (object, _) = delivered(ACCOUNTS[0], hour, &[]);
        let report = process.handle(&[message(1, &object)], at(after(hour))).await;
        assert!(report.failed.is_empty(), "{:?}", report.troubles);
    }
}

fn told(world: &World) -> Vec<(String, String)> {
    let published = world.published.lock().unwrap();
    let coverage = published.iter().filter(|alert| alert.detector == "coverage");
    coverage.map(|alert| (alert.kind.clone().into_owned(), alert.account.clone())).collect()
}

#[tokio::test]
async fn an_account_that_stops_is_told_once_and_again_when_it_resumes_and_stops() {
    let objects = hourly(90);
    let world = World::new(&objects, Chaos::new(0, 0));
    deliver(&world, 0..48).await;
    let look = async |hour| {
        let look = world.process().look(after(hour), at(after(hour))).await;
        assert!(!look.is_incomplete, "{:?}", look.report.troubles);
        look.coverage
    };
    let coverage = look(49).await;
    assert_eq!((coverage.accounts, coverage.silent), (1, 0));
    assert_eq!(
        (coverage.objects, coverage.records),
        (23, 23),
        "of the last day, and of the hour it began in"
    );
    assert_eq!(coverage.lateness.map(|(half, most)| half <= most), Some(true));
    assert!(
        coverage.blind.iter().any(|spot| spot.text.contains("DynamoDB data events")),
        "{:?}",
        coverage.blind
    );
    assert!(told(&world).is_empty());
    let coverage = look(52).await;
    assert_eq!((coverage.accounts, coverage.silent, coverage.silences.len()), (1, 1, 1));
    let silent = ("trail_silent".to_owned(), ACCOUNTS[0].to_owned());
    for hour in 53..60 {
        look(hour).await;
    }
    assert_eq!(told(&world), std::slice::from_ref(&silent));
    deliver(&world, 60..62).await;
    look(62).await;
    look(63).await;
    let resumed = ("trail_resumed".to_owned(), ACCOUNTS[0].to_owned());
    assert_eq!(told(&world), [silent.clone(), resumed.clone()]);
    // A pause is known now, and might be a night: patience lasts a weekend.
    look(130).await;
    assert_eq!(told(&world).len(), 2);
    look(140).await;
    assert_eq!(told(&world), [silent.clone(), resumed, silent]);
    let published = world.published.lock().unwrap();
    let ids: BTreeSet<_> = published.iter().map(|alert| &alert.id).collect();
    assert_eq!(ids.len(), published.len());
    assert_eq!(published[1].continues.as_ref(), Some(&published[0].id));
}

#[tokio::test]
async fn a_look_through_a_table_that_fails_comes_again_and_tells_once() {
    let objects = hourly(48);
    let mut world = World::new(&objects, Chaos::new(0, 0));
    deliver(&world, 0..48).await;
    world.chaos = Chaos::new(3, 2);
    let mut looks = 0;
    while world.process().look(after(60), at(after(60))).await.is_incomplete {
        looks += 1;
        assert!(looks < 1_000);
    }
    assert!(looks > 0, "too calm");
    let ids = world.ids();
    assert_eq!(ids.len(), 1, "repeats carry the same id: {ids:?}");
}

#[tokio::test]
async fn deliveries_from_the_future_and_objects_without_records_keep_nobody_alive() {
    let mut objects = hourly(48);
    let record = traffic::routine(&mut Pcg64Mcg::seed_from_u64(2), ACCOUNTS[0], START);
    let planted = [delivered(ACCOUNTS[0], 9_999, &[record]), delivered(ACCOUNTS[0], 50, &[])];
    objects.extend(planted.clone());
    let world = World::new(&objects, Chaos::new(0, 0));
    deliver(&world, 0..48).await;
    for (object, _) in &planted {
        world.process().handle(&[message(1, object)], at(after(51))).await;
    }
    world.process().look(after(52), at(after(52))).await;
    assert_eq!(told(&world), [("trail_silent".to_owned(), ACCOUNTS[0].to_owned())]);
}

/// Handles objects in the order of their delivery, each ten minutes after it.
async fn handle_in_order(process: &Live<World, World, World>, objects: &[(ObjectRef, Vec<u8>)]) {
    for together in objects.chunks(traffic::TOGETHER) {
        let messages: Vec<_> = together.iter().map(|(object, _)| message(0, object)).collect();
        let now = Origin::new(together[0].0.uri()).delivered.unwrap().plus(10 * MINUTE);
        assert!(process.handle(&messages, at(now)).await.failed.is_empty());
    }
}

#[tokio::test]
async fn what_one_configuration_found_nothing_in_is_judged_again_by_another() {
    let objects = week(1, 7);
    let (_, found) = replayed(&objects);
    let mut world = World::new(&objects, Chaos::new(7, 0));
    // It learns for longer than there are objects.
    let quick = std::mem::take(&mut world.config);
    let process = world.process();
    handle_in_order(&process, &objects).await;
    let silent = found.keys().filter(|id| !world.ids().contains(*id)).count();
    assert!(silent > 3, "{silent} of {}", found.len());
    process.reconfigure(quick).unwrap();
    handle_in_order(&process, &objects).await;
    let silent: Vec<_> = found.iter().filter(|(id, _)| !world.ids().contains(*id)).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[tokio::test]
async fn another_configuration_judges_from_the_next_invocation_on() {
    let objects = week(6, 1);
    let world = World::new(&objects, Chaos::new(0, 0));
    let process = world.process();
    let before = process.config();
    let mut config = world.config.clone();
    config.detectors.access_denied_spike.min_calls = 1;
    assert!(process.reconfigure(config.clone()).is_err());
    assert_eq!(process.config(), before, "a broken one changes nothing");
    config.detectors.access_denied_spike.min_calls = 11;
    process.reconfigure(config.clone()).unwrap();
    assert_eq!(process.config(), config.digest());
    let messages: Vec<_> = objects.iter().enumerate().map(|(id, (o, _))| message(id, o)).collect();
    assert!(process.handle(&messages, much_later()).await.failed.is_empty());
    process.look(much_later().now, at(much_later().now.plus(HOUR))).await;
    let published = world.published.lock().unwrap();
    assert!(!published.is_empty() && published.iter().all(|alert| alert.config == config.digest()));
}
