//! In place of the table of a deployment, for builds that can't talk to AWS.

use super::{Pull, Push};
use crate::cli::{Done, Refused};
use crate::detectors::catalogue::Ledgers;

fn refused(table: &str) -> anyhow::Error {
    let why = format!("this build can't reach the table {table}: build it with the feature `aws`");
    Refused(why).into()
}

pub(super) fn all(table: &str) -> anyhow::Result<Ledgers> {
    Err(refused(table))
}

pub(super) fn push(Push { file: _, table }: &Push) -> Done {
    Err(refused(table))
}

pub(super) fn pull(Pull { file: _, table }: &Pull) -> Done {
    Err(refused(table))
}
