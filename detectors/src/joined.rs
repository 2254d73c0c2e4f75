//! Several texts as one.

/// Texts end to end: what is compared whole, again and again, lies in one place of memory and not in one for each text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined<const N: usize> {
    lengths: [usize; N],
    text: Box<str>,
}

/// Empty texts.
impl<const N: usize> Default for Joined<N> {
    fn default() -> Self {
        Self { lengths: [0; N], text: Box::default() }
    }
}

impl<const N: usize> Joined<N> {
    /// The texts, joined.
    pub(crate) fn of(texts: &[&str; N]) -> Self {
        Self { lengths: texts.map(str::len), text: texts.concat().into() }
    }

    /// Whether these are the texts.
    pub(crate) fn is(&self, texts: &[&str; N]) -> bool {
        // Comparing whole arrays would be a call.
        let other_bits =
            self.lengths.iter().zip(texts).fold(0, |bits, (length, text)| bits | (length ^ text.len()));
        if other_bits != 0 {
            return false;
        }
        let mut rest = self.text.as_bytes();
        texts.iter().filter(|text| !text.is_empty()).all(|text| {
            let (same, behind) = rest.split_at(text.len());
            rest = behind;
            same == text.as_bytes()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_texts_are_the_same() {
        let joined = Joined::of(&["ab", "", "c", "dé"]);
        assert!(joined.is(&["ab", "", "c", "dé"]));
        for other in [
            ["a", "b", "c", "dé"],
            ["ab", "c", "", "dé"],
            ["", "ab", "c", "dé"],
            ["ab", "", "c", "dè"],
            ["ab", "", "c", "d"],
            ["", "", "", ""],
            ["xb", "", "c", "dé"],
        ] {
            assert!(!joined.is(&other), "{other:?}");
        }
    }
}
