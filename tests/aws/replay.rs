//! `replay s3://…` beside `replay` of the same files on disk.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use trailhound::simulate::{Options, Verdict, simulate};

use crate::pocket::faults::Faults;
use crate::pocket::{Pocket, Step};

/// A trail on disk and in the stand-in.
struct Both {
    folder: tempfile::TempDir,
    pocket: Pocket,
    keys: Vec<String>,
}

impl Both {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { days: 4, accounts: 2, events_per_day: 400, seed: 31, ..Options::default() };
        simulate(&options, &folder.path().join("trail"), 1, |_| Verdict::GoOn).expect("a simulated trail");
        let pocket = Pocket::start();
        let mut keys = Vec::new();
        let logs = folder.path().join("trail");
        for file in trailhound::ingest::local::list(&[logs.join("AWSLogs")]).expect("files") {
            let path = file.path();
            let key = path.strip_prefix(&logs).expect("below").to_string_lossy().into_owned();
            pocket.put(&key, &std::fs::read(&path).expect("a file"));
            keys.push(key);
        }
        // What lies beside a trail in a bucket of logs.
        for key in [
            "AWSLogs/123456789012/Config/us-east-1/x.json.gz",
            "AWSLogs/111155559999/CloudTrail-Digest/us-east-1/2026/03/01/x.json.gz",
            "AWSLogs/readme.md",
        ] {
            pocket.put(key, b"not to be read");
        }
        Self { folder, pocket, keys }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailhound"));
        command.arg("replay").args(arguments).args(["--format", "json", "--learning-days", "1"]);
        command.current_dir(self.folder.path()).env_clear().envs(self.pocket.environment());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("replay runs")
    }

    /// Alerts and account of a replay that must succeed, with objects named as if they lay on disk.
    fn told(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("s3://trail/", "trail/");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn a_trail_in_a_bucket_gives_what_its_files_give() {
    let both = Both::new();
    let on_disk = both.told(&["trail/AWSLogs"]);
    assert!(on_disk.0.lines().count() > 2, "{}", on_disk.1);
    for root in ["s3://trail", "s3://trail/", "s3://trail/AWSLogs", "s3://trail/AWSLogs/"] {
        both.pocket.take_fetched();
        assert_eq!(both.told(&[root]), on_disk, "{root}");
        assert_eq!(both.pocket.take_fetched().len(), both.keys.len());
    }
    assert_eq!(both.told(&["s3://elsewhere/"]).0.replace("s3://elsewhere/", "trail/"), on_disk.0);
    both.pocket.faults(Faults::one_in(12, 0, 3));
    both.pocket.take_calls();
    assert_eq!(both.told(&["s3://trail/AWSLogs", "--threads", "3"]), on_disk);
    println!("{:?}: calls {:?}", both.pocket.faults_met(), both.pocket.take_calls());
}

#[test]
fn only_what_was_asked_for_is_fetched() {
    let both = Both::new();
    let days = ["--from", "2026-03-02", "--to", "2026-03-02"];
    let fetched = |more: &[&str]| {
        both.pocket.take_fetched();
        both.pocket.take_calls();
        both.told(&[&["s3://trail/AWSLogs"], &days[..], more].concat());
        (both.pocket.take_fetched(), both.pocket.take_calls()[&Step::List])
    };
    let (of_day, lists) = fetched(&[]);
    let time = |key: &str| key.rsplit('_').nth(1).expect("a time").to_owned();
    let expected = |key: &&String| ("20260301T2300Z"..="20260303T0300Z").contains(&time(key).as_str());
    assert_eq!(of_day, both.keys.iter().filter(expected).cloned().collect());
    assert!(of_day.len() < both.keys.len() / 2 && !of_day.is_empty());
    let is_account = |folder: &&str| folder.len() == 12 && folder.bytes().all(|b| b.is_ascii_digit());
    let account = both.keys[0].split('/').find(is_account).expect("an account");
    let (of_account, fewer_lists) = fetched(&["--accounts", account]);
    assert!(of_account.iter().all(|key| key.contains(account)) && !of_account.is_empty());
    assert!(of_account.len() < of_day.len() && fewer_lists < lists, "{fewer_lists} of {lists}");
    // One object, and the same as a file.
    let key = &both.keys[0];
    assert_eq!(both.told(&[&format!("s3://trail/{key}")]), both.told(&[&format!("trail/{key}")]));
}

#[test]
fn interrupted_it_goes_on_to_the_same_bytes() {
    let both = Both::new();
    let on_disk = both.told(&["trail/AWSLogs"]);
    let arguments = ["s3://trail/AWSLogs", "--resume", "left", "--threads", "2"];
    // Slow enough to be interrupted in the middle: 32 are fetched at once.
    both.pocket.faults(Faults::slow(Duration::from_millis(100)));
    for goal in [200, 300] {
        both.pocket.take_fetched();
        let mut replay = both.command(&arguments);
        let mut child = replay.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
        while both.pocket.fetched() < goal {
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        assert_eq!(child.wait().expect("an end").code(), Some(130));
    }
    both.pocket.faults(Faults::default());
    both.pocket.take_fetched();
    let is_left = both.folder.path().join("left").exists();
    let told = both.told(&arguments);
    let fetched = both.pocket.take_fetched().len();
    println!("{fetched} of {} objects fetched at last", both.keys.len());
    assert_eq!(told, on_disk);
    assert!(is_left && fetched < both.keys.len(), "{fetched} of {}", both.keys.len());
    assert!(!both.folder.path().join("left").exists(), "what is done leaves nothing");
}

#[test]
fn what_can_not_be_read_is_said_with_what_to_do() {
    let both = Both::new();
    let said = |arguments: &[&str]| {
        let output = both.run(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (root, words) in [
        ("s3://no-such-bucket/x", "there is no bucket no-such-bucket"),
        ("s3://forbidden/AWSLogs", "s3:ListBucket"),
        ("s3://trail/nothing/here", "there is nothing at s3://trail/nothing/here"),
    ] {
        let (code, text) = said(&[root]);
        assert!(code == Some(1) && text.contains(words), "{root}: {code:?} {text}");
    }
    let mut command = both.command(&["s3://trail/AWSLogs"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = command.output().expect("replay runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && text.contains("no AWS credentials"), "{text}");
}
