//! Lying bars, each under its name: long names fit, on a phone as well.
//!
//! A whisker is the range over the trials. A row that is doubted or wrong has a hollow bar and says so beside its name.
//! Bound: [`MOST`] bars; the table below has them all.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::paint::{self, Area, FINE, Ink, Unable, words};
use super::{Chart, Data};
use crate::report::html::words::{Unit, clip};
use crate::report::summary::Spread;

const WIDTH: u32 = 480;
/// The height of a name and its bar.
const ROW: u32 = 46;
/// More bars than these are nothing that one looks at.
const MOST: usize = 40;
/// A longer name is cut in the picture; the table has all of it.
const NAME: usize = 34;

/// One bar.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct Bar {
    pub(in crate::report::html) name: String,
    pub(in crate::report::html) value: Spread,
    /// What is to be said of it, where its figure is not to be trusted.
    pub(in crate::report::html) doubt: Option<String>,
}

/// What a chart of bars is made of.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct Bars {
    pub(in crate::report::html) title: String,
    pub(in crate::report::html) caption: String,
    pub(in crate::report::html) unit: Unit,
    pub(in crate::report::html) bars: Vec<Bar>,
}

/// The chart; `None`: there is nothing to show.
pub(in crate::report::html) fn chart(what: Bars) -> Option<Chart> {
    let largest = what.bars.iter().map(|bar| bar.value.high).fold(0.0, f64::max);
    if what.bars.is_empty() || !largest.is_finite() {
        return None;
    }
    let size = (WIDTH * FINE, (ROW * what.bars.len().min(MOST) as u32 + 4) * FINE);
    let picture = paint::draw(size, |area| drawn(area, &what, largest.max(1e-12)));
    let told: Vec<String> =
        what.bars.iter().map(|bar| format!("{}: {}", bar.name, what.unit.show(bar.value.median))).collect();
    let show = |value| what.unit.show(value);
    let rows = what.bars.iter().map(|bar| {
        let (name, range) = (bar.name.clone(), bar.value);
        vec![name, show(range.median), show(range.low), show(range.high), range.count.to_string()]
    });
    let heads = ["server", "median", "lowest", "highest", "trials"].map(str::to_owned).to_vec();
    Some(Chart {
        description: format!("Bars. {}.", told.join("; ")),
        size,
        legend: Vec::new(),
        picture,
        data: Data { heads, rows: rows.collect() },
        title: what.title,
        caption: what.caption,
    })
}

fn drawn(area: &Area, what: &Bars, largest: f64) -> Result<(), Unable> {
    let fine = FINE as i32;
    let right = WIDTH as i32 * fine - 2 * fine;
    let place = |value: f64| (value.max(0.0) / largest * f64::from(right)).round() as i32;
    for (index, bar) in what.bars.iter().take(MOST).enumerate() {
        let top = index as i32 * ROW as i32 * fine;
        let (above, below) = (top + 25 * fine, top + 37 * fine);
        let name = match &bar.doubt {
            Some(doubt) => format!("{} ({doubt})", clip(&bar.name, NAME)),
            None => clip(&bar.name, NAME),
        };
        let left = Pos::new(HPos::Left, VPos::Top);
        area.draw_text(&name, &words(Ink::Text).pos(left), (0, top + 4 * fine))?;
        let end = Pos::new(HPos::Right, VPos::Top);
        area.draw_text(
            &what.unit.show(bar.value.median),
            &words(Ink::Text).pos(end),
            (right, top + 4 * fine),
        )?;
        let corners = [(0, above), (place(bar.value.median), below)];
        let bar_style: ShapeStyle = match bar.doubt {
            Some(_) => Ink::Doubted.colour().stroke_width(2),
            None => Ink::Bar.colour().filled(),
        };
        area.draw(&Rectangle::new(corners, bar_style))?;
        if bar.value.count > 1 {
            whisker(area, (place(bar.value.low), place(bar.value.high)), (above, below))?;
        }
    }
    Ok(())
}

fn whisker(area: &Area, (low, high): (i32, i32), (above, below): (i32, i32)) -> Result<(), Unable> {
    let style = Ink::Whisker.colour().stroke_width(2);
    let middle = i32::midpoint(above, below);
    let (upper, lower) = (above + 2 * FINE as i32, below - 2 * FINE as i32);
    for line in
        [[(low, middle), (high, middle)], [(low, upper), (low, lower)], [(high, upper), (high, lower)]]
    {
        area.draw(&PathElement::new(line, style))?;
    }
    Ok(())
}
