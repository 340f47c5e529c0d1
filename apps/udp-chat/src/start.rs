//! From the command line to a run: which part is played, where lines come from and go to.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use common::exit::Failure;
use common::signals;
use rustyline::DefaultEditor;

use crate::chat::people::{self, DEFAULT_PORT};
use crate::chat::{Role, Settings};
use crate::history::{self, Format};
use crate::interfaces;
use crate::log;
use crate::options::{Arguments, LogFormat, Shared, Verb};
use crate::socket;
use crate::terminal::{self, Style};
use crate::threads::{self, Output, Setup, Source};

/// Does what the command line asks for.
///
/// # Errors
/// One line for the user, and the exit code.
pub fn start(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { verb, to, shared, .. } = arguments;
    if to.is_some() && verb.is_some() {
        return Err(Failure::usage(
            "--to before a verb is for a chat: udp-chat send --to IP:PORT TEXT sends a message",
        ));
    }
    let for_program = verb.is_some() && !std::io::stdout().is_terminal();
    let style = Style::new(shared.color, for_program);
    let (role, source, output) = match verb {
        Some(Verb::Log(mut log)) => {
            log.file = log.file.or(shared.history);
            return log::log(&log);
        }
        None => {
            let (source, output) = conversation()?;
            (Role::Chat, source, output)
        }
        Some(Verb::Send(send)) => {
            let (ip, port) = people::address(&send.to, interfaces::number).ok_or_else(|| {
                Failure::usage(format!(
                    "--to {}: it is no IP:PORT, for example 192.168.1.5:7890, [::1]:7890 or fe80::1%eth0",
                    send.to
                ))
            })?;
            let to = people::at(ip, port.unwrap_or(DEFAULT_PORT));
            let text = send.text.join(" ");
            let source = if send.text.is_empty() { Source::Plain } else { Source::Lines(vec![text]) };
            (Role::Send { to, wait: send.wait }, source, Output::Script { json: false })
        }
        Some(Verb::Listen(listen)) => {
            let role = Role::Listen { count: listen.count, timeout: listen.timeout };
            (role, Source::Nothing, Output::Script { json: listen.json })
        }
    };
    signals::install().map_err(Failure::failed)?;
    signals::stop_on_hangup().map_err(Failure::failed)?;
    signals::survive_file_size_limit().map_err(Failure::failed)?;
    let port = shared.port.unwrap_or(if matches!(role, Role::Send { .. }) { 0 } else { DEFAULT_PORT });
    let echo = role == Role::Chat && !std::io::stdin().is_terminal();
    let setup = Setup {
        socket: socket::open(shared.bind, port).map_err(|e| cannot_listen(&shared, port, &e))?,
        settings: settings(&shared, role, echo),
        to,
        history: (!shared.no_history).then(|| history_settings(&shared)),
        history_is_must: shared.history.is_some(),
        source,
        output,
        style,
    };
    threads::run(setup).map(ExitCode::from)
}

/// Where a conversation takes place: on a terminal with an editor, or wherever lines come from and go to.
fn conversation() -> Result<(Source, Output), Failure> {
    if !terminal::can_edit() {
        let prompts_are_lines = !std::io::stdin().is_terminal();
        return Ok((Source::Plain, Output::Conversation { prompts_are_lines }));
    }
    let broken =
        |e| Failure::failed(format!("the terminal cannot be used: {e}; TERM=dumb udp-chat needs less of it"));
    let mut editor = DefaultEditor::new().map_err(broken)?;
    let printer = editor.create_external_printer().map_err(broken)?;
    Ok((Source::Editor(Box::new(editor)), Output::Editor(Box::new(printer))))
}

fn settings(shared: &Shared, role: Role, echo: bool) -> Settings {
    Settings {
        role,
        eol: shared.eol,
        max_datagram: usize::try_from(shared.max_datagram).unwrap_or(usize::MAX),
        rate_limit: shared.rate_limit.0,
        interfaces: interfaces::number,
        echo,
    }
}

fn history_settings(shared: &Shared) -> history::Settings {
    let path = shared.history.clone().unwrap_or_else(|| PathBuf::from(history::DEFAULT_FILE));
    history::Settings {
        // the full path is what a user can find again
        path: std::path::absolute(&path).unwrap_or(path),
        format: match shared.log_format {
            LogFormat::Timed => Format::Timed,
            LogFormat::Classic => Format::Classic,
        },
        sync: shared.sync,
        capacity: shared.queue_capacity,
    }
}

fn cannot_listen(shared: &Shared, port: u16, error: &std::io::Error) -> Failure {
    let place = shared.bind.map_or_else(|| format!("port {port}"), |ip| format!("{} port {port}", ip.ip()));
    let advice = match error.kind() {
        _ if shared.bind.is_some_and(interfaces::lacks_interface) => {
            ": this address needs its interface, for example fe80::1%eth0"
        }
        std::io::ErrorKind::AddrInUse => {
            ": another program has it; choose another --port (0 picks a free one)"
        }
        std::io::ErrorKind::PermissionDenied => ": ports below 1024 are for root; choose another --port",
        std::io::ErrorKind::AddrNotAvailable => ": --bind needs an address of this machine",
        _ => "",
    };
    let why = error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |errno| nix::errno::Errno::from_raw(errno).desc().to_lowercase());
    Failure::failed(format!("cannot listen on {place}: {why}{advice}"))
}
