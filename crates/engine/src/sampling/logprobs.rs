//! Log-probabilities out of raw logits. Pure arithmetic; knows nothing of a vocabulary.

use std::cmp::Ordering;

use crate::backend::Token;

/// Stands for a probability of zero: infinity cannot be written in JSON. The figure is the one that OpenAI's API documents.
pub const IMPOSSIBLE: f32 = -9999.0;

/// The natural logarithms of probabilities before any sampler changed them.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Of the token that was chosen.
    pub chosen: f32,
    /// The likeliest tokens, best first.
    pub top: Vec<(Token, f32)>,
}

/// The log-probability of `chosen` and of the `top` likeliest tokens: `logit - ln(sum(exp(logits)))`.
///
/// The sum is taken relative to the largest logit, so that nothing overflows.
pub fn rank(logits: &[f32], chosen: Token, top: usize) -> Ranked {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|l| f64::from(l - largest).exp())
        .filter(|e| e.is_finite())
        .sum();
    let normaliser = f64::from(largest) + sum.ln();
    let logprob = |logit: f32| {
        let value = (f64::from(logit) - normaliser) as f32;
        if value.is_finite() {
            value.max(IMPOSSIBLE)
        } else {
            IMPOSSIBLE
        }
    };
    let logit_of = |token: Token| usize::try_from(token).ok().and_then(|at| logits.get(at));
    Ranked {
        chosen: logit_of(chosen).map_or(IMPOSSIBLE, |l| logprob(*l)),
        top: best(logits, top)
            .into_iter()
            .map(|(token, logit)| (token, logprob(logit)))
            .collect(),
    }
}

/// The `count` largest logits, best first, the lower token first among equals. One pass: `count` is small.
fn best(logits: &[f32], count: usize) -> Vec<(Token, f32)> {
    let mut best: Vec<(Token, f32)> = Vec::with_capacity(count + 1);
    for (token, logit) in (0..).zip(logits.iter().copied()) {
        let worst = best.last().map_or(f32::NEG_INFINITY, |(_, l)| *l);
        if logit.is_nan() || (best.len() == count && logit <= worst) {
            continue;
        }
        let at = best.partition_point(|(_, l)| l.total_cmp(&logit) != Ordering::Less);
        best.insert(at, (token, logit));
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one() {
        let logits = [1.0, 3.0, 2.0, -50.0];
        let ranked = rank(&logits, 2, 4);
        let sum: f32 = ranked.top.iter().map(|(_, l)| l.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert_eq!(
            ranked.top.iter().map(|(t, _)| *t).collect::<Vec<_>>(),
            [1, 2, 0, 3]
        );
        assert!((ranked.chosen - ranked.top[1].1).abs() < 1e-6);
        // ln(e^2 / (e^1 + e^3 + e^2)), worked out by hand.
        assert!(
            (ranked.chosen + 1.407_606).abs() < 1e-5,
            "{}",
            ranked.chosen
        );
    }

    #[test]
    fn huge_and_broken_logits_stay_finite() {
        for logits in [
            vec![1e30, -1e30, f32::NEG_INFINITY],
            vec![f32::NAN, 1.0, 2.0],
            vec![f32::NEG_INFINITY; 3],
            vec![],
        ] {
            let ranked = rank(&logits, 0, 3);
            assert!(ranked.chosen.is_finite(), "{logits:?}");
            assert!(ranked.top.iter().all(|(_, l)| l.is_finite()), "{logits:?}");
        }
        assert!(rank(&[0.0], 7, 1).chosen <= IMPOSSIBLE);
        assert_eq!(rank(&[0.0, 1.0], 1, 0).top, []);
    }

    #[test]
    fn equal_logits_keep_the_order_of_tokens() {
        let top = rank(&[2.0, 5.0, 5.0, 5.0], 0, 2).top;
        assert_eq!(top.iter().map(|(t, _)| *t).collect::<Vec<_>>(), [1, 2]);
    }
}
