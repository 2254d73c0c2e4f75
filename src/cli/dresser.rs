//! Findings, dressed as alerts.

use std::io::{self, Write};
use std::sync::mpsc;

use crate::alert::{Alert, Provenance};
use crate::detectors::finding::Finding;
use crate::sink;

/// Makes alerts of findings.
pub(super) struct Dresser {
    pub(super) provenance: Provenance,
    /// Threads to use.
    pub(super) threads: usize,
}

impl Dresser {
    /// What one thread dresses at a time.
    const PIECE: usize = 256;
    /// Pieces of a thread that wait to be written.
    const AHEAD: usize = 2;

    /// The alert of a finding.
    pub(super) fn alert(&self, finding: Finding) -> Alert {
        Alert::new(finding, &self.provenance)
    }

    /// Writes alerts as JSON, one a line, in the order of the findings. They are dressed piece by piece by all threads in turn,
    /// none of which gets further ahead than a few pieces.
    pub(super) fn write_lines(&self, out: &mut impl Write, findings: Vec<Finding>) -> io::Result<()> {
        let threads = self.threads.clamp(1, findings.len().div_ceil(Self::PIECE).max(1));
        if threads == 1 {
            return sink::json_lines(out, findings.into_iter().map(|finding| self.alert(finding)));
        }
        let mut turns: Vec<Vec<Vec<Finding>>> = vec![Vec::new(); threads];
        let mut findings = findings.into_iter().peekable();
        for turn in (0..threads).cycle() {
            if findings.peek().is_none() {
                break;
            }
            turns[turn].push(findings.by_ref().take(Self::PIECE).collect());
        }
        drop(findings);
        std::thread::scope(|scope| {
            let dressed = turns.into_iter().map(|pieces| {
                let (done, dressed) = mpsc::sync_channel(Self::AHEAD);
                scope.spawn(move || {
                    // Nobody takes it once writing has failed.
                    let mut all = pieces.into_iter().map(|piece| done.send(self.lines(piece)));
                    all.all(|sent| sent.is_ok())
                });
                dressed
            });
            let dressed: Vec<_> = dressed.collect();
            // Behind the first thread whose turns are over there are no others.
            let mut pieces = dressed.iter().cycle().map_while(|dressed| dressed.recv().ok());
            pieces.try_for_each(|lines| out.write_all(&lines?))
        })
    }

    fn lines(&self, findings: Vec<Finding>) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        sink::json_lines(&mut lines, findings.into_iter().map(|finding| self.alert(finding)))?;
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::finding;

    fn findings(count: usize) -> Vec<Finding> {
        (0..count).map(|nth| Finding { title: format!("finding {nth}"), ..finding() }).collect()
    }

    fn dresser(threads: usize) -> Dresser {
        Dresser { provenance: Provenance { config: "digest".into() }, threads }
    }

    #[test]
    fn lines_come_in_the_order_of_the_findings_however_many_threads_dress_them() {
        for count in [0, 1, Dresser::PIECE, Dresser::PIECE + 1, 10 * Dresser::PIECE + 7] {
            for threads in [0, 1, 2, 3, 20] {
                let mut lines = Vec::new();
                dresser(threads).write_lines(&mut lines, findings(count)).unwrap();
                let lines = String::from_utf8(lines).unwrap();
                let titles: Vec<&str> = lines
                    .lines()
                    .map(|line| line.split('"').find(|t| t.starts_with("finding ")).unwrap())
                    .collect();
                let expected: Vec<String> = (0..count).map(|nth| format!("finding {nth}")).collect();
                assert_eq!(titles, expected, "{threads} threads");
            }
        }
    }

    /// A disk that is full after a few writes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_can_not_write_says_so_and_nobody_waits() {
        for writes in [0, 3] {
            let error = dresser(3).write_lines(&mut Full(writes), findings(20 * Dresser::PIECE)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}
