use std::collections::BTreeMap;

use super::*;

fn complaints(text: &str) -> String {
    Config::parse(text, "t.toml").unwrap_err().to_string()
}

#[test]
fn nothing_configured_is_the_default() {
    assert_eq!(Config::parse("", "t.toml").unwrap(), Config::default());
}

#[test]
fn the_commented_default_is_the_default_with_every_field_explained() {
    let text = Config::commented_default();
    assert_eq!(Config::parse(&text, "default.toml").unwrap(), Config::default());
    for table in ["organization", "learning", "limits"]
        .map(String::from)
        .into_iter()
        .chain(trailhound_detectors::catalogue::ENTRIES.iter().map(|e| format!("detectors.{}", e.name)))
    {
        assert!(text.contains(&format!("[{table}]\n")), "{table}");
    }
    let mut lines = text.lines().skip_while(|l| !l.starts_with("[learning]")).skip(1);
    assert!(lines.next().unwrap().starts_with("# "), "fields stand below their documentation");
}

#[test]
fn unknown_names_are_told_with_place_and_suggestion_all_at_once() {
    insta::assert_snapshot!(complaints(
        "[learning]\ndayz = 3\n\n[detectors.policy_chnage]\n\n[organisation]\nid = 'o-1'\n\n\
         [[suppressions]]\nreason = 'r'\nexpire = '2026-01-01'\n\n[learning.deep]\nx = 1\n"
    ), @r"
    t.toml:2:1: unknown field `dayz` in [learning]; did you mean `days`?
    t.toml:4:12: unknown field `policy_chnage` in [detectors]; did you mean `policy_change`?
    t.toml:6:2: unknown field `organisation`; did you mean `organization`?
    t.toml:11:1: unknown field `expire` in [suppressions]; did you mean `expires`?
    t.toml:13:11: unknown field `deep` in [learning]; there are `days`, `forget_after_days`, `lateness_minutes`
    ");
}

#[test]
fn values_that_do_not_fit_are_told_with_their_place() {
    insta::assert_snapshot!(complaints("[learning]\ndays = 'many'\n"));
    insta::assert_snapshot!(complaints("[learning]\ndays = -1\n"));
    insta::assert_snapshot!(complaints("[learning\ndays = 1\n"));
    insta::assert_snapshot!(complaints("[[suppressions]]\nreason='r'\nexpires = 'soon'\n"));
}

#[test]
fn values_that_cannot_be_are_told_all_at_once() {
    insta::assert_snapshot!(complaints(
        "[organization]\nid = 'my-org'\naccounts = ['123', '123456789012']\n\
         [learning]\nforget_after_days = 19\ndays = 20\nlateness_minutes = 1441\n\
         [[suppressions]]\nkind = 'x'\nreason = 'r'\nexpires = 2026-01-01\n\
         [[suppressions]]\nreason = 'r'\nexpires = 2026-01-01\n"
    ));
}

#[test]
fn memory_and_lateness_may_be_at_their_ends() {
    assert!(Config::parse("[learning]\nforget_after_days = 20\nlateness_minutes = 1440\n", "t.toml").is_ok());
}

#[test]
fn account_names_are_free_in_the_vendor_table() {
    let config =
        Config::parse("[organization.vendor_accounts]\n123456789012 = 'Vendor'\n", "t.toml").unwrap();
    let vendors = BTreeMap::from([("123456789012".to_owned(), "Vendor".to_owned())]);
    assert_eq!(config.organization.vendor_accounts, vendors);
}

#[test]
fn the_digest_sees_values_and_nothing_else() {
    let digest = |text| Config::parse(text, "t.toml").unwrap().digest();
    assert_eq!(digest("# a comment\n[learning]\ndays = 14"), Config::default().digest());
    assert_ne!(digest("[learning]\ndays = 13"), Config::default().digest());
    assert!(digest("").len() == "sha256:".len() + 64);
}

#[test]
fn a_suppression_survives_being_written() {
    let text = "[[suppressions]]\nreason = 'r'\nexpires = 2026-01-01\nsource = '10.0.0.0/8'\n";
    let config = Config::parse(text, "t.toml").unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(Config::parse(&written, "t.toml").unwrap(), config);
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("/nowhere/t.toml")).unwrap_err();
    assert_eq!(error.to_string(), "failed to read the configuration /nowhere/t.toml");
}
