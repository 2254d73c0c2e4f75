//! `trailhound explain-policy`, as people and pipelines use it.

use crate::trailhound::Folder;

const ADMIN: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const NARROW: &str =
    r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const FOREIGN: &str =
    r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"sts:AssumeRole"}]}"#;

#[test]
fn the_exit_code_follows_the_gravest_verdict() {
    let folder = Folder::new().with("admin.json", ADMIN).with("narrow.json", NARROW);
    for (arguments, code, said) in [
        (&["admin.json"][..], 4, "high          admin: everything is allowed on everything"),
        (&["admin.json", "--fail-on", "critical"], 0, "read as identity:"),
        (&["narrow.json"], 0, "read as identity: nothing to say"),
        (&["narrow.json", "--fail-on", "informational"], 0, "nothing to say"),
    ] {
        let mut all = vec!["explain-policy"];
        all.extend(arguments);
        let run = folder.run(&all);
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{arguments:?}");
        assert!(run.stdout.contains(said), "{arguments:?}: {}", run.stdout);
    }
}

#[test]
fn a_document_is_read_from_standard_input_in_any_dress() {
    let quoted = serde_json::to_string(ADMIN).unwrap();
    let encoded = ADMIN.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    let marked = format!("\u{feff}{ADMIN}");
    let in_answers = [
        format!(r#"{{"Policy":{quoted}}}"#),
        format!(r#"{{"RoleName":"r","PolicyName":"p","PolicyDocument":{ADMIN}}}"#),
        format!(r#"{{"PolicyVersion":{{"VersionId":"v1","Document":{ADMIN}}}}}"#),
        format!(r#"{{"Role":{{"RoleName":"r","AssumeRolePolicyDocument":{ADMIN}}}}}"#),
    ];
    let dressed =
        [ADMIN, &quoted, &encoded, &marked].into_iter().chain(in_answers.iter().map(String::as_str));
    for text in dressed {
        let run = Folder::new().run_with_input(&["explain-policy", "-", "--format", "json"], text.as_bytes());
        let explained: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(explained["kind"], "identity", "{text}");
        assert_eq!(explained["verdicts"][0]["code"], "admin", "{text}");
        assert_eq!(explained["verdicts"][0]["severity"], "high", "{text}");
        assert_eq!(explained["verdicts"][0]["text"], "Allow * on *", "{text}");
        assert_eq!(run.code, Some(4), "{text}");
    }
    let cedar =
        Folder::new().run_with_input(&["explain-policy", "-"], b"permit(principal, action, resource);");
    assert!(cedar.stdout.contains("read as cedar:\nmedium        cedar_all"), "{}", cedar.stdout);
}

#[test]
fn the_configuration_says_who_is_known() {
    let folder = Folder::new()
        .with("trust.json", FOREIGN)
        .with("trailhound.toml", "[organization]\ntrusted_accounts = [\"999988887777\"]\n");
    let strange = folder.run(&["explain-policy", "trust.json"]);
    assert!(strange.stdout.contains("other_account_trust"), "{}", strange.stdout);
    let trusted = folder.run(&["explain-policy", "trust.json", "--config", "trailhound.toml"]);
    assert!(trusted.stdout.contains("known_account"), "{}", trusted.stdout);
    let own = folder.run(&["explain-policy", "trust.json", "--account", "999988887777"]);
    assert!(own.stdout.contains("nothing to say"), "{}", own.stdout);
}

#[test]
fn what_is_no_policy_is_refused_with_a_reason() {
    let folder =
        Folder::new().with("broken.json", "{\"Statement\":").with("record.json", r#"{"eventName":"x"}"#);
    let deep = "[".repeat(100) + &"]".repeat(100);
    let long = " ".repeat(300 * 1024);
    for (text, said) in [
        ("", "not a policy: not valid JSON"),
        ("hello", "not a policy: not valid JSON"),
        (deep.as_str(), "not a policy: nested deeper than 64 levels"),
        (long.as_str(), "not a policy: longer than 262144 bytes"),
    ] {
        let run = folder.run_with_input(&["explain-policy", "-"], text.as_bytes());
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.trim_end()), (Some(3), "", said));
    }
    let binary = folder.run_with_input(&["explain-policy", "-"], b"\x1f\x8b\xff");
    assert_eq!((binary.code, binary.stderr.trim_end()), (Some(3), "not a policy: not text in UTF-8"));
    for (file, code, said) in [
        ("broken.json", 3, "not a policy: not valid JSON"),
        ("record.json", 3, "not a policy: no Statement"),
        ("missing.json", 1, "failed to read missing.json"),
        (".", 1, "failed to read ."),
    ] {
        let run = folder.run(&["explain-policy", file]);
        assert_eq!(run.code, Some(code), "{file}");
        assert!(run.stderr.contains(said), "{file}: {}", run.stderr);
    }
    for arguments in
        [&["--account", "12"][..], &["--kind", "x"], &["--fail-on", "x"], &["--config", "record.json"]]
    {
        let mut all = vec!["explain-policy", "broken.json"];
        all.extend(arguments);
        assert_eq!(folder.run(&all).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn what_a_document_says_reaches_no_terminal_as_it_is() {
    let text = r#"{"Statement":{"Sid":"\u001b[31mred\u0007","Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let run = Folder::new().run_with_input(&["explain-policy", "-"], text.as_bytes());
    assert!(run.stdout.contains("red") && !run.stdout.contains(['\u{1b}', '\u{7}']), "{:?}", run.stdout);
}
