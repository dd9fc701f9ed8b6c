//! Screens on which a page is looked at: those of a phone, a tablet, a laptop and a large monitor, light and dark.

use std::fmt::{self, Display, Formatter};

use super::browser::Browser;

/// Widths in pixels.
const WIDTHS: [u32; 4] = [360, 768, 1400, 2560];
const SCHEMES: [&str; 2] = ["light", "dark"];

#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) scheme: &'static str,
}

/// Writes a screen for messages and names of files: `360-dark`.
impl Display for Screen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.width, self.scheme)
    }
}

/// Calls a function on each screen of some height, with one browser.
pub(crate) fn on_each_screen(browser: &mut Browser, height: u32, mut look: impl FnMut(&mut Browser, Screen)) {
    for width in WIDTHS {
        browser.resize(width, height);
        for scheme in SCHEMES {
            browser.prefer_color_scheme(scheme);
            look(browser, Screen { width, scheme });
        }
    }
}
