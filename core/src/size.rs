//! A terminal's size in cells, checked once where it enters, and in pixels where its window knows them.

use std::fmt;

use crate::limits::CELLS_MAX;

/// Columns and rows, both at least 1, together at most [`CELLS_MAX`] cells.
///
/// Zero is refused because programs divide by it; an area without bound is refused because every screen that
/// shows the terminal must allocate it (65,535 × 65,535 cells of 8 bytes are 32 GiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    cols: u16,
    rows: u16,
    pixels: Option<Pixels>,
}

/// The size of a text area in pixels, for programs that draw pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pixels {
    /// From left to right.
    pub width: u16,
    /// From top to bottom.
    pub height: u16,
}

impl Size {
    /// 80 columns by 24 rows, what a program assumes when nobody tells.
    pub const DEFAULT: Size = Size { cols: 80, rows: 24, pixels: None };

    /// A size of `cols` columns by `rows` rows.
    ///
    /// # Errors
    /// [`SizeError`], with both numbers, when one is zero or their product exceeds [`CELLS_MAX`].
    ///
    /// # Examples
    /// ```
    /// # use orchflow_core::size::Size;
    /// assert_eq!(Size::new(120, 40)?.cols(), 120);
    /// assert!(Size::new(0, 24).is_err());
    /// assert!(Size::new(65_535, 65_535).is_err());
    /// # Ok::<(), orchflow_core::size::SizeError>(())
    /// ```
    pub const fn new(cols: u16, rows: u16) -> Result<Size, SizeError> {
        if cols == 0 || rows == 0 || cols as u32 * rows as u32 > CELLS_MAX {
            return Err(SizeError { cols, rows });
        }
        Ok(Size { cols, rows, pixels: None })
    }

    /// Columns.
    pub const fn cols(self) -> u16 {
        self.cols
    }

    /// Rows.
    pub const fn rows(self) -> u16 {
        self.rows
    }

    /// The same, of a window with so many pixels.
    pub const fn with_pixels(self, pixels: Option<Pixels>) -> Size {
        Size { pixels, ..self }
    }

    /// The whole text area in pixels, where the window knows them.
    pub const fn pixels(self) -> Option<Pixels> {
        self.pixels
    }
}

impl Default for Size {
    fn default() -> Self {
        Size::DEFAULT
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.cols, self.rows)
    }
}

/// A size nobody can show: the numbers that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeError {
    /// The columns asked for.
    pub cols: u16,
    /// The rows asked for.
    pub rows: u16,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a terminal of {}x{} cells is not possible: both sides must be at least 1 and the area at most {CELLS_MAX}",
            self.cols, self.rows
        )
    }
}

impl std::error::Error for SizeError {}
