//! What the program says, and how it ends.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use crate::trailhound::{Folder, fixture};

const RECORD: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::123456789012:user/ann","accountId":"123456789012","userName":"ann"},"eventTime":"2026-03-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"ListUsers","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.9","userAgent":"aws-cli/2","requestParameters":null,"responseElements":null,"eventID":"00000000-0000-4000-8000-000000000001","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}"#;

/// Who made the call in [`RECORD`].
const ACTOR: &str = "arn:aws:iam::123456789012:user/ann";

fn trail() -> Folder {
    Folder::new().with("trail/one.json", format!("{{\"Records\":[{RECORD}]}}"))
}

/// The names in the list of commands that `--help` gives.
fn commands(help: &str) -> Vec<&str> {
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.map(|line| line.split_whitespace().next().unwrap()).collect()
}

#[test]
fn help() {
    let folder = Folder::new();
    let whole = folder.run(&["--help"]);
    assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
    for command in commands(&whole.stdout) {
        let said = folder.run(&[command, "--help"]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{command}");
        assert!(said.stdout.contains("Examples:"), "{command} shows no example");
        insta::assert_snapshot!(format!("help_{command}"), said.stdout);
    }
    insta::assert_snapshot!("help", whole.stdout);
}

#[test]
fn refusals_say_what_to_do_next() {
    let folder = trail().with("wrong.toml", "[learning]\ndayz = 3\n");
    let mut said = String::new();
    for arguments in [
        &["replay"][..],
        &["replay", "missing"],
        &["replay", "trail", "--from", "yesterday"],
        &["replay", "trail", "--to", "2026-03-01T10:00"],
        &["replay", "trail", "--from", "2026-03-02", "--to", "2026-03-01"],
        &["replay", "trail", "--accounts", "ann"],
        &["replay", "trail", "--severity", "hgih"],
        &["replay", "trail", "--threads", "0"],
        &["replay", "trail", "--learning-days", "1000"],
        &["replay", "trail", "--config", "wrong.toml"],
        &["replay", "trail", "--config", "missing.toml"],
        &["replay", "trail", "--output", "missing/alerts.jsonl"],
        &["replay", "trail", "--facts-out", "missing/facts"],
        &["replay", "trail", "--facts-in", "missing.facts"],
        &["detectors", "policy_chnage"],
        &["detectors", "nonsense"],
        &["config", "check", "wrong.toml"],
        &["raply"],
    ] {
        let run = folder.run(arguments);
        assert_eq!(run.stdout, "", "{arguments:?}");
        said.push_str(&format!(
            "$ trailhound {}\nexit {}\n{}\n",
            arguments.join(" "),
            run.code.unwrap(),
            run.stderr
        ));
    }
    insta::assert_snapshot!(said);
    assert_eq!(folder.names(), ["trail", "wrong.toml"], "a refused run leaves nothing behind");
}

#[test]
fn detectors_are_listed_and_explained() {
    let folder = Folder::new();
    let listed = folder.run(&["detectors"]).stdout;
    assert_eq!(listed.lines().count(), trailhound::detectors::catalogue::ENTRIES.len());
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap();
        let explained = folder.run(&["detectors", name]);
        assert_eq!(explained.code, Some(0));
        assert!(explained.stdout.starts_with(name), "{name}");
    }
}

#[test]
fn the_default_configuration_passes_the_check() {
    let default = Folder::new().run(&["config", "default"]).stdout;
    let folder = Folder::new().with("trailhound.toml", default);
    let checked = folder.run(&["config", "check", "trailhound.toml"]);
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
    let digest = trailhound::config::Config::default().digest();
    assert!(checked.stdout.contains(&*digest), "{}", checked.stdout);
}

#[test]
fn the_schema_is_json_and_names_every_table() {
    let schema: serde_json::Value =
        serde_json::from_str(&Folder::new().run(&["config", "schema"]).stdout).unwrap();
    for table in ["organization", "learning", "limits", "detectors", "suppressions"] {
        assert!(schema["properties"].get(table).is_some(), "{table}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = Folder::new().run(&["completions", shell]);
        assert_eq!(said.code, Some(0), "{shell}");
        assert!(said.stdout.contains("learning-days"), "{shell}");
    }
}

#[test]
fn a_quiet_trail_reconciles() {
    let said = trail().run(&["replay", "trail", "--format", "text"]);
    insta::assert_snapshot!(said.whole());
}

#[test]
fn json_goes_to_standard_output_and_the_account_beside_it() {
    let folder = trail();
    let piped = folder.run(&["replay", "trail"]);
    assert_eq!((piped.code, piped.stdout.as_str()), (Some(0), ""));
    assert!(piped.stderr.contains("1 = 1 judged"), "{}", piped.stderr);
}

#[test]
fn standard_input_is_a_trail_like_any_other() {
    for input in [RECORD.to_owned(), format!("[{RECORD}]"), format!("{RECORD}\n{RECORD}\n")] {
        let said = Folder::new().run_with_input(&["replay", "-", "--format", "text"], input.as_bytes());
        assert_eq!(said.code, Some(0));
        assert!(said.stdout.contains("1 account"), "{}", said.stdout);
    }
}

#[test]
fn what_could_not_be_read_is_told_and_changes_the_exit_code() {
    let folder = trail().with("trail/two.json", "{\"Records\":[").with("trail/three.json.gz", "not gzip");
    let said = folder.run(&["replay", "trail", "--format", "text"]);
    assert_eq!(said.code, Some(3));
    assert!(said.stdout.contains("two.json") && said.stdout.contains("three.json.gz"), "{}", said.stdout);
    assert!(said.stdout.contains("1 = 1 judged"), "{}", said.stdout);
}

#[test]
fn accounts_and_times_left_out_are_counted() {
    for arguments in
        [&["--accounts", "999999999999"][..], &["--to", "2026-02-28"], &["--from", "2026-03-01T10:00:01Z"]]
    {
        let said = trail().run(&[&["replay", "trail", "--format", "text"], arguments].concat());
        assert!(said.stdout.contains("1 = 0 judged + 1 skipped"), "{arguments:?} {}", said.stdout);
    }
}

#[test]
fn facts_of_one_run_are_the_beginning_of_the_next() {
    let folder = trail().with("empty/none.json", "{\"Records\":[]}");
    assert_eq!(folder.run(&["replay", "trail", "--facts-out", "one.facts"]).code, Some(0));
    let next = folder.run(&["replay", "empty", "--facts-in", "one.facts", "--facts-out", "two.facts"]);
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert_eq!(fs::read(folder.path("one.facts")).unwrap(), fs::read(folder.path("two.facts")).unwrap());
}

#[test]
fn facts_are_shown_by_name_and_a_wrong_name_is_put_right() {
    let folder = trail();
    assert_eq!(folder.run(&["replay", "trail", "--facts-out", "one.facts"]).code, Some(0));
    let inspect = |who: &str, format: &str| {
        folder.run(&["facts", "inspect", who, "--facts", "one.facts", "--format", format])
    };
    let json = inspect(ACTOR, "json");
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    for line in json.stdout.lines() {
        let one: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(one["entity"], ACTOR);
        assert!(one["facts"].is_object());
    }
    let name = ACTOR.rsplit('/').next().unwrap();
    let text = inspect(name, "text");
    assert!(text.stdout.starts_with(&format!("{ACTOR} in ")), "{}", text.stdout);
    let wrong = inspect(&format!("{name}x"), "text");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""));
    assert!(wrong.stderr.contains("did you mean") && wrong.stderr.contains(ACTOR), "{}", wrong.stderr);
    assert_eq!(folder.run(&["facts", "inspect", name]).code, Some(2), "from where is not said");
}

#[test]
fn a_damaged_facts_file_is_refused() {
    let folder = trail();
    folder.run(&["replay", "trail", "--facts-out", "one.facts"]);
    let mut facts = fs::read(folder.path("one.facts")).unwrap();
    let middle = facts.len() / 2;
    facts[middle] ^= 1;
    let said = folder.with("one.facts", facts).run(&["replay", "trail", "--facts-in", "one.facts"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
    assert!(said.stderr.contains("one.facts"), "{}", said.stderr);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::new();
    let mut child =
        folder.command(&["config", "schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_the_run_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut child = folder
        .command(&["replay", "-", "--output", "alerts.jsonl", "--facts-out", "facts"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    // Sent until it listens: a signal before the handler is set would end it otherwise, and 130 would be missed.
    std::thread::sleep(std::time::Duration::from_millis(300));
    for _ in 0..2 {
        std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn an_alert_in_the_public_form_is_what_the_fixture_says() {
    let alert: trailhound::alert::Alert =
        serde_json::from_str(&fs::read_to_string(fixture("alert.json")).unwrap()).unwrap();
    assert_eq!(alert.schema, trailhound::alert::SCHEMA);
}
