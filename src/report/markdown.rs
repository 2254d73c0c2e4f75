//! Documentation for a terminal: headings stand out, `code` is coloured, paragraphs fill the width there is.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::text::wrap;

const HEADING: Style = Style::new().bold().underline();
const CODE: Style = AnsiColor::Cyan.on_default();
const STRONG: Style = Style::new().bold();

/// Writes markdown. Blocks of code and tables keep their form.
pub fn write(out: &mut impl Write, text: &str, width: usize) -> io::Result<()> {
    let mut paragraph = String::new();
    let mut is_code = false;
    for line in text.lines() {
        let line = line.trim_end();
        let opens_or_closes = line.trim_start().starts_with("```");
        let begins_item = ["- ", "* "].iter().any(|mark| line.trim_start().starts_with(mark));
        let is_own_line = line.is_empty() || line.starts_with(['|', '#']);
        if is_code || opens_or_closes || begins_item || is_own_line {
            write_paragraph(out, &std::mem::take(&mut paragraph), width)?;
        }
        if opens_or_closes {
            is_code = !is_code;
        } else if is_code {
            writeln!(out, "    {CODE}{line}{CODE:#}")?;
        } else if let Some(heading) = heading(line) {
            writeln!(out, "{HEADING}{heading}{HEADING:#}")?;
        } else if is_own_line {
            Marks::default().write_line(out, line)?;
        } else if paragraph.is_empty() {
            paragraph.push_str(line);
        } else {
            paragraph.push(' ');
            paragraph.push_str(line.trim_start());
        }
    }
    write_paragraph(out, &paragraph, width)
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    (rest.len() < line.len()).then(|| rest.strip_prefix(' '))?
}

/// A paragraph or list item, its later lines indented as its first.
fn write_paragraph(out: &mut impl Write, paragraph: &str, width: usize) -> io::Result<()> {
    let text = paragraph.trim_start();
    let mut indent = paragraph.len() - text.len();
    let mut marks = Marks::default();
    for (i, line) in wrap(text, width.saturating_sub(indent + 2).max(20)).iter().enumerate() {
        if i == 1 && text.starts_with(['-', '*']) && !text.starts_with("**") {
            indent += 2;
        }
        write!(out, "{:indent$}", "")?;
        marks.write_line(out, line)?;
    }
    Ok(())
}

/// Which marks are open; a line may end inside them.
#[derive(Default)]
struct Marks {
    code: bool,
    strong: bool,
}

impl Marks {
    fn style(&self) -> Style {
        if self.code {
            CODE
        } else if self.strong {
            STRONG
        } else {
            Style::new()
        }
    }

    fn write_line(&mut self, out: &mut impl Write, line: &str) -> io::Result<()> {
        for (i, piece) in line.split('`').enumerate() {
            if i > 0 {
                self.code = !self.code;
            }
            let words = if self.code { vec![piece] } else { piece.split("**").collect() };
            for (j, words) in words.into_iter().enumerate() {
                if j > 0 {
                    self.strong = !self.strong;
                }
                let style = self.style();
                write!(out, "{style}{words}{style:#}")?;
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        write(&mut anstream::StripStream::new(&mut out), text, 24).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn marks_become_style_and_words_stay() {
        assert_eq!(shown("# A heading\n\n**Bold** and `co**de`.\n"), "A heading\n\nBold and co**de.\n");
        assert_eq!(shown("```text\n# no `heading`\n```\n"), "    # no `heading`\n");
    }

    #[test]
    fn paragraphs_fill_the_width_and_tables_keep_their_form() {
        assert_eq!(shown("one two\nthree four five six\n"), "one two three four\nfive six\n");
        assert_eq!(
            shown("- one two three four five\n  six\n- seven"),
            "- one two three four\n  five six\n- seven\n"
        );
        assert_eq!(
            shown("text\n| a wide table | stays as it is |\n"),
            "text\n| a wide table | stays as it is |\n"
        );
    }

    #[test]
    fn code_that_breaks_over_lines_stays_code() {
        let mut out = Vec::new();
        write(&mut out, "see `one two three four five six` now", 24).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().all(|line| line.contains("\u{1b}[36m")), "{text:?}");
    }
}
