//! The hash of the name tables. The build script lays the tables out with it and the program looks
//! names up with it, so both include this one file.

/// FNV-1a with a final mix, so that the low bits depend on every byte.
#[must_use]
pub(crate) const fn hash(name: &[u8]) -> usize {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = tail;
    }
    (hash ^ (hash >> 32)) as usize
}
