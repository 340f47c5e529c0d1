//! Five processes write to one dict and one list.

use std::process::id;

use common::exit::Failure;
use common::process::{Builder, Process};

use super::{LIMIT, exit_codes};
use crate::lesson::{Example, Saw};
use crate::mp::manager::Manager;
use crate::stage::Stage;

pub(super) const SHARED: Example =
    Example::new("shared", "five processes write to a dict and a list", &[16], shared);

fn shared(stage: &Stage) -> Result<Saw, Failure> {
    let manager = Manager::start()?;
    let dict = manager.dict::<String, String>().map_err(Failure::failed)?;
    let list = manager.list::<u32>().map_err(Failure::failed)?;
    let written = manager.queue::<()>().map_err(Failure::failed)?;
    let go = manager.queue::<()>().map_err(Failure::failed)?;
    let run = || {
        dict.set(&"name".to_owned(), &"sober".to_owned())?;
        dict.set(&"workdata".to_owned(), &"2018-05-09".to_owned())?;
        list.append(&id())?;
        stage.says("child", format_args!("the list is {:?}", list.to_vec()?));
        written.put(&())?;
        go.get_within(LIMIT)
    };
    let children: Vec<Process> = (0..5).map(|_| Builder::new().fork(run)).collect::<Result<_, _>>()?;
    (0..5).try_for_each(|_| written.get_within(LIMIT)).map_err(Failure::failed)?;
    let values = list.to_vec().map_err(Failure::failed)?;
    let items = dict.items().map_err(Failure::failed)?;
    let alive = children.iter().filter(|child| child.is_alive()).count();
    stage.says("parent", format_args!("{alive} children run; here are {items:?} and {values:?}"));
    (0..5).try_for_each(|_| go.put(&())).map_err(Failure::failed)?;
    let codes = exit_codes(&children)?;
    let all_were_there = children.iter().all(|child| values.contains(&child.pid().cast_unsigned()));
    Ok(Saw::new()
        .fact("dict", &items)
        .fact("list", &values)
        .fact("alive_when_read", alive)
        .fact("manager_pid", manager.pid())
        .fact("exit_codes", &codes)
        .say(format!(
            "The parent read {} numbers from the list while {alive} of the 5 writers had not ended.",
            values.len()
        ))
        .say(format!("The manager that has the dict and the list is process {}.", manager.pid()))
        .note("The tutorials say that the objects are copied to the children, and merged when all have ended. They are in one place, and each call asks for them there.")
        .shown(all_were_there && values.len() == 5 && alive == 5 && items.len() == 2 && codes == [Some(0); 5]))
}
