//! What a chip's name says: family, and how fast its memory is.
//!
//! A table, because no interface tells the bandwidth. It must not read anything.

/// A family of Apple's chips for Macs, such as the third, and how large this one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// 3 of `M3`.
    pub generation: u8,
    pub tier: Tier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    Base,
    Pro,
    Max,
    Ultra,
}

impl Family {
    /// From the brand string, such as `Apple M3 Max`. `None` for other makers, and in a virtual machine, which names the generation of
    /// its host but not the tier.
    pub fn of(chip: &str) -> Option<Self> {
        let mut words = chip.strip_prefix("Apple M")?.split(' ');
        let generation = words.next()?.parse().ok().filter(|g| *g > 0)?;
        let tier = match (words.next(), words.next()) {
            (None, _) => Tier::Base,
            (Some("Pro"), None) => Tier::Pro,
            (Some("Max"), None) => Tier::Max,
            (Some("Ultra"), None) => Tier::Ultra,
            _ => return None,
        };
        Some(Self { generation, tier })
    }

    /// Bandwidth of the memory in GB/s, as Apple's technical specifications give it; `None` for a chip that is not in them yet. Two
    /// sizes of one chip are told apart by their graphics cores; without knowing these it is the smaller one.
    pub fn bandwidth_gb_s(self, gpu_cores: Option<u32>) -> Option<u32> {
        use Tier::{Base, Max, Pro, Ultra};
        let full = |cores: u32| gpu_cores.is_some_and(|found| found >= cores);
        Some(match (self.generation, self.tier) {
            (1, Base) => 68,
            (1 | 2, Pro) => 200,
            (1 | 2, Max) => 400,
            (1 | 2, Ultra) => 800,
            (2 | 3, Base) => 100,
            (3, Pro) => 150,
            (3, Max) => {
                if full(40) {
                    400
                } else {
                    300
                }
            }
            (3, Ultra) => 819,
            (4, Base) => 120,
            (4, Pro) => 273,
            (4, Max) => {
                if full(40) {
                    546
                } else {
                    410
                }
            }
            (5, Base) => 153,
            (5, Pro) => 307,
            (5, Max) => {
                if full(40) {
                    614
                } else {
                    460
                }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_their_bandwidth() {
        for (chip, generation, tier, gpu_cores, bandwidth) in [
            ("Apple M1", 1, Tier::Base, Some(8), Some(68)),
            ("Apple M1 Ultra", 1, Tier::Ultra, Some(64), Some(800)),
            ("Apple M2", 2, Tier::Base, Some(10), Some(100)),
            ("Apple M2 Pro", 2, Tier::Pro, Some(19), Some(200)),
            ("Apple M3 Max", 3, Tier::Max, Some(30), Some(300)),
            ("Apple M3 Max", 3, Tier::Max, Some(40), Some(400)),
            ("Apple M3 Max", 3, Tier::Max, None, Some(300)),
            ("Apple M4 Max", 4, Tier::Max, Some(40), Some(546)),
            ("Apple M5", 5, Tier::Base, Some(10), Some(153)),
            ("Apple M5 Max", 5, Tier::Max, Some(32), Some(460)),
            ("Apple M6", 6, Tier::Base, Some(10), None),
            ("Apple M12 Ultra", 12, Tier::Ultra, None, None),
        ] {
            let family = Family::of(chip).unwrap();
            assert_eq!(family, Family { generation, tier }, "{chip}");
            assert_eq!(
                family.bandwidth_gb_s(gpu_cores),
                bandwidth,
                "{chip} {gpu_cores:?}"
            );
        }
    }

    #[test]
    fn other_names_are_no_family() {
        for chip in [
            "Apple M1 (Virtual)",
            "Apple A18 Pro",
            "Apple M",
            "Apple M0",
            "Apple Mx",
            "Apple M300",
            "Apple M3 Maximal",
            "Apple M3 Max Plus",
            "Intel(R) Core(TM) i9-9880H CPU @ 2.30GHz",
            "",
        ] {
            assert_eq!(Family::of(chip), None, "{chip}");
        }
    }
}
