//! The scenarios that every language plays, from `core/testdata/scenarios`; its page says what each line means.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchflow_core::flow::FlowLimits;
use orchflow_core::hub::{Output, Session};
use orchflow_core::limits::{LOW_WATER_BYTES, READ_MAX};
use orchflow_core::pty::{Command, Exit, ExitStatus, Signal, Target};
use orchflow_core::ring::Mode;
use orchflow_core::session::{Event, EventKind, SessionOptions, WriteError};
use orchflow_core::size::Size;

use crate::act::flood_bytes;
use crate::listener::{Listener, assert_same};
use crate::stage::{Setting, Stage, until, within};

/// A test of each script, named like it.
macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        scenarios! { unix: $($name),+; }
        $(fn $name(setting: Setting) {
            play(setting, stringify!($name));
        })+

        #[test]
        fn every_script_is_played() {
            let mut names: Vec<_> = files().into_iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
            names.sort();
            let mut played = vec![$(stringify!($name)),+];
            played.sort_unstable();
            assert_eq!(names, played);
        }
    };
}

scripts! {
    all_readers_are_told_the_same,
    end_is_told_although_the_reader_does_not_read,
    every_byte_comes_before_the_exit,
    interrupt_discards_the_paste_before_it,
    interrupt_keeps_its_place_in_raw_mode,
    last_handle_dropped_ends_the_processes,
    late_reader_gets_the_history_and_the_exit,
    line_too_long_is_refused_whole,
    lines_pasted_into_a_cooked_echo_complete,
    lossy_reader_is_told_exactly_what_it_missed,
    nothing_can_be_typed_after_the_end,
    output_waits_for_its_first_reader,
    owner_is_waited_for_without_end,
    paste_into_an_echo_completes,
    polite_process_ends_at_once,
    resize_reaches_the_program,
    resizes_wait_behind_the_input_and_are_told_as_one,
    silent_orphan_is_left_after_the_quiet_time,
    size_is_there_before_the_program,
    slow_owner_stops_the_child_and_loses_nothing,
    stalled_program_stalls_nobody_else,
    stopped_process_is_woken_to_end,
    stubborn_processes_end_by_the_kill,
    unread_session_ends_when_its_handle_is_dropped,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/scenarios")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect()
}

fn play(setting: Setting, name: &str) {
    let script = fs::read_to_string(folder().join(name).with_extension("txt")).unwrap();
    let lines: Vec<Vec<String>> = script.lines().map(words).filter(|line| !line.is_empty()).collect();
    let setting = if lines[0] == ["clock", "manual"] { setting.manual_clock() } else { setting };
    setting.play(async |stage| {
        let mut player = Player { stage, sessions: BTreeMap::new(), listeners: BTreeMap::new(), told: VecDeque::new() };
        for line in &lines {
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            player.act(&line).await;
        }
    });
}

/// The words of a line. A script of the shell, which stands behind `--`, is one.
fn words(line: &str) -> Vec<String> {
    let (line, shell) = match line.split_once(" -- ") {
        Some((line, shell)) => (line, Some(shell.to_owned())),
        None => (line, None),
    };
    let (mut words, mut rest) = (Vec::new(), line.trim());
    while !rest.is_empty() && !rest.starts_with('#') {
        let word;
        if let Some(text) = rest.strip_prefix('"') {
            (word, rest) = text_of(text);
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            (word, rest) = (rest[..end].to_owned(), &rest[end..]);
        }
        words.push(word);
        rest = rest.trim_start();
    }
    words.into_iter().chain(shell).collect()
}

/// What stands up to the closing quote, and what follows that.
fn text_of(quoted: &str) -> (String, &str) {
    let (mut text, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next().expect("a text ends with a quote") {
            '"' => return (text, chars.as_str()),
            '\\' => text.push(match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    char::from(u8::from_str_radix(&digits, 16).unwrap())
                }
                other => other,
            }),
            other => text.push(other),
        }
    }
}

/// Somebody who plays a script.
struct Player {
    stage: Stage,
    sessions: BTreeMap<String, Session>,
    /// Of sessions and of further readers, by name.
    listeners: BTreeMap<String, Listener>,
    /// Events that nobody has waited for yet.
    told: VecDeque<Event>,
}

impl Player {
    async fn act(&mut self, line: &[&str]) {
        match *line {
            ["clock", "manual"] => {}
            ["spawn", name, ref options @ .., script] => self.spawn(name, options, script),
            ["reader", name, "of", session, mode, offset] => {
                let mode = match mode {
                    "owner" => Mode::Owner,
                    "viewer" => Mode::Viewer,
                    "lossy" => Mode::Lossy,
                    mode => panic!("no mode {mode}"),
                };
                let reader = self.sessions[session].read_as(mode, Some(number(offset)));
                self.listeners.insert(name.to_owned(), Listener::new(reader));
            }
            ["hear", name, "flood", from, to] => self.hear(name, flood_bytes(number(from)..number(to))).await,
            ["hear", name, "gaps", to] => self.hear_with_gaps(name, number(to)).await,
            ["hear", name, count, text] => self.hear(name, text.repeat(number(count)).as_bytes()).await,
            ["hear", name, text] => self.wait_for_text(name, text).await,
            ["end", name, how, value, ref orphaned @ ..] => self.end(name, how, value, orphaned == ["orphaned"]).await,
            ["type", name, text] => self.type_in(name, text.as_bytes()).await,
            ["type", name, count, text] => self.type_in(name, text.repeat(number(count)).as_bytes()).await,
            ["urgent", name, text] => assert_eq!(self.sessions[name].write_urgent(text.as_bytes()).unwrap(), text.len()),
            ["refused", name, why, count, text] => {
                let refused = self.sessions[name].write(text.repeat(number(count)).as_bytes());
                match why {
                    "line_too_long" => assert!(matches!(refused, Err(WriteError::LineTooLong { .. })), "{refused:?}"),
                    "closed" => assert!(matches!(refused, Err(WriteError::Closed)), "{refused:?}"),
                    why => panic!("no reason {why}"),
                }
            }
            ["dropped", name, to] => {
                let to = number(to);
                self.event("report of dropped input", name, |kind| matches!(kind, EventKind::InputDropped { to: end, .. } if *end == to))
                    .await;
            }
            ["signal", name, what, whom] => self.sessions[name].signal(signal(what), target(whom)).unwrap(),
            ["resize", name, size] => drop(self.sessions[name].resize(size_of(size)).unwrap()),
            ["resized", name, wanted] => {
                let is_resize = |kind: &EventKind| matches!(kind, EventKind::Resized { .. });
                let event = self.event("report of a resize", name, is_resize).await;
                assert!(matches!(event.kind, EventKind::Resized { size, .. } if size == size_of(wanted)), "{event:?}");
            }
            ["close", name, grace] => self.sessions[name].close(Duration::from_millis(number(grace))),
            ["free", name] => {
                // A session's own reader bears its name.
                let gone = (self.sessions.remove(name), self.listeners.remove(name));
                drop(gone);
            }
            ["exited", name] => drop(self.event("end of the process", name, |kind| matches!(kind, EventKind::ProcessExited(_))).await),
            ["running", name] => assert_eq!(self.sessions[name].exit(), None),
            ["output", name, count] => {
                let (session, count) = (self.sessions[name].clone(), number(count));
                until("as much output", || session.range().end >= count).await;
            }
            ["paused", count] => until("programs that wait", || self.stage.hub.metrics().paused == number::<u64>(count)).await,
            ["advance", millis] => self.stage.advance(Duration::from_millis(number(millis))).await,
            ["emptied"] => self.stage.emptied().await,
            _ => panic!("no such line: {line:?}"),
        }
    }

    fn spawn(&mut self, name: &str, options: &[&str], script: &str) {
        let mut session = SessionOptions::default();
        for option in options {
            let (key, value) = option.split_once('=').expect("an option has a value");
            match key {
                "queue" => {
                    let high_bytes = number(value);
                    session.flow = FlowLimits { high_bytes, low_bytes: LOW_WATER_BYTES.min(high_bytes / 2), ..session.flow };
                }
                "history" => session.history_bytes = number(value),
                "input" => session.input_queue_bytes = number(value),
                "size" => session.size = size_of(value),
                key => panic!("no option {key}"),
            }
        }
        session.history_bytes = session.history_bytes.max(session.flow.high_bytes + 2 * READ_MAX);
        let spawned = self.stage.hub.spawn(&Command::new("/bin/sh").args(["-c", script]), session).unwrap();
        self.listeners.insert(name.to_owned(), Listener::new(spawned.reader()));
        self.sessions.insert(name.to_owned(), spawned);
    }

    async fn wait_for_text(&mut self, name: &str, text: &str) {
        let listener = self.listeners.get_mut(name).unwrap();
        listener.hear(text).await;
        listener.forget_through(text.as_bytes());
    }

    async fn hear(&mut self, name: &str, expected: &[u8]) {
        let listener = self.listeners.get_mut(name).unwrap();
        listener.hear_bytes(expected.len()).await;
        let rest = listener.heard.split_off(expected.len());
        assert_same(&listener.heard, expected);
        listener.forget();
        listener.heard = rest;
    }

    async fn hear_with_gaps(&mut self, name: &str, to: u64) {
        let listener = self.listeners.get_mut(name).unwrap();
        within("the rest of the flood", async {
            while listener.reader.offset() < to {
                match listener.next().await {
                    Output::Chunk { at, bytes } => assert_same(&bytes, flood_bytes(at as usize..at as usize + bytes.len())),
                    Output::Gap { .. } => {}
                    Output::Exit(exit) => panic!("{exit:?} before {to}"),
                }
            }
        })
        .await;
        assert!(listener.missed() > 0);
        listener.forget();
    }

    async fn end(&mut self, name: &str, how: &str, value: &str, orphaned: bool) {
        let status = match how {
            "code" => ExitStatus::Code(number(value)),
            "signal" => ExitStatus::Signal(number(value)),
            how => panic!("no end {how}"),
        };
        let listener = self.listeners.get_mut(name).unwrap();
        assert_eq!(listener.end().await, Exit { status, orphaned });
        assert_eq!(listener.text(), "", "something was said that nobody was to hear");
    }

    /// Types all of `input`, and listens meanwhile: who echoes is to be heard.
    async fn type_in(&mut self, name: &str, mut input: &[u8]) {
        let (session, listener) = (&self.sessions[name], self.listeners.get_mut(name).unwrap());
        within("room for all that is typed", async {
            while !input.is_empty() {
                match session.write(input) {
                    Ok(accepted) => input = &input[accepted..],
                    Err(WriteError::Full { .. }) => drop(listener.next().await),
                    Err(error) => panic!("{error}"),
                }
            }
        })
        .await;
    }

    /// Waits for an event of a session; others are kept for those who wait for them later.
    async fn event(&mut self, what: &str, name: &str, is_wanted: impl Fn(&EventKind) -> bool) -> Event {
        let id = self.sessions[name].id();
        let wanted = |event: &Event| event.session == id && is_wanted(&event.kind);
        if let Some(at) = self.told.iter().position(wanted) {
            return self.told.remove(at).unwrap();
        }
        let Player { stage, told, .. } = self;
        within(what, async {
            loop {
                let event = stage.hub.event().await;
                if wanted(&event) {
                    return event;
                }
                told.push_back(event);
            }
        })
        .await
    }
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("{word} is no number"))
}

fn size_of(word: &str) -> Size {
    let (cols, rows) = word.split_once('x').unwrap();
    Size::new(number(cols), number(rows)).unwrap()
}

fn signal(name: &str) -> Signal {
    match name {
        "stop" => Signal::Stop,
        "continue" => Signal::Continue,
        "interrupt" => Signal::Interrupt,
        "kill" => Signal::Kill,
        name => panic!("no signal {name}"),
    }
}

fn target(name: &str) -> Target {
    match name {
        "leader" => Target::Leader,
        "foreground" => Target::Foreground,
        "session" => Target::Session,
        name => panic!("no target {name}"),
    }
}
