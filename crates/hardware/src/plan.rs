//! How the memory that models may use is shared out: SPEC row H1.
//!
//! Arithmetic only. It must not know models; what a model needs is measured against a pool by whoever loads it.

use crate::machine::{Graphics, Machine};

/// Part of the main memory that models may use where no graphics interface names a budget: the part that Metal recommends on Macs
/// with 16 GB (two thirds), so that a plan says the same on both systems.
const SHARE_OF_MEMORY: (u64, u64) = (2, 3);

/// Parts of the budget in 32nds: 62.5 % weights, 15.6 % KV cache, 12.5 % buffers; what is left, 9.4 %, is the reserve.
const PARTS: u64 = 32;
const WEIGHTS: u64 = 20;
const KV_CACHE: u64 = 5;
const BUFFERS: u64 = 4;

/// A budget and its pools, in bytes. The pools together are the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub budget: u64,
    pub weights: u64,
    pub kv_cache: u64,
    /// What computing needs for as long as it runs.
    pub buffers: u64,
    /// For what was estimated too low, and for peaks.
    pub reserve: u64,
}

impl Plan {
    /// `None` when the memory of the machine is not known.
    pub fn of(machine: &Machine, graphics: &Graphics) -> Option<Self> {
        let memory = machine.memory_bytes;
        let share = memory.map(|bytes| bytes / SHARE_OF_MEMORY.1 * SHARE_OF_MEMORY.0);
        let budget = graphics.working_set_bytes.or(share)?;
        // A budget above the memory would be a lie of the driver.
        Some(Self::of_budget(
            memory.map_or(budget, |memory| budget.min(memory)),
        ))
    }

    fn of_budget(budget: u64) -> Self {
        let part = |parts: u64| budget / PARTS * parts;
        let (weights, kv_cache, buffers) = (part(WEIGHTS), part(KV_CACHE), part(BUFFERS));
        Self {
            budget,
            weights,
            kv_cache,
            buffers,
            reserve: budget - weights - kv_cache - buffers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn pools_are_the_budget() {
        for budget in [0, 1, 31, 12 * GIB, 107 * GIB + 5, u64::MAX] {
            let plan = Plan::of_budget(budget);
            let sum = plan.weights + plan.kv_cache + plan.buffers + plan.reserve;
            assert_eq!(sum, budget);
        }
        let plan = Plan::of_budget(32 * GIB);
        assert_eq!(
            (plan.weights, plan.kv_cache, plan.buffers, plan.reserve),
            (20 * GIB, 5 * GIB, 4 * GIB, 3 * GIB)
        );
    }

    #[test]
    fn the_budget_is_what_the_graphics_say_else_a_share() {
        let machine = |memory_bytes| Machine {
            memory_bytes,
            ..Machine::default()
        };
        let graphics = |working_set_bytes| Graphics {
            working_set_bytes,
            ..Graphics::default()
        };
        let budget = |memory, working_set| {
            Plan::of(&machine(memory), &graphics(working_set)).map(|plan| plan.budget)
        };
        // A Mac with 16 GB as it comes.
        assert_eq!(
            budget(Some(16 * GIB), Some(12_713_115_648)),
            Some(12_713_115_648)
        );
        assert_eq!(budget(Some(24 * GIB), None), Some(16 * GIB));
        assert_eq!(budget(Some(8 * GIB), Some(9 * GIB)), Some(8 * GIB));
        assert_eq!(budget(None, Some(9 * GIB)), Some(9 * GIB));
        assert_eq!(budget(None, None), None);
    }
}
