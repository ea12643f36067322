/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * @file orchflow.h
 * @brief Real terminals for programs, behind one pollable descriptor.
 *
 * The whole contract with a host's loop: watch orch_hub_fd() for reading; when it is readable call orch_hub_dispatch() until it answers ORCH_OK,
 * and take the events by orch_hub_next_event() until it answers ORCH_AGAIN.
 *
 * @code
 * OrchHub *hub;
 * OrchSession *shell;
 * if (orch_hub_new(NULL, &hub) < 0 || orch_session_spawn(hub, NULL, &shell) < 0)
 *     return 1;
 * for (;;) {
 *     OrchBytes first, second;
 *     OrchStatus status = orch_session_peek(shell, &first, &second);
 *     if (status == ORCH_EOF)
 *         break;
 *     if (status == ORCH_OK) {
 *         fwrite(first.data, 1, first.len, stdout);
 *         fwrite(second.data, 1, second.len, stdout);
 *         orch_session_consume(shell, first.len + second.len);
 *     }
 *     OrchEvent event = ORCH_INIT(OrchEvent);
 *     orch_hub_wait(hub, -1);
 *     while (orch_hub_next_event(hub, &event) == ORCH_OK) { }
 * }
 * orch_session_free(shell);
 * orch_hub_free(hub);
 * @endcode
 *
 * @par Results
 * A call that can fail returns an OrchStatus: 0 is success, above 0 nothing is wrong but nothing was done, below 0 is an error. Outputs are written only
 * on success, and with the lengths and handles that the functions name; a handle that could not be made is NULL. A NULL where none is allowed is
 * answered by ORCH_NULL. orch_last_error() tells a thread's last error in words.
 *
 * @par Ownership
 * What orch_x_new, _spawn, _accept, _submit or orch_server_session gives is yours, and orch_x_free takes it back; NULL is fine. The order does not matter: what was made of a hub that is
 * freed stays valid, answers ORCH_CLOSED, and is freed by its own function. Nothing is ever freed by free(). What is lent says until when.
 *
 * @par Structs
 * A struct that begins with `size` may grow: make it by ORCH_INIT, which sets the size and zeros the rest; zero is the default of every field.
 *
 * @par Threads
 * | handle | from which threads |
 * |---|---|
 * | OrchHub, OrchSession, OrchReader, OrchTimer, OrchServer, OrchLink, OrchSubmission | any, at any time |
 * | OrchClient, OrchBatch | one at a time |
 *
 * The call that frees a handle must be the last on it. No call waits, but for orch_hub_wait, and orch_hub_free, at the most a second. Functions of yours that are called
 * (`wake`, `log` and their `drop`) must not call this library.
 *
 * @par Processes
 * After fork() the child's handles answer ORCH_FORKED, and may only be freed. Descriptors are close-on-exec. Only children of this library are waited
 * for; no signal handler is installed, and nothing is written to the standard streams.
 */


#ifndef ORCHFLOW_H
#define ORCHFLOW_H

/* Made from ffi/src by `cargo xtask header`: change it there. */

#include <stddef.h>
#include <stdint.h>

/** This header's version; orch_version() tells the library's. */
#define ORCH_VERSION "0.1.0"
/** The first number of this header's version. */
#define ORCH_VERSION_MAJOR 0
/** The second. Until the first is 1, headers with another second number are of another library. */
#define ORCH_VERSION_MINOR 1
/** The third. */
#define ORCH_VERSION_PATCH 0
#ifdef __cplusplus
/** A struct of this library, made ready: all zeros, but for its size. */
#define ORCH_INIT(type) ([]() { type made = type(); made.size = sizeof(type); return made; }())
#else
/** A struct of this library, made ready: all zeros, but for its size. */
#define ORCH_INIT(type) ((type){ .size = sizeof(type) })
#endif


/**
 * The hub does everything within the host's calls, and starts no thread. The default.
 */
#define ORCH_HUB_HOSTED 0

/**
 * The hub does everything on one thread of its own.
 */
#define ORCH_HUB_THREADED 1

/**
 * The hub's clock begins at 0 and moves by orch_hub_advance only: for tests without waiting.
 */
#define ORCH_HUB_MANUAL_CLOCK 2

/**
 * There is output to peek at: of `reader` where that is set, else of `session` by orch_session_peek. Told once; and again after a peek that found
 * nothing, or a consume that left something.
 */
#define ORCH_EVENT_OUTPUT 1

/**
 * The input queue of `session` has room again, after a write was answered ORCH_AGAIN.
 */
#define ORCH_EVENT_INPUT_READY 2

/**
 * Accepted input of `session` will never reach the program: bytes `from` up to `to`, counted over all input accepted.
 */
#define ORCH_EVENT_INPUT_DROPPED 3

/**
 * Every resize of `session` up to number `to` has taken effect; `window` is the size that resulted.
 */
#define ORCH_EVENT_RESIZED 4

/**
 * A viewer of `session` kept it waiting for too long and is lossy now.
 */
#define ORCH_EVENT_VIEWER_DEMOTED 5

/**
 * The process of `session` has ended, by `exit_code` or `exit_signal`. Output may still come.
 */
#define ORCH_EVENT_PROCESS_EXITED 6

/**
 * `session` has ended: all its output can be peeked at, and nothing follows. `exit_code` or `exit_signal` tell how.
 */
#define ORCH_EVENT_EXIT 7

/**
 * The deadline of `timer` has come.
 */
#define ORCH_EVENT_TIMER 8

/**
 * `link` has bytes to send: orch_link_peek.
 */
#define ORCH_EVENT_LINK_OUTPUT 9

/**
 * `link` takes bytes again, after orch_link_receive was answered ORCH_AGAIN.
 */
#define ORCH_EVENT_LINK_READY 10

/**
 * `link` is over: send what is left, then close its transport.
 */
#define ORCH_EVENT_LINK_OVER 11

/**
 * Something came of the operations of `submission`: orch_submission_next.
 */
#define ORCH_EVENT_RESULTS 12

/**
 * With ORCH_EVENT_EXIT: something that the process left behind held the terminal open, so the output was cut after a bounded wait.
 */
#define ORCH_EVENT_FLAG_ORPHANED 1

/**
 * The program's environment begins empty, and not as the host's.
 */
#define ORCH_SPAWN_CLEAR_ENV 1

/**
 * Asked of a server: the output is never packed, for who can write to it and see how long frames are could guess at what else is in it.
 */
#define ORCH_SPAWN_SECRET 2

/**
 * Hang up (SIGHUP).
 */
#define ORCH_SIGNAL_HANGUP 1

/**
 * Interrupt (SIGINT).
 */
#define ORCH_SIGNAL_INTERRUPT 2

/**
 * Quit (SIGQUIT).
 */
#define ORCH_SIGNAL_QUIT 3

/**
 * Terminate (SIGTERM).
 */
#define ORCH_SIGNAL_TERMINATE 4

/**
 * Kill (SIGKILL).
 */
#define ORCH_SIGNAL_KILL 5

/**
 * Go on (SIGCONT).
 */
#define ORCH_SIGNAL_CONTINUE 6

/**
 * Stop (SIGSTOP).
 */
#define ORCH_SIGNAL_STOP 7

/**
 * For the program's own use (SIGUSR1).
 */
#define ORCH_SIGNAL_USER1 8

/**
 * For the program's own use (SIGUSR2).
 */
#define ORCH_SIGNAL_USER2 9

/**
 * For the process that was started.
 */
#define ORCH_TARGET_LEADER 0

/**
 * For whatever is in the foreground of the terminal.
 */
#define ORCH_TARGET_FOREGROUND 1

/**
 * For every process of the session.
 */
#define ORCH_TARGET_SESSION 2

/**
 * The session has ended: exit_code or exit_signal tell how.
 */
#define ORCH_SESSION_ENDED 1

/**
 * It has ended, and something the process left behind held its terminal open.
 */
#define ORCH_SESSION_ORPHANED 2

/**
 * The program waits for this reader for as long as it takes.
 */
#define ORCH_READER_OWNER 0

/**
 * The program waits for this reader, but not for long while another waits too: then it becomes lossy, which ORCH_EVENT_VIEWER_DEMOTED tells.
 */
#define ORCH_READER_VIEWER 1

/**
 * The program never waits for this reader: it is told what it missed.
 */
#define ORCH_READER_LOSSY 2

/**
 * Begin at the oldest byte that is held, whatever `offset` says.
 */
#define ORCH_READER_FROM_START 1

/**
 * Begin with what comes next, whatever `offset` says.
 */
#define ORCH_READER_FROM_END 2

/**
 * Arrows, Home and End as the program asked for by DECCKM (mode ?1).
 */
#define ORCH_KEYS_APPLICATION_CURSOR 1

/**
 * The keypad as the program asked for by DECKPAM.
 */
#define ORCH_KEYS_APPLICATION_KEYPAD 2

/**
 * Return is followed by newline (LNM, mode 20).
 */
#define ORCH_KEYS_NEWLINE 4

/**
 * Backspace sends 0x08 (DECBKM, mode ?67).
 */
#define ORCH_KEYS_BACKARROW 8

/**
 * Keys that no control character stands for are reported with their modifiers (modifyOtherKeys 1).
 */
#define ORCH_KEYS_MODIFY_UNUSUAL 16

/**
 * All keys with a modifier are (modifyOtherKeys 2).
 */
#define ORCH_KEYS_MODIFY_ALL 32

/**
 * Alt sets the eighth bit of a character instead of sending ESC before it.
 */
#define ORCH_KEYS_ALT_EIGHTH_BIT 64

/**
 * The program asked for brackets around what is pasted (mode ?2004).
 */
#define ORCH_PASTE_BRACKETED 1

/**
 * The input must be UTF-8.
 */
#define ORCH_INPUT_UTF8 1

/**
 * It must have no control characters but tab, newline and return.
 */
#define ORCH_INPUT_TEXT 2

/**
 * Everything: spawn, close, type, resize.
 */
#define ORCH_ROLE_OWNER 0

/**
 * Type into sessions, resize and signal them.
 */
#define ORCH_ROLE_WRITER 1

/**
 * Watch, and nothing else.
 */
#define ORCH_ROLE_VIEWER 2

/**
 * Read numbers about the server.
 */
#define ORCH_ROLE_METRICS 3

/**
 * Whoever typed last decides a terminal's size.
 */
#define ORCH_SIZES_LATEST 0

/**
 * The smallest window decides.
 */
#define ORCH_SIZES_SMALLEST 1

/**
 * Nobody does: a terminal keeps the size it began with.
 */
#define ORCH_SIZES_FIXED 2

/**
 * The transport carries a stream of bytes, cut anywhere: a Unix socket, a pipe, TCP.
 */
#define ORCH_FRAMING_STREAM 0

/**
 * It carries messages, each as a whole: a WebSocket.
 */
#define ORCH_FRAMING_MESSAGES 1

/**
 * Operations wait only for those before them on the same session.
 */
#define ORCH_BATCH_PARALLEL 0

/**
 * Each waits for the one before it, however that ended.
 */
#define ORCH_BATCH_ORDERED 1

/**
 * Each waits for the one before it; after one that was refused none is carried out.
 */
#define ORCH_BATCH_STOP_ON_ERROR 2

/**
 * A program waits for it.
 */
#define ORCH_CLASS_CONTROL 0

/**
 * A person waits for it.
 */
#define ORCH_CLASS_INTERACTIVE 1

/**
 * Somebody waits for all of many.
 */
#define ORCH_CLASS_BULK 2

/**
 * Nobody waits for it.
 */
#define ORCH_CLASS_BACKGROUND 3

/**
 * The bytes are an interrupt key: see orch_session_write_urgent.
 */
#define ORCH_INPUT_URGENT 1

/**
 * Forget the output so far.
 */
#define ORCH_ACT_CLEAR 0

/**
 * Viewers put their terminals back into the first state.
 */
#define ORCH_ACT_RESET 1

/**
 * Call it by a name.
 */
#define ORCH_ACT_TITLE 2

/**
 * It was carried out.
 */
#define ORCH_OUTCOME_DONE 0

/**
 * A program was started: `session`, and `pid` where that has a meaning.
 */
#define ORCH_OUTCOME_SPAWNED 1

/**
 * What is known of a session: `info`.
 */
#define ORCH_OUTCOME_SESSION 2

/**
 * The server's program answered `data`.
 */
#define ORCH_OUTCOME_HOST 3

/**
 * It was not carried out: `code` and `message` say why.
 */
#define ORCH_OUTCOME_REFUSED 4

/**
 * With ORCH_OUTCOME_REFUSED: the same may succeed later.
 */
#define ORCH_OUTCOME_RETRYABLE 1

/**
 * Sends no output packed: for links that are near.
 */
#define ORCH_CLIENT_NO_COMPRESSION 1

/**
 * Open a transport now, and say how that went: orch_client_connected or orch_client_broken.
 */
#define ORCH_CLIENT_DIAL 1

/**
 * Send what waits, then close the transport.
 */
#define ORCH_CLIENT_HANG_UP 2

/**
 * It is in, as `role`, and goes on where it was: `past`.
 */
#define ORCH_CLIENT_WELCOME 3

/**
 * It is out: `code` and `message` say why. It dials again at `at_ns`, or not by itself where that is 0. Streams stay.
 */
#define ORCH_CLIENT_LOST 4

/**
 * The server has answered a ping, after `at_ns` nanoseconds.
 */
#define ORCH_CLIENT_PONG 5

/**
 * `session` was started, and its output follows from offset 0 on `stream`.
 */
#define ORCH_CLIENT_SPAWNED 6

/**
 * Output of `session` follows on `stream` from offset `from`, at first or again after a break; it ends at `to` so far.
 */
#define ORCH_CLIENT_ATTACHED 7

/**
 * Nothing more comes on `stream`: as asked, or for the reason in `code` and `message`.
 */
#define ORCH_CLIENT_DETACHED 8

/**
 * Sessions there are: `sessions`, for request `number`; ORCH_CLIENT_EVENT_MORE when others follow.
 */
#define ORCH_CLIENT_SESSIONS 9

/**
 * What came of operations of batch `number`: orch_client_next_outcome; ORCH_CLIENT_EVENT_MORE when others have not ended.
 */
#define ORCH_CLIENT_RESULTS 10

/**
 * Request `number` was carried out.
 */
#define ORCH_CLIENT_DONE 11

/**
 * Request `number` was refused, for the reason in `code` and `message`; `stream` is free again where it was to be opened.
 */
#define ORCH_CLIENT_REFUSED 12

/**
 * The link broke before request `number` was answered: it may or may not have been carried out.
 */
#define ORCH_CLIENT_UNANSWERED 13

/**
 * `viewers` watch the session on `stream`.
 */
#define ORCH_CLIENT_VIEWERS 14

/**
 * Somebody cleared, reset or named the session on `stream`: `act` is an ORCH_ACT_ constant, `data` the name.
 */
#define ORCH_CLIENT_CONTROL 15

/**
 * `data` is what the terminal on `stream` wrote, from offset `from` up to `to`. Say when it is rendered: orch_client_rendered.
 */
#define ORCH_CLIENT_OUTPUT 16

/**
 * Output of `stream` from `from` up to `to` will not come, for the reason in `code`. Say when that was seen to, as with output.
 */
#define ORCH_CLIENT_GAP 17

/**
 * The terminal on `stream` has the size `window` now; `number` is the request that is settled.
 */
#define ORCH_CLIENT_RESIZED 18

/**
 * The process on `stream` has ended; output may still come.
 */
#define ORCH_CLIENT_PROCESS_EXITED 19

/**
 * The end, after the last byte. `stream` is free again.
 */
#define ORCH_CLIENT_EXIT 20

/**
 * The terminal on `stream` has accepted input up to piece `to`.
 */
#define ORCH_CLIENT_SETTLED 21

/**
 * Input on `stream` from piece `from` to piece `to`, both included, was not taken, for the reason in `code` and `message`. It is given up.
 */
#define ORCH_CLIENT_INPUT_REFUSED 22

/**
 * Input on `stream` that was accepted will never reach the program: from piece `from` to piece `to`, both included.
 */
#define ORCH_CLIENT_INPUT_DROPPED 23

/**
 * Input to `session` from piece `from` to piece `to`, both included, may or may not have reached the program. It is given up.
 */
#define ORCH_CLIENT_INPUT_UNCERTAIN 24

/**
 * Others may have seen this output before: do not answer queries in it.
 */
#define ORCH_CLIENT_EVENT_REPLAY 1

/**
 * More follows.
 */
#define ORCH_CLIENT_EVENT_MORE 2

/**
 * The same may succeed later.
 */
#define ORCH_CLIENT_EVENT_RETRYABLE 4

/**
 * This client's terminal shall answer what programs ask terminals.
 */
#define ORCH_CLIENT_EVENT_REPLIES 8

/**
 * Something that the process left behind held its terminal open.
 */
#define ORCH_CLIENT_EVENT_ORPHANED 16

/**
 * It had nothing before: this is the first time.
 */
#define ORCH_PAST_NONE 0

/**
 * The server knows it; everything goes on.
 */
#define ORCH_PAST_RESUMED 1

/**
 * The same server knows it no longer: streams are asked for again, and input that was not settled is given up.
 */
#define ORCH_PAST_FORGOTTEN 2

/**
 * The server was started anew, and the sessions are gone.
 */
#define ORCH_PAST_RESTARTED 3

/**
 * The program waits for this viewer, until others have waited for long.
 */
#define ORCH_POLICY_BACKPRESSURE 1

/**
 * This viewer goes on with the newest output when it falls behind, and is told what it missed.
 */
#define ORCH_POLICY_RESYNC 2

/**
 * What the host's own terminal answers to a program's query. Only one that was told ORCH_CLIENT_EVENT_REPLIES shall.
 */
#define ORCH_INPUT_REPLY 2

/**
 * Operations to be asked for together: of a server in this process, or by a client elsewhere.
 */
typedef struct OrchBatch OrchBatch;

/**
 * The client's end of a connection.
 */
typedef struct OrchClient OrchClient;

/**
 * Terminals, processes and timers behind one readable descriptor.
 */
typedef struct OrchHub OrchHub;

/**
 * One connection of a server.
 */
typedef struct OrchLink OrchLink;

/**
 * A place in a session's output, beside the session's own.
 */
typedef struct OrchReader OrchReader;

/**
 * A server of one hub's sessions.
 */
typedef struct OrchServer OrchServer;

/**
 * One terminal and its process.
 */
typedef struct OrchSession OrchSession;

/**
 * Operations that were asked for, and what came of them.
 */
typedef struct OrchSubmission OrchSubmission;

/**
 * A deadline that can be set again and again.
 */
typedef struct OrchTimer OrchTimer;

/**
 * How a call ended. 0 is success; above 0 nothing is wrong, but nothing was done; below 0 is an error. So `if (rc < 0)` is the whole
 * test. Numbers never change their meaning.
 */
typedef int32_t OrchStatus;

/**
 * Why the last call that failed on this thread did.
 */
typedef struct OrchError {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * The status that was returned; ORCH_OK while none has failed.
     */
    OrchStatus status;
    /**
     * The system's error number, or 0.
     */
    int32_t os_error;
    /**
     * What went wrong and how to mend it: UTF-8, one line. Valid until the next call on this thread that fails.
     */
    const char *message;
} OrchError;

/**
 * What a hub is like. All zeros are the defaults.
 */
typedef struct OrchHubOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * ORCH_HUB_ flags.
     */
    uint32_t flags;
    /**
     * Sessions at one time; 0: 10,000.
     */
    uint32_t sessions_max;
    /**
     * Output buffers of all sessions together, in bytes; 0: 256 MiB. At least 128 KiB.
     */
    uint64_t pool_bytes;
    /**
     * Threaded hubs only: called when the descriptor becomes readable, on any thread, with no lock held. It may wake the host's loop, and nothing
     * else: it must not call this library, throw, or jump.
     */
    void (*wake)(void *user_data);
    /**
     * What wake is called with.
     */
    void *wake_data;
    /**
     * Called once when wake will not be called any more; not, if orch_hub_new fails.
     */
    void (*wake_drop)(void *user_data);
    /**
     * Called with one line of text for each panic in this library, on the thread where it happened. It must not call this library,
     * throw, or jump.
     */
    void (*log)(void *user_data, const char *text);
    /**
     * What log is called with.
     */
    void *log_data;
    /**
     * Called once when log will not be called any more; not, if orch_hub_new fails.
     */
    void (*log_drop)(void *user_data);
} OrchHubOptions;

/**
 * A terminal's size. Frozen: this struct will never change.
 */
typedef struct OrchSize {
    /**
     * Columns, in cells.
     */
    uint16_t cols;
    /**
     * Rows, in cells.
     */
    uint16_t rows;
    /**
     * Width in pixels; 0 where nobody knows.
     */
    uint16_t width_px;
    /**
     * Height in pixels; 0 where nobody knows.
     */
    uint16_t height_px;
} OrchSize;

/**
 * Bytes that somebody else owns. Frozen: this struct will never change.
 */
typedef struct OrchBytes {
    /**
     * The first of them; may be NULL where there are none.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} OrchBytes;

/**
 * Something that happened. Fields that do not belong to the kind are 0 and NULL.
 */
typedef struct OrchEvent {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * An ORCH_EVENT_ kind. Ignore those you do not know.
     */
    uint32_t kind;
    /**
     * ORCH_EVENT_FLAG_ bits.
     */
    uint32_t flags;
    /**
     * The session it happened to. Valid until free.
     */
    struct OrchSession *session;
    /**
     * The reader. Valid until free.
     */
    struct OrchReader *reader;
    /**
     * The timer. Valid until free.
     */
    struct OrchTimer *timer;
    /**
     * The link. Valid until free.
     */
    struct OrchLink *link;
    /**
     * The submission. Valid until free.
     */
    struct OrchSubmission *submission;
    /**
     * What you gave when you made the object.
     */
    void *user_data;
    /**
     * The first of a range.
     */
    uint64_t from;
    /**
     * What follows the range, or a number.
     */
    uint64_t to;
    /**
     * What the process returned; -1 where it was ended by a signal, or nobody knows.
     */
    int32_t exit_code;
    /**
     * The system's number of the signal that ended the process; 0 where none did.
     */
    int32_t exit_signal;
    /**
     * A terminal's size.
     */
    struct OrchSize window;
    /**
     * With ORCH_EVENT_LINK_OVER, why: the name of an error of the protocol, or "closed", or "broke". Valid forever.
     */
    struct OrchBytes code;
} OrchEvent;

/**
 * What to run and how. All zeros are the user's shell in a terminal of 80 by 24.
 */
typedef struct OrchSpawnOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * The program and its arguments, NULL after the last. A name without a slash is looked up in the PATH it will itself see. NULL: the user's
     * shell.
     */
    const char *const *argv;
    /**
     * Changes to the environment, NULL after the last: "NAME=value" sets, "NAME" removes. TERM is xterm-256color unless set here. May be
     * NULL.
     */
    const char *const *env;
    /**
     * The folder to run in; NULL: the host's.
     */
    const char *cwd;
    /**
     * ORCH_SPAWN_ flags.
     */
    uint32_t flags;
    /**
     * The size it opens with; all zeros: 80 by 24.
     */
    struct OrchSize window;
    /**
     * The newest output that is kept, in bytes; 0: 1 MiB, or what the queue needs.
     */
    uint64_t history_bytes;
    /**
     * Output that may wait to be consumed, in bytes: then the program has to wait; 0: 512 KiB.
     */
    uint64_t queue_bytes;
    /**
     * Input that may wait for the program, in bytes; 0: 8 MiB.
     */
    uint64_t input_bytes;
    /**
     * After the process has ended: how long what it left behind is listened to, in nanoseconds; 0: 1 s.
     */
    uint64_t drain_ns;
    /**
     * The same in silence; 0: 100 ms.
     */
    uint64_t drain_quiet_ns;
    /**
     * Patience after each step of the end that orch_session_free begins, in nanoseconds; 0: 1 s.
     */
    uint64_t close_grace_ns;
    /**
     * What the session's events carry.
     */
    void *user_data;
} OrchSpawnOptions;

/**
 * What is known of a session at one moment.
 */
typedef struct OrchSessionStatus {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * ORCH_SESSION_ flags.
     */
    uint32_t flags;
    /**
     * The process's number while it runs, else 0.
     */
    uint32_t pid;
    /**
     * The session's number: never used twice by one hub, and what clients and operations call it by.
     */
    uint64_t id;
    /**
     * Offset of the oldest byte of output that is held; offsets count from the first byte ever.
     */
    uint64_t output_start;
    /**
     * Offset of the next byte to come.
     */
    uint64_t output_end;
    /**
     * Offset of the next byte to be consumed.
     */
    uint64_t output_consumed;
    /**
     * Bytes of input that were accepted and that the terminal has not taken yet.
     */
    uint64_t input_queued;
    /**
     * What the process returned; -1 where it was ended by a signal, nobody knows, or it runs.
     */
    int32_t exit_code;
    /**
     * The system's number of the signal that ended it; 0 where none did.
     */
    int32_t exit_signal;
    /**
     * The terminal's size, as last set.
     */
    struct OrchSize window;
} OrchSessionStatus;

/**
 * What a reader is like. All zeros: an owner, from the first byte ever.
 */
typedef struct OrchReaderOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * ORCH_READER_OWNER, ORCH_READER_VIEWER or ORCH_READER_LOSSY.
     */
    uint32_t mode;
    /**
     * ORCH_READER_FROM_ flags; at most one.
     */
    uint32_t flags;
    /**
     * Where to begin: the offset of a byte, counted from the first ever. If it is gone the reader begins with a gap; if it is to come, at the end.
     */
    uint64_t offset;
    /**
     * What the reader's events carry.
     */
    void *user_data;
} OrchReaderOptions;

/**
 * The numbers of one hub at one moment. Counters only grow.
 */
typedef struct OrchMetrics {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * Sessions there are.
     */
    uint64_t sessions_active;
    /**
     * Sessions there ever were.
     */
    uint64_t sessions;
    /**
     * Output read, in bytes.
     */
    uint64_t output_bytes;
    /**
     * Reads that returned output.
     */
    uint64_t reads;
    /**
     * Input accepted, in bytes.
     */
    uint64_t input_bytes;
    /**
     * Accepted input that was discarded, in bytes.
     */
    uint64_t input_dropped_bytes;
    /**
     * Times a program had to wait for a slow reader.
     */
    uint64_t pauses;
    /**
     * Programs that wait for one now.
     */
    uint64_t paused;
    /**
     * Gaps told to readers.
     */
    uint64_t gaps;
    /**
     * Output missing in those gaps, in bytes.
     */
    uint64_t gap_bytes;
    /**
     * Viewers that became lossy ones.
     */
    uint64_t viewers_demoted;
    /**
     * Processes that left something behind.
     */
    uint64_t orphans;
    /**
     * Output buffers in use, in bytes.
     */
    uint64_t pool_bytes;
    /**
     * Output buffers allowed, in bytes.
     */
    uint64_t pool_limit_bytes;
    /**
     * Rounds of dispatch.
     */
    uint64_t dispatch_turns;
    /**
     * Half of all spawns took no longer, in nanoseconds; 0 without any.
     */
    uint64_t spawn_p50_ns;
    /**
     * 99 of 100 spawns took no longer.
     */
    uint64_t spawn_p99_ns;
    /**
     * Half of all writes took no longer, in nanoseconds; 0 without any.
     */
    uint64_t write_p50_ns;
    /**
     * 99 of 100 writes took no longer.
     */
    uint64_t write_p99_ns;
} OrchMetrics;

/**
 * What a server is like.
 */
typedef struct OrchServerOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * The token's text, as orch_token_new makes one. Not NULL.
     */
    const char *token;
    /**
     * What runs in a session whose client names no program, and what sessions are like; its window is the client's choice. NULL: the user's
     * shell.
     */
    const struct OrchSpawnOptions *session;
    /**
     * Whose window counts: an ORCH_SIZES_ constant.
     */
    uint32_t sizes;
    /**
     * Keep 0.
     */
    uint32_t reserved;
    /**
     * How long a session that has ended can still be watched, in nanoseconds; 0: five minutes.
     */
    uint64_t ended_kept_ns;
    /**
     * Round trip from which output is packed, in nanoseconds; 0: 5 ms; UINT64_MAX: never.
     */
    uint64_t pack_from_ns;
} OrchServerOptions;

/**
 * What a server counts.
 */
typedef struct OrchServerCounts {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * Links at this moment, those that have not proved anything included.
     */
    uint64_t links;
    /**
     * Of these, who is in.
     */
    uint64_t clients;
    /**
     * Links that ever were.
     */
    uint64_t links_total;
    /**
     * Sessions that can be watched.
     */
    uint64_t sessions;
    /**
     * Requests, inputs and links that were refused.
     */
    uint64_t refusals;
} OrchServerCounts;

/**
 * How a batch is to be carried out. All zeros: in parallel, for a program that waits.
 */
typedef struct OrchBatchOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * ORCH_BATCH_PARALLEL, ORCH_BATCH_ORDERED or ORCH_BATCH_STOP_ON_ERROR.
     */
    uint32_t mode;
    /**
     * An ORCH_CLASS_ constant: how urgent it is.
     */
    uint32_t class_;
    /**
     * What has not begun by then is not begun any more, in milliseconds from when it is asked for; 0: no such limit.
     */
    uint32_t within_ms;
    /**
     * Keep 0.
     */
    uint32_t reserved;
    /**
     * What tells it from others, whoever asks for it and however often: it is carried out once, and everybody who asks is told what came of it. UTF-8, up to 64
     * bytes; NULL: nothing.
     */
    const char *key;
} OrchBatchOptions;

/**
 * What a server knows of a session.
 */
typedef struct OrchSessionInfo {
    /**
     * Bytes of this struct, as the library knows it.
     */
    size_t size;
    /**
     * ORCH_SESSION_ENDED or 0.
     */
    uint32_t flags;
    /**
     * How many watch it.
     */
    uint32_t viewers;
    /**
     * Its number.
     */
    uint64_t session;
    /**
     * Bytes of output so far.
     */
    uint64_t output_end;
    /**
     * How long ago it was started, in nanoseconds.
     */
    uint64_t age_ns;
    /**
     * What it is called: UTF-8, perhaps empty. Valid as long as this struct.
     */
    struct OrchBytes title;
    /**
     * The program, as it was asked for: UTF-8. Valid as long as this struct.
     */
    struct OrchBytes program;
    /**
     * What the process returned; -1 where it was ended by a signal, nobody knows, or it runs.
     */
    int32_t exit_code;
    /**
     * The system's number of the signal that ended it; 0 where none did.
     */
    int32_t exit_signal;
    /**
     * The terminal's size.
     */
    struct OrchSize window;
} OrchSessionInfo;

/**
 * What came of one operation.
 */
typedef struct OrchOutcome {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * The operation's place in its batch, counted from 0.
     */
    uint32_t at;
    /**
     * An ORCH_OUTCOME_ kind.
     */
    uint32_t kind;
    /**
     * ORCH_OUTCOME_RETRYABLE or 0.
     */
    uint32_t flags;
    /**
     * A process's number; 0 where there is none.
     */
    uint32_t pid;
    /**
     * A session's number.
     */
    uint64_t session;
    /**
     * What the server's program answered. Valid until the next call on this handle.
     */
    struct OrchBytes data;
    /**
     * Why it was refused, by name, as "no_session". Valid forever.
     */
    struct OrchBytes code;
    /**
     * The same for people: UTF-8. Valid until the next call on this handle.
     */
    struct OrchBytes message;
    /**
     * What is known of a session. Valid until the next call on this handle.
     */
    const struct OrchSessionInfo *info;
} OrchOutcome;

/**
 * What a client is like.
 */
typedef struct OrchClientOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * What lets it in: a text that orch_token_pass made. Not NULL.
     */
    const char *pass;
    /**
     * Where it dials, as the server knows itself: "host:port" in lower case, or "unix". Not NULL.
     */
    const char *authority;
    /**
     * What other viewers call it: UTF-8; NULL: nothing.
     */
    const char *name;
    /**
     * ORCH_FRAMING_STREAM or ORCH_FRAMING_MESSAGES: how its transport carries bytes.
     */
    uint32_t framing;
    /**
     * ORCH_CLIENT_ flags.
     */
    uint32_t flags;
    /**
     * Decides how long it waits between tries: give each client another. 0: chosen at random.
     */
    uint64_t seed;
    /**
     * Output it takes per stream without having rendered it, in bytes; 0: 512 KiB.
     */
    uint32_t credit_bytes;
    /**
     * Keep 0.
     */
    uint32_t reserved;
    /**
     * Input kept per session until it is settled, in bytes; 0: 8 MiB.
     */
    uint64_t input_bytes;
} OrchClientOptions;

/**
 * Something a client is told. Fields that do not belong to the kind are 0 and NULL. What it points to is valid until the next event is taken, or free.
 */
typedef struct OrchClientEvent {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * An ORCH_CLIENT_ kind. Ignore those you do not know.
     */
    uint32_t kind;
    /**
     * ORCH_CLIENT_EVENT_ bits.
     */
    uint32_t flags;
    /**
     * A session's number.
     */
    uint64_t session;
    /**
     * A request's number.
     */
    uint64_t number;
    /**
     * The first of a range.
     */
    uint64_t from;
    /**
     * What ends the range.
     */
    uint64_t to;
    /**
     * A time, or how long something took, in nanoseconds.
     */
    uint64_t at_ns;
    /**
     * Bytes, or UTF-8.
     */
    struct OrchBytes data;
    /**
     * A reason, by name.
     */
    struct OrchBytes code;
    /**
     * The same for people: UTF-8.
     */
    struct OrchBytes message;
    /**
     * Sessions.
     */
    const struct OrchSessionInfo *sessions;
    /**
     * How many those are.
     */
    size_t sessions_len;
    /**
     * What the process returned; -1 where it was ended by a signal, or nobody knows.
     */
    int32_t exit_code;
    /**
     * The system's number of the signal that ended it; 0 where none did.
     */
    int32_t exit_signal;
    /**
     * A terminal's size.
     */
    struct OrchSize window;
    /**
     * The stream.
     */
    uint16_t stream;
    /**
     * Keep out.
     */
    uint16_t reserved;
    /**
     * An ORCH_ROLE_ constant.
     */
    uint32_t role;
    /**
     * An ORCH_PAST_ constant.
     */
    uint32_t past;
    /**
     * An ORCH_ACT_ constant.
     */
    uint32_t act;
    /**
     * How many watch.
     */
    uint32_t viewers;
    /**
     * A process's number; 0 where there is none.
     */
    uint32_t pid;
} OrchClientEvent;

/**
 * How to watch a session. All zeros but the session: all its output, in the client's own role.
 */
typedef struct OrchAttachOptions {
    /**
     * Bytes of this struct: ORCH_INIT sets it.
     */
    size_t size;
    /**
     * The session's number.
     */
    uint64_t session;
    /**
     * Where to begin: the offset of a byte. What is no longer held is told as a gap.
     */
    uint64_t offset;
    /**
     * Unless 0: begin so that at most this many of the newest bytes come, whatever `offset` says.
     */
    uint64_t tail_bytes;
    /**
     * The client's window; all zeros: it has none.
     */
    struct OrchSize window;
    /**
     * An ORCH_ROLE_ constant plus 1, to be less than the pass allows; 0: what the pass allows.
     */
    uint32_t role_plus_1;
    /**
     * ORCH_POLICY_BACKPRESSURE or ORCH_POLICY_RESYNC; 0: the second where others watch already, else the first.
     */
    uint32_t policy;
} OrchAttachOptions;

/**
 * It was done.
 */
#define ORCH_OK 0

/**
 * Nothing is there now, or there is no room now: an event tells when to try again.
 */
#define ORCH_AGAIN 1

/**
 * Nothing will come any more.
 */
#define ORCH_EOF 2

/**
 * The time was over before anything happened.
 */
#define ORCH_TIMED_OUT 3

/**
 * The budget was spent, and more is ready.
 */
#define ORCH_MORE 4

/**
 * Bytes are missing here, which are no longer held: orch_reader_skip tells which, and goes on after them.
 */
#define ORCH_GAP 5

/**
 * An argument is NULL that must not be.
 */
#define ORCH_NULL -1

/**
 * An argument has a value that makes no sense; the message says which and why.
 */
#define ORCH_INVALID -2

/**
 * A struct has a field set that this library does not know: it is older than the header it was compiled with.
 */
#define ORCH_TOO_NEW -3

/**
 * The buffer is too small; the length it needs was stored.
 */
#define ORCH_TOO_SMALL -4

/**
 * The hub, session or link was closed.
 */
#define ORCH_CLOSED -5

/**
 * The process is a fork of the one that made the handle; only freeing it is allowed.
 */
#define ORCH_FORKED -6

/**
 * A bug of the library's own: a panic. The handle is broken; any later call on it answers this too. Free it.
 */
#define ORCH_PANIC -7

/**
 * The system refused something; the OS error says what.
 */
#define ORCH_IO -8

/**
 * There is no such program, folder, session or name.
 */
#define ORCH_NOT_FOUND -9

/**
 * There is no permission to do this.
 */
#define ORCH_PERMISSION -10

/**
 * A limit is reached: of the system, or one that the message names.
 */
#define ORCH_EXHAUSTED -11

/**
 * The terminal would silently cut this line: send shorter ones, or use raw mode.
 */
#define ORCH_LINE_TOO_LONG -12

/**
 * Not now: the stream or the link is not open.
 */
#define ORCH_NOT_OPEN -13

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status, for logs.
 *
 * @param status  Any.
 * @return Its constant's name, or "ORCH_UNKNOWN". Valid forever.
 * @threads Any.
 */
const char *orch_status_name(OrchStatus status);

/**
 * Tells the calling thread's last failure. Control flow never needs it: the status says all that a program can act on.
 *
 * @param out  Where to store it.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none.
 * @threads Any; each has its own.
 */
OrchStatus orch_last_error(struct OrchError *out);

/**
 * The library's version, as "0.1.0": of the one that runs, where ORCH_VERSION is that of the header.
 *
 * @return The text. Valid forever.
 * @threads Any.
 */
const char *orch_version(void);

/**
 * Makes a hub.
 *
 * @param options  What it is like; NULL for the defaults.
 * @param out      Where to store it. Yours: orch_hub_free.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID for options that make no sense; ORCH_TOO_NEW; ORCH_IO without descriptors or threads.
 * @threads Any.
 */
OrchStatus orch_hub_new(const struct OrchHubOptions *options,
                        struct OrchHub **out);

/**
 * Frees a hub: kills the processes of its sessions and waits for them, at the most a second. What it made stays valid, answers
 * ORCH_CLOSED, and is freed by its own function, now or later.
 *
 * @param hub  The hub, or NULL.
 * @threads Any; the last call on this hub.
 */
void orch_hub_free(struct OrchHub *hub);

/**
 * The descriptor to watch for reading. It is level-triggered: readable as long as there is anything to dispatch, deadlines included, or an
 * event to take. Never read, write or close it.
 *
 * @param hub  The hub.
 * @return The descriptor, valid until free; -1 on NULL, in a fork, or on a broken hub.
 * @threads Any.
 */
int orch_hub_fd(const struct OrchHub *hub);

/**
 * Deals with everything that is ready. Never blocks. Call it when the descriptor is readable, and take the events then. On a threaded hub there is
 * nothing to do, and nothing is done.
 *
 * @param hub           The hub.
 * @param budget_bytes  Output to read before returning, in bytes, and the rest of the read that reaches it; 0: 256 KiB.
 * @return ORCH_OK once nothing is ready; ORCH_MORE when the budget was spent, or when somebody who types was answered: take the events, then
 *         call again; ORCH_NULL; ORCH_IO; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_dispatch(struct OrchHub *hub,
                             size_t budget_bytes);

/**
 * Waits until something is ready or an event waits, and deals with it once: for programs that have no loop.
 *
 * @param hub         The hub.
 * @param timeout_ns  How long at the most, in nanoseconds; below 0: without end; 0: not at all.
 * @return ORCH_OK; ORCH_TIMED_OUT when nothing happened; ORCH_AGAIN when a signal ended the wait; ORCH_NULL; ORCH_IO; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_wait(struct OrchHub *hub,
                         int64_t timeout_ns);

/**
 * The hub's clock: nanoseconds since the system's start by its monotonic clock, or since 0 by a manual one.
 *
 * @param hub  The hub.
 * @param out  Where to store it, in nanoseconds.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_now(const struct OrchHub *hub, uint64_t *out);

/**
 * Moves a manual clock on; what becomes due is done by the next dispatch. Another clock is left alone.
 *
 * @param hub  The hub.
 * @param ns   By how much, in nanoseconds.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_advance(struct OrchHub *hub, uint64_t ns);

/**
 * How many sessions are driven: those that run, and those that still have processes to be rid of.
 *
 * @param hub  The hub.
 * @param out  Where to store it.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_sessions(const struct OrchHub *hub, size_t *out);

/**
 * Takes the next event. As long as events wait, the descriptor stays readable: take them until ORCH_AGAIN.
 *
 * @param hub  The hub.
 * @param out  Where to store it; made by ORCH_INIT.
 * @return ORCH_OK; ORCH_AGAIN when none waits; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; of several threads each gets other events.
 */
OrchStatus orch_hub_next_event(struct OrchHub *hub, struct OrchEvent *out);

/**
 * Opens a terminal and runs a program in it. Its output waits to be peeked at from the first byte on.
 *
 * @param hub      The hub.
 * @param options  What to run and how; NULL for the user's shell.
 * @param out      Where to store the session. Yours: orch_session_free.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID; ORCH_TOO_NEW; ORCH_NOT_FOUND without such a program or folder; ORCH_PERMISSION when it cannot be
 *         executed; ORCH_EXHAUSTED; ORCH_CLOSED; ORCH_IO; ORCH_FORKED; ORCH_PANIC. Nothing is left behind by a spawn that failed.
 * @threads Any.
 */
OrchStatus orch_session_spawn(struct OrchHub *hub,
                              const struct OrchSpawnOptions *options,
                              struct OrchSession **out);

/**
 * Lets go of a session. Unless a reader holds it too, its processes are asked to go, and made to: hang-up, terminate, kill, with the grace
 * that its options name after each. Nothing is told of it any more.
 *
 * @param session  The session, or NULL.
 * @threads Any; the last call on this session.
 */
void orch_session_free(struct OrchSession *session);

/**
 * Shows output that was not consumed yet, without a copy: bytes of `first`, and behind them those of `second`. Calling it again may show
 * more.
 *
 * @param session  The session.
 * @param first    Where to store the first stretch. Valid until consume, read or free on this session.
 * @param second   Where to store what lies behind an edge of the log; it may be empty. Valid as long. May be NULL.
 * @return ORCH_OK; ORCH_AGAIN when there is nothing now, and ORCH_EVENT_OUTPUT tells when there is; ORCH_EOF after the last byte of a session
 *         that has ended; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_session_peek(struct OrchSession *session,
                             struct OrchBytes *first,
                             struct OrchBytes *second);

/**
 * Ends the loan: the first `len` bytes that the last peek showed have been dealt with. A program that was stopped because too much waited
 * goes on.
 *
 * @param session  The session.
 * @param len      Bytes; 0 is fine.
 * @return ORCH_OK; ORCH_INVALID for more than the last peek showed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_session_consume(struct OrchSession *session,
                                size_t len);

/**
 * Copies output into a buffer, and consumes it: peek and consume in one, for hosts that keep a buffer of their own.
 *
 * @param session  The session.
 * @param buf      Where to copy it.
 * @param cap      Room there, in bytes; at least 1.
 * @param len      Where to store how many bytes were copied.
 * @return As orch_session_peek; ORCH_INVALID if `cap` is 0.
 * @threads Any; it ends a loan.
 */
OrchStatus orch_session_read(struct OrchSession *session, uint8_t *buf, size_t cap, size_t *len);

/**
 * Types bytes. When nothing waits before them this is one write(2) on the calling thread; else they join the queue. Never blocks.
 *
 * @param session  The session.
 * @param data     The bytes; they are copied.
 * @param len      How many.
 * @param taken    Where to store how many were accepted: all, unless the queue had no room for all.
 * @return ORCH_OK; ORCH_AGAIN when the queue is full, and ORCH_EVENT_INPUT_READY tells when it is not; ORCH_LINE_TOO_LONG; ORCH_CLOSED; ORCH_IO;
 *         ORCH_NULL; ORCH_FORKED; ORCH_PANIC. But for ORCH_OK nothing was accepted.
 * @threads Any.
 */
OrchStatus orch_session_write(struct OrchSession *session,
                              const uint8_t *data,
                              size_t len,
                              size_t *taken);

/**
 * Types an interrupt key (Ctrl-C, Ctrl-\, Ctrl-Z) ahead of what waits: where the terminal itself discards input at such a key, the input that still waits
 * is discarded, and ORCH_EVENT_INPUT_DROPPED says which; elsewhere it keeps its place.
 *
 * @param session  The session.
 * @param data     The bytes; they are copied.
 * @param len      How many.
 * @param taken    Where to store how many were accepted.
 * @return As orch_session_write; ORCH_EXHAUSTED when a thousand reports of dropped input wait to be taken.
 * @threads Any.
 */
OrchStatus orch_session_write_urgent(struct OrchSession *session,
                                     const uint8_t *data,
                                     size_t len,
                                     size_t *taken);

/**
 * Changes the terminal's size, in its place among the input accepted before. ORCH_EVENT_RESIZED tells the size that resulted; requests that wait
 * behind each other become one.
 *
 * @param session  The session.
 * @param cols     Columns, in cells; 1 or more.
 * @param rows     Rows, in cells; 1 or more.
 * @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_session_resize(struct OrchSession *session,
                               uint16_t cols,
                               uint16_t rows);

/**
 * The same for a window that knows its pixels, or a caller that wants to know when it was done.
 *
 * @param session  The session.
 * @param window   The size.
 * @param number   Where to store the request's number, which ORCH_EVENT_RESIZED reaches. May be NULL.
 * @return As orch_session_resize.
 * @threads Any.
 */
OrchStatus orch_session_resize_to(struct OrchSession *session, const struct OrchSize *window, uint64_t *number);

/**
 * Sends a signal. That nobody is left to receive it is no error.
 *
 * @param session  The session.
 * @param signal   An ORCH_SIGNAL_ constant: not the system's number.
 * @param target   An ORCH_TARGET_ constant.
 * @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_session_signal(struct OrchSession *session, uint32_t signal, uint32_t target);

/**
 * Asks all processes of the session to go, and makes them: hang-up, terminate, kill, each after the grace before it. Returns at once;
 * ORCH_EVENT_EXIT tells the end.
 *
 * @param session   The session.
 * @param grace_ns  Patience after each step, in nanoseconds; 0 kills at once.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_session_close(struct OrchSession *session,
                              uint64_t grace_ns);

/**
 * Tells what is known of a session.
 *
 * @param session  The session.
 * @param out      Where to store it; made by ORCH_INIT.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_session_status(const struct OrchSession *session, struct OrchSessionStatus *out);

/**
 * Makes a further reader. It keeps the session open, also when the session's own handle is freed.
 *
 * @param session  The session.
 * @param options  What it is like; NULL for an owner from the first byte ever.
 * @param out      Where to store it. Yours: orch_reader_free.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID; ORCH_TOO_NEW; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_reader_new(struct OrchSession *session,
                           const struct OrchReaderOptions *options,
                           struct OrchReader **out);

/**
 * Frees a reader; nobody waits for it any more.
 *
 * @param reader  The reader, or NULL.
 * @threads Any; the last call on this reader.
 */
void orch_reader_free(struct OrchReader *reader);

/**
 * Shows output that was not consumed yet, as orch_session_peek does for the session's own.
 *
 * @param reader  The reader.
 * @param first   Where to store the first stretch. Valid until consume, read, seek or free on this reader.
 * @param second  Where to store what lies behind an edge of the log; it may be empty. Valid as long. May be NULL.
 * @return ORCH_OK; ORCH_AGAIN; ORCH_EOF; ORCH_GAP when bytes are missing here: orch_reader_skip; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_reader_peek(struct OrchReader *reader,
                            struct OrchBytes *first,
                            struct OrchBytes *second);

/**
 * Ends the loan: the first `len` bytes that the last peek showed have been dealt with.
 *
 * @param reader  The reader.
 * @param len     Bytes; 0 is fine.
 * @return ORCH_OK; ORCH_INVALID for more than the last peek showed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_reader_consume(struct OrchReader *reader, size_t len);

/**
 * Copies output into a buffer, and consumes it.
 *
 * @param reader  The reader.
 * @param buf     Where to copy it.
 * @param cap     Room there, in bytes; at least 1.
 * @param len     Where to store how many bytes were copied.
 * @return As orch_reader_peek; ORCH_INVALID if `cap` is 0.
 * @threads Any; it ends a loan.
 */
OrchStatus orch_reader_read(struct OrchReader *reader, uint8_t *buf, size_t cap, size_t *len);

/**
 * Goes on after the gap that a peek has found, and tells which bytes are missing.
 *
 * @param reader  The reader.
 * @param from    Where to store the offset of the first byte missed.
 * @param to      Where to store the offset after the last.
 * @return ORCH_OK; ORCH_AGAIN when the last peek found no gap; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_reader_skip(struct OrchReader *reader, uint64_t *from, uint64_t *to);

/**
 * Goes on at another place, backwards or forwards; bytes that are gone are told as a gap.
 *
 * @param reader  The reader.
 * @param offset  The offset of a byte, counted from the first ever; at most the end.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; it ends a loan.
 */
OrchStatus orch_reader_seek(struct OrchReader *reader, uint64_t offset);

/**
 * Tells the offset of the next byte to be consumed.
 *
 * @param reader  The reader.
 * @param out     Where to store it.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_reader_offset(const struct OrchReader *reader, uint64_t *out);

/**
 * Makes a timer, which is not set.
 *
 * @param hub        The hub.
 * @param user_data  What its events carry.
 * @param out        Where to store it. Yours: orch_timer_free.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_timer_new(struct OrchHub *hub, void *user_data, struct OrchTimer **out);

/**
 * Sets a timer: once, after so long, ORCH_EVENT_TIMER tells. It takes the place of what was set before.
 *
 * @param timer     The timer.
 * @param after_ns  From now, in nanoseconds of the hub's clock; 0: as soon as events are taken.
 * @return ORCH_OK; ORCH_CLOSED when the hub was freed; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_timer_set(struct OrchTimer *timer, uint64_t after_ns);

/**
 * Calls a timer off: unless its event was taken already, there is none.
 *
 * @param timer  The timer.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_timer_cancel(struct OrchTimer *timer);

/**
 * Frees a timer, and calls it off.
 *
 * @param timer  The timer, or NULL.
 * @threads Any; the last call on this timer.
 */
void orch_timer_free(struct OrchTimer *timer);

/**
 * Gives the bytes that a key sends, as xterm does.
 *
 * @param name   What is pressed, as people write it: "ctrl+c", "alt+left", "f5", "C-c", "é".
 * @param modes  ORCH_KEYS_ bits: what the program has asked for.
 * @param buf    Where to store the bytes; 32 are always enough.
 * @param cap    Room there, in bytes.
 * @param len    Where to store how many there are, also when they do not fit.
 * @return ORCH_OK; ORCH_NOT_FOUND when there is no such key; ORCH_TOO_SMALL; ORCH_INVALID; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_key_encode(const char *name, uint32_t modes, uint8_t *buf, size_t cap, size_t *len);

/**
 * Makes pasted text safe to type: control characters are removed but for tab and the ends of lines, which become returns; so nothing in it
 * can act as a key, or leave the brackets.
 *
 * @param data     The text.
 * @param len      Its length in bytes.
 * @param flags    ORCH_PASTE_BRACKETED or 0.
 * @param buf      Where to store the bytes to type; `len` + 12 are always enough.
 * @param cap      Room there, in bytes.
 * @param out_len  Where to store how many there are, also when they do not fit.
 * @param removed  Where to store how many control characters were removed: the text was not what it looked like, unless 0. May be NULL.
 * @return ORCH_OK; ORCH_TOO_SMALL; ORCH_INVALID; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_paste_encode(const uint8_t *data,
                             size_t len,
                             uint32_t flags,
                             uint8_t *buf,
                             size_t cap,
                             size_t *out_len,
                             size_t *removed);

/**
 * Judges input that a host does not trust, without changing a byte of it.
 *
 * @param data       The input.
 * @param len        Its length in bytes.
 * @param flags      ORCH_INPUT_ bits: what it must be.
 * @param bytes_max  The most it may have, in bytes; 0: 8 MiB.
 * @return ORCH_OK; ORCH_INVALID when it is not so, and the message says what is wrong at which byte; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_input_check(const uint8_t *data,
                            size_t len,
                            uint32_t flags,
                            size_t bytes_max);

/**
 * Tells what a hub counts about itself.
 *
 * @param hub  The hub.
 * @param out  Where to store it; made by ORCH_INIT.
 * @return ORCH_OK; ORCH_NULL; ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_metrics(const struct OrchHub *hub, struct OrchMetrics *out);

/**
 * The same and more as OpenMetrics text, for whoever scrapes it.
 *
 * @param hub  The hub.
 * @param buf  Where to store it: UTF-8, without a NUL.
 * @param cap  Room there, in bytes.
 * @param len  Where to store its length in bytes, also when it does not fit; it may be longer the next time.
 * @return ORCH_OK; ORCH_TOO_SMALL; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_hub_metrics_text(const struct OrchHub *hub, char *buf, size_t cap, size_t *len);

/**
 * Makes a token for a server: a secret from the system's randomness. Keep it in a file that only its owner can read; it never crosses the
 * wire.
 *
 * @param buf  Where to store its text: 43 characters, without a NUL.
 * @param cap  Room there, in bytes.
 * @param len  Where to store its length in bytes, also when it does not fit.
 * @return ORCH_OK; ORCH_TOO_SMALL; ORCH_IO without randomness; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_token_new(char *buf,
                          size_t cap,
                          size_t *len);

/**
 * Makes what lets its holder in as one role: a text to hand to a client. Who has it cannot make one that may do more.
 *
 * @param token  A token's text.
 * @param role   An ORCH_ROLE_ constant.
 * @param buf    Where to store the text, as "viewer.LFoB...": 51 characters at the most, without a NUL.
 * @param cap    Room there, in bytes.
 * @param len    Where to store its length in bytes, also when it does not fit.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_SMALL; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_token_pass(const char *token, uint32_t role, char *buf, size_t cap, size_t *len);

/**
 * Makes a server of the hub's sessions. Take the hub's events: that is how it hears what happens to sessions.
 *
 * @param hub      The hub.
 * @param options  What it is like. Not NULL, for a server has a token.
 * @param out      Where to store it. Yours: orch_server_free.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_new(struct OrchHub *hub, const struct OrchServerOptions *options, struct OrchServer **out);

/**
 * Frees a server: its clients are told that it ends, its sessions are given up, and its links are over once that was sent. Links and submissions are freed by
 * their own functions, now or later.
 *
 * @param server  The server, or NULL.
 * @threads Any; the last call on this server.
 */
void orch_server_free(struct OrchServer *server);

/**
 * Gives a handle to a session that a client or an operation has started. It is an owner's: its program waits until what it says is consumed
 * here too. Free it to let go; the server keeps the session.
 *
 * @param server     The server.
 * @param session    The session's number.
 * @param user_data  What the session's events carry.
 * @param out        Where to store the handle. Yours: orch_session_free.
 * @return ORCH_OK; ORCH_NOT_FOUND; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_session(struct OrchServer *server,
                               uint64_t session,
                               void *user_data,
                               struct OrchSession **out);

/**
 * Tells what a server counts.
 *
 * @param server  The server.
 * @param out     Where to store it; made by ORCH_INIT.
 * @return ORCH_OK; ORCH_INVALID if `out->size` is none; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_counts(const struct OrchServer *server, struct OrchServerCounts *out);

/**
 * Turns every client away, now and from now on, and gives up every session. Each link is over once its client was told.
 *
 * @param server   The server.
 * @param message  What clients are told: UTF-8; NULL: that the server ends.
 * @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_shut_down(struct OrchServer *server, const char *message);

/**
 * A client has connected: from now on, hand over what comes by orch_link_receive, and send what orch_link_peek shows.
 *
 * @param server     The server.
 * @param authority  What the client dialled, once you have found it to be an address of yours: "host:port" in lower case, or "unix". It is part
 *                   of what both sides prove.
 * @param framing    ORCH_FRAMING_STREAM or ORCH_FRAMING_MESSAGES.
 * @param user_data  What the link's events carry.
 * @param out        Where to store the link. Yours: orch_link_free.
 * @return ORCH_OK; ORCH_INVALID; ORCH_CLOSED; ORCH_IO; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_accept(struct OrchServer *server,
                              const char *authority,
                              uint32_t framing,
                              void *user_data,
                              struct OrchLink **out);

/**
 * Bytes have come from the client. What comes of them is done when the hub is dispatched.
 *
 * @param link   The link.
 * @param data   The bytes, or one whole message; they are copied.
 * @param len    How many.
 * @param taken  Where to store how many were taken: of a message all, of a stream perhaps not all.
 * @return ORCH_OK; ORCH_AGAIN when too much waits, and ORCH_EVENT_LINK_READY tells when it does not: read no more from the transport until then;
 *         ORCH_INVALID for a message that is too long, after which the link is over; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_link_receive(struct OrchLink *link,
                             const uint8_t *data,
                             size_t len,
                             size_t *taken);

/**
 * Shows what is to be sent next: bytes of a stream, or one message.
 *
 * @param link  The link.
 * @param out   Where to store it. Valid until consume or free on this link.
 * @return ORCH_OK; ORCH_AGAIN when there is nothing now, and ORCH_EVENT_LINK_OUTPUT tells when there is; ORCH_EOF when there never will be: close the
 *         transport; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_link_peek(struct OrchLink *link,
                          struct OrchBytes *out);

/**
 * What the last peek showed was sent.
 *
 * @param link  The link.
 * @param len   Bytes that were sent: of a stream perhaps not all, of messages the whole one.
 * @return ORCH_OK; ORCH_INVALID for another length; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_link_consume(struct OrchLink *link, size_t len);

/**
 * The transport broke, or the client closed it. Its places are kept for a while, for its return.
 *
 * @param link  The link.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_link_lost(struct OrchLink *link);

/**
 * Frees a link; one that is not over is lost by it.
 *
 * @param link  The link, or NULL.
 * @threads Any; the last call on this link.
 */
void orch_link_free(struct OrchLink *link);

/**
 * Makes a batch without operations.
 *
 * @param options  How it is to be carried out; NULL for the defaults.
 * @param out      Where to store it. Yours: orch_batch_free.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_batch_new(const struct OrchBatchOptions *options, struct OrchBatch **out);

/**
 * Frees a batch. What was asked for with it goes on.
 *
 * @param batch  The batch, or NULL.
 * @threads Any; the last call on this batch.
 */
void orch_batch_free(struct OrchBatch *batch);

/**
 * Adds: start a program that nobody watches yet. Its outcome is ORCH_OUTCOME_SPAWNED.
 *
 * @param batch    The batch.
 * @param options  What to run: argv, env, cwd and window, all UTF-8; the rest is for the server to choose, and must be 0. NULL: its shell.
 * @param title    What to call the session: UTF-8; NULL: nothing.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_spawn(struct OrchBatch *batch,
                            const struct OrchSpawnOptions *options,
                            const char *title);

/**
 * Adds: type. It is done when the terminal has accepted all of it.
 *
 * @param batch    The batch.
 * @param session  The session's number.
 * @param data     The bytes; they are copied.
 * @param len      How many.
 * @param flags    ORCH_INPUT_URGENT or 0.
 * @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_input(struct OrchBatch *batch, uint64_t session, const uint8_t *data, size_t len, uint32_t flags);

/**
 * Adds: make a terminal this size.
 *
 * @param batch    The batch.
 * @param session  The session's number.
 * @param cols     Columns, in cells; 1 or more.
 * @param rows     Rows, in cells; 1 or more.
 * @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_resize(struct OrchBatch *batch, uint64_t session, uint16_t cols, uint16_t rows);

/**
 * Adds: send a signal.
 *
 * @param batch    The batch.
 * @param session  The session's number.
 * @param signal   An ORCH_SIGNAL_ constant.
 * @param target   An ORCH_TARGET_ constant.
 * @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_signal(struct OrchBatch *batch, uint64_t session, uint32_t signal, uint32_t target);

/**
 * Adds: clear, reset or name a session.
 *
 * @param batch    The batch.
 * @param session  The session's number.
 * @param act      An ORCH_ACT_ constant.
 * @param title    The name, UTF-8, with ORCH_ACT_TITLE; else NULL.
 * @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_control(struct OrchBatch *batch, uint64_t session, uint32_t act, const char *title);

/**
 * Adds: end a session. It is done when that has begun.
 *
 * @param batch     The batch.
 * @param session   The session's number.
 * @param grace_ms  Patience after each step, in milliseconds; 0 kills at once.
 * @return ORCH_OK; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_close(struct OrchBatch *batch, uint64_t session, uint32_t grace_ms);

/**
 * Adds: tell what is known of a session. Its outcome is ORCH_OUTCOME_SESSION.
 *
 * @param batch    The batch.
 * @param session  The session's number.
 * @return ORCH_OK; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_query(struct OrchBatch *batch, uint64_t session);

/**
 * Adds: one that the server's own program offers. Its outcome is ORCH_OUTCOME_HOST, or ORCH_OUTCOME_DONE without an answer.
 *
 * @param batch  The batch.
 * @param name   What it is called: UTF-8.
 * @param data   What it needs to know, as the two agree on; copied.
 * @param len    Its length in bytes.
 * @return ORCH_OK; ORCH_INVALID; ORCH_EXHAUSTED at 1024 operations; ORCH_NULL; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_batch_host(struct OrchBatch *batch,
                           const char *name,
                           const uint8_t *data,
                           size_t len);

/**
 * Has a server in this process carry out a batch. What can be done at once is done before this returns; the rest when the hub is dispatched.
 *
 * @param server     The server.
 * @param batch      The operations; the batch stays yours, and can be asked for again.
 * @param user_data  What the submission's events carry.
 * @param out        Where to store the submission. Yours: orch_submission_free.
 * @return ORCH_OK; ORCH_INVALID for a batch that makes no sense; ORCH_EXHAUSTED when too much waits; ORCH_CLOSED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_server_submit(struct OrchServer *server,
                              const struct OrchBatch *batch,
                              void *user_data,
                              struct OrchSubmission **out);

/**
 * Takes what came of one operation; of each once, as they end.
 *
 * @param submission  The submission.
 * @param out         Where to store it; made by ORCH_INIT. What it points to is valid until the next call on this submission.
 * @return ORCH_OK; ORCH_AGAIN when nothing came since, and ORCH_EVENT_RESULTS tells when something does; ORCH_EOF after the last; ORCH_NULL;
 *         ORCH_INVALID if `out->size` is none; ORCH_FORKED; ORCH_PANIC.
 * @threads Any; but the loan is one.
 */
OrchStatus orch_submission_next(struct OrchSubmission *submission,
                                struct OrchOutcome *out);

/**
 * Calls off what has not begun; it is told as refused, for the reason "cancelled".
 *
 * @param submission  The submission.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_submission_cancel(struct OrchSubmission *submission);

/**
 * Frees a submission: nobody is told any more. What was asked for is done all the same; orch_submission_cancel calls it off.
 *
 * @param submission  The submission, or NULL.
 * @threads Any; the last call on this submission.
 */
void orch_submission_free(struct OrchSubmission *submission);

/**
 * Makes a client. Its first event is to dial.
 *
 * @param options  What it is like. Not NULL, for a client has a pass.
 * @param out      Where to store it. Yours: orch_client_free.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_IO without randomness; ORCH_NULL; ORCH_PANIC.
 * @threads Any.
 */
OrchStatus orch_client_new(const struct OrchClientOptions *options, struct OrchClient **out);

/**
 * Frees a client. A server keeps its places for a while: orch_client_leave gives them up.
 *
 * @param client  The client, or NULL.
 * @threads The last call on this client.
 */
void orch_client_free(struct OrchClient *client);

/**
 * The transport is open, as ORCH_CLIENT_DIAL asked.
 *
 * @param client  The client.
 * @param now_ns  The time by a clock that never goes back, in nanoseconds: the same for all calls on this client.
 * @return ORCH_OK; ORCH_IO without randomness; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_connected(struct OrchClient *client, uint64_t now_ns);

/**
 * The transport broke or was closed, or could not be opened. It dials again by itself, where that makes sense.
 *
 * @param client  The client.
 * @param now_ns  The time, in nanoseconds.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_broken(struct OrchClient *client, uint64_t now_ns);

/**
 * Dials now: the network is back, or somebody asked for it.
 *
 * @param client  The client.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_dial(struct OrchClient *client);

/**
 * Says goodbye, for good: the server gives its places up.
 *
 * @param client  The client.
 * @param now_ns  The time, in nanoseconds.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_leave(struct OrchClient *client, uint64_t now_ns);

/**
 * Bytes have come over the transport that was dialled last.
 *
 * @param client  The client.
 * @param data    The bytes, or one whole message; they are copied.
 * @param len     How many.
 * @param now_ns  The time, in nanoseconds.
 * @return ORCH_OK, whatever they mean: events tell; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_receive(struct OrchClient *client, const uint8_t *data, size_t len, uint64_t now_ns);

/**
 * Shows what is to be sent next: bytes of a stream, or one message.
 *
 * @param client  The client.
 * @param out     Where to store it. Valid until the next call on this client, but for a peek.
 * @return ORCH_OK; ORCH_AGAIN when there is nothing; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_peek(struct OrchClient *client, struct OrchBytes *out);

/**
 * What the last peek showed was sent.
 *
 * @param client  The client.
 * @param len     Bytes that were sent: of a stream perhaps not all, of messages the whole one.
 * @return ORCH_OK; ORCH_INVALID for another length; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_consume(struct OrchClient *client, size_t len);

/**
 * Tells when to call orch_client_timeout, if nothing happens before.
 *
 * @param client  The client.
 * @param out     Where to store the time, in nanoseconds.
 * @return ORCH_OK; ORCH_AGAIN when there is no such time; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_next_timeout(const struct OrchClient *client, uint64_t *out);

/**
 * Time has passed. Harmless when early.
 *
 * @param client  The client.
 * @param now_ns  The time, in nanoseconds.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_timeout(struct OrchClient *client, uint64_t now_ns);

/**
 * Takes the next event. Take them all after every call, and send what orch_client_peek shows.
 *
 * @param client  The client.
 * @param out     Where to store it; made by ORCH_INIT. What it points to is valid until the next event is taken, or free.
 * @return ORCH_OK; ORCH_AGAIN when none waits; ORCH_INVALID if `out->size` is none; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_next_event(struct OrchClient *client,
                                  struct OrchClientEvent *out);

/**
 * Takes what came of one operation, after ORCH_CLIENT_RESULTS.
 *
 * @param client  The client.
 * @param out     Where to store it; made by ORCH_INIT. What it points to is valid until the next outcome or event is taken, or free.
 * @return ORCH_OK; ORCH_EOF when all that the last event told of were taken; ORCH_INVALID if `out->size` is none; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_next_outcome(struct OrchClient *client,
                                    struct OrchOutcome *out);

/**
 * Starts a program; ORCH_CLIENT_SPAWNED or ORCH_CLIENT_REFUSED follows on the stream. However often the link breaks meanwhile, it is started once.
 *
 * @param client   The client.
 * @param options  What to run: argv, env, cwd and window, all UTF-8; the rest must be 0. NULL: the server's shell.
 * @param stream   Where to store the stream.
 * @return ORCH_OK; ORCH_INVALID; ORCH_TOO_NEW; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_spawn(struct OrchClient *client,
                             const struct OrchSpawnOptions *options,
                             uint16_t *stream);

/**
 * Watches a session; ORCH_CLIENT_ATTACHED or ORCH_CLIENT_REFUSED follows on the stream.
 *
 * @param client   The client.
 * @param options  Which, and how. Not NULL.
 * @param stream   Where to store the stream.
 * @return ORCH_OK; ORCH_INVALID, also when it is watched already; ORCH_TOO_NEW; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_attach(struct OrchClient *client,
                              const struct OrchAttachOptions *options,
                              uint16_t *stream);

/**
 * Watches no longer; ORCH_CLIENT_DETACHED says when the stream is free.
 *
 * @param client  The client.
 * @param stream  The stream.
 * @return ORCH_OK; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_detach(struct OrchClient *client, uint16_t stream);

/**
 * Asks which sessions there are: ORCH_CLIENT_SESSIONS tells.
 *
 * @param client  The client.
 * @param number  Where to store the request's number.
 * @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_list(struct OrchClient *client, uint64_t *number);

/**
 * Asks how far away the server is: ORCH_CLIENT_PONG tells, unless the link breaks before. One at a time.
 *
 * @param client  The client.
 * @param now_ns  The time, in nanoseconds.
 * @return ORCH_OK; ORCH_NOT_OPEN; ORCH_EXHAUSTED while another waits; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_ping(struct OrchClient *client, uint64_t now_ns);

/**
 * Ends a session: ORCH_CLIENT_DONE or ORCH_CLIENT_REFUSED repeats the number.
 *
 * @param client    The client.
 * @param session   The session's number.
 * @param grace_ns  Patience after each step, in nanoseconds, which the server counts in milliseconds; 0 kills at once.
 * @param number    Where to store the request's number.
 * @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_close(struct OrchClient *client, uint64_t session, uint64_t grace_ns, uint64_t *number);

/**
 * Clears, resets or names the session on a stream.
 *
 * @param client  The client.
 * @param stream  The stream.
 * @param act     An ORCH_ACT_ constant.
 * @param title   The name, UTF-8, with ORCH_ACT_TITLE; else NULL.
 * @param number  Where to store the request's number, which ORCH_CLIENT_DONE repeats.
 * @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_control(struct OrchClient *client,
                               uint16_t stream,
                               uint32_t act,
                               const char *title,
                               uint64_t *number);

/**
 * Sends a signal to the session on a stream.
 *
 * @param client  The client.
 * @param stream  The stream.
 * @param signal  An ORCH_SIGNAL_ constant.
 * @param target  An ORCH_TARGET_ constant.
 * @param number  Where to store the request's number, which ORCH_CLIENT_DONE repeats.
 * @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_signal(struct OrchClient *client,
                              uint16_t stream,
                              uint32_t signal,
                              uint32_t target,
                              uint64_t *number);

/**
 * The client's window on a stream has this size now; ORCH_CLIENT_RESIZED tells the terminal's.
 *
 * @param client  The client.
 * @param stream  The stream.
 * @param window  The size.
 * @param number  Where to store the request's number.
 * @return ORCH_OK; ORCH_INVALID; ORCH_NOT_OPEN; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_resize(struct OrchClient *client,
                              uint16_t stream,
                              const struct OrchSize *window,
                              uint64_t *number);

/**
 * Asks for operations: ORCH_CLIENT_RESULTS repeats the number. However often the link breaks meanwhile, each is carried out once, and told
 * once.
 *
 * @param client  The client.
 * @param batch   The operations; the batch stays yours.
 * @param now_ns  The time, in nanoseconds.
 * @param number  Where to store the request's number.
 * @return ORCH_OK; ORCH_EXHAUSTED; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_submit(struct OrchClient *client,
                              const struct OrchBatch *batch,
                              uint64_t now_ns,
                              uint64_t *number);

/**
 * Calls off what has not begun of a batch.
 *
 * @param client  The client.
 * @param number  The batch's number.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_cancel(struct OrchClient *client, uint64_t number);

/**
 * Output, and gaps, before `offset` were rendered: shown, and not just received. The server sends more for it.
 *
 * @param client  The client.
 * @param stream  The stream.
 * @param offset  What follows the last byte that was rendered.
 * @return ORCH_OK; ORCH_NULL; ORCH_FORKED; ORCH_PANIC.
 * @threads One at a time.
 */
OrchStatus orch_client_rendered(struct OrchClient *client, uint16_t stream, uint64_t offset);

/**
 * Types, also while the link is broken: input is kept until it is settled, and reaches the program once.
 *
 * @param client    The client.
 * @param stream    The stream.
 * @param data      The bytes; they are copied.
 * @param len       How many.
 * @param flags     ORCH_INPUT_URGENT, ORCH_INPUT_REPLY or 0.
 * @param sequence  Where to store the number of the last piece, which ORCH_CLIENT_SETTLED reaches.
 * @return ORCH_OK; ORCH_AGAIN when as much waits for the server as is kept, and ORCH_CLIENT_SETTLED tells when to try again; ORCH_NOT_OPEN;
 *         ORCH_INVALID; ORCH_NULL; ORCH_FORKED; ORCH_PANIC. But for ORCH_OK nothing was taken.
 * @threads One at a time.
 */
OrchStatus orch_client_write(struct OrchClient *client,
                             uint16_t stream,
                             const uint8_t *data,
                             size_t len,
                             uint32_t flags,
                             uint64_t *sequence);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ORCHFLOW_H */
