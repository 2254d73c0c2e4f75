//! Where strings can end: one bit for every byte of a text that a string can't simply go on over.

/// Bytes looked at together.
const BLOCK: usize = 64;

/// The quotes, backslashes and control characters of a text. Filled once for all of it, in loops that compilers turn
/// into vector code; what reads the text then jumps from stop to stop.
#[derive(Debug, Default)]
pub(super) struct Stops(Vec<u64>);

impl Stops {
    /// Takes up another text.
    pub(super) fn fill(&mut self, text: &[u8]) {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        // Zeros are control characters, so there is a stop behind the end, too.
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        self.0.clear();
        self.0.extend(blocks.iter().chain([&last]).map(stops_in));
    }

    /// The first stop at or after `from`; behind the end of the text, some place there.
    #[inline(always)]
    pub(super) fn next(&self, from: usize) -> usize {
        let mut index = from / BLOCK;
        let mut word = self.0.get(index).map_or(1, |word| word >> (from % BLOCK) << (from % BLOCK));
        while word == 0 {
            index += 1;
            word = self.0.get(index).copied().unwrap_or(1);
        }
        index * BLOCK + word.trailing_zeros() as usize
    }
}

/// One bit for each byte of a block, the first byte's lowest.
#[inline(always)]
fn stops_in(block: &[u8; BLOCK]) -> u64 {
    let flags = block.map(|b| u8::from(b == b'"') | u8::from(b == b'\\') | u8::from(b < b' '));
    let (eights, _) = flags.as_chunks::<8>();
    // The product moves the lowest bit of each byte to its place among the highest eight.
    let packed = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().fold(0, |word, (i, eight)| word | packed(eight) << (8 * i))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_is_found_and_nothing_else() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for length in [0, 1, 63, 64, 65, 128, 1000] {
            let text = &bytes[..length];
            let mut stops = Stops::default();
            stops.fill(&bytes);
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
