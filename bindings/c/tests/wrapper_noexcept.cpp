// SPDX-License-Identifier: MIT OR Apache-2.0
// The C++ wrapper where calls answer a Result, compiled without exceptions.
#include "check.h"
#include "orchflow.hpp"

using orchflow::Hub;
using orchflow::SpawnOptions;

namespace {

void a_call_answers_what_it_made_or_why_not()
{
    auto hub = Hub::open();
    CHECK(hub && hub.has_value());
    auto none = hub->spawn(SpawnOptions({"/no/such/program"}));
    CHECK(!none);
    CHECK(none.error().status() == ORCH_NOT_FOUND && none.error().os_error() == 2);
    CHECK(std::string(none.error().what()).find("/no/such/program") != std::string::npos);
    OrchHubOptions options = ORCH_INIT(OrchHubOptions);
    options.pool_bytes = 1;
    CHECK(Hub::open(&options).error().status() == ORCH_INVALID);
}

void a_session_runs_to_its_end()
{
    Hub hub = std::move(Hub::open()).value();
    orchflow::Session session = hub.spawn(SpawnOptions({"/bin/sh", "-c", "echo hello; exit 3"})).value();
    std::string heard;
    int code = -1;
    while (code < 0) {
        CHECK(hub.wait());
        CHECK(hub.each_event([&](const orchflow::Event &event) { code = event.is_exit() ? *event.exit_code() : code; }));
        CHECK(session.read([&](std::string_view part) { heard += part; }));
    }
    CHECK(heard == "hello\r\n" && code == 3);
    CHECK(*session.read([](std::string_view) {}) == orchflow::Read::End);
    CHECK(session.write("x").error().status() == ORCH_CLOSED);
    CHECK(!session.resize(0, 0));
    CHECK(*orchflow::key("f5") == "\x1b[15~" && !orchflow::key("no such key"));
}

const Test tests[] = {
    TEST(a_call_answers_what_it_made_or_why_not),
    TEST(a_session_runs_to_its_end),
};

} // namespace

RUN(tests)
