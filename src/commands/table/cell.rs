//! A cell of a table.

use comfy_table::{Attribute, Color};

/// The text of a cell with its style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    color: Option<Color>,
    is_bold: bool,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), color: None, is_bold: false }
    }

    pub(crate) fn fg(self, color: Color) -> Self {
        Self { color: Some(color), ..self }
    }

    pub(crate) fn bold(self) -> Self {
        Self { is_bold: true, ..self }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns a cell of the library with another text in this style.
    pub(super) fn showing(&self, text: &str) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(text);
        let cell = self.color.into_iter().fold(cell, comfy_table::Cell::fg);
        if self.is_bold { cell.add_attribute(Attribute::Bold) } else { cell }
    }
}
