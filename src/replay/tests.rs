use std::fs;
use std::io::Write as _;
use std::sync::atomic::AtomicUsize;

use trailhound_detectors::EventTime;
use trailhound_detectors::catalogue::Configs;

use super::*;
use crate::engine::worker::Selection;
use crate::ingest::source::FetchError;
use crate::ingest::{Disk, local};

/// A trail of small files, five minutes apart, each with a few calls of a few users.
struct Trail {
    folder: tempfile::TempDir,
}

const START: i64 = 1_772_409_600;

impl Trail {
    fn new(files: usize) -> Self {
        let trail = Self { folder: tempfile::tempdir().unwrap() };
        for n in 0..files {
            trail.write(&Self::name(n), &records(n).join(","));
        }
        trail
    }

    fn name(n: usize) -> String {
        let delivered = EventTime(START + 300 * (n as i64 + 1)).to_string().replace(['-', ':'], "");
        format!("111122223333_CloudTrail_eu-west-1_{}Z_{n:016}.json.gz", &delivered[..13])
    }

    fn write(&self, name: &str, records: &str) {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        write!(gzip, "{{\"Records\":[{records}]}}").unwrap();
        fs::write(self.folder.path().join(name), gzip.finish().unwrap()).unwrap();
    }

    fn request(&self, threads: usize) -> Request {
        Request {
            files: local::list(&[self.folder.path().to_owned()])
                .unwrap()
                .into_iter()
                .map(LogFile::from)
                .collect(),
            shelf: Arc::new(Disk),
            outside: 0,
            resume: None,
            intake: Intake { lateness_seconds: 3 * HOUR, ..Intake::default() },
            max_stored_bytes: 1 << 20,
            facts_in: None,
            facts_out: None,
            threads,
        }
    }
}

fn records(file: usize) -> Vec<String> {
    (0..6)
        .map(|n| {
            let time = EventTime(START + 300 * file as i64 + 40 * n);
            let (name, error) =
                if n == 5 { ("CreateUser", r#","errorCode":"AccessDenied""#) } else { ("ListUsers", "") };
            format!(
                r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u{user}","accountId":"111122223333","userName":"u{user}"}},"eventTime":"{time}","eventSource":"iam.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.{user}","userAgent":"aws-cli"{error},"requestParameters":null,"responseElements":null,"eventID":"{file:08}-0000-4000-8000-{n:012}","eventType":"AwsApiCall","recipientAccountId":"111122223333"}}"#,
                user = n % 3,
            )
        })
        .collect()
}

fn observed(request: Request) -> Observed {
    let observed = observe(request, &Progress::default()).unwrap();
    assert!(observed.tally.reconciles(), "{:?}", observed.tally);
    observed
}

#[test]
fn threads_and_order_of_files_change_no_facts() {
    let trail = Trail::new(40);
    let one = observed(trail.request(1));
    assert_eq!((one.tally.files.read, one.tally.records, one.tally.judged), (40, 240, 240));
    for threads in [2, 3, 8] {
        let mut request = trail.request(threads);
        request.files.reverse();
        assert_eq!(observed(request).ledgers, one.ledgers, "{threads} threads");
    }
}

#[test]
fn legs_of_single_files_teach_the_same_to_any_number_of_threads() {
    let trail = Trail::new(150);
    let closed = |threads: usize, leg_bytes: u64| {
        let Request { files, intake, max_stored_bytes, .. } = trail.request(threads);
        let intake = Arc::new(intake);
        let mut workers: Vec<Worker> =
            (0..threads).map(|_| Worker::one_of(threads, Arc::clone(&intake))).collect();
        let pace = Pace { shelf: &Disk, max_stored_bytes, leg_bytes, outages: &Mutex::default() };
        assert_eq!(together::read(&files, &mut workers, pace, &Progress::default()).len(), files.len());
        let (mut ledgers, mut judged) = (Ledgers::in_parts(threads), 0);
        for (part, mut worker) in workers.into_iter().enumerate() {
            for other in (0..threads).filter(|other| *other != part) {
                assert_eq!(worker.ledgers.take_part(other), Ledgers::default(), "only its own keys are left");
            }
            judged += worker.tally.judged;
            ledgers.absorb(worker.ledgers);
        }
        assert_eq!(judged, 900);
        ledgers.close(i64::MAX / 120);
        ledgers
    };
    let whole = closed(1, u64::MAX);
    for threads in [1, 2, 5] {
        assert_eq!(closed(threads, 1), whole, "{threads} threads");
    }
}

#[test]
fn copies_are_counted_and_teach_nothing() {
    let trail = Trail::new(10);
    let before = observed(trail.request(1));
    trail.write(&Trail::name(3).replace("_0000", "_copy"), &records(3).join(","));
    let mut after = observed(trail.request(1));
    assert_eq!(after.ledgers, before.ledgers);
    assert_eq!((after.tally.judged, after.tally.distinct.count()), (66, (60, true)));
}

#[test]
fn what_is_not_judged_is_skipped_for_a_reason() {
    let trail = Trail::new(10);
    let mut request = trail.request(2);
    let from = EventTime(START + 2 * HOUR);
    request.intake.selection.span.start = from;
    let outside = observed(request);
    assert_eq!((outside.tally.judged, outside.tally.files.outside), (0, 10), "delivered long before");
    let mut request = trail.request(2);
    request.intake.selection.span.start = EventTime(START + 600);
    let tally = observed(request).tally;
    assert_eq!((tally.judged, tally.skipped.get("outside_span").copied()), (48, Some(12)));
    let mut request = trail.request(2);
    request.intake.selection =
        Selection { accounts: ["999999999999".to_owned()].into(), ..Selection::default() };
    let tally = observed(request).tally;
    assert_eq!((tally.judged, tally.skipped.get("other_account").copied()), (0, Some(60)));
}

#[test]
fn bad_files_cost_only_themselves_and_are_named() {
    let trail = Trail::new(3);
    let path = trail.folder.path();
    let sound = fs::read(path.join(Trail::name(0))).unwrap();
    fs::write(path.join("cut.json.gz"), &sound[..sound.len() - 30]).unwrap();
    fs::write(path.join("noise.json.gz"), b"\x1f\x8b\x08not gzip at all").unwrap();
    fs::write(path.join("note.json"), "plain words").unwrap();
    fs::write(path.join("empty.json"), "").unwrap();
    let tally = observed(trail.request(2)).tally;
    assert_eq!((tally.files.read, tally.files.cut, tally.files.failed, tally.files.empty), (3, 1, 2, 1));
    let (problems, _) = tally.problems();
    let named: Vec<_> = problems.map(|p| p.object.rsplit('/').next().unwrap().to_owned()).collect();
    for name in ["cut.json.gz", "noise.json.gz", "note.json"] {
        assert!(named.iter().any(|n| n == name), "{name} is not among {named:?}");
    }
}

#[test]
fn facts_carry_over() {
    let trail = Trail::new(20);
    let whole = observed(trail.request(2));
    let facts = trail.folder.path().join("facts");
    let (first, second): (Vec<_>, Vec<_>) =
        trail.request(1).files.into_iter().enumerate().partition(|(n, _)| *n < 9);
    let part = |files: Vec<(usize, LogFile)>, facts_in: Option<PathBuf>| Request {
        files: files.into_iter().map(|(_, file)| file).collect(),
        facts_in,
        ..trail.request(1)
    };
    let detectors = Detectors::new(&Configs::default()).unwrap();
    let request = Request { facts_out: Some(facts.clone()), ..part(first, None) };
    run(request, &detectors, &Environment::default(), &Progress::default()).unwrap();
    assert_eq!(observed(part(second, Some(facts))).ledgers, whole.ledgers);
    let missing = Request { facts_in: Some("no/such/facts".into()), ..trail.request(1) };
    assert!(observe(missing, &Progress::default()).is_err());
}

#[test]
fn a_stop_ends_after_the_files_at_hand_and_saves_no_facts() {
    let trail = Trail::new(5);
    let progress = Progress::default();
    progress.stop.store(true, Ordering::Relaxed);
    let facts = trail.folder.path().join("facts");
    let request = Request { facts_out: Some(facts.clone()), ..trail.request(2) };
    let detectors = Detectors::new(&Configs::default()).unwrap();
    let outcome = run(request, &detectors, &Environment::default(), &progress).unwrap();
    assert!(outcome.stopped && outcome.tally.records == 0 && !facts.exists());
}

/// Files of this machine, until so many were read: then somebody types Ctrl-C, or the network is gone.
#[derive(Debug)]
struct Failing {
    left: AtomicUsize,
    progress: Arc<Progress>,
    is_network: bool,
}

impl Shelf for Failing {
    fn expect(&self, _: &[LogFile]) {}

    fn read(&self, file: &LogFile, limit: u64, into: &mut Vec<u8>) -> Result<(), IngestError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            if self.is_network {
                let why = FetchError::Failed("no route".into());
                return Err(IngestError::Fetch { object: file.origin().name.to_string(), why });
            }
            self.progress.stop.store(true, Ordering::SeqCst);
        }
        Disk.read(file, limit, into)
    }
}

#[test]
fn an_interrupted_replay_goes_on_to_the_same_end() {
    let trail = Trail::new(40);
    let resumable = |name: &str| Resumable { file: trail.folder.path().join(name), inputs: "these".into() };
    let counted = |mut tally: Tally| {
        tally.distinct.count();
        serde_json::to_value(&tally).unwrap()
    };
    let whole = observed(trail.request(2));
    let expected = counted(whole.tally);
    for is_network in [false, true] {
        for threads in [1, 2, 3] {
            let resume = resumable(&format!("{threads}-{is_network}.resume"));
            let mut runs = 0;
            let after = loop {
                runs += 1;
                let progress = Arc::new(Progress::default());
                let shelf =
                    Failing { left: AtomicUsize::new(7 * runs), progress: Arc::clone(&progress), is_network };
                let request = Request {
                    shelf: Arc::new(shelf),
                    resume: Some(resume.clone()),
                    ..trail.request(threads)
                };
                match observe(request, &progress) {
                    Ok(observed) if !observed.stopped => break observed,
                    Ok(_) => assert!(!is_network),
                    Err(ReplayError::Unavailable { source, .. }) => {
                        assert!(is_network && source.to_string().contains("no route"), "{source}");
                    }
                    Err(e) => panic!("{e}"),
                }
            };
            assert!(runs > 2, "it must have been interrupted: {runs}");
            assert_eq!(after.ledgers, whole.ledgers);
            assert_eq!(after.blind, whole.blind);
            assert_eq!(counted(after.tally), expected);
        }
    }
    // What was left is of use to the same command only, and only whole.
    let refused = |resume: Resumable| {
        let request = Request { resume: Some(resume), ..trail.request(1) };
        observe(request, &Progress::default()).unwrap_err().to_string()
    };
    let left = resumable("1-false.resume");
    let said = refused(Resumable { inputs: "others".into(), ..left.clone() });
    assert!(said.contains("other inputs"), "{said}");
    let mut bytes = fs::read(&left.file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&left.file, &bytes).unwrap();
    assert!(refused(left.clone()).contains("checksum"));
    fs::write(&left.file, "trailhound facts\n").unwrap();
    assert!(refused(left).contains("delete it to begin anew"));
}
