// SPDX-License-Identifier: MIT OR Apache-2.0
// The same in C++: that the headers are found, the standard is set, and the calls are linked by their C names.
#include <orchflow.h>
#if __has_include(<orchflow.hpp>)
#include <orchflow.hpp>
#endif

#include <iostream>
#include <string_view>

int main()
{
    const char *const argv[] = {"echo", "hello", nullptr};
    auto options = ORCH_INIT(OrchSpawnOptions);
    options.argv = argv;
    OrchHub *hub = nullptr;
    OrchSession *session = nullptr;
    if (orch_hub_new(nullptr, &hub) < 0 || orch_session_spawn(hub, &options, &session) < 0)
        return 1;
    OrchBytes first{}, second{};
    for (OrchStatus status; (status = orch_session_peek(session, &first, &second)) != ORCH_EOF;) {
        if (status == ORCH_OK) {
            for (const OrchBytes &part : {first, second})
                std::cout << std::string_view(reinterpret_cast<const char *>(part.data), part.len);
            orch_session_consume(session, first.len + second.len);
        }
        if (orch_hub_wait(hub, -1) < 0)
            return 1;
        auto event = ORCH_INIT(OrchEvent);
        while (orch_hub_next_event(hub, &event) == ORCH_OK) {
        }
    }
    orch_session_free(session);
    orch_hub_free(hub);
}
