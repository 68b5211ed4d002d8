//! A set of rows of a segment.

/// The number of a row.
pub(super) type Row = u8;

/// One in each of eight bytes, and the top bit of each.
const EACH: u64 = 0x0101_0101_0101_0101;
const TOP: u64 = 0x8080_8080_8080_8080;

/// For so many different codes at most it is faster to look for each of them.
const FEW: usize = 4;

/// Which of a segment's rows, or of the codes that a byte can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows([u64; 4]);

impl Rows {
    /// How many rows there are: as many as a byte has values.
    pub(super) const COUNT: usize = 256;

    /// All rows.
    #[cfg(test)]
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// The rows whose number among `codes` is one of `wanted`.
    pub(super) fn of(codes: &[u8], wanted: Self) -> Self {
        if wanted.len() <= FEW {
            return wanted
                .iter()
                .fold(Self::default(), |rows, code| rows.or(Self::with(codes, code)));
        }
        let mut rows = Self::default();
        for (word, codes) in rows.0.iter_mut().zip(codes.chunks(64)) {
            for (bit, code) in codes.iter().enumerate() {
                *word |= u64::from(wanted.contains(*code)) << bit;
            }
        }
        rows
    }

    /// The rows whose number among `codes` is `code`; eight at a time.
    fn with(codes: &[u8], code: u8) -> Self {
        let mut rows = Self::default();
        for (word, codes) in rows.0.iter_mut().zip(codes.as_chunks::<64>().0) {
            for (at, eight) in codes.as_chunks::<8>().0.iter().enumerate() {
                let difference = u64::from_le_bytes(*eight) ^ (EACH * u64::from(code));
                // The top bit of each byte, set where the byte is zero.
                let same = !(((difference & !TOP) + !TOP) | difference | !TOP);
                // Those eight bits side by side.
                let bits = (same >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
                *word |= bits << (8 * at);
            }
        }
        rows
    }

    pub(super) fn insert(&mut self, row: Row) {
        let (word, bit) = place(row);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(super) fn remove(&mut self, row: Row) {
        let (word, bit) = place(row);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    pub(super) fn contains(self, row: Row) -> bool {
        let (word, bit) = place(row);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }

    pub(super) fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The rows of either.
    pub(super) fn or(self, other: Self) -> Self {
        let mut both = self;
        for (word, more) in both.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        both
    }

    /// The rows that are not in `other`.
    pub(super) fn without(self, other: Self) -> Self {
        let mut rest = self;
        for (word, other) in rest.0.iter_mut().zip(other.0) {
            *word &= !other;
        }
        rest
    }

    /// The rows of both.
    pub(super) fn and(self, other: Self) -> Self {
        let mut both = self;
        for (word, other) in both.0.iter_mut().zip(other.0) {
            *word &= other;
        }
        both
    }

    /// Keeps the rows for which `keep` holds.
    pub(super) fn retain(&mut self, keep: impl Fn(Row) -> bool) {
        for (number, word) in self.0.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !keep((number as u32 * 64 + bit) as Row) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// The rows in order, from either end.
    pub(super) fn iter(self) -> Iter {
        Iter(self)
    }
}

/// The rows of a set that have not been given yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Iter(Rows);

impl Iterator for Iter {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let (number, word) = self.0.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some((number as u32 * 64 + bit) as Row)
    }
}

impl DoubleEndedIterator for Iter {
    fn next_back(&mut self) -> Option<Row> {
        let mut words = self.0.0.iter_mut().enumerate().rev();
        let (number, word) = words.find(|(_, word)| **word != 0)?;
        let bit = 63 - word.leading_zeros();
        *word &= !(1 << bit);
        Some((number as u32 * 64 + bit) as Row)
    }
}

const fn place(row: Row) -> (usize, u64) {
    (row as usize / 64, 1 << (row % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_set_in_order() {
        let mut rows = Rows::default();
        assert!(rows.is_empty() && rows.iter().next().is_none());
        for row in [255, 0, 64, 63, 0] {
            rows.insert(row);
        }
        assert_eq!(rows.len(), 4);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [0, 63, 64, 255]);
        assert_eq!(rows.iter().rev().collect::<Vec<_>>(), [255, 64, 63, 0]);
        let codes: Vec<u8> = (0..=255).collect();
        let mut odd = Rows::ALL;
        odd.retain(|row| row % 2 == 1);
        assert_eq!(Rows::of(&codes, odd), odd);
        assert_eq!(rows.and(odd).iter().collect::<Vec<_>>(), [63, 255]);
        assert_eq!(rows.and(odd).or(rows), rows);
        rows.retain(|row| row % 64 != 0);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [63, 255]);
        assert!(rows.contains(63) && !rows.contains(64));
        assert_eq!(Rows::ALL.without(odd).iter().next_back(), Some(254));
    }

    #[test]
    fn rows_with_a_code_are_found_eight_at_a_time() {
        for few in [1, 3, 7, 200] {
            let codes: Vec<u8> = (0..256_u32).map(|row| (row * 31 % few) as u8).collect();
            for wanted in [0, 1, 2, 128, 199, 255] {
                let mut expected = Rows::ALL;
                expected.retain(|row| codes.get(usize::from(row)) == Some(&wanted));
                assert_eq!(Rows::with(&codes, wanted), expected, "{wanted} of {few}");
            }
        }
    }
}
