//! A set of rows of a segment.

/// The number of a row.
pub(super) type Row = u8;

/// Which of a segment's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows([u64; 4]);

impl Rows {
    /// How many rows there are: as many as a byte has values.
    pub(super) const COUNT: usize = 256;

    /// The rows whose number among `codes` is a hit.
    pub(super) fn of(codes: &[u8], hit: impl Fn(u8) -> bool) -> Self {
        let mut rows = Self::default();
        for (word, codes) in rows.0.iter_mut().zip(codes.chunks(64)) {
            for (bit, code) in codes.iter().enumerate() {
                *word |= u64::from(hit(*code)) << bit;
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
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = Row> {
        // An empty set is the usual case, and costs nothing.
        let last = if self.is_empty() { 0 } else { Self::COUNT };
        (0..last).map(|row| row as Row).filter(move |row| self.contains(*row))
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
        let odd = Rows::of(&codes, |code| code % 2 == 1);
        assert_eq!(rows.and(odd).iter().collect::<Vec<_>>(), [63, 255]);
        assert_eq!(rows.and(odd).or(rows), rows);
        rows.retain(|row| row % 64 != 0);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [63, 255]);
        assert!(rows.contains(63) && !rows.contains(64));
    }
}
