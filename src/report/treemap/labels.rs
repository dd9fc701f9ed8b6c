//! The labels of a treemap. The page stretches rectangles and never text, so a label has the least width of the drawing
//! at which it fits, and the style shows it from that width on.

use super::layout::Rect;
use super::{HEIGHT, Label, WIDTH};

/// Least widths of the drawing in pixels from which the style shows labels, `w0` to `w3` in `treemap.css`.
const WIDTHS: [f64; 4] = [290.0, 600.0, 900.0, 1250.0];
/// Least height of the drawing in pixels, which `treemap.css` sets.
const LEAST_HEIGHT: f64 = 420.0;
/// Height of a line of text in pixels.
const LINE: f64 = 14.0;
/// Pixels beside a text.
const ROOM: f64 = 9.0;
/// Pixels of a character of ASCII, and of another one, which may have double width.
const CHARACTER: (f64, f64) = (6.4, 12.0);

/// The labels that were placed.
#[derive(Default)]
pub(super) struct Labels {
    placed: Vec<Label>,
    of_groups: Vec<GroupLabel>,
}

/// The thing that a label names.
#[derive(Clone, Copy)]
enum Names<'k> {
    Group { key: &'k str },
    Area { percent_of: Option<usize> },
}

/// The place of a group's label, which others must not cover.
struct GroupLabel {
    x: f64,
    y: f64,
    /// Width of the text in pixels.
    width: f64,
    /// Index of the least width of the drawing at which it is shown.
    from: usize,
}

impl GroupLabel {
    /// Tells whether it covers a line of a rectangle where the drawing has the least width of that index, or a larger one.
    fn covers(&self, y: f64, inside: Rect, from: usize) -> bool {
        let right = self.x + self.width / WIDTHS[self.from.max(from)] * WIDTH;
        let is_beside = right <= inside.x || inside.right() <= self.x;
        !is_beside && (self.y - y).abs() + SLACK < LINE_UNITS
    }
}

impl Labels {
    /// Places the label of a group at the top of its rectangle: name and percentage, or the name alone if both need a
    /// wider drawing.
    pub(super) fn put_group(&mut self, (name, percent): (&str, &str), key: &str, inside: Rect) {
        let both = format!("{name} {percent}");
        let fits = |text: &str| least_width(text, inside);
        let Some(from) = fits(name) else { return };
        let text = if fits(&both) == Some(from) { both } else { name.to_owned() };
        let Some(y) = self.free_line(inside, from, inside.y) else { return };
        self.of_groups.push(GroupLabel { x: inside.x, y, width: text_width(&text), from });
        self.put(text, from, (inside.x, y), Names::Group { key });
    }

    /// Places name and percentage of an area in two lines below the labels of groups, each if it fits.
    pub(super) fn put_area(&mut self, (name, percent): (&str, &str), area: usize, inside: Rect) {
        let mut top = inside.y;
        for (text, percent_of) in [(name, None), (percent, Some(area))] {
            let Some(from) = least_width(text, inside) else { continue };
            let Some(y) = self.free_line(inside, from, top) else { return };
            self.put(text.to_owned(), from, (inside.x, y), Names::Area { percent_of });
            top = y + LINE_UNITS;
        }
    }

    pub(super) fn into_placed(self) -> Vec<Label> {
        self.placed
    }

    /// Returns the upper edge of the first line of a rectangle, from `top` on, that no label of a group covers.
    fn free_line(&self, inside: Rect, from: usize, top: f64) -> Option<f64> {
        let lines = (0..).map(|line| top + f64::from(line) * LINE_UNITS);
        let mut fitting = lines.take_while(|y| y + LINE_UNITS <= inside.bottom());
        fitting.find(|y| !self.of_groups.iter().any(|group| group.covers(*y, inside, from)))
    }

    fn put(&mut self, text: String, from: usize, (x, y): (f64, f64), names: Names<'_>) {
        let percent = |at: f64, whole: f64| format!("{:.2}", 100.0 * at / whole);
        let (key, percent_of) = match names {
            Names::Group { key } => (Some(key.to_owned()), None),
            Names::Area { percent_of } => (None, percent_of),
        };
        self.placed.push(Label { text, from, x: percent(x, WIDTH), y: percent(y, HEIGHT), key, percent_of });
    }
}

/// Height of a line in units of the drawing where that is lowest.
const LINE_UNITS: f64 = LINE / LEAST_HEIGHT * HEIGHT;
/// Units by which lines below each other may overlap, more than they do by rounding.
const SLACK: f64 = 1.0;

/// Returns the width of a text in pixels, with room beside it.
fn text_width(text: &str) -> f64 {
    let (ascii, other) = CHARACTER;
    ROOM + text.chars().map(|c| if c.is_ascii() { ascii } else { other }).sum::<f64>()
}

/// Returns the index of the least width of the drawing at which a text fits into a rectangle.
fn least_width(text: &str, inside: Rect) -> Option<usize> {
    let share = inside.width / WIDTH;
    WIDTHS.iter().position(|width| text_width(text) <= share * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rectangle in pixels of a drawing of 900 by 420.
    fn pixels(x: f64, y: f64, width: f64, height: f64) -> Rect {
        let [wide, high] = [WIDTH / 900.0, HEIGHT / 420.0];
        Rect { x: x * wide, y: y * high, width: width * wide, height: height * high }
    }

    /// Returns text, number of the least width, and place in pixels of a drawing of 900 by 420.
    fn shown(labels: Labels) -> Vec<(String, usize, i64, i64)> {
        let pixels = |percent: &str, whole: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "pixels of a drawing")]
            let at = (percent.parse::<f64>().unwrap() / 100.0 * whole).round() as i64;
            at
        };
        let labels = labels.into_placed().into_iter();
        labels.map(|it| (it.text, it.from, pixels(&it.x, 900.0), pixels(&it.y, 420.0))).collect()
    }

    #[test]
    fn a_label_has_the_least_width_at_which_it_fits() {
        let mut labels = Labels::default();
        for width in [300.0, 60.0, 50.0, 40.0] {
            labels.put_area(("store.go", "81.2%"), 0, pixels(9.0, 0.0, width, 100.0));
        }
        let wanted = [
            ("store.go", 0, 0),
            ("81.2%", 0, 14),
            ("store.go", 3, 0),
            ("81.2%", 2, 14),
            ("store.go", 3, 0),
            ("81.2%", 2, 14),
            ("81.2%", 3, 0),
        ];
        let wanted = wanted.map(|(text, from, y)| (text.to_owned(), from, 9, y));
        assert_eq!(shown(labels), wanted);
    }

    #[test]
    fn labels_of_areas_stand_below_those_of_groups() {
        let mut labels = Labels::default();
        labels.put_group(("storage", "70.0%"), "4", pixels(0.0, 0.0, 600.0, 400.0));
        labels.put_group(("remote", "71.0%"), "5", pixels(0.0, 0.0, 300.0, 400.0));
        labels.put_area(("a.go", "72.0%"), 0, pixels(0.0, 0.0, 280.0, 60.0));
        labels.put_area(("b.go", "73.0%"), 1, pixels(0.0, 60.0, 280.0, 15.0));
        labels.put_area(("c.go", "74.0%"), 2, pixels(520.0, 0.0, 200.0, 100.0));
        let wanted = [
            ("storage 70.0%", 0, 0, 0),
            ("remote 71.0%", 0, 0, 14),
            ("a.go", 0, 0, 28),
            ("72.0%", 0, 0, 42),
            ("b.go", 0, 0, 60),
            ("c.go", 0, 520, 0),
            ("74.0%", 0, 520, 14),
        ];
        assert_eq!(shown(labels), wanted.map(|(text, from, x, y)| (text.to_owned(), from, x, y)));
    }

    #[test]
    fn wide_characters_need_more_room() {
        let name = "\u{8cfc}\u{7269}\u{8eca}";
        assert_eq!(least_width(name, pixels(0.0, 0.0, 46.0, 9.0)), Some(2));
        assert_eq!(least_width("abc", pixels(0.0, 0.0, 46.0, 9.0)), Some(1));
    }
}
