//! A server with other settings than those of the list in `model.rs`: four loops, or one thread behind a loop.

use crate::server::Start;
use crate::variants::{Variant, named};

/// A server with these options in the place of a variant's. The variant tells what is to be expected of the server: take one
/// of the same mode.
///
/// (A shell leaves out the variant's own words, and becomes the server: the process and its group stay the same.)
pub(crate) fn custom(like: Variant, options: &str) -> Start {
    let script = format!("shift {}; exec \"$0\" \"$@\"", like.arguments().len());
    Start::new(like).with(options).under(&["sh", "-c", &script])
}

/// The same, told by the variant's name.
pub(crate) fn like(name: &str, options: &str) -> Start {
    custom(named(name), options)
}
