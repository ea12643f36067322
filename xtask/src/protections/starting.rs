//! Starting programs: as it was asked for, with nothing inherited, and an error that says what is lacking.

use super::{LIB, Protection};

pub(super) const LIST: &[Protection] = &[
    Protection {
        hazards: &[7],
        name: "programs are spawned, not forked",
        file: "core/src/pty/unix/spawn.rs",
        after: "check(unsafe {",
        code: "libc::posix_spawn(&mut pid, program.as_ptr(), actions.0.as_ptr(), attributes.0.as_ptr(), argv.as_ptr(), envp.as_ptr())",
        removed: "
            pid = libc::fork();
            if pid == 0 {
                libc::setsid();
                libc::close(0);
                libc::open(terminal.as_ptr(), libc::O_RDWR);
                libc::dup2(0, 1);
                libc::dup2(0, 2);
                libc::execve(program.as_ptr(), argv.as_ptr().cast(), envp.as_ptr().cast());
                libc::_exit(127);
            }
            0",
        program: "spawning",
        tests: "a_host_of_half_a_gigabyte_starts_programs_as_fast_as_a_small_one",
    },
    Protection {
        hazards: &[8],
        name: "a program gets three descriptors",
        file: "core/src/pty/unix/spawn.rs",
        after: "libc::posix_spawn_file_actions_addclosefrom_np(raw, ",
        code: "3",
        removed: "100_000",
        program: "spawning",
        tests: "programs_started_at_the_same_moment_inherit_three_descriptors_each",
    },
    Protection {
        hazards: &[8],
        name: "our side of a terminal is closed in whatever the host starts",
        file: "core/src/pty/unix/open.rs",
        after: "pub(super) fn open(size: Size) -> Result<Opened, SpawnError> { let flags = ",
        code: "OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC",
        removed: "OpenptFlags::RDWR | OpenptFlags::NOCTTY",
        program: LIB,
        tests: "pty::unix::open::tests::both_sides_close_on_exec",
    },
    Protection {
        hazards: &[9],
        name: "the size is there before the program",
        file: "core/src/pty/unix/open.rs",
        after: "",
        code: "rustix::termios::tcsetwinsize(&peer, winsize(size)).map_err(refused(\"set the terminal's size\"))?;",
        removed: "",
        program: "scenarios",
        tests: "sizes::size_is_there_before_the_program::threaded::unix",
    },
    Protection {
        hazards: &[9],
        name: "a resize waits behind the input before it",
        file: "core/src/session/terminal/asked.rs",
        after: "else { return Err(WriteError::Closed) }; if ",
        code: "self.lane.is_empty()",
        removed: "true",
        program: "scenarios",
        tests: "sizes::resizes_wait_behind_the_input_and_are_told_as_one::threaded",
    },
    Protection {
        hazards: &[17],
        name: "a system that is out of something is told from one that refuses",
        file: "core/src/pty/unix/open.rs",
        after: "Errno::MFILE | Errno::NFILE | Errno::NOSPC | Errno::AGAIN | Errno::NOMEM => ",
        code: "SpawnError::Exhausted { source }",
        removed: "SpawnError::Io { doing, source }",
        program: "exhaustion",
        tests: "a_host_out_of_descriptors_is_told_so_and_goes_on_with_what_it_has",
    },
    Protection {
        hazards: &[17],
        name: "a program that cannot be watched is collected",
        file: "core/src/pty/unix/leader.rs",
        after: "rustix::process::kill_process(pid, rustix::process::Signal::KILL);",
        code: "let _ = retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::empty()));",
        removed: "",
        program: LIB,
        tests: "pty::unix::tests::host_without_descriptors_is_told_so_and_nothing_is_left_behind",
    },
    Protection {
        hazards: &[17],
        name: "a refused program gives its place back",
        file: "core/src/hub/core.rs",
        after: "impl Drop for Place<'_> { fn drop(&mut self) {",
        code: "self.core.table.lock().opening -= 1;",
        removed: "",
        program: "bad_input",
        tests: "a_refused_program_does_not_use_up_a_place",
    },
    Protection {
        hazards: &[17],
        name: "programs that start at the same moment keep to the limit",
        file: "core/src/hub/core.rs",
        after: "if table.cells.len() + ",
        code: "table.opening",
        removed: "0",
        program: "spawning",
        tests: "programs_started_at_the_same_moment_keep_to_the_limit_of_sessions",
    },
    Protection {
        hazards: &[17],
        name: "who cannot be looked for just now may be there",
        file: "core/src/pty/unix/members.rs",
        after: "Err(error) => ",
        code: "error.kind() != io::ErrorKind::NotFound",
        removed: "{ let _ = error; false }",
        program: "exhaustion",
        tests: "closing_goes_on_until_the_processes_can_be_looked_for_again",
    },
];
