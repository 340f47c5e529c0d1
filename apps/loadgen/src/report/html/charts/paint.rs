//! From the charting library's picture to one that follows the page's colours.
//!
//! How: the library writes fixed colours. So each thing is drawn in a colour that means a kind of ink, and afterwards
//! every such colour becomes a class, which the style sheet fills in for light, dark and print. Fixed fonts are taken
//! out likewise: the style sheet sets them, larger on a phone. Where it breaks: a colour that is no ink stays as it
//! is, and a test looks for one.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, RGBColor, SVGBackend, TextStyle};

/// What the library reports when it cannot draw: never, as it writes to memory.
pub(super) type Unable = Box<dyn std::error::Error>;
/// Where a chart is drawn.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Lines of one chart that can be told apart; charts with more are divided.
pub(in crate::report::html) const SLOTS: usize = 8;
/// The library places things on whole points; so many of them are one of the page's.
pub(super) const FINE: u32 = 4;
/// The first part of every colour that means an ink.
const MARK: u8 = 1;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::html) enum Dash {
    Solid,
    Dashed,
    Dotted,
}

/// What a thing is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Quiet,
    Grid,
    Axis,
    Bar,
    Doubted,
    Whisker,
    Line(usize, Dash),
}

impl Ink {
    pub(super) fn colour(self) -> RGBColor {
        let named = |number| RGBColor(MARK, 0, number);
        match self {
            Self::Text => named(101),
            Self::Quiet => named(102),
            Self::Grid => named(103),
            Self::Axis => named(104),
            Self::Bar => named(105),
            Self::Doubted => named(106),
            Self::Whisker => named(107),
            Self::Line(slot, dash) => RGBColor(MARK, dash as u8, (slot % SLOTS) as u8),
        }
    }
}

/// How words are written, as far as their place depends on it; the style sheet has the last word.
pub(super) fn words(ink: Ink) -> TextStyle<'static> {
    ("sans-serif", 15 * FINE).into_font().color(&ink.colour())
}

/// Draws on an area of this size and gives the inside of an `<svg>` back.
pub(super) fn draw(size: (u32, u32), with: impl Fn(&Area) -> Result<(), Unable>) -> String {
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        // it writes to memory, so it cannot fail; if it did, the data is in the table below the chart
        let _ = with(&area).and_then(|()| Ok(area.present()?));
    }
    inside(&picture)
}

/// Without the `<svg>` around it, which is the page's, and with classes instead of colours.
fn inside(picture: &str) -> String {
    let mut out = String::new();
    for piece in picture.split_inclusive('>') {
        let Some((text, tag)) = piece.split_once('<') else {
            out.push_str(piece.trim_matches('\n'));
            continue;
        };
        out.push_str(text.trim_matches('\n'));
        if !tag.starts_with("svg") && !tag.starts_with("/svg") {
            out.push('<');
            out.push_str(&classed(tag));
        }
    }
    out
}

/// A tag with classes instead of colours and without fonts. Values are escaped, so a quote is always the end of one.
fn classed(tag: &str) -> String {
    let mut out = String::new();
    let mut parts = tag.split('"');
    while let Some(before) = parts.next() {
        let Some(value) = parts.next() else {
            out.push_str(before);
            break;
        };
        let name = before.trim_start().trim_end_matches('=').rsplit(' ').next().unwrap_or_default();
        let head = before.strip_suffix(&format!(" {name}=")).unwrap_or_default();
        out.push_str(head);
        match (name, value) {
            ("font-family" | "font-size", _) | ("opacity" | "stroke-width", "1") => {}
            ("fill" | "stroke", value) => {
                let kept = format!(" {name}=\"{value}\"");
                out.push_str(&class(name, value).map_or(kept, |class| format!(" class=\"{class}\"")));
            }
            _ => out.push_str(&format!(" {name}=\"{value}\"")),
        }
    }
    out
}

fn class(property: &str, colour: &str) -> Option<String> {
    let digits = colour.strip_prefix('#')?;
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let (mark, dash, number) = (part(0)?, part(2)?, part(4)?);
    let kind = if property == "fill" { 'f' } else { 'k' };
    (mark == MARK).then(|| match dash {
        0 => format!("{kind}{number}"),
        dash => format!("{kind}{number} d{dash}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inks_become_classes_and_fonts_go() {
        let picture = "<svg width=\"9\" xmlns=\"x\">\n<text x=\"1\" font-family=\"sans-serif\" font-size=\"9.6\" opacity=\"1\" \
                       fill=\"#010065\">\na &lt;b&gt; fill=&quot;#010065&quot;\n</text>\n\
                       <polyline fill=\"none\" opacity=\"0.5\" stroke=\"#010203\" stroke-width=\"2\" points=\"1,2\"/>\n</svg>\n";
        assert_eq!(
            inside(picture),
            "<text x=\"1\" class=\"f101\">a &lt;b&gt; fill=&quot;#010065&quot;</text>\
             <polyline fill=\"none\" opacity=\"0.5\" class=\"k3 d2\" stroke-width=\"2\" points=\"1,2\"/>"
        );
    }
}
