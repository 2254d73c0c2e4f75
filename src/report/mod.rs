//! What people see in a terminal: alerts gathered into stories, then the account of the run.
//!
//! Styles are always written; the stream decides whether they stay (`NO_COLOR`, a pipe). Everything that came from a log
//! goes through [`text::plain`] first.

mod alerts;
pub mod facts;
pub mod figures;
pub mod markdown;
mod reconciliation;
pub mod stories;
pub mod text;

use std::io::{self, Write};

use crate::alert::Alert;

pub use reconciliation::{Shown, Summary};

/// Lines narrower or wider than this read badly.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;

/// A report, to be written to a terminal or a file.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// In the order replay gives them.
    pub alerts: &'a [Alert],
    /// The account of the run.
    pub summary: Summary<'a>,
    /// Columns there are.
    pub width: usize,
}

impl Report<'_> {
    /// Writes alerts, then the reconciliation.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        alerts::write(out, self.alerts, readable(self.width))?;
        self.summary.write(out, self.width)
    }
}

impl Summary<'_> {
    /// Writes the reconciliation alone, where there are so many columns.
    pub fn write(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        reconciliation::write(out, self, readable(width))
    }
}

fn readable(width: usize) -> usize {
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

#[cfg(test)]
mod tests;
