//! Each call of a proxy is whole; two calls are not.

use common::exit::Failure;
use common::process::Builder;

use super::{LIMIT, exit_codes};
use crate::lesson::{Example, Saw};
use crate::mp::manager::{Error, Manager};
use crate::stage::Stage;

pub(super) const LOST_UPDATE: Example =
    Example::new("lost-update", "each call is whole, two calls are not", &[16], lost_update);

fn lost_update(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let counts = manager.dict::<String, u32>().map_err(Failure::failed)?;
    let lock = manager.lock().map_err(Failure::failed)?;
    let has_read = manager.queue::<()>().map_err(Failure::failed)?;
    let go = manager.queue::<()>().map_err(Failure::failed)?;
    let count = |name: &str, between: &dyn Fn() -> Result<(), Error>| {
        let read = counts.get(&name.to_owned())?.unwrap_or(0);
        stage.says("child", format_args!("reads {read} ({name})"));
        between()?;
        stage.says("child", format_args!("writes {} ({name})", read + 1));
        counts.set(&name.to_owned(), &(read + 1))
    };
    // the worst case, made certain: both read, and then both write
    let unlocked = || count("unlocked", &|| has_read.put(&()).and_then(|()| go.get_within(LIMIT)));
    let children = [Builder::new().fork(unlocked)?, Builder::new().fork(unlocked)?];
    (0..2).try_for_each(|_| has_read.get_within(LIMIT)).map_err(Failure::failed)?;
    (0..2).try_for_each(|_| go.put(&())).map_err(Failure::failed)?;
    let mut codes = exit_codes(&children)?;
    let locked = || {
        let _held = lock.acquire(LIMIT)?;
        count("locked", &|| Ok(()))
    };
    let children = [Builder::new().fork(locked)?, Builder::new().fork(locked)?];
    codes.extend(exit_codes(&children)?);
    let value =
        |name: &str| counts.get(&name.to_owned()).map(Option::unwrap_or_default).map_err(Failure::failed);
    let (unlocked, locked) = (value("unlocked")?, value("locked")?);
    Ok(Saw::new()
        .fact("unlocked", unlocked)
        .fact("locked", locked)
        .fact("exit_codes", &codes)
        .say(format!(
            "Two processes added 1 to 0, and the dict had {unlocked}{}.",
            if unlocked < 2 { ": one update was lost" } else { "" }
        ))
        .say(format!("With the manager's lock around both calls it had {locked}."))
        .note("Without the lock both read before either writes. (Here the example makes sure of that; elsewhere it happens now and then.) Each call is whole; what stands between two calls is not protected.")
        .shown(unlocked == 1 && locked == 2 && codes == [Some(0); 4]))
}
