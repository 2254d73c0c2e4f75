//! Whole log objects, inflated into memory that is used again. The only file that names a gzip type.
//!
//! The ordinary object, one gzip member that states its size honestly, goes through libdeflate in one call. Everything
//! else (several members, wrong sizes, truncated or damaged input) goes through zlib-rs step by step, which keeps what
//! came before the damage. What does not start like gzip is taken as plain text.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

/// What a member starts with: two magic bytes and the one compression method there is (RFC 1952).
const MEMBER: [u8; 3] = [0x1f, 0x8b, 0x08];
/// A gzip member is no shorter: ten bytes of header, an empty block, CRC and size.
const SMALLEST_MEMBER: usize = 20;

/// How far an object may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes an object may inflate to.
    pub max_bytes: usize,
    /// Bytes that one byte of input may become, once the output exceeds [`Limits::RATIO_FLOOR`].
    pub max_ratio: usize,
}

impl Limits {
    /// Below this size no ratio is suspicious.
    pub const RATIO_FLOOR: usize = 1 << 20;

    /// The most bytes an input of this size may become.
    fn allowed(&self, input: usize) -> usize {
        self.max_bytes.min(usize::MAX - 1).min(input.saturating_mul(self.max_ratio).max(Self::RATIO_FLOOR))
    }
}

/// 256 MiB, and 250 to 1: CloudTrail rotates objects at some 50 MB, and its records shrink about tenfold.
impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, max_ratio: 250 }
    }
}

/// How an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Read to its end, checksums right.
    Complete,
    /// The input stopped inside a member.
    Truncated,
    /// The input is damaged: not deflate data, or its checksum is wrong.
    Corrupt,
    /// The output was stopped at a limit.
    TooLarge {
        /// The bytes this object was allowed.
        limit: usize,
    },
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Truncated => f.write_str("gzip data ends early"),
            Self::Corrupt => f.write_str("gzip data is damaged"),
            Self::TooLarge { limit } => write!(f, "larger than the {limit} bytes allowed"),
        }
    }
}

/// Inflates objects one after another into one buffer.
pub struct Inflater {
    limits: Limits,
    whole: libdeflater::Decompressor,
    stream: Decompress,
    out: Vec<u8>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Inflater {
    /// An inflater with an empty buffer.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            whole: libdeflater::Decompressor::new(),
            stream: Decompress::new_gzip(15),
            out: Vec::new(),
        }
    }

    /// The bytes of an object and how it ended. Whatever the ending, the bytes are what came before it.
    pub fn inflate<'a>(&'a mut self, input: &'a [u8]) -> (&'a [u8], Ending) {
        if !input.starts_with(&MEMBER[..2]) {
            let limit = self.limits.max_bytes;
            return match input.get(..limit) {
                Some(head) if head.len() < input.len() => (head, Ending::TooLarge { limit }),
                _ => (input, Ending::Complete),
            };
        }
        let (size, ending) = match self.inflate_whole(input) {
            Some(size) => (size, Ending::Complete),
            None => self.inflate_stepwise(input),
        };
        (&self.out[..size], ending)
    }

    /// The ordinary case; `None` when the object is anything else.
    fn inflate_whole(&mut self, input: &[u8]) -> Option<usize> {
        if input.len() < SMALLEST_MEMBER || memchr::memmem::find(&input[1..], &MEMBER).is_some() {
            return None;
        }
        let stated = u32::from_le_bytes(*input.last_chunk::<4>()?) as usize;
        if stated > self.limits.allowed(input.len()) {
            return None;
        }
        if self.out.len() < stated {
            // Nothing of what the buffer held is wanted, nor two of them at a time.
            self.out = Vec::new();
            self.out = vec![0; stated];
        }
        let size = self.whole.gzip_decompress(input, &mut self.out[..stated]).ok()?;
        (size == stated).then_some(size)
    }

    fn inflate_stepwise(&mut self, input: &[u8]) -> (usize, Ending) {
        let limit = self.limits.allowed(input.len());
        let (mut rest, mut size) = (input, 0);
        self.stream = Decompress::new_gzip(15);
        loop {
            if size > limit {
                return (limit, Ending::TooLarge { limit });
            }
            // One byte more than allowed, so that an object of just the allowed size can still come to its end.
            self.reserve((limit + 1).min((size * 2).max(64 << 10)));
            let end = self.out.len().min(limit + 1);
            let (read_before, wrote_before) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(rest, &mut self.out[size..end], FlushDecompress::None);
            let read = (self.stream.total_in() - read_before) as usize;
            let wrote = (self.stream.total_out() - wrote_before) as usize;
            rest = &rest[read..];
            size += wrote;
            match status {
                Ok(Status::StreamEnd) if rest.starts_with(&MEMBER[..2]) => {
                    self.stream = Decompress::new_gzip(15);
                }
                // What follows the last member and is none itself is padding, as gzip(1) takes it.
                Ok(Status::StreamEnd) => return (size, Ending::Complete),
                Ok(_) if read == 0 && wrote == 0 && size < end => return (size, Ending::Truncated),
                Ok(_) => {}
                Err(_) => return (size, Ending::Corrupt),
            }
        }
    }

    /// The buffer keeps its length from object to object, so its bytes are cleared once and not each time.
    fn reserve(&mut self, size: usize) {
        if self.out.len() < size {
            self.out.resize(size, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(input: &[u8]) -> (Vec<u8>, Ending) {
        let mut inflater = Inflater::new(Limits::default());
        let (bytes, ending) = inflater.inflate(input);
        (bytes.to_vec(), ending)
    }

    /// Bytes that do not shrink to nothing, 100 KB of them.
    fn text() -> Vec<u8> {
        (0..20_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
    }

    #[test]
    fn members_follow_each_other_and_padding_is_none() {
        let (one, two) = (text(), b"second".to_vec());
        let both = [one.clone(), two.clone()].concat();
        assert_eq!(inflate(&gzip(&one)), (one.clone(), Ending::Complete));
        assert_eq!(inflate(&[gzip(&one), gzip(&two)].concat()), (both, Ending::Complete));
        assert_eq!(inflate(&[gzip(&two), vec![0; 512]].concat()), (two.clone(), Ending::Complete));
        assert_eq!(
            inflate(&[gzip(&two), gzip(&two)].concat()),
            ([two.clone(), two].concat(), Ending::Complete)
        );
        assert_eq!(inflate(&gzip(b"")), (vec![], Ending::Complete));
    }

    #[test]
    fn what_is_not_gzip_passes_through() {
        for plain in [&b"{\"Records\":[]}"[..], b"", b"\x1f"] {
            assert_eq!(inflate(plain), (plain.to_vec(), Ending::Complete));
        }
    }

    #[test]
    fn a_truncated_object_gives_its_beginning() {
        let (text, packed) = (text(), gzip(&text()));
        for kept in [2, 5, 18, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
            let (bytes, ending) = inflate(&packed[..kept]);
            assert_eq!(ending, Ending::Truncated, "{kept}");
            assert!(text.starts_with(&bytes), "{kept}");
        }
        assert!(inflate(&packed[..packed.len() / 2]).0.len() > text.len() / 3);
        assert_eq!(inflate(&packed[..packed.len() - 1]).0, text);
    }

    #[test]
    fn damage_is_found_and_never_fatal() {
        let packed = gzip(&text());
        let mut wrong_sum = packed.clone();
        let at = packed.len() - 6;
        wrong_sum[at] ^= 1;
        assert_eq!(inflate(&wrong_sum), (text(), Ending::Corrupt));
        let mut wrong_size = packed.clone();
        *wrong_size.last_mut().unwrap() ^= 1;
        assert_eq!(inflate(&wrong_size), (text(), Ending::Corrupt));
        for at in (0..packed.len()).step_by(997) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            let (bytes, _) = inflate(&damaged);
            assert!(bytes.len() <= Limits::default().allowed(packed.len()));
        }
    }

    #[test]
    fn growth_is_capped_by_bytes_and_by_ratio() {
        let bomb = gzip(&vec![b'a'; 8 << 20]);
        let limits = Limits { max_bytes: 3 << 20, max_ratio: 10_000 };
        let mut inflater = Inflater::new(limits);
        let (bytes, ending) = inflater.inflate(&bomb);
        assert_eq!((bytes.len(), ending), (3 << 20, Ending::TooLarge { limit: 3 << 20 }));
        let limits = Limits { max_bytes: 64 << 20, max_ratio: 200 };
        let mut inflater = Inflater::new(limits);
        let limit = limits.allowed(bomb.len());
        assert_eq!(inflater.inflate(&bomb).1, Ending::TooLarge { limit });
        let plain = [b'a'; 10];
        let mut inflater = Inflater::new(Limits { max_bytes: 4, max_ratio: 1 });
        assert_eq!(inflater.inflate(&plain), (&plain[..4], Ending::TooLarge { limit: 4 }));
        // Exactly as large as allowed is not too large.
        let mut inflater = Inflater::new(Limits { max_bytes: 8 << 20, max_ratio: 10_000 });
        let two = [gzip(&vec![b'a'; 4 << 20]), gzip(&vec![b'a'; 4 << 20])].concat();
        assert_eq!(inflater.inflate(&two).1, Ending::Complete);
    }

    #[test]
    fn one_buffer_serves_objects_of_any_size() {
        let mut inflater = Inflater::new(Limits::default());
        for bytes in [text(), b"small".to_vec(), text()] {
            assert_eq!(inflater.inflate(&gzip(&bytes)), (&bytes[..], Ending::Complete));
        }
    }
}
