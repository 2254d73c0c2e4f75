//! Module documentation for a terminal: headings stand out, `code` is coloured, the rest is left as it was written.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

const HEADING: Style = Style::new().bold().underline();
const CODE: Style = AnsiColor::Cyan.on_default();

/// Writes markdown. Blocks of code and tables keep their form.
pub fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            writeln!(out, "    {CODE}{line}{CODE:#}")?;
        } else if let Some(heading) = heading(line) {
            writeln!(out, "{HEADING}{heading}{HEADING:#}")?;
        } else {
            write_line(out, line)?;
        }
    }
    Ok(())
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    (rest.len() < line.len()).then(|| rest.strip_prefix(' '))?
}

fn write_line(out: &mut impl Write, line: &str) -> io::Result<()> {
    for (i, piece) in line.split('`').enumerate() {
        if i % 2 == 1 {
            write!(out, "{CODE}{piece}{CODE:#}")?;
        } else {
            write!(out, "{}", piece.replace("**", ""))?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut anstream::StripStream::new(&mut out), text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn marks_become_style_and_words_stay() {
        assert_eq!(shown("# A heading\n\n**Bold** and `code`.\n#tag"), "A heading\n\nBold and code.\n#tag\n");
        assert_eq!(shown("```text\n# no `heading`\n```\n"), "    # no `heading`\n");
    }
}
