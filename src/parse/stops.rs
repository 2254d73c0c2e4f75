//! Where strings can end: one bit for every byte of a text that a string can't simply go on over.

use wide::u8x16;

/// Bytes whose bits share a word.
const BLOCK: usize = 64;
/// Bytes compared at once; every target has vectors of this size.
const LANES: usize = 16;

/// The quotes, backslashes and control characters of a text. Filled once for all of it, without a branch; what
/// reads the text then jumps from stop to stop.
#[derive(Debug, Default)]
pub(super) struct Stops(Vec<u64>);

impl Stops {
    /// Takes up another text.
    pub(super) fn fill(&mut self, text: &[u8]) {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        // Zeros are control characters, so there are stops behind the end, too.
        let mut last = [[0; BLOCK]; 2];
        last[0][..rest.len()].copy_from_slice(rest);
        self.0.clear();
        // Ordinary logs hold no control characters: looking for where they are is left until there are some.
        let mut least = u8x16::splat(u8::MAX);
        self.0.extend(blocks.iter().map(|block| {
            bits(block, |bytes| {
                least = least.min(bytes);
                is_quote_or_backslash(bytes)
            })
        }));
        if least.to_array().iter().any(|byte| *byte < b' ') {
            self.0.clear();
            self.0.extend(blocks.iter().map(|block| bits(block, is_stop)));
        }
        self.0.extend(last.iter().map(|block| bits(block, is_stop)));
    }

    /// The first stop at or after `from`; behind the end of the text, some place there.
    #[inline(always)]
    pub(super) fn next(&self, from: usize) -> usize {
        let mut at = from;
        // The 64 bytes from here on lie in two blocks. Looking at both at once spares a branch nobody can foresee:
        // whether a string crosses into the next block.
        while let Some(&[low, high]) = self.0.get(at / BLOCK..).and_then(|words| words.first_chunk()) {
            let shift = at % BLOCK;
            let window = low >> shift | high << 1 << (BLOCK - 1 - shift);
            if window != 0 {
                return at + window.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
        at
    }
}

/// One bit for each byte of a block that is something, the first byte's lowest.
#[inline(always)]
fn bits(block: &[u8; BLOCK], mut is_something: impl FnMut(u8x16) -> u8x16) -> u64 {
    let (lanes, _) = block.as_chunks::<LANES>();
    lanes.iter().enumerate().fold(0, |word, (i, lane)| {
        word | u64::from(is_something(u8x16::new(*lane)).to_bitmask()) << (LANES * i)
    })
}

#[inline(always)]
fn is_quote_or_backslash(bytes: u8x16) -> u8x16 {
    bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))
}

#[inline(always)]
fn is_stop(bytes: u8x16) -> u8x16 {
    is_quote_or_backslash(bytes) | bytes.min(u8x16::splat(b' ' - 1)).simd_eq(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_is_found_and_nothing_else() {
        let any: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let printed: Vec<u8> = any.iter().map(|byte| byte % 96 + 32).collect();
        for bytes in [any, printed] {
            finds_every_stop(&bytes);
        }
    }

    fn finds_every_stop(bytes: &[u8]) {
        for length in [0, 1, 63, 64, 65, 128, 1000] {
            let text = &bytes[..length];
            let mut stops = Stops::default();
            stops.fill(bytes);
            stops.fill(text);
            let is_stop = |i: &usize| matches!(text.get(*i), None | Some(b'"' | b'\\' | 0..32));
            for from in 0..length {
                assert_eq!(stops.next(from), (from..).find(is_stop).unwrap(), "{from} of {length}");
            }
            assert!(stops.next(length) >= length);
            assert!(stops.next(length + 1000) >= length);
        }
    }
}
