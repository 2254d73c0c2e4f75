//! `trailhound explain-policy`.

use std::borrow::Cow;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use clap::ValueHint;

use super::{Done, config, exit};
use crate::config::Config;
use crate::detectors::Severity;
use crate::detectors::json::{Value, parse};
use crate::detectors::policy_change::{self, Explanation, Kind};
use crate::report::text::plain;

const EXAMPLES: &str = "\
Examples:
  trailhound explain-policy policy.json
  aws iam get-role --role-name ci | trailhound explain-policy - --account 123456789012
  aws s3api get-bucket-policy --bucket logs | trailhound explain-policy -
  trailhound explain-policy policy.json --format json --fail-on medium

Exit codes: 0 nothing as grave as --fail-on, 1 failed, 2 wrong command line or configuration,
3 not a policy, 4 a verdict reached --fail-on.";

/// Longer than any policy may be with its percent-encoding: what lies behind is not read, and the text is refused.
const MAX_READ: u64 = 1024 * 1024;

/// Judge a policy document as policy_change would: what it opens, to whom, and why
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The document, as JSON or Cedar; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// How to read it [default: what it looks like]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<As>,

    /// The account it belongs to: others are strangers
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<String>,

    /// The configuration, for the organization and trusted accounts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// text for people, json for programs
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// End with exit code 4 if a verdict is at least this grave
    #[arg(long, value_name = "SEVERITY", default_value = "high", value_parser = super::replay::severity)]
    fail_on: Severity,
}

/// How a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// What its holder may do
    Identity,
    /// Who may assume a role
    Trust,
    /// Who may come to a resource
    Resource,
    /// Cedar, of Verified Permissions and Verified Access
    Cedar,
    /// Rules of OpenSearch Serverless
    Opensearch,
}

/// How the verdicts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Reads, judges, tells.
pub(super) fn run(arguments: &Arguments) -> Done {
    let config = match &arguments.config {
        Some(file) => Config::load(file).map_err(config::refused)?,
        None => Config::default(),
    };
    let bytes = read(arguments)?;
    // Editors of Windows begin a file with a byte order mark.
    let Ok(text) = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)) else {
        writeln!(anstream::stderr().lock(), "not a policy: not text in UTF-8")?;
        return Ok(exit::UNREADABLE);
    };
    let kind = arguments.kind.map(|kind| match kind {
        As::Identity => Kind::Identity,
        As::Trust => Kind::Trust,
        As::Resource => Kind::Resource,
        As::Cedar => Kind::Cedar,
        As::Opensearch => Kind::OpenSearch,
    });
    let text = unwrapped(text);
    let explanation = match policy_change::explain(
        &text,
        kind,
        arguments.account.as_deref().unwrap_or_default(),
        &config.organization,
    ) {
        Ok(explanation) => explanation,
        Err(why) => {
            writeln!(anstream::stderr().lock(), "not a policy: {why}")?;
            return Ok(exit::UNREADABLE);
        }
    };
    match arguments.format {
        Format::Text => write_text(&mut anstream::stdout().lock(), &explanation)?,
        Format::Json => {
            let mut stdout = io::stdout().lock();
            serde_json::to_writer_pretty(&mut stdout, &explanation).map_err(io::Error::from)?;
            writeln!(stdout)?;
        }
    }
    let reached = explanation.severity().is_some_and(|severity| severity >= arguments.fail_on);
    Ok(if reached { exit::ALERTED } else { exit::OK })
}

/// The document in what the AWS command line prints of a policy, or the text as it is.
fn unwrapped(text: &str) -> Cow<'_, str> {
    const WRAPPERS: [&str; 11] = [
        "Policy",
        "PolicyDocument",
        "PolicyVersion",
        "Role",
        "AssumeRolePolicyDocument",
        "Document",
        "Content",
        "ResourcePolicy",
        "InlinePolicy",
        "Attributes",
        "policyText",
    ];
    // `get-policy-version` wraps twice, `describe-policy` of organizations in an object with a text.
    const DEEPEST: usize = 3;
    let mut text = Cow::Borrowed(text);
    for _ in 0..DEEPEST {
        let Ok(Value::Object(mut members)) = parse(&text) else { break };
        if members.keys().any(|name| name.eq_ignore_ascii_case("Statement")) {
            break;
        }
        let Some(wrapped) = WRAPPERS.iter().find_map(|name| members.remove(*name)) else { break };
        text = match wrapped {
            Value::String(text) => text.into(),
            Value::Object(_) => wrapped.to_string().into(),
            _ => break,
        };
    }
    text
}

fn account(text: &str) -> Result<String, &'static str> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(text.to_owned()) } else { Err("an account id has 12 digits") }
}

fn read(arguments: &Arguments) -> anyhow::Result<Vec<u8>> {
    let file = &arguments.file;
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        io::stdin().lock().take(MAX_READ).read_to_end(&mut bytes).context("failed to read standard input")?;
    } else {
        let what = || format!("failed to read {}", file.display());
        std::fs::File::open(file)
            .with_context(what)?
            .take(MAX_READ)
            .read_to_end(&mut bytes)
            .with_context(what)?;
    }
    Ok(bytes)
}

fn write_text(out: &mut impl Write, explanation: &Explanation) -> io::Result<()> {
    let read_as = format!("{:?}", explanation.kind).to_lowercase();
    if explanation.verdicts.is_empty() {
        return writeln!(out, "read as {read_as}: nothing to say");
    }
    writeln!(out, "read as {read_as}:")?;
    for verdict in &explanation.verdicts {
        let style = style(verdict.severity);
        writeln!(
            out,
            "{style}{:13}{style:#} {}: {}",
            verdict.severity,
            verdict.code.name(),
            verdict.code.meaning()
        )?;
        writeln!(out, "              {}", plain(&verdict.text))?;
    }
    Ok(())
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low | Severity::Informational => Style::new(),
    }
}
