//! A state that tightens at once and loosens slowly: the part against flapping that all rules share.

/// How long a cooler state must have held before one rung is given back, in seconds.
pub(super) const HOLD_S: f32 = 15.0;

/// Where on a ladder a rule stands; 0 is free.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rung {
    at: u8,
    better_for_s: f32,
}

impl Rung {
    /// Takes what is seen now, `seconds` after the last time, and says where the rule stands.
    pub(super) fn step(&mut self, seen: u8, seconds: f32) -> u8 {
        if seen >= self.at {
            *self = Self {
                at: seen,
                better_for_s: 0.0,
            };
            return seen;
        }
        self.better_for_s += seconds;
        if self.better_for_s >= HOLD_S {
            *self = Self {
                at: self.at - 1,
                better_for_s: 0.0,
            };
        }
        self.at
    }

    pub(super) fn at(self) -> u8 {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_tightens_at_once_and_loosens_one_rung_at_a_time() {
        let mut rung = Rung::default();
        assert_eq!(rung.step(3, 1.0), 3);
        let after: Vec<u8> = (0..46).map(|_| rung.step(0, 1.0)).collect();
        assert_eq!(after[13], 3);
        assert_eq!(after[14], 2);
        assert_eq!(after[28], 2);
        assert_eq!(after[29], 1);
        assert_eq!(after[44], 0);
        // A single hot second begins the wait again.
        rung.step(2, 1.0);
        (0..14).for_each(|_| assert_eq!(rung.step(1, 1.0), 2));
        assert_eq!(rung.step(2, 1.0), 2);
        (0..14).for_each(|_| assert_eq!(rung.step(1, 1.0), 2));
        assert_eq!(rung.step(1, 1.0), 1);
    }

    proptest! {
        /// Whatever the sensors say, the state is never freer than what is seen, and changes are rare.
        #[test]
        fn noise_does_not_make_it_flap(seen in prop::collection::vec(0_u8..4, 600)) {
            let mut rung = Rung::default();
            let mut loosened_at: Option<usize> = None;
            let mut changes = 0;
            for (second, seen) in seen.into_iter().enumerate() {
                let before = rung.at();
                let now = rung.step(seen, 1.0);
                prop_assert!(now >= seen);
                prop_assert!(now + 1 >= before);
                if now < before
                    && let Some(last) = loosened_at.replace(second)
                {
                    prop_assert!(second - last >= 15);
                }
                changes += usize::from(now != before);
            }
            prop_assert!(changes <= 2 * 600 / 15 + 3, "{} changes", changes);
        }
    }
}
