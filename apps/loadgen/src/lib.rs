//! `loadgen`: puts a load on a TCP server, checks every byte that comes back, and compares concurrency models.
//!
//! The way of a measurement, which is also the order to read in:
//! [`options`] → [`plan`] → [`subject`] (the server under test) → [`drive`] ([`pace`] × [`ping`]) → [`measure`] →
//! [`report`]; [`run`] and [`compare`] walk it, [`selftest`] walks it against itself, [`account`] says what the server
//! spent, [`trial`] judges what came out, [`live`] shows how far it is; [`reopen`]
//! shows what was saved.
//!
//! [`stats`] says which differences were shown and which promises kept, [`gates`] what that means for the exit code.
//!
//! [`ping`], [`pace`], [`measure`] and [`stats`] use no socket, file or clock: times are numbers that are passed in.

pub mod account;
pub mod accounted;
pub mod acts;
pub mod compare;
pub mod drive;
pub mod find_max;
pub mod gates;
pub mod live;
pub mod measure;
pub mod options;
pub mod pace;
pub mod ping;
pub mod plan;
pub mod reopen;
pub mod report;
pub mod run;
pub mod scenarios;
pub mod selftest;
pub mod start;
pub mod stats;
pub mod subject;
pub mod trial;
