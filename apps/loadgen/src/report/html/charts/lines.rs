//! Lines over any two axes: the one way in which a line is drawn.

use maud::{Markup, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{About, Axis};
use super::paint::{self, Area, Dash, FINE, Ink, Unable, words};
use super::{Chart, Data};

const SIZE: (u32, u32) = (480 * FINE, 300 * FINE);
/// Markers of a line; of more points only so many are marked.
const MARKERS: usize = 8;

/// One line.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct Line {
    pub(in crate::report::html) name: String,
    /// Its colour and the shape of its markers.
    pub(in crate::report::html) slot: usize,
    pub(in crate::report::html) dash: Dash,
    pub(in crate::report::html) points: Vec<(f64, f64)>,
}

/// What a chart of lines is made of.
#[derive(Debug, Clone)]
pub(in crate::report::html) struct Lines {
    pub(in crate::report::html) title: String,
    pub(in crate::report::html) caption: String,
    pub(in crate::report::html) x: About,
    pub(in crate::report::html) y: About,
    pub(in crate::report::html) lines: Vec<Line>,
    /// The heights that the axis must reach besides: to be compared with the chart beside it.
    pub(in crate::report::html) reach: Vec<f64>,
    pub(in crate::report::html) data: Data,
}

/// The chart.
pub(in crate::report::html) fn chart(what: Lines) -> Chart {
    let points = || what.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = Axis::of(&what.x, points().map(|(x, _)| x));
    let y = Axis::of(&what.y, points().map(|(_, y)| y).chain(what.reach.iter().copied()));
    let picture = paint::draw(SIZE, |area| drawn(area, &what, &x, &y));
    let named: Vec<&str> = what.lines.iter().map(|line| line.name.as_str()).collect();
    Chart {
        description: format!(
            "Lines of {} over {}: {}. The figures are in the table below.",
            what.y.label,
            what.x.label,
            named.join(", ")
        ),
        size: SIZE,
        legend: what.lines.iter().map(|line| (line.name.clone(), key(line))).collect(),
        picture,
        title: what.title,
        caption: what.caption,
        data: what.data,
    }
}

fn drawn(area: &Area, what: &Lines, x: &Axis, y: &Axis) -> Result<(), Unable> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(22 * FINE)
        .margin_top(30 * FINE)
        .margin_bottom(18 * FINE)
        .set_label_area_size(LabelAreaPosition::Left, 66 * FINE)
        .set_label_area_size(LabelAreaPosition::Bottom, 22 * FINE)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let quiet = words(Ink::Quiet);
    chart
        .configure_mesh()
        .bold_line_style(Ink::Grid.colour())
        .light_line_style(TRANSPARENT)
        .axis_style(Ink::Axis.colour())
        .set_all_tick_mark_size(2 * FINE)
        .label_style(quiet.clone())
        .draw()?;
    area.draw_text(&what.y.label, &quiet.pos(Pos::new(HPos::Left, VPos::Top)), (0, 4 * FINE as i32))?;
    let right = Pos::new(HPos::Right, VPos::Bottom);
    let corner = ((SIZE.0 - 22 * FINE) as i32, (SIZE.1 - 2 * FINE) as i32);
    area.draw_text(&what.x.label, &quiet.pos(right), corner)?;
    for line in &what.lines {
        let ink = Ink::Line(line.slot, line.dash).colour();
        let places: Vec<(f64, f64)> = line.points.iter().map(|(a, b)| (x.place(*a), y.place(*b))).collect();
        chart.draw_series(LineSeries::new(places.iter().copied(), ink.stroke_width(2)))?;
        if line.dash == Dash::Solid {
            let every = places.len().div_ceil(MARKERS).max(1);
            let filled = Ink::Line(line.slot, Dash::Solid).colour().filled();
            for place in places.iter().skip(line.slot % every).step_by(every) {
                let (left, top) = chart.plotting_area().map_coordinate(place);
                let corner = |(x, y): &(i32, i32)| (left + x * FINE as i32, top + y * FINE as i32);
                area.draw(&Polygon::new(shape(line.slot).iter().map(corner).collect::<Vec<_>>(), filled))?;
            }
        }
    }
    Ok(())
}

/// The outline of a slot's marker around (0, 0): a shape for each, so that no line is known by its colour alone.
fn shape(slot: usize) -> &'static [(i32, i32)] {
    const SHAPES: [&[(i32, i32)]; paint::SLOTS] = [
        // circle, square, triangle up, diamond, triangle down, upright bar, lying bar, plus
        &[(-4, -2), (-2, -4), (2, -4), (4, -2), (4, 2), (2, 4), (-2, 4), (-4, 2)],
        &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
        &[(0, -5), (5, 4), (-5, 4)],
        &[(0, -6), (5, 0), (0, 6), (-5, 0)],
        &[(0, 5), (5, -4), (-5, -4)],
        &[(-2, -6), (2, -6), (2, 6), (-2, 6)],
        &[(-6, -2), (6, -2), (6, 2), (-6, 2)],
        &[
            (-2, -6),
            (2, -6),
            (2, -2),
            (6, -2),
            (6, 2),
            (2, 2),
            (2, 6),
            (-2, 6),
            (-2, 2),
            (-6, 2),
            (-6, -2),
            (-2, -2),
        ],
    ];
    SHAPES[slot % paint::SLOTS]
}

/// The line as it stands in the legend.
fn key(line: &Line) -> Markup {
    let slot = line.slot % paint::SLOTS;
    let dash = match line.dash {
        Dash::Solid => String::new(),
        dash => format!(" d{}", dash as u8),
    };
    let points: Vec<String> = shape(slot).iter().map(|(x, y)| format!("{},{}", x + 16, y + 7)).collect();
    html! {
        svg class="key" viewBox="0 0 32 14" width="32" height="14" aria-hidden="true" focusable="false" {
            line class=(format!("k{slot}{dash}")) x1="0" y1="7" x2="32" y2="7" stroke-width="2" {}
            @if line.dash == Dash::Solid { polygon class=(format!("f{slot}")) points=(points.join(" ")) {} }
        }
    }
}
