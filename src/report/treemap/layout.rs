//! The layout of a treemap: rectangles whose areas are in proportion to weights, nearly square.
//!
//! This is the squarified layout of Bruls, Huizing and van Wijk (2000): the largest weights come first, in rows along
//! the shorter side of the space that is left. A row ends before its worst ratio of sides would grow.

use std::cmp::Reverse;

/// A rectangle, in the units of the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }

    /// Returns the part between two shares of its length; the length is that of the sides named.
    fn part(self, along: Side, from: f64, to: f64) -> Self {
        match along {
            Side::Width => Self { x: self.x + from * self.width, width: (to - from) * self.width, ..self },
            Side::Height => {
                Self { y: self.y + from * self.height, height: (to - from) * self.height, ..self }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Width,
    Height,
}

/// Divides a rectangle among weights, and returns their parts in the same order; `None` for a weight of 0.
pub(super) fn squarified(weights: &[u64], inside: Rect) -> Vec<Option<Rect>> {
    let mut order: Vec<usize> = (0..weights.len()).filter(|&at| weights[at] > 0).collect();
    order.sort_by_key(|&at| Reverse(weights[at]));
    #[expect(clippy::cast_precision_loss, reason = "no screen shows a difference of 1 in 2^53")]
    let sorted: Vec<f64> = order.iter().map(|&at| weights[at] as f64).collect();
    let sums = sums_to_the_end(&sorted);
    let mut places = vec![None; weights.len()];
    let (mut left, mut start) = (inside, 0);
    while start < sorted.len() {
        let (along, across) = match left.width >= left.height {
            true => (Side::Height, Side::Width),
            false => (Side::Width, Side::Height),
        };
        let ratio = left.width.max(left.height) / left.width.min(left.height).max(f64::MIN_POSITIVE);
        let end = start + row_length(&sorted[start..], sums[start], ratio);
        let row = sums[start] - sums[end];
        let share = row / sums[start];
        let band = left.part(across, 0.0, share);
        for at in start..end {
            let [from, to] = [at, at + 1].map(|edge| (sums[start] - sums[edge]) / row);
            places[order[at]] = Some(band.part(along, from, to));
        }
        (left, start) = (left.part(across, share, 1.0), end);
    }
    places
}

/// Returns the sum of the numbers from each place to the end, and 0 for the end.
fn sums_to_the_end(numbers: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; numbers.len() + 1];
    for at in (0..numbers.len()).rev() {
        sums[at] = sums[at + 1] + numbers[at];
    }
    sums
}

/// Returns how many of the weights, the largest first, are the next row in a space whose sides have this ratio.
fn row_length(weights: &[f64], all: f64, ratio: f64) -> usize {
    let worst = |smallest: f64, row: f64| {
        // The weight whose part would be a square.
        let square = row * row * ratio / all;
        (weights[0] / square).max(square / smallest)
    };
    let mut row = weights[0];
    let mut best = worst(row, row);
    for (at, &weight) in weights.iter().enumerate().skip(1) {
        let next = worst(weight, row + weight);
        if next > best {
            return at;
        }
        (best, row) = (next, row + weight);
    }
    weights.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPACE: Rect = Rect { x: 0.0, y: 0.0, width: 600.0, height: 400.0 };

    fn rect((x, y, width, height): (f64, f64, f64, f64)) -> Rect {
        Rect { x, y, width, height }
    }

    /// Returns the places with numbers that a reader can check.
    fn rounded(weights: &[u64]) -> Vec<Option<Rect>> {
        let round = |number: f64| (number * 10.0).round() / 10.0;
        let places = squarified(weights, SPACE).into_iter();
        places
            .map(|place| place.map(|p| rect((round(p.x), round(p.y), round(p.width), round(p.height)))))
            .collect()
    }

    #[test]
    fn the_example_of_the_paper_comes_out() {
        // Weights 6, 6, 4, 3, 2, 2, 1 in a space of 6 by 4, figure 4 of the paper.
        let wanted = [
            (0.0, 0.0, 300.0, 200.0),
            (0.0, 200.0, 300.0, 200.0),
            (300.0, 0.0, 171.4, 233.3),
            (471.4, 0.0, 128.6, 233.3),
            (300.0, 233.3, 120.0, 166.7),
            (420.0, 233.3, 120.0, 166.7),
            (540.0, 233.3, 60.0, 166.7),
        ];
        assert_eq!(rounded(&[6, 6, 4, 3, 2, 2, 1]), wanted.map(|place| Some(rect(place))));
    }

    #[test]
    fn places_have_the_order_of_their_weights_and_nothing_has_no_place() {
        let wanted = [None, Some((450.0, 0.0, 150.0, 400.0)), Some((0.0, 0.0, 450.0, 400.0)), None];
        assert_eq!(rounded(&[0, 1, 3, 0]), wanted.map(|place| place.map(rect)));
        assert_eq!(rounded(&[5]), [Some(SPACE)]);
        assert_eq!((rounded(&[]), rounded(&[0, 0])), (vec![], vec![None, None]));
    }

    #[test]
    fn parts_of_thousands_of_equal_weights_are_nearly_squares() {
        let places = squarified(&vec![7; 5000], SPACE);
        assert!(places.iter().flatten().all(|p| (0.5..2.0).contains(&(p.width / p.height))));
        assert_eq!(places.iter().flatten().count(), 5000);
    }

    #[test]
    fn extreme_weights_stay_inside() {
        for place in squarified(&[u64::MAX, 1, u64::MAX, 1], SPACE).into_iter().flatten() {
            assert!(place.width >= 0.0 && place.height >= 0.0, "{place:?}");
            assert!(place.right() <= 600.001 && place.bottom() <= 400.001, "{place:?}");
        }
    }

    proptest! {
        #[test]
        fn areas_are_in_proportion_inside_and_apart(
            weights in prop::collection::vec(0_u32..5000, 0..60),
            width in 1.0..3000.0_f64,
            height in 1.0..3000.0_f64,
        ) {
            let inside = Rect { x: 3.0, y: 5.0, width, height };
            let places = squarified(&weights.iter().copied().map(u64::from).collect::<Vec<_>>(), inside);
            prop_assert_eq!(places.len(), weights.len());
            let unit = width * height / f64::from(weights.iter().sum::<u32>().max(1));
            let mut found = Vec::new();
            for (&weight, place) in weights.iter().zip(places) {
                prop_assert_eq!(weight > 0, place.is_some());
                let Some(place) = place else { continue };
                let area = place.width * place.height;
                prop_assert!((area - f64::from(weight) * unit).abs() <= 1e-6 * width * height, "{} {:?}", weight, place);
                prop_assert!(place.x >= inside.x && place.y >= inside.y, "{:?}", place);
                prop_assert!(place.right() <= inside.right() + 1e-6 && place.bottom() <= inside.bottom() + 1e-6);
                found.push(place);
            }
            for (at, a) in found.iter().enumerate() {
                for b in &found[at + 1..] {
                    let wide = a.right().min(b.right()) - a.x.max(b.x);
                    let high = a.bottom().min(b.bottom()) - a.y.max(b.y);
                    prop_assert!(wide <= 1e-6 || high <= 1e-6, "{:?} {:?}", a, b);
                }
            }
        }
    }
}
