// SPDX-License-Identifier: MIT OR Apache-2.0
// The C++ wrapper where calls throw.
#include <dirent.h>
#include <poll.h>

#include <stdexcept>
#include <vector>

#include "check.h"
#include "orchflow.hpp"
#include "orchflow.hpp"

using namespace std::chrono_literals;
using orchflow::Hub;
using orchflow::SpawnOptions;

namespace {

SpawnOptions script(const char *text)
{
    return SpawnOptions({"/bin/sh", "-c", text});
}

/// Drives the hub until `session` has ended, and returns what it said.
std::string heard_of(Hub &hub, orchflow::Session &session, std::optional<int> &code)
{
    std::string heard;
    bool ended = false;
    while (!ended) {
        hub.wait();
        hub.each_event([&](const orchflow::Event &event) {
            if (event.is_exit() && event.session() == session) {
                code = event.exit_code();
                ended = true;
            }
        });
        session.read([&](std::string_view part) { heard += part; });
    }
    return heard;
}

int descriptors()
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder) != nullptr)
        count++;
    closedir(folder);
    return count;
}

void a_conversation_reads_like_one()
{
    int before = descriptors();
    {
        Hub hub;
        auto shell = hub.spawn(script("stty size; read line; echo \"got $line [$NEW] $(pwd)\"; exit 5").size(100, 30).env("NEW=new").cwd("/usr"));
        CHECK(shell.write("hello\n") == 6);
        std::optional<int> code;
        std::string heard = heard_of(hub, shell, code);
        CHECK(heard.find("30 100") != std::string::npos && heard.find("got hello [new] /usr") != std::string::npos);
        CHECK(code == 5);
        CHECK(shell.read([](std::string_view) {}) == orchflow::Read::End);
        CHECK(shell.status().exit_code == 5);
        CHECK(hub.metrics().sessions == 1 && hub.metrics_text().find("terminal_sessions_total 1") != std::string::npos);
    }
    CHECK(descriptors() == before);
}

void an_error_says_what_and_why()
{
    Hub hub;
    try {
        hub.spawn(SpawnOptions({"/no/such/program"}));
        CHECK(!"it was run");
    } catch (const orchflow::Error &error) {
        CHECK(error.status() == ORCH_NOT_FOUND && error.os_error() == 2);
        CHECK(std::string(error.what()).find("/no/such/program") != std::string::npos);
    }
    try {
        Hub().spawn(script("exit")).resize(0, 0);
        CHECK(!"it was resized");
    } catch (const std::runtime_error &error) {
        CHECK(std::string(error.what()).find("0x0") != std::string::npos);
    }
}

void what_was_moved_from_is_empty_and_frees_nothing()
{
    Hub first;
    OrchHub *raw = first.native();
    Hub second = std::move(first);
    CHECK(!first && second && second.native() == raw);
    auto session = second.spawn(script("sleep 100"));
    orchflow::Session other = second.spawn(script("sleep 100"));
    other = std::move(session); // The one it had is freed.
    CHECK(!session);
    second.wait(10ms);
    OrchSession *released = other.release();
    CHECK(!other && released != nullptr);
    orch_session_free(released);
    try {
        first.dispatch();
        CHECK(!"it was dispatched");
    } catch (const orchflow::Error &error) {
        CHECK(error.status() == ORCH_NULL);
    }
}

void what_was_seen_is_consumed_also_where_its_reader_throws()
{
    Hub hub;
    auto session = hub.spawn(script("stty raw; printf 12345; sleep 100"));
    struct Enough {};
    std::string seen;
    while (seen.empty()) {
        hub.wait();
        hub.each_event([](const orchflow::Event &) {});
        try {
            session.read([&](std::string_view part) {
                seen += part;
                throw Enough();
            });
        } catch (const Enough &) {
        }
    }
    CHECK(session.status().output_consumed == seen.size());
    try {
        auto timer = hub.timer();
        timer.set(0ns);
        hub.wait();
        hub.each_event([](const orchflow::Event &event) {
            if (event.is_timer())
                throw Enough();
        });
        CHECK(!"nobody threw");
    } catch (const Enough &) {
    }
    hub.dispatch();
}

void readers_and_timers_and_keys_have_their_classes()
{
    Hub hub;
    auto session = hub.spawn(script("echo hello"));
    auto reader = session.reader();
    std::optional<int> code;
    CHECK(heard_of(hub, session, code) == "hello\r\n");
    std::string again;
    CHECK(reader.read([&](std::string_view part) { again += part; }) == orchflow::Read::End);
    CHECK(again == "hello\r\n" && reader.offset() == 7 && !reader.skip());
    reader.seek(2);
    again.clear();
    reader.read([&](std::string_view part) { again += part; });
    CHECK(again == "llo\r\n");

    int mine = 0;
    auto timer = hub.timer(&mine);
    timer.set(1ms);
    while (mine == 0) {
        hub.wait();
        hub.each_event([&](const orchflow::Event &event) {
            if (event.is_timer() && event.timer() == timer)
                ++*event.user_data<int>();
        });
    }
    CHECK(orchflow::key("ctrl+c") == "\x03" && orchflow::key("up", ORCH_KEYS_APPLICATION_CURSOR) == "\x1bOA");
    CHECK(orchflow::paste("a\nb", true) == "\x1b[200~a\rb\x1b[201~");
    CHECK(orchflow::paste(std::string(1000, 'x'), false).size() == 1000);
    CHECK(hub.now() > 0ns);
}

void a_server_and_a_client_have_theirs()
{
    Hub hub;
    std::string token = orchflow::new_token(), pass = orchflow::pass(token, ORCH_ROLE_OWNER);
    OrchServerOptions options = ORCH_INIT(OrchServerOptions);
    options.token = token.c_str();
    auto server = hub.serve(options);
    OrchClientOptions client_options = ORCH_INIT(OrchClientOptions);
    client_options.pass = pass.c_str();
    client_options.authority = "unix";
    auto client = orchflow::Client::make(client_options);
    auto link = server.accept("unix", ORCH_FRAMING_STREAM);
    std::uint16_t stream = client.spawn(script("echo \"hello $((6 * 7))\"; exit 3"));
    std::string text;
    int code = -1;
    while (code < 0) {
        client.each_event([&](const OrchClientEvent &event) {
            if (event.kind == ORCH_CLIENT_DIAL)
                client.connected(hub.now());
            if (event.kind == ORCH_CLIENT_OUTPUT && event.stream == stream) {
                text += orchflow::detail::view_of(event.data);
                client.rendered(stream, event.to);
            }
            if (event.kind == ORCH_CLIENT_EXIT)
                code = event.exit_code;
        });
        client.send([&](std::string_view bytes) { return *link.receive(bytes); });
        hub.wait(1ms);
        hub.each_event([](const orchflow::Event &) {});
        link.send([&](std::string_view bytes) {
            client.receive(bytes, hub.now());
            return bytes.size();
        });
        client.timeout(hub.now());
    }
    CHECK(code == 3 && text == "hello 42\r\n");
    CHECK(server.counts().clients == 1 && client.next_timeout().has_value());

    auto batch = orchflow::Batch::make();
    batch.spawn(script("sleep 100"), "mine");
    batch.query(99);
    auto submission = server.submit(batch);
    std::vector<std::uint32_t> kinds(2);
    std::uint64_t session = 0;
    while (submission.each_outcome([&](const OrchOutcome &outcome) {
        kinds[outcome.at] = outcome.kind;
        session = outcome.kind == ORCH_OUTCOME_SPAWNED ? outcome.session : session;
    }))
        hub.wait(1ms);
    CHECK(kinds[0] == ORCH_OUTCOME_SPAWNED && kinds[1] == ORCH_OUTCOME_REFUSED);
    CHECK(server.session(session).status().id == session);
    link.lost();
    server.shut_down();
}

const Test tests[] = {
    TEST(a_conversation_reads_like_one),
    TEST(an_error_says_what_and_why),
    TEST(what_was_moved_from_is_empty_and_frees_nothing),
    TEST(what_was_seen_is_consumed_also_where_its_reader_throws),
    TEST(readers_and_timers_and_keys_have_their_classes),
    TEST(a_server_and_a_client_have_theirs),
};

} // namespace

RUN(tests)
