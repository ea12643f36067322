// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sixty-four terminals and one loop.
//
//     c++ -std=c++17 many.cpp $(pkg-config --cflags --libs orchflow) -o many && ./many
//
// Each runs a small script; what it says is counted, and one line is printed for each. It ends with 0 only if all said what they had to.
#include <poll.h>

#include <cstdio>
#include <memory>
#include <vector>

#include "orchflow.hpp"

namespace {

constexpr int TERMINALS = 64;
constexpr std::size_t BYTES = 100'000;

/// One of them. Its address is what events carry, so it does not move.
struct Terminal {
    orchflow::Session session;
    std::size_t bytes = 0;
    std::optional<int> code;
    bool ended = false;

    void read()
    {
        session.read([this](std::string_view part) { bytes += part.size(); });
    }
};

} // namespace

int main()
try {
    orchflow::Hub hub;
    std::vector<std::unique_ptr<Terminal>> terminals;
    for (int at = 0; at < TERMINALS; at++) {
        auto terminal = std::make_unique<Terminal>();
        std::string script = "stty raw; head -c " + std::to_string(BYTES) + " /dev/zero; exit " + std::to_string(at);
        terminal->session = hub.spawn(orchflow::SpawnOptions({"/bin/sh", "-c", script}).user_data(terminal.get()));
        terminals.push_back(std::move(terminal));
    }

    for (int running = TERMINALS; running > 0;) {
        pollfd watched{hub.fd(), POLLIN, 0};
        if (poll(&watched, 1, 30'000) == 0) {
            std::fprintf(stderr, "many: %d terminals say nothing more, and have not ended\n", running);
            return 1;
        }
        hub.dispatch();
        hub.each_event([&](const orchflow::Event &event) {
            auto *terminal = event.user_data<Terminal>();
            if (event.is_output())
                terminal->read();
            if (event.is_exit()) {
                terminal->read();
                terminal->code = event.exit_code();
                terminal->ended = true;
                running--;
            }
        });
    }

    bool all = true;
    for (int at = 0; at < TERMINALS; at++) {
        const Terminal &terminal = *terminals[at];
        std::printf("%2d: %zu bytes, exit code %d\n", at, terminal.bytes, terminal.code.value_or(-1));
        all = all && terminal.bytes == BYTES && terminal.code == at;
    }
    return all ? 0 : 1;
} catch (const orchflow::Error &error) {
    std::fprintf(stderr, "many: %s\n", error.what());
    return 1;
}
