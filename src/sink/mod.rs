//! Where alerts go.

pub mod message;
mod publish;
#[cfg(feature = "aws")]
pub mod sns;

pub use publish::{Publish, PublishError};

use std::borrow::Borrow;
use std::io::{self, Write};

use crate::alert::Alert;

/// Writes alerts as JSON, one a line; only one at a time needs to be in memory.
pub fn json_lines(
    out: &mut impl Write,
    alerts: impl IntoIterator<Item = impl Borrow<Alert>>,
) -> io::Result<()> {
    // What is written to is asked once a line, not once a word.
    let mut line = Vec::new();
    for alert in alerts {
        line.clear();
        serde_json::to_writer(&mut line, alert.borrow())?;
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ClosedPipe;

    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_keeps_its_name() {
        let alert: Alert = serde_json::from_str(include_str!("../../tests/fixtures/alert.json")).unwrap();
        let error = json_lines(&mut ClosedPipe, [alert]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn one_alert_a_line() {
        let alert: Alert = serde_json::from_str(include_str!("../../tests/fixtures/alert.json")).unwrap();
        let mut out = Vec::new();
        json_lines(&mut out, [&alert, &alert]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            assert_eq!(serde_json::from_str::<Alert>(line).unwrap(), alert);
        }
        assert_eq!(text.lines().count(), 2);
    }
}
