// SPDX-License-Identifier: MIT OR Apache-2.0
/**
 * @file orchflow.hpp
 * @brief The C ABI for C++17: handles that free themselves, and errors that cannot be overlooked.
 *
 * Everything here is inline and has no state but the handle. A call that fails throws orchflow::Error; with ORCH_NO_EXCEPTIONS defined it returns an
 * orchflow::Result instead, and nothing is thrown. Statuses above 0 (ORCH_AGAIN, ORCH_EOF, ...) are no errors: where a call can end so, it says so in what it
 * returns. What each call does, from which threads, and until when something is lent, is said in orchflow.h.
 *
 * @code
 * orchflow::Hub hub;
 * auto shell = hub.spawn(orchflow::SpawnOptions({"/bin/sh"}).size(80, 24));
 * shell.write("make\n");
 * hub.dispatch();                                        // when hub.fd() is readable
 * hub.each_event([&](const orchflow::Event &event) {
 *     if (event.is_output() && event.session() == shell)
 *         shell.read([](std::string_view part) { std::cout << part; }); // consumes what it saw
 * });
 * @endcode
 */
#ifndef ORCHFLOW_HPP
#define ORCHFLOW_HPP

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#ifndef ORCH_NO_EXCEPTIONS
#include <stdexcept>
#endif

#include "orchflow.h"

namespace orchflow {

// ---- Errors ----

/// Why a call failed.
class Error
#ifndef ORCH_NO_EXCEPTIONS
    : public std::runtime_error
#endif
{
public:
    /// The calling thread's last failure, which ended with `status`.
    static Error last(OrchStatus status)
    {
        OrchError error = ORCH_INIT(OrchError);
        if (orch_last_error(&error) < 0 || error.status != status)
            return Error(status, 0, orch_status_name(status));
        return Error(status, error.os_error, error.message);
    }

    /// The status that was returned; below 0.
    OrchStatus status() const noexcept { return status_; }
    /// The system's error number, or 0.
    int os_error() const noexcept { return os_error_; }

#ifdef ORCH_NO_EXCEPTIONS
    /// What went wrong and how to mend it.
    const char *what() const noexcept { return text_.c_str(); }

private:
    Error(OrchStatus status, int os_error, const char *text) : status_(status), os_error_(os_error), text_(text) {}

    OrchStatus status_;
    int os_error_;
    std::string text_;
#else
private:
    Error(OrchStatus status, int os_error, const char *text) : std::runtime_error(text), status_(status), os_error_(os_error) {}

    OrchStatus status_;
    int os_error_;
#endif
};

#ifdef ORCH_NO_EXCEPTIONS

/// What a call made, or why it failed. Ask which before you take it: taking what is not there ends the program.
template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : value_(std::move(value)) {}
    Result(Error error) : error_(std::move(error)) {}

    /// Whether it succeeded.
    explicit operator bool() const noexcept { return value_.has_value(); }
    /// Whether it succeeded.
    bool has_value() const noexcept { return value_.has_value(); }
    /// What was made.
    T &value() & { return value_ ? *value_ : (std::abort(), *value_); }
    /// What was made.
    const T &value() const & { return value_ ? *value_ : (std::abort(), *value_); }
    /// What was made, taken out.
    T value() && { return value_ ? std::move(*value_) : (std::abort(), std::move(*value_)); }
    /// What was made.
    T &operator*() & { return value(); }
    /// What was made.
    const T &operator*() const & { return value(); }
    /// What was made, taken out.
    T operator*() && { return std::move(*this).value(); }
    /// What was made.
    T *operator->() { return &value(); }
    /// Why it failed.
    const Error &error() const { return error_ ? *error_ : (std::abort(), *error_); }

private:
    std::optional<T> value_;
    std::optional<Error> error_;
};

/// The same for a call that makes nothing.
template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    /// Whether it succeeded.
    explicit operator bool() const noexcept { return !error_.has_value(); }
    /// Whether it succeeded.
    bool has_value() const noexcept { return !error_.has_value(); }
    /// Why it failed.
    const Error &error() const { return error_ ? *error_ : (std::abort(), *error_); }

private:
    std::optional<Error> error_;
};

#else

/// What a call makes: it throws where it fails.
template <typename T>
using Result = T;

#endif

namespace detail {

/// What comes of a call whose status is `status`: `make()`, unless it failed.
template <typename Make>
auto unless_failed(OrchStatus status, Make make) -> Result<decltype(make())>
{
#ifdef ORCH_NO_EXCEPTIONS
    if (status < 0)
        return Error::last(status);
    if constexpr (std::is_void_v<decltype(make())>) {
        make();
        return {};
    } else {
        return make();
    }
#else
    if (status < 0)
        throw Error::last(status);
    return make();
#endif
}

/// The same for a call that makes nothing.
inline Result<void> unless_failed(OrchStatus status)
{
    return unless_failed(status, [] {});
}

inline const std::uint8_t *data_of(std::string_view text) noexcept
{
    return reinterpret_cast<const std::uint8_t *>(text.data());
}

inline std::string_view view_of(OrchBytes bytes) noexcept
{
    return {reinterpret_cast<const char *>(bytes.data), bytes.len};
}

/// A text of a call that fills a buffer: asked for its length first.
template <typename Fill>
Result<std::string> filled(Fill fill)
{
    std::string text(64, '\0');
    std::size_t len = 0;
    OrchStatus status;
    while ((status = fill(text.data(), text.size(), &len)) == ORCH_TOO_SMALL)
        text.resize(2 * len);
    return unless_failed(status, [&] {
        text.resize(len);
        return std::move(text);
    });
}

/// Owns a handle. Empty after it was moved from or released.
template <typename Raw, void (*Free)(Raw *)>
class Handle {
public:
    Handle() noexcept = default;
    explicit Handle(Raw *raw) noexcept : raw_(raw) {}
    Handle(Handle &&other) noexcept : raw_(other.release()) {}
    Handle &operator=(Handle &&other) noexcept
    {
        if (this != &other) {
            Free(raw_);
            raw_ = other.release();
        }
        return *this;
    }
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    ~Handle() { Free(raw_); }

    /// The handle, for calls that are not here. It stays owned.
    Raw *native() const noexcept { return raw_; }
    /// The handle, which is yours to free from now on.
    Raw *release() noexcept { return std::exchange(raw_, nullptr); }
    /// Whether there is one.
    explicit operator bool() const noexcept { return raw_ != nullptr; }

    friend bool operator==(const Handle &one, const Raw *other) noexcept { return one.raw_ == other; }
    friend bool operator==(const Raw *other, const Handle &one) noexcept { return one.raw_ == other; }
    friend bool operator!=(const Handle &one, const Raw *other) noexcept { return one.raw_ != other; }
    friend bool operator!=(const Raw *other, const Handle &one) noexcept { return one.raw_ != other; }

private:
    Raw *raw_ = nullptr;
};

} // namespace detail

using Nanoseconds = std::chrono::nanoseconds;

// ---- What happened ----

/// An event of a hub.
class Event {
public:
    explicit Event(const OrchEvent &raw) noexcept : raw_(raw) {}

    /// An ORCH_EVENT_ kind.
    std::uint32_t kind() const noexcept { return raw_.kind; }
    /// There is output to read, of session() or reader().
    bool is_output() const noexcept { return raw_.kind == ORCH_EVENT_OUTPUT; }
    /// session() has ended.
    bool is_exit() const noexcept { return raw_.kind == ORCH_EVENT_EXIT; }
    /// timer() is due.
    bool is_timer() const noexcept { return raw_.kind == ORCH_EVENT_TIMER; }
    /// The input queue of session() has room again.
    bool is_input_ready() const noexcept { return raw_.kind == ORCH_EVENT_INPUT_READY; }
    /// The session it happened to, or NULL.
    OrchSession *session() const noexcept { return raw_.session; }
    /// The reader, or NULL.
    OrchReader *reader() const noexcept { return raw_.reader; }
    /// The timer, or NULL.
    OrchTimer *timer() const noexcept { return raw_.timer; }
    /// The link, or NULL.
    OrchLink *link() const noexcept { return raw_.link; }
    /// The submission, or NULL.
    OrchSubmission *submission() const noexcept { return raw_.submission; }
    /// What was given when the object was made.
    template <typename T>
    T *user_data() const noexcept { return static_cast<T *>(raw_.user_data); }
    /// What the process returned; nothing where it was ended by a signal, or nobody knows.
    std::optional<int> exit_code() const noexcept { return raw_.exit_code < 0 ? std::nullopt : std::optional<int>(raw_.exit_code); }
    /// The signal that ended it, where one did.
    std::optional<int> exit_signal() const noexcept { return raw_.exit_signal == 0 ? std::nullopt : std::optional<int>(raw_.exit_signal); }
    /// Something that the process left behind held its terminal open.
    bool orphaned() const noexcept { return (raw_.flags & ORCH_EVENT_FLAG_ORPHANED) != 0; }
    /// All of it.
    const OrchEvent &raw() const noexcept { return raw_; }

private:
    OrchEvent raw_;
};

// ---- What to run ----

/// What to run in a terminal, and how. It keeps its texts.
class SpawnOptions {
public:
    /// The user's shell.
    SpawnOptions() = default;
    /// A program and its arguments.
    SpawnOptions(std::initializer_list<std::string> argv) : argv_(argv) {}
    /// A program and its arguments.
    explicit SpawnOptions(std::vector<std::string> argv) : argv_(std::move(argv)) {}

    /// The terminal's size.
    SpawnOptions &size(std::uint16_t cols, std::uint16_t rows)
    {
        raw_.window.cols = cols;
        raw_.window.rows = rows;
        return *this;
    }
    /// A change to the environment: "NAME=value" sets, "NAME" removes.
    SpawnOptions &env(std::string change)
    {
        env_.push_back(std::move(change));
        return *this;
    }
    /// The environment begins empty.
    SpawnOptions &clear_env()
    {
        raw_.flags |= ORCH_SPAWN_CLEAR_ENV;
        return *this;
    }
    /// The folder to run in.
    SpawnOptions &cwd(std::string folder)
    {
        cwd_ = std::move(folder);
        return *this;
    }
    /// What the session's events carry.
    SpawnOptions &user_data(void *data)
    {
        raw_.user_data = data;
        return *this;
    }
    /// The rest: limits and patience. Its texts, lists and size are not looked at.
    OrchSpawnOptions &raw() { return raw_; }

    /// Calls `use` with the options as C has them.
    template <typename Use>
    auto with(Use use) const
    {
        OrchSpawnOptions options = raw_;
        std::vector<const char *> argv = list(argv_), env = list(env_);
        options.argv = argv_.empty() ? nullptr : argv.data();
        options.env = env.data();
        options.cwd = cwd_ ? cwd_->c_str() : nullptr;
        return use(static_cast<const OrchSpawnOptions *>(&options));
    }

private:
    static std::vector<const char *> list(const std::vector<std::string> &texts)
    {
        std::vector<const char *> list;
        for (const std::string &text : texts)
            list.push_back(text.c_str());
        list.push_back(nullptr);
        return list;
    }

    OrchSpawnOptions raw_ = ORCH_INIT(OrchSpawnOptions);
    std::vector<std::string> argv_, env_;
    std::optional<std::string> cwd_;
};

// ---- Reading ----

/// How reading ended.
enum class Read {
    /// There is nothing more now: an event tells when there is.
    Again,
    /// There never will be: the session has ended.
    End,
    /// Bytes are missing here: Reader::skip goes on after them.
    Gap,
};

namespace detail {

/// Hands all that is there to `use`, stretch by stretch. What `use` has seen is consumed, also where it throws: the stretch that it threw at counts as seen.
template <typename Raw, typename Use>
Result<Read> read_all(Raw *raw, OrchStatus (*peek)(Raw *, OrchBytes *, OrchBytes *), OrchStatus (*consume)(Raw *, std::size_t), Use &use)
{
    struct Loan {
        Raw *raw;
        OrchStatus (*consume)(Raw *, std::size_t);
        std::size_t seen = 0;
        ~Loan() { consume(raw, seen); }
    };
    OrchStatus status;
    OrchBytes first, second;
    while ((status = peek(raw, &first, &second)) == ORCH_OK) {
        Loan loan{raw, consume};
        for (OrchBytes part : {first, second}) {
            loan.seen += part.len;
            if (part.len > 0)
                use(view_of(part));
        }
    }
    return unless_failed(status, [&] { return status == ORCH_EOF ? Read::End : status == ORCH_GAP ? Read::Gap : Read::Again; });
}

} // namespace detail

/// A further reader of a session's output.
class Reader : public detail::Handle<OrchReader, orch_reader_free> {
public:
    using Handle::Handle;

    /// Hands all output there is to `use(std::string_view)`, without a copy, and consumes it. Where `use` throws, what it has seen is consumed.
    template <typename Use>
    Result<Read> read(Use use)
    {
        return detail::read_all(native(), orch_reader_peek, orch_reader_consume, use);
    }
    /// Goes on after a gap: the offset of the first byte that is missing, and of what follows the last; nothing where there is no gap.
    Result<std::optional<std::pair<std::uint64_t, std::uint64_t>>> skip()
    {
        std::uint64_t from = 0, to = 0;
        OrchStatus status = orch_reader_skip(native(), &from, &to);
        using Gap = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
        return detail::unless_failed(status, [&] { return status == ORCH_OK ? Gap({from, to}) : Gap(); });
    }
    /// Goes on at the byte of this offset.
    Result<void> seek(std::uint64_t offset) { return detail::unless_failed(orch_reader_seek(native(), offset)); }
    /// The offset of the next byte.
    Result<std::uint64_t> offset() const
    {
        std::uint64_t offset = 0;
        return detail::unless_failed(orch_reader_offset(native(), &offset), [&] { return offset; });
    }
};

/// One terminal and its process.
class Session : public detail::Handle<OrchSession, orch_session_free> {
public:
    using Handle::Handle;

    /// Hands all output there is to `use(std::string_view)`, without a copy, and consumes it. Where `use` throws, what it has seen is consumed.
    template <typename Use>
    Result<Read> read(Use use)
    {
        return detail::read_all(native(), orch_session_peek, orch_session_consume, use);
    }
    /// Types. Returns how many bytes were accepted: 0 when the queue is full, and an event tells when it is not.
    Result<std::size_t> write(std::string_view text)
    {
        std::size_t taken = 0;
        return detail::unless_failed(orch_session_write(native(), detail::data_of(text), text.size(), &taken), [&] { return taken; });
    }
    /// Types an interrupt key: see orch_session_write_urgent.
    Result<std::size_t> write_urgent(std::string_view text)
    {
        std::size_t taken = 0;
        return detail::unless_failed(orch_session_write_urgent(native(), detail::data_of(text), text.size(), &taken), [&] { return taken; });
    }
    /// Changes the terminal's size, in cells.
    Result<void> resize(std::uint16_t cols, std::uint16_t rows) { return detail::unless_failed(orch_session_resize(native(), cols, rows)); }
    /// Sends an ORCH_SIGNAL_ to an ORCH_TARGET_.
    Result<void> signal(std::uint32_t signal, std::uint32_t target = ORCH_TARGET_FOREGROUND)
    {
        return detail::unless_failed(orch_session_signal(native(), signal, target));
    }
    /// Asks all its processes to go, and makes them, with this patience after each step.
    Result<void> close(Nanoseconds grace) { return detail::unless_failed(orch_session_close(native(), static_cast<std::uint64_t>(grace.count()))); }
    /// What is known of it.
    Result<OrchSessionStatus> status() const
    {
        OrchSessionStatus status = ORCH_INIT(OrchSessionStatus);
        return detail::unless_failed(orch_session_status(native(), &status), [&] { return status; });
    }
    /// A further reader; NULL options: an owner from the first byte ever.
    Result<Reader> reader(const OrchReaderOptions *options = nullptr)
    {
        OrchReader *reader = nullptr;
        return detail::unless_failed(orch_reader_new(native(), options, &reader), [&] { return Reader(reader); });
    }
};

/// A deadline that can be set again and again.
class Timer : public detail::Handle<OrchTimer, orch_timer_free> {
public:
    using Handle::Handle;

    /// An event tells after so long.
    Result<void> set(Nanoseconds after) { return detail::unless_failed(orch_timer_set(native(), static_cast<std::uint64_t>(after.count()))); }
    /// Unless its event was taken already, there is none.
    Result<void> cancel() { return detail::unless_failed(orch_timer_cancel(native())); }
};

// ---- Operations ----

/// Operations to be asked for together.
class Batch : public detail::Handle<OrchBatch, orch_batch_free> {
public:
    using Handle::Handle;

    /// One without operations; NULL options: in parallel.
    static Result<Batch> make(const OrchBatchOptions *options = nullptr)
    {
        OrchBatch *batch = nullptr;
        return detail::unless_failed(orch_batch_new(options, &batch), [&] { return Batch(batch); });
    }
    /// Adds: start a program.
    Result<void> spawn(const SpawnOptions &options, const char *title = nullptr)
    {
        return detail::unless_failed(options.with([&](const OrchSpawnOptions *raw) { return orch_batch_spawn(native(), raw, title); }));
    }
    /// Adds: type into a session.
    Result<void> input(std::uint64_t session, std::string_view text, std::uint32_t flags = 0)
    {
        return detail::unless_failed(orch_batch_input(native(), session, detail::data_of(text), text.size(), flags));
    }
    /// Adds: make a terminal this size.
    Result<void> resize(std::uint64_t session, std::uint16_t cols, std::uint16_t rows)
    {
        return detail::unless_failed(orch_batch_resize(native(), session, cols, rows));
    }
    /// Adds: name a session.
    Result<void> title(std::uint64_t session, const char *title)
    {
        return detail::unless_failed(orch_batch_control(native(), session, ORCH_ACT_TITLE, title));
    }
    /// Adds: end a session.
    Result<void> close(std::uint64_t session, std::chrono::milliseconds grace)
    {
        return detail::unless_failed(orch_batch_close(native(), session, static_cast<std::uint32_t>(grace.count())));
    }
    /// Adds: tell what is known of a session.
    Result<void> query(std::uint64_t session) { return detail::unless_failed(orch_batch_query(native(), session)); }
};

/// Operations that were asked for within this process.
class Submission : public detail::Handle<OrchSubmission, orch_submission_free> {
public:
    using Handle::Handle;

    /// Hands each outcome that has come to `use(const OrchOutcome &)`. Returns whether there are more to come.
    template <typename Use>
    Result<bool> each_outcome(Use use)
    {
        OrchOutcome outcome = ORCH_INIT(OrchOutcome);
        OrchStatus status;
        while ((status = orch_submission_next(native(), &outcome)) == ORCH_OK)
            use(static_cast<const OrchOutcome &>(outcome));
        return detail::unless_failed(status, [&] { return status == ORCH_AGAIN; });
    }
    /// Calls off what has not begun.
    Result<void> cancel() { return detail::unless_failed(orch_submission_cancel(native())); }
};

// ---- Serving ----

/// One connection of a server.
class Link : public detail::Handle<OrchLink, orch_link_free> {
public:
    using Handle::Handle;

    /// Bytes, or a message, have come. Returns how many were taken; nothing where it must wait for ORCH_EVENT_LINK_READY.
    Result<std::optional<std::size_t>> receive(std::string_view bytes)
    {
        std::size_t taken = 0;
        OrchStatus status = orch_link_receive(native(), detail::data_of(bytes), bytes.size(), &taken);
        using Taken = std::optional<std::size_t>;
        return detail::unless_failed(status, [&] { return status == ORCH_OK ? Taken(taken) : Taken(); });
    }
    /// Hands what is to be sent to `send(std::string_view)`, which returns how much of it was sent, until it sends less than that. Returns
    /// Read::End when nothing more will come: close the transport.
    template <typename Send>
    Result<Read> send(Send send)
    {
        OrchBytes bytes;
        OrchStatus status;
        while ((status = orch_link_peek(native(), &bytes)) == ORCH_OK) {
            std::size_t sent = send(detail::view_of(bytes));
            status = sent > 0 ? orch_link_consume(native(), sent) : ORCH_OK;
            if (status < 0 || sent < bytes.len)
                break;
        }
        return detail::unless_failed(status, [&] { return status == ORCH_EOF ? Read::End : Read::Again; });
    }
    /// The transport is gone.
    Result<void> lost() { return detail::unless_failed(orch_link_lost(native())); }
};

/// A server of one hub's sessions.
class Server : public detail::Handle<OrchServer, orch_server_free> {
public:
    using Handle::Handle;

    /// A client has connected, who dialled `authority`.
    Result<Link> accept(const char *authority, std::uint32_t framing, void *user_data = nullptr)
    {
        OrchLink *link = nullptr;
        return detail::unless_failed(orch_server_accept(native(), authority, framing, user_data, &link), [&] { return Link(link); });
    }
    /// Has a batch carried out.
    Result<Submission> submit(const Batch &batch, void *user_data = nullptr)
    {
        OrchSubmission *submission = nullptr;
        OrchStatus status = orch_server_submit(native(), batch.native(), user_data, &submission);
        return detail::unless_failed(status, [&] { return Submission(submission); });
    }
    /// A handle to a session that a client or an operation has started.
    Result<Session> session(std::uint64_t number, void *user_data = nullptr)
    {
        OrchSession *session = nullptr;
        return detail::unless_failed(orch_server_session(native(), number, user_data, &session), [&] { return Session(session); });
    }
    /// What it counts.
    Result<OrchServerCounts> counts() const
    {
        OrchServerCounts counts = ORCH_INIT(OrchServerCounts);
        return detail::unless_failed(orch_server_counts(native(), &counts), [&] { return counts; });
    }
    /// Turns everybody away, now and from now on.
    Result<void> shut_down(const char *message = nullptr) { return detail::unless_failed(orch_server_shut_down(native(), message)); }
};

// ---- The hub ----

/// Terminals, processes and timers behind one readable descriptor.
class Hub : public detail::Handle<OrchHub, orch_hub_free> {
public:
    using Handle::Handle;

#ifndef ORCH_NO_EXCEPTIONS
    /// A hub that its host drives.
    Hub() : Hub(open(nullptr)) {}
#endif
    /// A hub like `options`; NULL: one that its host drives.
    static Result<Hub> open(const OrchHubOptions *options = nullptr)
    {
        OrchHub *hub = nullptr;
        return detail::unless_failed(orch_hub_new(options, &hub), [&] { return Hub(hub); });
    }

    /// The descriptor to watch for reading.
    int fd() const noexcept { return orch_hub_fd(native()); }
    /// Deals with what is ready. Returns whether more is.
    Result<bool> dispatch(std::size_t budget_bytes = 0)
    {
        OrchStatus status = orch_hub_dispatch(native(), budget_bytes);
        return detail::unless_failed(status, [&] { return status == ORCH_MORE; });
    }
    /// Waits until something happens, without end where there is no timeout. Returns whether something did.
    Result<bool> wait(std::optional<Nanoseconds> timeout = std::nullopt)
    {
        OrchStatus status = orch_hub_wait(native(), timeout ? static_cast<std::int64_t>(timeout->count()) : -1);
        return detail::unless_failed(status, [&] { return status == ORCH_OK; });
    }
    /// Hands each event that waits to `use(const Event &)`. Where `use` throws, the event it threw at was taken, and the others wait.
    template <typename Use>
    Result<void> each_event(Use use)
    {
        OrchEvent event = ORCH_INIT(OrchEvent);
        OrchStatus status;
        while ((status = orch_hub_next_event(native(), &event)) == ORCH_OK)
            use(Event(event));
        return detail::unless_failed(status);
    }
    /// Opens a terminal and runs a program in it.
    Result<Session> spawn(const SpawnOptions &options = SpawnOptions())
    {
        OrchSession *session = nullptr;
        OrchStatus status = options.with([&](const OrchSpawnOptions *raw) { return orch_session_spawn(native(), raw, &session); });
        return detail::unless_failed(status, [&] { return Session(session); });
    }
    /// A timer that is not set.
    Result<Timer> timer(void *user_data = nullptr)
    {
        OrchTimer *timer = nullptr;
        return detail::unless_failed(orch_timer_new(native(), user_data, &timer), [&] { return Timer(timer); });
    }
    /// A server of its sessions.
    Result<Server> serve(const OrchServerOptions &options)
    {
        OrchServer *server = nullptr;
        return detail::unless_failed(orch_server_new(native(), &options, &server), [&] { return Server(server); });
    }
    /// The time by its clock.
    Result<Nanoseconds> now() const
    {
        std::uint64_t now = 0;
        return detail::unless_failed(orch_hub_now(native(), &now), [&] { return Nanoseconds(static_cast<std::int64_t>(now)); });
    }
    /// Moves a manual clock on.
    Result<void> advance(Nanoseconds by) { return detail::unless_failed(orch_hub_advance(native(), static_cast<std::uint64_t>(by.count()))); }
    /// What it counts about itself.
    Result<OrchMetrics> metrics() const
    {
        OrchMetrics metrics = ORCH_INIT(OrchMetrics);
        return detail::unless_failed(orch_hub_metrics(native(), &metrics), [&] { return metrics; });
    }
    /// The same and more as OpenMetrics text.
    Result<std::string> metrics_text() const
    {
        return detail::filled([&](char *buf, std::size_t cap, std::size_t *len) { return orch_hub_metrics_text(native(), buf, cap, len); });
    }
};

// ---- Clients ----

/// The client's end of a connection: a machine. See orchflow.h for its calls; native() is what they take.
class Client : public detail::Handle<OrchClient, orch_client_free> {
public:
    using Handle::Handle;

    /// A client like `options`.
    static Result<Client> make(const OrchClientOptions &options)
    {
        OrchClient *client = nullptr;
        return detail::unless_failed(orch_client_new(&options, &client), [&] { return Client(client); });
    }
    /// The transport is open.
    Result<void> connected(Nanoseconds now) { return detail::unless_failed(orch_client_connected(native(), count(now))); }
    /// The transport broke.
    Result<void> broken(Nanoseconds now) { return detail::unless_failed(orch_client_broken(native(), count(now))); }
    /// Bytes, or a message, have come.
    Result<void> receive(std::string_view bytes, Nanoseconds now)
    {
        return detail::unless_failed(orch_client_receive(native(), detail::data_of(bytes), bytes.size(), count(now)));
    }
    /// Hands what is to be sent to `send(std::string_view)`, which returns how much of it was sent, until it sends less than that.
    template <typename Send>
    Result<void> send(Send send)
    {
        OrchBytes bytes;
        OrchStatus status;
        while ((status = orch_client_peek(native(), &bytes)) == ORCH_OK) {
            std::size_t sent = send(detail::view_of(bytes));
            status = sent > 0 ? orch_client_consume(native(), sent) : ORCH_OK;
            if (status < 0 || sent < bytes.len)
                break;
        }
        return detail::unless_failed(status);
    }
    /// Time has passed.
    Result<void> timeout(Nanoseconds now) { return detail::unless_failed(orch_client_timeout(native(), count(now))); }
    /// When to call timeout, if nothing happens before.
    Result<std::optional<Nanoseconds>> next_timeout() const
    {
        std::uint64_t at = 0;
        OrchStatus status = orch_client_next_timeout(native(), &at);
        using At = std::optional<Nanoseconds>;
        return detail::unless_failed(status, [&] { return status == ORCH_OK ? At(Nanoseconds(static_cast<std::int64_t>(at))) : At(); });
    }
    /// Hands each event that waits to `use(const OrchClientEvent &)`. What it points to is valid within that call.
    template <typename Use>
    Result<void> each_event(Use use)
    {
        OrchClientEvent event = ORCH_INIT(OrchClientEvent);
        OrchStatus status;
        while ((status = orch_client_next_event(native(), &event)) == ORCH_OK)
            use(static_cast<const OrchClientEvent &>(event));
        return detail::unless_failed(status);
    }
    /// Starts a program; returns the stream on which ORCH_CLIENT_SPAWNED or ORCH_CLIENT_REFUSED follows.
    Result<std::uint16_t> spawn(const SpawnOptions &options)
    {
        std::uint16_t stream = 0;
        OrchStatus status = options.with([&](const OrchSpawnOptions *raw) { return orch_client_spawn(native(), raw, &stream); });
        return detail::unless_failed(status, [&] { return stream; });
    }
    /// Types. Returns the number of the last piece, which ORCH_CLIENT_SETTLED reaches; nothing where too much waits for the server.
    Result<std::optional<std::uint64_t>> write(std::uint16_t stream, std::string_view text, std::uint32_t flags = 0)
    {
        std::uint64_t sequence = 0;
        OrchStatus status = orch_client_write(native(), stream, detail::data_of(text), text.size(), flags, &sequence);
        using Sequence = std::optional<std::uint64_t>;
        return detail::unless_failed(status, [&] { return status == ORCH_OK ? Sequence(sequence) : Sequence(); });
    }
    /// Output before `offset` was rendered.
    Result<void> rendered(std::uint16_t stream, std::uint64_t offset)
    {
        return detail::unless_failed(orch_client_rendered(native(), stream, offset));
    }

private:
    static std::uint64_t count(Nanoseconds now) noexcept { return static_cast<std::uint64_t>(now.count()); }
};

// ---- What people type, and secrets ----

/// The bytes that a key sends: "ctrl+c", "alt+left", "f5".
inline Result<std::string> key(const char *name, std::uint32_t modes = 0)
{
    return detail::filled([&](char *buf, std::size_t cap, std::size_t *len) {
        return orch_key_encode(name, modes, reinterpret_cast<std::uint8_t *>(buf), cap, len);
    });
}

/// Pasted text, made safe to type; in brackets where the program asked for them.
inline Result<std::string> paste(std::string_view text, bool bracketed)
{
    std::uint32_t flags = bracketed ? ORCH_PASTE_BRACKETED : 0;
    return detail::filled([&](char *buf, std::size_t cap, std::size_t *len) {
        return orch_paste_encode(detail::data_of(text), text.size(), flags, reinterpret_cast<std::uint8_t *>(buf), cap, len, nullptr);
    });
}

/// A token for a server.
inline Result<std::string> new_token()
{
    return detail::filled([](char *buf, std::size_t cap, std::size_t *len) { return orch_token_new(buf, cap, len); });
}

/// What lets its holder in as one ORCH_ROLE_.
inline Result<std::string> pass(const std::string &token, std::uint32_t role)
{
    return detail::filled([&](char *buf, std::size_t cap, std::size_t *len) { return orch_token_pass(token.c_str(), role, buf, cap, len); });
}

} // namespace orchflow

#endif // ORCHFLOW_HPP
