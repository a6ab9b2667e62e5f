use std::fmt;

/// Key material: its bytes never show in a log, an error or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Fewer bytes than this are refused (RFC 7518, section 3.2: a key of at least the hash's size).
    pub const MIN_BYTES: usize = 32;

    /// A secret is the bytes it is given; a file's trailing newline is taken off by whoever reads the file.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one who signs with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Fresh bytes from the operating system's random number generator.
///
/// Without it nothing here is safe, and the system that lacks it cannot run this service: the one place that panics.
#[expect(clippy::expect_used, reason = "no safe way on without random numbers; a panic is answered with 500")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn random_bytes_never_repeat_also_when_many_threads_ask_at_once() {
        const EACH: usize = 20_000;
        let ask = || (0..EACH).map(|_| random_bytes::<16>()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(ask)).collect();
        let count = threads.len();
        let all: HashSet<[u8; 16]> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), count * EACH);
    }
}
