//! A treemap: each area is in proportion to statements, and has the colour of their coverage. The page of a report shows
//! files or folders, the index of a site shows services.
//!
//! Pure: the input is a tree of parts, the output is what `treemap.html` puts into SVG. The drawing has a fixed size in
//! units of its own, and a page stretches it to any width and height.

mod labels;
mod layout;

use std::fmt::Write as _;

use super::html::part_of;
use crate::coverage::{Coverage, percent_text};

use labels::Labels;
use layout::{Rect, squarified};

/// Width and height of the drawing. Its ratio lies between those of a phone and of a desktop.
const WIDTH: f64 = 2800.0;
const HEIGHT: f64 = 1680.0;
/// Levels of groups that have a frame and a label.
const FRAMED: usize = 2;

/// Least percentages of the steps of colour above the first, which is for nothing covered. 60 and 80 are the limits of
/// grades.
const STEPS: [f64; 5] = [0.0, 40.0, 60.0, 80.0, 95.0];

/// A part of what a treemap shows: an area, or a group of parts.
#[derive(Debug)]
pub(super) struct Part {
    /// Name for the label.
    pub(super) name: String,
    pub(super) coverage: Coverage,
    /// Value by which the script knows it.
    pub(super) key: String,
    pub(super) kind: PartKind,
}

#[derive(Debug)]
pub(super) enum PartKind {
    /// An area with its whole name, and the address to which it leads without the script; empty for none.
    Area {
        title: String,
        address: String,
    },
    Group(Vec<Part>),
}

/// A treemap in the units of its drawing.
#[derive(Debug)]
pub(super) struct Treemap {
    /// The areas in the order of their parts.
    pub(super) areas: Vec<Area>,
    /// Paths around outer and inner groups.
    pub(super) frames: [String; FRAMED],
    pub(super) labels: Vec<Label>,
}

/// A rectangle in the drawing.
#[derive(Debug)]
pub(super) struct Area {
    /// Number of the step of its colour.
    pub(super) step: usize,
    pub(super) title: String,
    pub(super) path: String,
    pub(super) address: String,
    pub(super) key: String,
}

/// A text in the drawing.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) text: String,
    /// Number of the least width at which it is shown.
    pub(super) from: usize,
    /// Place of its upper left corner, in percent of width and height.
    pub(super) x: String,
    pub(super) y: String,
    /// Key of the group that it names; `None` for an area.
    pub(super) key: Option<String>,
    /// Index of the area whose percentage it is; `None` for a name.
    pub(super) percent_of: Option<usize>,
}

impl Part {
    pub(super) fn group(name: String, key: String) -> Self {
        Self { name, coverage: Coverage::default(), key, kind: PartKind::Group(Vec::new()) }
    }

    /// Adds a part to a group, unless it has no statements.
    pub(super) fn add(&mut self, part: Part) {
        let PartKind::Group(parts) = &mut self.kind else { return };
        if part.coverage.total > 0 {
            self.coverage += part.coverage;
            parts.push(part);
        }
    }
}

impl Treemap {
    /// Draws the parts of a group, at any depth; `None` if there is nothing to draw.
    pub(super) fn new(whole: &Part) -> Option<Self> {
        let PartKind::Group(parts) = &whole.kind else { return None };
        if parts.is_empty() {
            return None;
        }
        let mut drawing = Drawing::default();
        drawing.put(parts, 0, Rect { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT });
        Some(drawing.finished())
    }
}

/// A treemap while it is drawn.
#[derive(Default)]
struct Drawing<'p> {
    areas: Vec<Area>,
    frames: [String; FRAMED],
    /// Groups of each level, and areas, which get labels in this order.
    groups: [Vec<(&'p Part, Rect)>; FRAMED],
    places: Vec<(&'p Part, Rect)>,
}

impl<'p> Drawing<'p> {
    fn put(&mut self, parts: &'p [Part], depth: usize, inside: Rect) {
        let weights: Vec<u64> = parts.iter().map(|part| part.coverage.total).collect();
        for (part, place) in parts.iter().zip(squarified(&weights, inside)) {
            let Some(place) = place else { continue };
            match &part.kind {
                PartKind::Area { title, address } => {
                    self.areas.push(Area::new(part, title, address, place));
                    self.places.push((part, place));
                }
                PartKind::Group(inner) => {
                    if depth < FRAMED {
                        self.frames[depth] += &path(place);
                        self.groups[depth].push((part, place));
                    }
                    self.put(inner, depth + 1, place);
                }
            }
        }
    }

    fn finished(self) -> Treemap {
        let mut labels = Labels::default();
        for (part, place) in self.groups.iter().flatten() {
            labels.put_group((&part.name, &part.percent()), &part.key, *place);
        }
        for (at, (part, place)) in self.places.iter().enumerate() {
            labels.put_area((&part.name, &part.percent()), at, *place);
        }
        Treemap { areas: self.areas, frames: self.frames, labels: labels.into_placed() }
    }
}

impl Part {
    fn percent(&self) -> String {
        percent_text(self.coverage.percent())
    }
}

impl Area {
    fn new(part: &Part, title: &str, address: &str, place: Rect) -> Self {
        let Coverage { covered, total } = part.coverage;
        Self {
            step: step(part.coverage),
            title: format!("{title}: {}, {} covered", part.percent(), part_of(covered, total, "statement")),
            path: path(place),
            address: address.to_owned(),
            key: part.key.clone(),
        }
    }
}

/// Returns the number of the step of colour of a coverage.
fn step(coverage: Coverage) -> usize {
    match coverage.covered {
        0 => 0,
        _ => STEPS.iter().rposition(|least| coverage.percent() >= *least).map_or(0, |at| at + 1),
    }
}

/// Returns the path of a rectangle, with whole numbers. Rounded edges stay those of the rectangles beside it.
fn path(place: Rect) -> String {
    let [left, top, right, bottom] = [place.x, place.y, place.right(), place.bottom()].map(f64::round);
    let mut path = String::with_capacity(24);
    let _ = write!(path, "M{left} {top}h{}v{}H{left}z", right - left, bottom - top);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(name: &str, covered: u64, total: u64) -> Part {
        let kind = PartKind::Area { title: format!("in/{name}"), address: String::new() };
        Part { name: name.to_owned(), coverage: Coverage { covered, total }, key: String::new(), kind }
    }

    fn group(name: &str, parts: Vec<Part>) -> Part {
        let mut group = Part::group(name.to_owned(), name.to_owned());
        for part in parts {
            group.add(part);
        }
        group
    }

    #[test]
    fn areas_have_the_order_of_their_parts_and_groups_have_frames() {
        let inner = group("inner", vec![area("b", 500, 1000), area("c", 2000, 2000)]);
        let whole = group("", vec![area("a", 0, 1000), area("none", 0, 0), inner]);
        let map = Treemap::new(&whole).unwrap();
        let areas: Vec<(usize, &str, &str)> =
            map.areas.iter().map(|area| (area.step, &*area.title, &*area.path)).collect();
        let wanted = [
            (0, "in/a: 0.0%, 0 of 1,000 statements covered", "M2100 0h700v1680H2100z"),
            (2, "in/b: 50.0%, 500 of 1,000 statements covered", "M1400 0h700v1680H1400z"),
            (5, "in/c: 100.0%, 2,000 of 2,000 statements covered", "M0 0h1400v1680H0z"),
        ];
        assert_eq!(areas, wanted);
        assert_eq!(map.frames, ["M0 0h2100v1680H0z", ""]);
        let labels: Vec<(&str, Option<&str>)> =
            map.labels.iter().map(|label| (&*label.text, label.key.as_deref())).collect();
        let wanted = [("inner 83.3%", Some("inner")), ("a", None), ("0.0%", None), ("b", None)];
        assert_eq!(labels[..4], wanted);
    }

    #[test]
    fn the_colour_changes_with_the_limits_of_grades_and_for_nothing_covered() {
        let steps = [
            (0, 9),
            (1, 9000),
            (39, 100),
            (40, 100),
            (599, 1000),
            (60, 100),
            (799, 1000),
            (80, 100),
            (94, 100),
        ];
        let steps = steps.map(|(covered, total)| step(Coverage { covered, total }));
        assert_eq!(steps, [0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!([95, 100].map(|covered| step(Coverage { covered, total: 100 })), [5, 5]);
    }

    #[test]
    fn nothing_has_no_map() {
        assert!(Treemap::new(&group("", vec![area("none", 0, 0), group("inner", vec![])])).is_none());
        assert!(Treemap::new(&area("alone", 1, 1)).is_none());
    }
}
