//! Ids and chance from one seed: the same seed and the same calls give the
//! same ids, so that a run can be repeated byte for byte.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

/// The step of SplitMix64: odd, so that every state is visited.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of ids and of chance. One belongs to each simulator.
///
/// The numbers are SplitMix64, which spreads well and keeps no secret: whoever
/// knows the seed knows every session key. A simulator is no vault.
#[derive(Debug)]
pub struct Ids {
    state: AtomicU64,
}

impl Ids {
    /// A source whose numbers follow from `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A source that is different each time.
    pub fn random() -> Self {
        // A fresh `RandomState` is keyed by the operating system.
        Self::seeded(RandomState::new().hash_one(STEP))
    }

    /// Where the source stands: the seed that gives the same numbers from here on.
    pub fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    /// Goes back, or on, to where the source stood.
    pub fn set_state(&self, state: u64) {
        self.state.store(state, Ordering::Relaxed);
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        mix(self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A UUID of version 4.
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.sixteen()).into_uuid()
    }

    /// A UUID as vCenter makes them for sessions, virtual machines and filters:
    /// the first byte is always `52`.
    pub fn session_key(&self) -> String {
        let mut bytes = self.sixteen();
        if let Some(first) = bytes.first_mut() {
            *first = 0x52;
        }
        Uuid::from_bytes(bytes).hyphenated().to_string()
    }

    /// Forty hexadecimal digits, as the session cookie has them.
    pub fn cookie(&self) -> String {
        let mut text = format!("{:016x}{:016x}{:016x}", self.bits(), self.bits(), self.bits());
        text.truncate(40);
        text
    }

    /// A number from zero to one, one excluded.
    pub fn fraction(&self) -> f64 {
        // The 53 upper bits are what a double can tell apart.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number below `limit`; zero when the limit is zero.
    pub fn below(&self, limit: u64) -> u64 {
        let product = u128::from(self.bits()) * u128::from(limit);
        (product >> 64) as u64
    }

    /// Whether something happens that happens with `probability`.
    pub fn chance(&self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// `duration` made longer or shorter by chance, evenly spread, so that the
    /// standard deviation is `variation` times the duration. A variation of 0.5
    /// gives something between 13 % and 187 %.
    pub fn jitter(&self, duration: Duration, variation: f64) -> Duration {
        if variation <= 0.0 || duration.is_zero() {
            return duration;
        }
        let factor = 1.0 + variation * 3_f64.sqrt() * (2.0 * self.fraction() - 1.0);
        Duration::try_from_secs_f64(duration.as_secs_f64() * factor.max(0.0)).unwrap_or(duration)
    }

    fn sixteen(&self) -> [u8; 16] {
        (u128::from(self.bits()) << 64 | u128::from(self.bits())).to_be_bytes()
    }
}

/// The output function of SplitMix64.
const fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let ids = |seed| {
            let ids = Ids::seeded(seed);
            (ids.uuid(), ids.session_key(), ids.cookie(), ids.below(1000))
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
        assert_ne!(Ids::random().bits(), Ids::random().bits());
    }

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The published first output for the seed 1234567.
        assert_eq!(Ids::seeded(1_234_567).bits(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn ids_have_the_shape_that_clients_expect() {
        let ids = Ids::seeded(1);
        assert_eq!(ids.uuid().get_version_num(), 4);
        let key = ids.session_key();
        assert!(key.starts_with("52") && Uuid::parse_str(&key).is_ok(), "{key}");
        let cookie = ids.cookie();
        assert_eq!(cookie.len(), 40);
        assert!(cookie.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn chance_stays_in_its_bounds() {
        let ids = Ids::seeded(3);
        let second = Duration::from_secs(1);
        let mut square = 0.0;
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&ids.fraction()));
            assert!(ids.below(10) < 10);
            let jittered = ids.jitter(second, 0.5);
            assert!(jittered >= second / 8 && jittered <= second * 15 / 8, "{jittered:?}");
            let deviation = jittered.as_secs_f64() - 1.0;
            square += deviation * deviation / 1000.0;
        }
        assert!((0.2..0.3).contains(&square), "the variance is the square of a half: {square}");
        assert_eq!(ids.below(0), 0);
        assert!(!ids.chance(0.0) && ids.chance(1.0));
        assert_eq!(ids.jitter(second, 0.0), second);
    }
}
