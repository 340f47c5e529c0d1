//! The real `loadgen` against servers that behave, and servers that do not.

// a helper of a test, too, fails by panicking
#![allow(clippy::unwrap_used)]

mod browser;
mod bystanders;
mod compare;
mod costs;
mod doubts;
mod formats;
mod gates;
mod lines;
mod live;
mod losses;
mod others;
mod page;
mod protocol;
mod ratios;
mod real;
mod reports;
mod rows;
mod run;
mod schema;
mod selftest;
mod servers;
mod stop;
mod tool;
mod usage;
